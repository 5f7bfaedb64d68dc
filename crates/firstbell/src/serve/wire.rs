//! Requests at the daemon's socket, and their answers.

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{Desk, Order};

/// The only host that a request may name: a page in a browser cannot.
pub(super) const NAME: &str = "firstbell";

/// Answers one request. Nothing is changed by a GET, and nothing has a body.
pub(super) fn answer(request: &Request<Incoming>, desk: &dyn Desk) -> Response<Full<Bytes>> {
    let host = request.headers().get(HOST).is_some_and(|host| host.as_bytes() == NAME.as_bytes());
    if !host || request.headers().contains_key(ORIGIN) {
        return refuse(
            StatusCode::FORBIDDEN,
            "this socket is for firstbell's own commands, not for browsers",
        );
    }
    if !request.body().is_end_stream() {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body");
    }
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/livez") => health(desk.is_alive(), "alive", desk),
        (&Method::GET, "/readyz") => health(desk.is_ready(), "ready", desk),
        (&Method::GET, "/v1/accounts") => reply(StatusCode::OK, &json!({ "accounts": desk.accounts() })),
        (&Method::POST, path) => order(path, desk),
        _ => refuse(StatusCode::NOT_FOUND, "there is no such address; see firstbell status"),
    }
}

fn order(path: &str, desk: &dyn Desk) -> Response<Full<Bytes>> {
    let parts: Vec<&str> = path.split('/').collect();
    let found = match parts.as_slice() {
        ["", "v1", "accounts", account, verb] => {
            Order::ALL.iter().find(|(name, _)| name == verb).map(|(_, order)| (*account, *order))
        }
        _ => None,
    };
    let Some((account, order)) = found else {
        return refuse(StatusCode::NOT_FOUND, "there is no such order");
    };
    match desk.order(account, order) {
        None => refuse(StatusCode::NOT_FOUND, "the daemon keeps no account of this name"),
        Some(Ok(())) => reply(StatusCode::OK, &json!({ "account": account, "done": order.name() })),
        Some(Err(failure)) => {
            let body = json!({ "error": failure.to_string(), "cure": failure.cure() });
            reply(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

/// What a watcher wants in its status, and a person in its body.
fn health(well: bool, word: &str, desk: &dyn Desk) -> Response<Full<Bytes>> {
    let accounts: Vec<Value> = desk
        .accounts()
        .iter()
        .map(|a| json!({ "account": a["account"], "served": a["served"], "next": a["next"] }))
        .collect();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    reply(status, &json!({ word: well, "accounts": accounts }))
}

fn refuse(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    reply(status, &json!({ "error": why }))
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
