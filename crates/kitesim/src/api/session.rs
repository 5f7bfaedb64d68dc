//! `/session/token` and its neighbours (Kite Connect docs, /user).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::call::INCORRECT;
use super::user;
use crate::clock;
use crate::envelope::{self, Kind};
use crate::faults::{Place, Strike};
use crate::fields::{Fields, Form, Query};
use crate::mishap;
use crate::rules::{Demand, ExchangeVerdict, Session};
use crate::world::{Truth, World};

const BAD_TOKEN: &str = "Token is invalid or has expired.";

/// `POST /session/token`: a request token for an access token.
pub(super) async fn exchange(State(world): State<Arc<World>>, Form(form): Form) -> Response {
    let ticket = {
        let mut truth = world.lock();
        let now = truth.clock.now();
        truth.seen.exchange_arrived(now)
    };
    mishap::under(&world, Place::Exchange, |strike| {
        let mut truth = world.lock();
        let (verdict, response) = judge(&mut truth, &form, strike);
        truth.seen.exchange_judged(ticket, verdict);
        response
    })
    .await
}

/// `DELETE /session/token`: the end of an access token. Retail users have no refresh token to end.
pub(super) async fn end(State(world): State<Arc<World>>, Query(query): Query) -> Response {
    let (Some(api_key), Some(access_token)) = (query.filled("api_key"), query.filled("access_token")) else {
        return match query.first("refresh_token") {
            Some(_) => envelope::refusal(Kind::Token, BAD_TOKEN),
            None => envelope::missing("access_token"),
        };
    };
    let mut truth = world.lock();
    let now = truth.clock.now();
    if !truth.rules.end_token(api_key, access_token, now) {
        return envelope::refusal(Kind::Token, INCORRECT);
    }
    truth.seen.logouts += 1;
    envelope::success(Value::Bool(true))
}

/// `POST /session/refresh_token`: for approved platforms only, so never for us.
pub(super) async fn refresh() -> Response {
    envelope::refusal(Kind::Token, BAD_TOKEN)
}

fn judge(truth: &mut Truth, form: &Fields, strike: &Strike) -> (&'static str, Response) {
    let api_key = form.first("api_key").unwrap_or_default();
    if api_key.len() < 6 {
        let message = "`api_key` should be minimum 6 characters in length.";
        return ("malformed", envelope::refusal(Kind::Input, message));
    }
    // An empty request token is a bad token and not a missing one, as users of the real API found.
    let Some(request_token) = form.first("request_token") else {
        return ("malformed", envelope::missing("request_token"));
    };
    let Some(checksum) = form.filled("checksum") else {
        return ("malformed", envelope::missing("checksum"));
    };
    let now = truth.clock.now();
    match truth.rules.exchange(&Demand { api_key, request_token, checksum }, strike, now) {
        ExchangeVerdict::Accepted(session) => ("accepted", envelope::success(reply(api_key, &session))),
        ExchangeVerdict::UnknownKey => ("unknown-key", envelope::refusal(Kind::Token, "Invalid `api_key`.")),
        ExchangeVerdict::WrongChecksum => {
            ("wrong-checksum", envelope::refusal(Kind::Token, "Invalid `checksum`."))
        }
        ExchangeVerdict::Used => ("used-token", envelope::refusal(Kind::Token, BAD_TOKEN)),
        ExchangeVerdict::Expired => ("expired-token", envelope::refusal(Kind::Token, BAD_TOKEN)),
        ExchangeVerdict::UnknownGrant => ("unknown-token", envelope::refusal(Kind::Token, BAD_TOKEN)),
    }
}

fn reply(api_key: &str, session: &Session) -> Value {
    let mut data = user::profile_of(&session.user_id);
    let more = json!({
        "api_key": api_key,
        "access_token": session.access_token,
        "public_token": session.public_token,
        "enctoken": session.enctoken,
        "refresh_token": "",
        "silo": "",
        "login_time": clock::in_india(session.since).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    data
}
