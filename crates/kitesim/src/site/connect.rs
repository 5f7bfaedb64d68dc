//! The hops of the Connect login: `/connect/login`, then `/connect/finish`, then the registered redirect URL.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use url::form_urlencoded::Serializer;

use super::{extras, found, pages, signed_in};
use crate::envelope::{self, Kind};
use crate::faults::Place;
use crate::fields::{Fields, Query};
use crate::front::Origin;
use crate::mishap;
use crate::rules::Finish;
use crate::world::World;

/// `/connect/login`, by GET or POST; `v` and unknown parameters do not matter.
pub(super) async fn login(
    State(world): State<Arc<World>>,
    Extension(origin): Extension<Origin>,
    Query(query): Query,
    headers: HeaderMap,
) -> Response {
    if let Some(response) = wrong_key(&world, &query) {
        return response;
    }
    let visit = known_visit(&world, &query).map(str::to_owned);
    let redirect_params = Fields::decode(query.first("redirect_params").unwrap_or_default().as_bytes());
    if signed_in(&world, &headers) {
        let begin = || world.lock().rules.begin_visit(redirect_params.into_pairs());
        let sess_id = visit.unwrap_or_else(begin);
        let finish = hop(&world, &origin, "finish", &sess_id);
        let asks = world.lock().rules.settings.habits.continue_as;
        if asks && query.first("skip_session") != Some("true") {
            return extras::continue_as(&world, &origin, &finish);
        }
        return found(&finish);
    }
    if visit.is_some() {
        return pages::login(&world).await;
    }
    let sess_id = world.lock().rules.begin_visit(redirect_params.into_pairs());
    let mut response = found(&hop(&world, &origin, "login", &sess_id));
    let session = world.lock().rules.new_session();
    set_cookie(&mut response, "kf_session", &session, true);
    response
}

/// `/connect/finish`: the end of the login, with a request token.
pub(super) async fn finish(
    State(world): State<Arc<World>>,
    Extension(origin): Extension<Origin>,
    Query(query): Query,
    headers: HeaderMap,
) -> Response {
    if let Some(response) = wrong_key(&world, &query) {
        return response;
    }
    let sess_id = query.first("sess_id").unwrap_or_default();
    if !signed_in(&world, &headers) {
        return found(&hop(&world, &origin, "login", sess_id));
    }
    mishap::under(&world, Place::Finish, |strike| {
        let mut truth = world.lock();
        let now = truth.clock.now();
        match truth.rules.finish(sess_id, strike, now) {
            Finish::Granted(target) => {
                truth.seen.finishes += 1;
                found(target.as_str())
            }
            Finish::Consent => {
                drop(truth);
                found(&hop(&world, &origin, "authorize", sess_id))
            }
            Finish::NotEnabled => envelope::refusal(Kind::Input, "The user is not enabled for the app."),
            Finish::UnknownVisit => envelope::refusal(Kind::Input, "Invalid `sess_id`."),
        }
    })
    .await
}

/// The absolute address of one of the hops.
pub(super) fn hop(world: &World, origin: &Origin, name: &str, sess_id: &str) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("api_key", &world.lock().rules.account.api_key);
    if !sess_id.is_empty() {
        query.append_pair("sess_id", sess_id);
    }
    format!("{}/connect/{name}?{}", origin.0, query.finish())
}

/// Refuses an app that does not exist.
pub(super) fn wrong_key(world: &World, fields: &Fields) -> Option<Response> {
    let known = fields.first("api_key") == Some(&world.lock().rules.account.api_key);
    (!known).then(|| envelope::refusal(Kind::Input, "Invalid `api_key`."))
}

/// The `sess_id`, when somebody began that login.
pub(super) fn known_visit<'a>(world: &World, fields: &'a Fields) -> Option<&'a str> {
    fields.first("sess_id").filter(|sess_id| world.lock().rules.knows_visit(sess_id))
}

/// Sets a cookie. Plain http has no `Secure`, or browsers would drop it; nothing here has a cookie worth stealing.
pub(super) fn set_cookie(response: &mut Response, name: &str, value: &str, http_only: bool) {
    let hidden = if http_only { "; HttpOnly" } else { "" };
    let line = format!("{name}={value}; Path=/; SameSite=Lax{hidden}");
    if let Ok(line) = HeaderValue::from_str(&line) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}
