//! The website: login page, the JSON calls under it, and the hops of the Connect login.

mod connect;
mod consent;
mod extras;
mod pages;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use crate::faults::Place;
use crate::fields::cookie;
use crate::mishap;
use crate::world::World;

/// The routes of the website.
pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let entry = middleware::from_fn_with_state(Arc::clone(world), entry);
    Router::new()
        .route("/connect/login", get(connect::login).post(connect::login).layer(entry))
        .route("/connect/finish", get(connect::finish))
        .route("/connect/authorize", get(consent::page).post(consent::accept))
        .route("/api/connect/session", get(consent::session))
        .route("/api/connect/app/authorize", post(consent::accept_json))
        .route("/api/login", post(sign_in::password))
        .route("/api/twofa", post(sign_in::code))
        .route("/api/captcha", get(extras::captcha))
        .route("/api/apps/connected_apps", get(extras::apps))
        .route("/api/apps/connected_apps/{api_key}", delete(extras::revoke))
        .route("/oms/trusted/kitefront/user/{id}/twofa/generate_otp", post(extras::generate_otp))
        .route("/reset", get(extras::reset))
        .route("/logout", get(pages::logout))
        .route("/", get(pages::home))
        .route("/dashboard", get(pages::home))
        .route("/positions", get(pages::home))
        .route("/positions/", get(pages::home))
        .route("/forgot", get(pages::forgot))
        .route("/static/login.js", get(pages::script))
        .route("/static/dashboard.js", get(pages::dashboard_script))
        .route("/static/login.css", get(pages::style))
}

/// What may go wrong at the first step of a Connect login.
async fn entry(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    mishap::around(&world, Place::Entry, request, next).await
}

/// Whether the cookies of a request belong to somebody who is logged in.
fn signed_in(world: &World, headers: &HeaderMap) -> bool {
    let truth = world.lock();
    let now = truth.clock.now();
    truth.rules.signed_in(cookie(headers, "kf_session"), cookie(headers, "enctoken"), now)
}

/// A redirect as Kite does it: 302, and an absolute address, for many scripts never join relative ones.
fn found(target: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, target)]).into_response()
}
