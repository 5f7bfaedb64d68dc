//! The page on which a user allows an app for the first time. The real request's shape is unknown: several are taken.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::connect::{hop, known_visit, wrong_key};
use super::{found, signed_in};
use crate::envelope::{self, Kind};
use crate::fields::{Form, Query, read_body};
use crate::front::Origin;
use crate::html;
use crate::world::World;

/// `GET /connect/authorize`: the first `.button-orange` accepts (public browser scripts, 2022).
pub(super) async fn page(
    State(world): State<Arc<World>>,
    Extension(origin): Extension<Origin>,
    Query(query): Query,
    headers: HeaderMap,
) -> Response {
    if let Some(response) = wrong_key(&world, &query) {
        return response;
    }
    let sess_id = known_visit(&world, &query).unwrap_or_default();
    if !signed_in(&world, &headers) {
        return found(&hop(&world, &origin, "login", sess_id));
    }
    let api_key = html::escape(&world.lock().rules.account.api_key);
    let sess_id = html::escape(sess_id);
    let content = format!(
        "<div id=\"app\"><div id=\"container\"><h2>Authorize Simulated App</h2>\n\
         <p>Simulated App asks to see your account and to place orders.</p>\n\
         <form method=\"post\" action=\"/connect/authorize\">\
         <input type=\"hidden\" name=\"api_key\" value=\"{api_key}\">\
         <input type=\"hidden\" name=\"sess_id\" value=\"{sess_id}\">\
         <div class=\"actions\"><button type=\"submit\" class=\"button-orange wide\">Authorize </button></div>\
         </form></div></div>"
    );
    html::page(StatusCode::OK, "Authorize Simulated App / Kite", &content)
}

/// `POST /connect/authorize`, the form of the page.
pub(super) async fn accept(
    State(world): State<Arc<World>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Form(form): Form,
) -> Response {
    if let Some(response) = wrong_key(&world, &form) {
        return response;
    }
    let sess_id = known_visit(&world, &form).unwrap_or_default();
    if !signed_in(&world, &headers) {
        return found(&hop(&world, &origin, "login", sess_id));
    }
    world.lock().rules.consent();
    found(&hop(&world, &origin, "finish", sess_id))
}

/// `POST /api/connect/app/authorize`, in whatever form it comes.
pub(super) async fn accept_json(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    if let Err(response) = read_body(request).await {
        return response;
    }
    if !signed_in(&world, &headers) {
        return envelope::refusal(Kind::Token, "Not logged in.");
    }
    world.lock().rules.consent();
    envelope::success(json!(true))
}

/// `GET /api/connect/session`: which app asks.
pub(super) async fn session(State(world): State<Arc<World>>, Query(query): Query) -> Response {
    if let Some(response) = wrong_key(&world, &query) {
        return response;
    }
    if known_visit(&world, &query).is_none() {
        return envelope::refusal(Kind::Input, "Invalid `sess_id`.");
    }
    let api_key = query.first("api_key");
    envelope::success(
        json!({"app_id": 1, "api_key": api_key, "name": "Simulated App", "redirect_params": ""}),
    )
}
