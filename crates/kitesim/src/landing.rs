//! The page behind the registered redirect URL: browser scripts must find something there.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

use crate::html;

/// Answers everything with one page.
pub(crate) fn router() -> Router {
    Router::new().fallback(land)
}

async fn land() -> Response {
    let content = "<h1>Simulated landing page</h1>\
        <p>The pretended login is over. The request token is in the address of this page.</p>";
    html::page(StatusCode::OK, "Simulated landing page", content)
}
