//! Carries out what the faults say around the effect of a call.

mod bodies;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::faults::{Deed, Place, Strike};
use crate::html;
use crate::world::World;

/// Marks a reply that must never be sent: its connection is reset instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut;

/// Longer than any JSON reply of ours.
const LONGEST_REPLY_BYTES: usize = 1024 * 1024;

/// Performs a call under the faults that stand at its place. What stands in Kite's stead keeps the effect from happening.
pub(crate) async fn under(world: &World, place: Place, effect: impl FnOnce(&Strike) -> Response) -> Response {
    let strike = {
        let mut truth = world.lock();
        let now = truth.clock.now();
        truth.faults.strike(place, now)
    };
    if strike.has(&Deed::Hold { after: false }) {
        world.held.wait(place).await;
    }
    let mut response = match strike.deeds().find_map(instead) {
        Some(response) => response,
        None => effect(&strike),
    };
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
        Deed::Status { status, retry_after_s } => Some(proxy_page(*status, *retry_after_s)),
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

/// A page as a proxy in front of Kite writes it, with none of Kite's marks.
fn proxy_page(status: u16, retry_after_s: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let content = format!("<center><h1>{status}</h1></center><hr><center>proxy</center>");
    let mut response = html::page(status, &status.to_string(), &content);
    if let Some(retry_after_s) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
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
