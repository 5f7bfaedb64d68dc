//! Carries out what the faults say around the effect of a call.

mod bodies;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::faults::{Answer, Deed, Place, Strike};
use crate::html;
use crate::world::World;

/// Marks a reply that must never be sent: its connection is reset instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

/// Longer than any JSON reply of ours.
const LONGEST_REPLY_BYTES: usize = 1024 * 1024;

/// Performs a call under the faults that stand at its place. What stands in Kite's stead keeps the effect from happening.
pub(crate) async fn under(world: &World, place: Place, effect: impl FnOnce(&Strike) -> Response) -> Response {
    let (strike, stand_in) = before(world, place).await;
    let response = stand_in.unwrap_or_else(|| effect(&strike));
    after(world, place, &strike, response).await
}

/// The same for a call whose effect is further down the road.
pub(crate) async fn around(world: &World, place: Place, request: Request, next: Next) -> Response {
    let (strike, stand_in) = before(world, place).await;
    let response = match stand_in {
        Some(response) => response,
        None => next.run(request).await,
    };
    after(world, place, &strike, response).await
}

/// What strikes, and what stands in Kite's stead.
async fn before(world: &World, place: Place) -> (Strike, Option<Response>) {
    let strike = {
        let mut truth = world.lock();
        if truth.faults.none() {
            return (Strike::default(), None);
        }
        let now = truth.clock.now();
        truth.faults.strike(place, now)
    };
    if strike.has(&Deed::Hold { after: false }) {
        world.held.wait(place).await;
    }
    if strike.has(&Deed::TokensKilled) {
        world.lock().rules.end_all_tokens();
    }
    let stand_in = strike.deeds().find_map(instead);
    (strike, stand_in)
}

async fn after(world: &World, place: Place, strike: &Strike, mut response: Response) -> Response {
    if strike.has(&Deed::Hold { after: true }) {
        world.held.wait(place).await;
    }
    for deed in strike.deeds() {
        match deed {
            Deed::Slow { delay_ms } => tokio::time::sleep(Duration::from_millis(*delay_ms)).await,
            Deed::Truncated => response = halved(response).await,
            Deed::ResetAfter => response = cut(),
            Deed::Drip { every_ms } => response = bodies::dripping(response, *every_ms),
            Deed::Oversized { bytes } => response = bodies::oversized(response, *bytes),
            Deed::WrongType => response = bodies::wrong_type(response),
            Deed::InvalidText => response = bodies::invalid_text(response),
            _ => {}
        }
    }
    response
}

fn instead(deed: &Deed) -> Option<Response> {
    match deed {
        Deed::Status(answer) => Some(answered(answer)),
        Deed::UnknownPage => Some(maintenance_page()),
        Deed::ResetBefore => Some(cut()),
        Deed::GzipBomb => Some(bodies::bomb()),
        _ => None,
    }
}

fn cut() -> Response {
    let mut response = StatusCode::BAD_GATEWAY.into_response();
    response.extensions_mut().insert(Cut);
    response
}

/// A reply as the scenario words it, else a page as a proxy in front of Kite writes it, with none of Kite's marks.
fn answered(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = match &answer.body {
        Some(body) => {
            let json = body.trim_start().starts_with(['{', '[']);
            let usual = if json { "application/json" } else { "text/html; charset=utf-8" };
            let body_type = answer.body_type.as_deref().unwrap_or(usual).to_owned();
            (status, [(header::CONTENT_TYPE, body_type)], body.clone()).into_response()
        }
        None => {
            let content = format!("<center><h1>{status}</h1></center><hr><center>proxy</center>");
            html::page(status, &status.to_string(), &content)
        }
    };
    if let Some(retry_after_s) = answer.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    }
    let location = answer.location.as_deref().and_then(|location| HeaderValue::from_str(location).ok());
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn maintenance_page() -> Response {
    let content = "<main><h1>We will be right back</h1>\
        <p>Scheduled maintenance is in progress. Please try again in some time.</p></main>";
    html::page(StatusCode::OK, "Scheduled maintenance", content)
}

/// The first half of a reply, as whole HTTP.
async fn halved(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LONGEST_REPLY_BYTES).await else {
        return cut();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}
