//! What stands before every request: whose address was meant, the simulated date, and the record.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::clock;
use crate::fields;
use crate::mishap::Cut;
use crate::names::{Asked, NAMES};
use crate::world::World;

/// The origin under which the client reached us; absolute redirects lead back to it, or cookies would be lost.
#[derive(Clone, Debug)]
pub(crate) struct Origin(pub(crate) String);

/// Guards the pretended Kite.
pub(crate) async fn guard(State(world): State<Arc<World>>, mut request: Request, next: Next) -> Response {
    let ticket = world.lock().seen.request_arrived(request.method().as_str(), request.uri().path());
    let origin = if world.secure {
        pretended_host(&request, world.site).map(|host| format!("https://{host}"))
    } else {
        own_host(&request, world.site).map(|host| format!("http://{host}"))
    };
    let response = match origin {
        Some(origin) => {
            request.extensions_mut().insert(Origin(origin));
            match fields::whole(request).await {
                Ok(request) => next.run(request).await,
                Err(response) => response,
            }
        }
        None => misdirected(),
    };
    if response.extensions().get::<Cut>().is_none() {
        world.lock().seen.request_answered(ticket, response.status().as_u16());
    }
    stamped(&world, response)
}

/// Stamps replies of listeners that need no guard.
pub(crate) async fn stamp(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    stamped(&world, response)
}

/// The host that a request names, when it is our own. A foreign name on a loopback address is the mark of
/// DNS rebinding: a web page that reaches for local programs.
pub(crate) fn own_host(request: &Request, own: SocketAddr) -> Option<String> {
    let host = only_host(request.headers())?;
    let target = request.uri().authority();
    if target.is_some_and(|target| target.as_str() != host) {
        return None;
    }
    let names = [
        own.ip().to_string(),
        format!("[{}]", own.ip()),
        "localhost".into(),
        "127.0.0.1".into(),
        "[::1]".into(),
    ];
    let named = names
        .iter()
        .any(|name| host == format!("{name}:{}", own.port()) || (own.port() == 80 && host == *name));
    named.then(|| host.to_owned())
}

/// The host that a request names behind TLS, when it is a pretended one and the one of the handshake. The port may be
/// left out: clients that were told to connect elsewhere do not know of it.
fn pretended_host(request: &Request, own: SocketAddr) -> Option<String> {
    let host = only_host(request.headers())?;
    if request.uri().authority().is_some_and(|target| target.as_str() != host) {
        return None;
    }
    let name = host.strip_suffix(&format!(":{}", own.port())).unwrap_or(host);
    let asked = request.extensions().get::<Asked>()?;
    (NAMES.contains(&name) && asked.0 == name).then(|| host.to_owned())
}

fn only_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).into_iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

fn misdirected() -> Response {
    let text = "kitesim (a simulation, not Zerodha) answers only to its own loopback address and to localhost; behind TLS \
         only to the names that it pretends.\n";
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

fn stamped(world: &World, mut response: Response) -> Response {
    let truth = world.lock();
    let date = HeaderValue::from_str(&clock::http_date(truth.clock.now()));
    if world.secure {
        secure_cookies(response.headers_mut());
    }
    let headers = response.headers_mut();
    headers.insert("x-simulated-by", HeaderValue::from_static("kitesim"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !truth.rules.settings.keep_alive && !headers.contains_key(header::UPGRADE) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(date) = date {
        headers.insert(header::DATE, date);
    }
    response
}

/// Behind TLS cookies have the marks of the real ones.
fn secure_cookies(headers: &mut HeaderMap) {
    let header::Entry::Occupied(lines) = headers.entry(header::SET_COOKIE) else { return };
    let (name, lines) = lines.remove_entry_mult();
    let lines: Vec<HeaderValue> = lines.collect();
    for line in lines {
        let marked = line.to_str().unwrap_or_default().replace("SameSite=Lax", "SameSite=None; Secure");
        headers.append(&name, HeaderValue::from_str(&marked).unwrap_or(line));
    }
}
