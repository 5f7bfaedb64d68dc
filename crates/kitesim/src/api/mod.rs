//! The REST API: it stands at the root of the host, for official clients drop a path from their base address.

mod session;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use crate::envelope::{self, Kind};
use crate::world::World;

/// The routes of the API.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/session/token", post(session::exchange).delete(session::end))
        .route("/session/refresh_token", post(session::refresh))
        .route("/user/profile", get(user::profile))
        .route("/user/margins", get(user::margins))
        .route("/user/margins/{segment}", get(user::segment_margins))
}

/// The answers to unknown routes and methods on the whole host; the router must have all its routes by now.
pub(crate) fn closed(router: Router<Arc<World>>) -> Router<Arc<World>> {
    router.fallback(unknown_route).method_not_allowed_fallback(unknown_method)
}

async fn unknown_route() -> Response {
    envelope::refusal_with(StatusCode::NOT_FOUND, Kind::General, "Route not found")
}

async fn unknown_method() -> Response {
    envelope::refusal_with(StatusCode::METHOD_NOT_ALLOWED, Kind::General, "Method not allowed")
}
