//! The REST API: it stands at the root of the host, for official clients drop a path from their base address.

mod call;
mod charges;
mod orders;
mod portfolio;
mod postbacks;
mod quotes;
mod replay;
mod session;
mod standing;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post, put};

use call::WEBSITE;
pub(crate) use postbacks::post_all;

use crate::envelope::{self, Kind};
use crate::world::World;

/// The routes of the API, and those of the website's own API under another name.
pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/session/token", post(session::exchange).delete(session::end))
        .route("/session/refresh_token", post(session::refresh))
        .route("/user/profile", get(user::profile))
        .route(&format!("{WEBSITE}/user/profile"), get(user::web_profile))
        .merge(money(""))
        .merge(money(WEBSITE))
        .merge(standing(""))
        .merge(standing(WEBSITE))
        .merge(data(""))
        .merge(data(WEBSITE))
        .layer(middleware::from_fn_with_state(Arc::clone(world), call::under_faults))
        .layer(middleware::from_fn_with_state(Arc::clone(world), replay::stand_in))
}

/// Orders, positions, holdings and margins.
fn money(at: &str) -> Router<Arc<World>> {
    let at = |path: &str| format!("{at}{path}");
    Router::new()
        .route(&at("/user/profile/full"), get(user::full_profile))
        .route(&at("/user/margins"), get(portfolio::margins))
        .route(&at("/user/margins/{segment}"), get(portfolio::segment_margins))
        .route(&at("/orders"), get(orders::all))
        .route(&at("/orders/{name}"), get(orders::history).post(orders::place))
        .route(&at("/orders/{name}/trades"), get(orders::trades_of))
        .route(&at("/orders/{name}/{order_id}"), put(orders::modify).delete(orders::cancel))
        .route(&at("/trades"), get(orders::trades))
        .route(&at("/portfolio/positions"), get(portfolio::positions).put(portfolio::convert))
        .route(&at("/portfolio/holdings"), get(portfolio::holdings))
        .route(&at("/portfolio/holdings/summary"), get(portfolio::holdings_summary))
        .route(&at("/portfolio/holdings/compact"), get(portfolio::holdings_compact))
        .route(&at("/portfolio/holdings/auctions"), get(portfolio::auctions))
        .route(&at("/portfolio/holdings/authorise"), post(portfolio::authorise))
        .route(&at("/margins/orders"), post(charges::margins))
        .route(&at("/margins/basket"), post(charges::basket_margins))
        .route(&at("/charges/orders"), post(charges::contract_note))
}

/// Triggers, alerts and funds.
fn standing(at: &str) -> Router<Arc<World>> {
    let at = |path: &str| format!("{at}{path}");
    let trigger = get(standing::trigger).put(standing::modify_trigger).delete(standing::drop_trigger);
    let alerts = get(standing::alerts).post(standing::make_alert).delete(standing::drop_alerts);
    let plan = get(standing::plan).put(standing::modify_plan).delete(standing::cancel_plan);
    Router::new()
        .route(&at("/gtt/triggers"), get(standing::triggers).post(standing::place_trigger))
        .route(&at("/gtt/triggers/{id}"), trigger)
        .route(&at("/alerts"), alerts)
        .route(&at("/alerts/{uuid}"), get(standing::alert).put(standing::modify_alert))
        .route(&at("/alerts/{uuid}/history"), get(standing::alert_history))
        .route(&at("/mf/orders"), get(standing::fund_orders).post(standing::place_fund))
        .route(&at("/mf/orders/{id}"), get(standing::fund_order).delete(standing::cancel_fund))
        .route(&at("/mf/sips"), get(standing::plans).post(standing::place_plan))
        .route(&at("/mf/sips/{id}"), plan)
        .route(&at("/mf/holdings"), get(standing::holdings))
        .route(&at("/mf/instruments"), get(standing::instruments))
}

/// Instruments, quotes and candles.
fn data(at: &str) -> Router<Arc<World>> {
    let at = |path: &str| format!("{at}{path}");
    Router::new()
        .route(&at("/instruments"), get(quotes::instruments))
        .route(&at("/instruments/{exchange}"), get(quotes::instruments_of))
        .route(&at("/instruments/trigger_range/{side}"), get(quotes::trigger_range))
        .route(&at("/instruments/historical/{token}/{interval}"), get(quotes::candles))
        .route(&at("/quote"), get(quotes::quote))
        .route(&at("/quote/ohlc"), get(quotes::ohlc))
        .route(&at("/quote/ltp"), get(quotes::ltp))
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
