//! What may stand between a user and the end of a login: captcha, code by message, forced reset, and apps to revoke.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::signed_in;
use crate::envelope::{self, Kind};
use crate::fields::Form;
use crate::front::Origin;
use crate::html;
use crate::world::World;

/// `GET /api/captcha`: a picture of five letters and digits.
pub(super) async fn captcha(State(world): State<Arc<World>>) -> Response {
    let (id, text) = world.lock().rules.draw_captcha();
    let picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"160\" height=\"50\"><rect width=\"160\" height=\"50\" \
         fill=\"#eee\"/><text x=\"20\" y=\"34\" font-size=\"30\" font-family=\"monospace\" \
         transform=\"rotate(-4 80 25)\">{text}</text></svg>"
    );
    let image = format!("data:image/svg+xml;base64,{}", BASE64.encode(picture.as_bytes()));
    envelope::success(json!({"captcha_id": id, "image": image}))
}

/// `POST /oms/trusted/kitefront/user/{id}/twofa/generate_otp`: the message is never sent, for the code is the seed's.
pub(super) async fn generate_otp(
    State(world): State<Arc<World>>,
    Path(user_id): Path<String>,
    Form(form): Form,
) -> Response {
    let Some(request_id) = form.filled("request_id") else {
        return envelope::missing("request_id");
    };
    let mut truth = world.lock();
    if user_id != truth.rules.account.user_id || !truth.rules.awaits_code(request_id) {
        return envelope::refusal(Kind::Input, "Invalid `request_id`.");
    }
    let offered = truth.rules.settings.factor().offered();
    let asked = form.first("twofa_type").unwrap_or("sms");
    if asked != "sms" || !offered.contains(&asked) {
        return envelope::refusal(Kind::Input, "The requested 2FA type is not available");
    }
    truth.seen.messages += 1;
    envelope::success(Value::from("OTP sent"))
}

/// `GET /reset`: where an expired password leads.
pub(super) async fn reset() -> Response {
    let content = "<div id=\"app\"><div id=\"container\"><h2>Reset password</h2>\n\
        <p>Your password has expired. A simulated password is never changed: switch the setting \
        <code>forced_reset</code> off instead.</p>\n\
        <form class=\"reset-form\"><input type=\"password\" id=\"new_password\" placeholder=\"New password\">\
        <input type=\"password\" id=\"confirm_password\" placeholder=\"Confirm password\">\
        <div class=\"actions\"><button type=\"button\" class=\"button-orange wide\">Reset </button></div></form>\
        </div></div>";
    html::page(StatusCode::OK, "Reset password / Kite", content)
}

/// The choice that somebody who is logged in may get at `/connect/login`.
pub(super) fn continue_as(world: &World, origin: &Origin, finish: &str) -> Response {
    let user_id = html::escape(&world.lock().rules.account.user_id);
    let (finish, origin) = (html::escape(finish), html::escape(&origin.0));
    let content = format!(
        "<div id=\"app\"><div id=\"container\"><h2>Continue to Simulated App</h2>\n\
         <div class=\"actions\"><a class=\"button-orange wide continue-as\" href=\"{finish}\">Continue as \
         <span class=\"user-id\">{user_id}</span></a></div>\n\
         <a class=\"text-light change-user\" href=\"{origin}/logout\">Change user</a></div></div>"
    );
    html::page(StatusCode::OK, "Continue / Kite", &content)
}

/// `GET /api/apps/connected_apps`: the apps that the user has allowed.
pub(super) async fn apps(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if !signed_in(&world, &headers) {
        return envelope::refusal(Kind::Token, "Not logged in.");
    }
    let truth = world.lock();
    let app = json!({"name": "Simulated App", "api_key": truth.rules.account.api_key});
    envelope::success(if truth.rules.consented() { json!([app]) } else { json!([]) })
}

/// `DELETE /api/apps/connected_apps/{api_key}`: the next login asks for consent again.
pub(super) async fn revoke(
    State(world): State<Arc<World>>,
    Path(api_key): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !signed_in(&world, &headers) {
        return envelope::refusal(Kind::Token, "Not logged in.");
    }
    let mut truth = world.lock();
    if api_key != truth.rules.account.api_key || !truth.rules.revoke() {
        return envelope::refusal(Kind::Input, "Invalid `api_key`.");
    }
    envelope::success(json!(true))
}
