//! The JSON calls under the login page: `/api/login` and `/api/twofa`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::connect::set_cookie;
use crate::envelope::{self, Kind};
use crate::faults::{Place, Strike};
use crate::fields::{Fields, Form, cookie};
use crate::habits::QUESTIONS;
use crate::mishap;
use crate::rules::{CodeVerdict, PasswordVerdict, Sent, SignedIn};
use crate::seen;
use crate::settings::Factor;
use crate::world::{Truth, World};

const BLOCKED: &str = "Your account is blocked after too many invalid attempts. Reset your password through \
    'Forgot user ID or password?' to unblock it.";

/// The page knows this text, and leads to the reset.
const EXPIRED: &str = "Your password has expired. Please reset your password.";

/// `POST /api/login`.
pub(super) async fn password(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Form(form): Form,
) -> Response {
    let ticket = {
        let mut truth = world.lock();
        let now = truth.clock.now();
        let user_id = form.first("user_id").unwrap_or_default();
        truth.seen.submitted(seen::Kind::Password, user_id, now, None)
    };
    mishap::under(&world, Place::Login, |strike| {
        let mut truth = world.lock();
        let (verdict, response) = judge_password(&mut truth, &form, &headers, strike);
        truth.seen.judged(ticket, verdict);
        response
    })
    .await
}

/// `POST /api/twofa`.
pub(super) async fn code(State(world): State<Arc<World>>, headers: HeaderMap, Form(form): Form) -> Response {
    let ticket = {
        let mut truth = world.lock();
        let now = truth.clock.now();
        let steps = truth.rules.steps(form.first("twofa_value").unwrap_or_default(), now);
        let user_id = form.first("user_id").unwrap_or_default();
        truth.seen.submitted(seen::Kind::Code, user_id, now, Some(steps))
    };
    mishap::under(&world, Place::Twofa, |strike| {
        let mut truth = world.lock();
        let (verdict, response) = judge_code(&mut truth, &form, &headers, strike);
        truth.seen.judged(ticket, verdict);
        response
    })
    .await
}

fn judge_password(
    truth: &mut Truth,
    form: &Fields,
    headers: &HeaderMap,
    strike: &Strike,
) -> (&'static str, Response) {
    let Some(user_id) = form.filled("user_id") else {
        return ("malformed", envelope::missing("user_id"));
    };
    let Some(password) = form.filled("password") else {
        return ("malformed", envelope::missing("password"));
    };
    let now = truth.clock.now();
    if truth.rules.too_many(now) {
        let status = StatusCode::TOO_MANY_REQUESTS;
        return ("throttled", envelope::refusal_with(status, Kind::Network, "Too many requests"));
    }
    if !truth.rules.captcha_solved(form.first("captcha_id"), form.first("captcha")) {
        return ("captcha", envelope::refusal(Kind::Input, "Invalid captcha"));
    }
    match truth.rules.password(user_id, password, cookie(headers, "kf_session"), strike) {
        PasswordVerdict::Accepted { .. } if truth.rules.settings.habits.forced_reset => {
            ("expired", envelope::refusal(Kind::User, EXPIRED))
        }
        PasswordVerdict::Accepted { request_id, session } => {
            let factor = truth.rules.settings.factor();
            ("accepted", password_accepted(user_id, &request_id, &session, factor))
        }
        PasswordVerdict::UnknownUser => {
            ("unknown-user", envelope::refusal(Kind::User, "Invalid `username` or `password`."))
        }
        PasswordVerdict::Blocked => ("blocked", envelope::refusal(Kind::User, BLOCKED)),
        PasswordVerdict::Wrong { remaining: 0 } => ("rejected", envelope::refusal(Kind::User, BLOCKED)),
        PasswordVerdict::Wrong { remaining } => {
            let message = format!("Invalid account credentials. {remaining} attempts remain");
            ("rejected", envelope::refusal(Kind::User, &message))
        }
    }
}

/// The body holds no null, true or false: one public script evaluates it as Python.
fn password_accepted(user_id: &str, request_id: &str, session: &str, factor: Factor) -> Response {
    let mut data = json!({
        "user_id": user_id,
        "request_id": request_id,
        "twofa_type": factor.name(),
        "twofa_types": factor.offered(),
        "twofa_status": "active",
        "profile": {"user_name": "Simulated User", "user_shortname": "Simulated", "avatar_url": ""},
    });
    if factor == Factor::Question {
        data["questions"] = json!(QUESTIONS);
    }
    let mut response = envelope::success(data);
    set_cookie(&mut response, "kf_session", session, true);
    response
}

fn judge_code(
    truth: &mut Truth,
    form: &Fields,
    headers: &HeaderMap,
    strike: &Strike,
) -> (&'static str, Response) {
    let Some(user_id) = form.filled("user_id") else {
        return ("malformed", envelope::missing("user_id"));
    };
    let Some(code) = form.filled("twofa_value") else {
        return ("malformed", envelope::missing("twofa_value"));
    };
    let sent = Sent {
        user_id,
        request_id: form.filled("request_id"),
        session: cookie(headers, "kf_session"),
        factor: form.filled("twofa_type"),
        code,
    };
    let now = truth.clock.now();
    match truth.rules.code(&sent, strike, now) {
        CodeVerdict::Accepted(signed_in) => ("accepted", code_accepted(user_id, &signed_in)),
        CodeVerdict::Blocked => ("blocked", envelope::refusal(Kind::User, BLOCKED)),
        CodeVerdict::Wrong { remaining, reused } => {
            let usual = truth.rules.settings.factor().name();
            let response = wrong_code(sent.factor.unwrap_or(usual), remaining);
            (if reused { "reused" } else { "rejected" }, response)
        }
        CodeVerdict::UnknownRequest => {
            ("unknown-request", envelope::refusal(Kind::Input, "Invalid `request_id`."))
        }
        CodeVerdict::Unavailable => {
            ("unavailable", envelope::refusal(Kind::Input, "The requested 2FA type is not available"))
        }
    }
}

fn code_accepted(user_id: &str, signed_in: &SignedIn) -> Response {
    let mut response = envelope::success(json!({"profile": {}}));
    // The page's own script reads the first three, as the real one does.
    set_cookie(&mut response, "enctoken", &signed_in.enctoken, false);
    set_cookie(&mut response, "public_token", &signed_in.public_token, false);
    set_cookie(&mut response, "user_id", user_id, false);
    set_cookie(&mut response, "kf_session", &signed_in.session, true);
    response
}

fn wrong_code(factor: &str, remaining: u32) -> Response {
    match (factor, remaining) {
        (_, 0) => envelope::refusal(Kind::User, BLOCKED),
        ("totp", _) => envelope::refusal(Kind::TwoFa, "Invalid TOTP"),
        ("app_code", _) => {
            envelope::refusal(Kind::TwoFa, &format!("Invalid App Code. {remaining} attempt(s) remaining"))
        }
        ("pin", _) => {
            envelope::refusal(Kind::TwoFa, &format!("Invalid PIN. {remaining} attempt(s) remaining"))
        }
        ("question", _) => {
            envelope::refusal(Kind::TwoFa, &format!("Incorrect answers. {remaining} attempt(s) remaining"))
        }
        _ => envelope::refusal(Kind::TwoFa, &format!("Invalid OTP. {remaining} attempt(s) remaining")),
    }
}
