//! One call of the API behind its door: a live token, the plan, the limits, and for orders the sender's address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;

use crate::desk::{Desk, No};
use crate::envelope::{self, Kind};
use crate::faults::Place;
use crate::fields::{Fields, cookie, read_body};
use crate::limits::Bucket;
use crate::market::Market;
use crate::mishap;
use crate::settings::{Part, Settings};
use crate::wire::Peer;
use crate::world::{Truth, World};

/// The refusal of a token that is wrong, expired, flushed or logged out.
pub(super) const INCORRECT: &str = "Incorrect `api_key` or `access_token`.";
/// Where the website's own API stands; it takes the enctoken and no access token.
pub(super) const WEBSITE: &str = "/oms";

const NO_PERMISSION: &str = "Insufficient permission for that call.";

/// A refusal before it is put into the envelope.
pub(super) type Refusal = (Kind, String);

/// A call that passed the door.
pub(super) struct Call {
    world: Arc<World>,
    /// The simulated moment at which it came.
    pub(super) now: Timestamp,
    path: Vec<(String, String)>,
    /// The fields of its query.
    pub(super) query: Fields,
    /// The fields of its form.
    pub(super) form: Fields,
    body: Bytes,
}

impl FromRequest<Arc<World>> for Call {
    type Rejection = Response;

    async fn from_request(request: Request, world: &Arc<World>) -> Result<Call, Response> {
        let (mut parts, body) = request.into_parts();
        let now = admitted(world, &parts);
        let now = now.map_err(|(kind, message)| envelope::refusal(kind, &message))?;
        let path = RawPathParams::from_request_parts(&mut parts, world).await;
        let path = path.map_err(|_error| envelope::refusal(Kind::Input, "The path is not text."))?;
        let path = path.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let query = Fields::decode(parts.uri.query().unwrap_or_default().as_bytes());
        let is_form = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = is_form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let body = read_body(Request::from_parts(parts, body)).await?;
        let form = if is_form { Fields::decode(&body) } else { Fields::default() };
        Ok(Call { world: Arc::clone(world), now, path, query, form, body })
    }
}

impl Call {
    /// One part of its path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Its body, when that is a list in JSON.
    pub(super) fn list(&self) -> Option<Vec<Value>> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The switches.
    pub(super) fn settings<T>(&self, read: impl FnOnce(&Settings) -> T) -> T {
        read(&self.world.lock().rules.settings)
    }

    /// The market of the seed.
    pub(super) fn market(&self) -> Market {
        self.world.lock().market()
    }

    /// Lets the desk, brought up to now, do something, and puts the outcome into the envelope.
    pub(super) fn desk(&self, deed: impl FnOnce(&mut Desk) -> Result<Value, No>) -> Response {
        let mut truth = self.world.lock();
        match deed(truth.settled_desk(self.now)) {
            Ok(data) => envelope::success(data),
            Err(no) => refused(no),
        }
    }
}

/// Carries out the faults of every call that has no place of its own.
pub(super) async fn under_faults(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/session/") || path == "/user/profile" {
        return next.run(request).await;
    }
    let place = match bucket_of(request.method(), path.strip_prefix(WEBSITE).unwrap_or(path)) {
        Bucket::Quote => Place::Quotes,
        Bucket::Candles => Place::Candles,
        Bucket::Orders => Place::Orders,
        Bucket::Other => Place::Api,
    };
    mishap::around(&world, place, request, next).await
}

/// A refusal of the desk in the envelope.
pub(super) fn refused(no: No) -> Response {
    match no {
        No::Input(message) => envelope::refusal(Kind::Input, &message),
        No::Order(message) => envelope::refusal(Kind::Order, &message),
        No::Margin(message) => envelope::refusal(Kind::Margin, &message),
        No::Missing(name) => {
            let message = format!("Couldn't find that `{name}`.");
            envelope::refusal_with(StatusCode::NOT_FOUND, Kind::General, &message)
        }
    }
}

/// Counts a call; gives the refusal when it is one too many for its second.
pub(super) fn too_many(truth: &mut Truth, bucket: Bucket, now: Timestamp) -> Option<Refusal> {
    let takes = !truth.rules.settings.rate_limits || truth.limits.takes(bucket, now, truth.clock.still_ms());
    (!takes).then(|| (Kind::Network, "Too many requests".to_owned()))
}

/// Whose token a call carries: `Authorization: token api_key:access_token`.
pub(super) fn holder(truth: &Truth, headers: &HeaderMap, now: Timestamp) -> Result<String, Refusal> {
    let Some(line) = headers.get(header::AUTHORIZATION) else {
        return Err((Kind::Input, "Missing `api_key` or `access_token`.".to_owned()));
    };
    let pair = line.to_str().ok().and_then(|line| line.strip_prefix("token ")?.split_once(':'));
    let holder = pair.and_then(|(api_key, access_token)| truth.rules.holder(api_key, access_token, now));
    holder.map(str::to_owned).ok_or_else(|| (Kind::Token, INCORRECT.to_owned()))
}

fn admitted(world: &World, parts: &Parts) -> Result<Timestamp, Refusal> {
    let mut truth = world.lock();
    let now = truth.clock.now();
    let path = parts.uri.path();
    if let Some(own) = path.strip_prefix(WEBSITE) {
        let bucket = bucket_of(&parts.method, own);
        web_user(&truth, &parts.headers, now)?;
        return too_many(&mut truth, bucket, now).map_or(Ok(now), Err);
    }
    let bucket = bucket_of(&parts.method, path);
    if let Some(refusal) = too_many(&mut truth, bucket, now) {
        return Err(refusal);
    }
    holder(&truth, &parts.headers, now)?;
    let part = match bucket {
        Bucket::Quote => Some(Part::Quotes),
        Bucket::Candles => Some(Part::Candles),
        Bucket::Orders | Bucket::Other => None,
    };
    let line = parts.headers.get(header::AUTHORIZATION).and_then(|line| line.to_str().ok());
    let token = line.and_then(|line| line.rsplit_once(':')).map_or("", |(_, token)| token);
    if part.is_some_and(|part| !truth.rules.opens(token, part, now)) {
        return Err((Kind::Permission, NO_PERMISSION.to_owned()));
    }
    if bucket == Bucket::Orders {
        let peer = parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        registered(&truth.rules.settings, peer)?;
    }
    Ok(now)
}

fn bucket_of(method: &Method, path: &str) -> Bucket {
    if path == "/quote" || path.starts_with("/quote/") {
        return Bucket::Quote;
    }
    if path.starts_with("/instruments/historical/") {
        return Bucket::Candles;
    }
    let changes = *method != Method::GET;
    if changes && path.starts_with("/orders/") { Bucket::Orders } else { Bucket::Other }
}

/// Zerodha's forum, March 2026: orders are placed, changed and cancelled from registered addresses only.
fn registered(settings: &Settings, peer: IpAddr) -> Result<(), Refusal> {
    if settings.static_ips.contains(&peer) {
        return Ok(());
    }
    if settings.static_ips.is_empty() {
        return Err((Kind::Permission, "No IPs configured for this app.".to_owned()));
    }
    let message = format!(
        "IP ({peer}) is not allowed to place orders for this app. Update allowed IPs on the Kite developer console. \
         Learn more - https://support.zerodha.com/static-ip"
    );
    Err((Kind::Permission, message))
}

/// The website's own API: `Authorization: enctoken …`, and if the user is named too, it must be this one.
fn web_user(truth: &Truth, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
    let line = headers.get(header::AUTHORIZATION).and_then(|line| line.to_str().ok());
    let enctoken = line.and_then(|line| line.strip_prefix("enctoken "));
    let header = headers.get("x-kite-userid").and_then(|user| user.to_str().ok());
    let own = |user: &str| user == truth.rules.account.user_id;
    let named = header.is_none_or(own) && cookie(headers, "user_id").is_none_or(own);
    if named && enctoken.is_some_and(|enctoken| truth.rules.opens_web(enctoken, now)) {
        return Ok(());
    }
    Err((Kind::Token, "Incorrect `api_key` or `access_token`.".to_owned()))
}
