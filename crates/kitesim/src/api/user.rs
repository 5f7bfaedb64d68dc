//! `/user/profile` and `/user/margins`: the cheap calls that show whether a token works.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::envelope::{self, Kind};
use crate::faults::Place;
use crate::mishap;
use crate::world::World;

/// The refusal of a token that is wrong, expired, flushed or logged out.
pub(super) const INCORRECT: &str = "Incorrect `api_key` or `access_token`.";

type Refusal = (Kind, &'static str);

/// `GET /user/profile`.
pub(super) async fn profile(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    world.lock().seen.profile_calls += 1;
    mishap::under(&world, Place::Profile, |_strike| match holder(&world, &headers) {
        Ok(user_id) => envelope::success(profile_of(&user_id)),
        Err((kind, message)) => envelope::refusal(kind, message),
    })
    .await
}

/// `GET /user/margins`.
pub(super) async fn margins(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    match holder(&world, &headers) {
        Ok(_) => envelope::success(json!({"equity": segment(), "commodity": segment()})),
        Err((kind, message)) => envelope::refusal(kind, message),
    }
}

/// `GET /user/margins/{segment}`.
pub(super) async fn segment_margins(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match holder(&world, &headers) {
        Ok(_) if matches!(name.as_str(), "equity" | "commodity") => envelope::success(segment()),
        Ok(_) => envelope::refusal(Kind::Input, "Invalid `segment`."),
        Err((kind, message)) => envelope::refusal(kind, message),
    }
}

/// The fields of a profile (Kite Connect docs, /user).
pub(super) fn profile_of(user_id: &str) -> Value {
    json!({
        "user_id": user_id,
        "user_type": "individual",
        "email": format!("{}@kitesim.invalid", user_id.to_ascii_lowercase()),
        "user_name": "Simulated User",
        "user_shortname": "Simulated",
        "broker": "ZERODHA",
        "exchanges": ["NSE", "NFO", "BFO", "CDS", "BSE", "MCX", "BCD", "MF"],
        "products": ["CNC", "NRML", "MIS", "BO", "CO"],
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "avatar_url": null,
        "meta": {"demat_consent": "physical"},
    })
}

/// Whose token a call carries: `Authorization: token api_key:access_token`.
fn holder(world: &World, headers: &HeaderMap) -> Result<String, Refusal> {
    let Some(line) = headers.get(header::AUTHORIZATION) else {
        return Err((Kind::Input, "Missing `api_key` or `access_token`."));
    };
    let pair = line.to_str().ok().and_then(|line| line.strip_prefix("token ")?.split_once(':'));
    let truth = world.lock();
    let now = truth.clock.now();
    let holder = pair.and_then(|(api_key, access_token)| truth.rules.holder(api_key, access_token, now));
    holder.map(str::to_owned).ok_or((Kind::Token, INCORRECT))
}

fn segment() -> Value {
    json!({
        "enabled": true,
        "net": 100000.5,
        "available": {
            "adhoc_margin": 0, "cash": 100000.5, "opening_balance": 100000.5, "live_balance": 100000.5,
            "collateral": 0, "intraday_payin": 0,
        },
        "utilised": {
            "debits": 0, "exposure": 0, "m2m_realised": 0, "m2m_unrealised": 0, "option_premium": 0,
            "payout": 0, "span": 0, "holding_sales": 0, "turnover": 0, "liquid_collateral": 0,
            "stock_collateral": 0, "delivery": 0,
        },
    })
}
