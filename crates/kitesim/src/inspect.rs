//! Inspection: what arrived, and the levers. On a port of its own; never gives a password, code, token or secret.

mod control;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::ClockOrder;
use crate::faults::{PLACES, Place};
use crate::fields::{self, Query, read_body};
use crate::front;
use crate::scenario;
use crate::world::World;

/// How long `GET /held?wait=` waits when it is not told.
const USUAL_PATIENCE_MS: u64 = 10_000;
const LONGEST_PATIENCE_MS: u64 = 120_000;

type Shared = State<Arc<World>>;

/// The inspection calls; `own` is the address on which they are served.
pub(crate) fn router(world: Arc<World>, own: SocketAddr) -> Router {
    Router::new()
        .route("/", get(control::page))
        .route("/control", post(control::order))
        .route("/seen", get(seen))
        .route("/clock", post(set_clock))
        .route("/faults", post(set_faults).delete(clear_faults))
        .route("/reset", post(reset))
        .route("/flush", post(flush))
        .route("/event", post(event))
        .route("/release", post(release))
        .route("/held", get(held))
        .fallback(|| async {
            refusal(StatusCode::NOT_FOUND, &["there is no such inspection call".to_owned()])
        })
        .layer(middleware::from_fn_with_state(own, guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&world), front::stamp))
        .with_state(world)
}

/// A web page in some browser must not pull the levers: it cannot hide its origin nor choose its host. Only our own
/// control page may, and it has one way for that.
async fn guard(State(own): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = front::own_host(&request, own);
    let welcome = host.is_some_and(|host| match request.headers().get(header::ORIGIN) {
        None => true,
        Some(origin) => request.uri().path() == "/control" && *origin == format!("http://{host}"),
    });
    if !welcome {
        let complaint = "inspection answers only to its own loopback address, and to no web page".to_owned();
        return refusal(StatusCode::FORBIDDEN, &[complaint]);
    }
    match fields::whole(request).await {
        Ok(request) => next.run(request).await,
        Err(response) => response,
    }
}

async fn seen(State(world): Shared) -> Response {
    Json(snapshot(&world)).into_response()
}

/// Everything that may be known from outside.
fn snapshot(world: &World) -> Value {
    let truth = world.lock();
    let now = truth.clock.now();
    let mut seen = serde_json::to_value(&truth.seen).unwrap_or_default();
    seen["live_tokens"] = json!(truth.rules.live_tokens(now));
    seen["live_tickers"] = json!(truth.rules.live_tickers(now));
    seen["blocked"] = json!(truth.rules.blocked());
    seen["now"] = json!(now);
    (seen["wrong_passwords"], seen["wrong_codes"]) = {
        let (passwords, codes) = truth.rules.wrong_tries();
        (json!(passwords), json!(codes))
    };
    seen["frozen"] = json!(truth.clock.frozen());
    seen["speed"] = json!(truth.clock.speed());
    seen["tokens"] = json!(truth.rules.token_lives(now));
    seen["sessions"] = json!(truth.rules.session_lives(now));
    seen["faults"] = truth.faults.listed();
    seen
}

async fn set_clock(State(world): Shared, request: Request) -> Response {
    let order: ClockOrder = match read(request).await {
        Ok(order) => order,
        Err(response) => return response,
    };
    let complaints = order.complaints();
    if !complaints.is_empty() {
        return refusal(StatusCode::BAD_REQUEST, &complaints);
    }
    let mut truth = world.lock();
    if !truth.clock.obey(&order) {
        return refusal(StatusCode::BAD_REQUEST, &["advance_s: no calendar reaches that far".to_owned()]);
    }
    Json(json!({"now": truth.clock.now()})).into_response()
}

async fn set_faults(State(world): Shared, request: Request) -> Response {
    let value: Value = match read(request).await {
        Ok(value) => value,
        Err(response) => return response,
    };
    let scenario = match scenario::from_json(&value) {
        Ok(scenario) => scenario,
        Err(complaints) => return refusal(StatusCode::BAD_REQUEST, &complaints),
    };
    let mut truth = world.lock();
    if !truth.clock.obey(&scenario.clock) {
        return refusal(
            StatusCode::BAD_REQUEST,
            &["clock.advance_s: no calendar reaches that far".to_owned()],
        );
    }
    scenario.apply(&mut truth.rules.settings);
    if let Some(faults) = scenario.faults {
        truth.faults.replace(faults);
    }
    done()
}

async fn clear_faults(State(world): Shared) -> Response {
    world.lock().faults.replace(Vec::new());
    done()
}

async fn reset(State(world): Shared) -> Response {
    world.reset();
    done()
}

async fn flush(State(world): Shared) -> Response {
    world.lock().rules.flush();
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventOrder {
    event: String,
    password: Option<String>,
    api_secret: Option<String>,
}

/// Something that the user does elsewhere.
async fn event(State(world): Shared, request: Request) -> Response {
    let order: EventOrder = match read(request).await {
        Ok(order) => order,
        Err(response) => return response,
    };
    let rules = &mut world.lock().rules;
    match (order.event.as_str(), order.password, order.api_secret) {
        ("master-logout", None, None) => rules.master_logout(),
        ("web-login", None, None) => rules.web_login(),
        ("ticker-drop", None, None) => world.cuts.send_modify(|cuts| *cuts += 1),
        ("password-reset", Some(password), None) => rules.reset_password(password),
        ("new-secret", None, Some(api_secret)) => rules.renew_secret(api_secret),
        _ => {
            let complaint = "event: must be master-logout, web-login, ticker-drop, password-reset (with `password`) or \
                             new-secret (with `api_secret`)";
            return refusal(StatusCode::BAD_REQUEST, &[complaint.to_owned()]);
        }
    }
    done()
}

async fn release(State(world): Shared) -> Response {
    world.held.release();
    done()
}

async fn held(State(world): Shared, Query(query): Query) -> Response {
    let mut status = StatusCode::OK;
    if let Some(name) = query.first("wait") {
        let Some((_, place)) = PLACES.iter().find(|(known, _)| *known == name) else {
            return refusal(StatusCode::BAD_REQUEST, &["wait: there is no such place".to_owned()]);
        };
        let patience_ms = query.first("timeout_ms").map_or(Ok(USUAL_PATIENCE_MS), str::parse);
        let Ok(patience_ms) = patience_ms.map(|ms: u64| ms.min(LONGEST_PATIENCE_MS)) else {
            return refusal(StatusCode::BAD_REQUEST, &["timeout_ms: must be a number".to_owned()]);
        };
        if !world.held.until(*place, Duration::from_millis(patience_ms)).await {
            status = StatusCode::GATEWAY_TIMEOUT;
        }
    }
    let places: Vec<Place> = world.held.places();
    let places: Vec<Value> = places.into_iter().map(|place| json!({"at": place.name()})).collect();
    (status, Json(json!({"held": places}))).into_response()
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Response> {
    let body = read_body(request).await?;
    serde_json::from_slice(&body).map_err(|error| refusal(StatusCode::BAD_REQUEST, &[error.to_string()]))
}

fn done() -> Response {
    Json(json!({"done": true})).into_response()
}

fn refusal(status: StatusCode, complaints: &[String]) -> Response {
    (status, Json(json!({"complaints": complaints}))).into_response()
}
