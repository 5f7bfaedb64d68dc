//! `/user/profile`: the cheap call that shows whether a token works.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::call::{Call, holder, too_many};
use crate::envelope;
use crate::faults::Place;
use crate::limits::Bucket;
use crate::mishap;
use crate::world::World;

/// `GET /user/profile`.
pub(super) async fn profile(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    world.lock().seen.profile_calls += 1;
    mishap::under(&world, Place::Profile, |_strike| {
        let mut truth = world.lock();
        let now = truth.clock.now();
        let refusal = too_many(&mut truth, Bucket::Other, now);
        match refusal.map_or_else(|| holder(&truth, &headers, now), Err) {
            Ok(user_id) => envelope::success(profile_of(&user_id)),
            Err((kind, message)) => envelope::refusal(kind, &message),
        }
    })
    .await
}

/// `GET /oms/user/profile`.
pub(super) async fn web_profile(call: Call) -> Response {
    call.desk(|desk| Ok(profile_of(desk.user_id())))
}

/// `GET /user/profile/full`.
pub(super) async fn full_profile(call: Call) -> Response {
    call.desk(|desk| {
        let mut data = profile_of(desk.user_id());
        let more = json!({
            "twofa_type": "totp", "phone": "*0000", "pan": "*000A", "dp_ids": ["0000000000000000"], "tags": [],
            "bank_accounts": [{"name": "SIMULATED BANK", "branch": "", "account": "*0000"}],
            "password_timestamp": "1970-01-01 00:00:00", "twofa_timestamp": "1970-01-01 00:00:00",
            "meta": {"poa": "physical", "silo": "", "account_blocks": []},
        });
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        Ok(data)
    })
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
