//! The pages of the website: the login page with its script, the dashboard, and the way to a reset.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::signed_in;
use crate::faults::Place;
use crate::html;
use crate::mishap;
use crate::world::World;

const TITLE: &str = "Kite - Zerodha's fast and elegant flagship trading platform";

/// The mount is empty as on the real page: everything below it is the script's work. Nothing may stand before it,
/// for scripts count the children of the body.
const MOUNT: &str = "<div id=\"app\"></div>\n<link rel=\"stylesheet\" href=\"/static/login.css\">\n\
    <script src=\"/static/login.js\"></script>";

/// `/`, `/dashboard` and `/positions/`: the dashboard, or the login page for whoever is not logged in.
pub(super) async fn home(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if !signed_in(&world, &headers) {
        return login(&world).await;
    }
    let user_id = html::escape(&world.lock().rules.account.user_id);
    let content = format!(
        "<div id=\"app\"><div class=\"navbar-links\"><a href=\"/dashboard\">Dashboard</a> \
         <span class=\"user-id\">{user_id}</span></div><p>There is nothing to trade here.</p></div>"
    );
    html::page(StatusCode::OK, "Dashboard / Kite", &content)
}

/// The login page.
pub(super) async fn login(world: &World) -> Response {
    mishap::under(world, Place::LoginPage, |_strike| {
        world.lock().seen.login_pages += 1;
        html::page(StatusCode::OK, TITLE, MOUNT)
    })
    .await
}

/// `/forgot`: a simulation has no mail to send.
pub(super) async fn forgot() -> Response {
    let content = "<h2>Forgot user ID or password?</h2>\
        <p>A simulated account is unblocked by the inspection call <code>POST /reset</code>.</p>";
    html::page(StatusCode::OK, "Forgot / Kite", content)
}

/// The script of the login page.
pub(super) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("login.js")).into_response()
}

/// The looks of the login page.
pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("login.css")).into_response()
}
