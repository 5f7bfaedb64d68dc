//! Kite's API calls that a login needs, and a strict reading of every reply to them.

use std::fmt::Write;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::broker::{App, Calls, Method, Owner, Reply, Request};
use crate::failure::{Failure, Stage};
use crate::secret::Secret;
use crate::token::{Access, Grant};

/// Sent with every call (Kite Connect documentation, "Introduction").
const VERSION: (&str, &str) = ("X-Kite-Version", "3");

pub(super) struct KiteCalls;

impl super::Kite {
    /// The ticker's address for a token, which stands in it (kite.trade/docs/connect/v3/websocket).
    pub fn ticker(&self, api_key: &str, access: &Access) -> Secret {
        let path = format!("/?api_key={api_key}&access_token={}", access.secret().expose());
        Secret::new(self.ground.ticker.join(&path))
    }
}

impl Calls for KiteCalls {
    /// `POST /session/token`, form only: a JSON body is answered as though the key were missing (Kite Connect forum,
    /// discussion 7747).
    fn exchange(&self, app: &App, grant: &Grant, api_secret: &Secret) -> Request {
        let checksum = checksum(app, grant, api_secret);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("api_key", &app.api_key)
            .append_pair("request_token", grant.secret().expose())
            .append_pair("checksum", &checksum)
            .finish();
        Request {
            method: Method::Post,
            path: "/session/token".into(),
            authorization: None,
            headers: vec![VERSION],
            form: Some(Secret::new(form)),
        }
    }

    fn read_exchange(&self, app: &App, reply: &Reply) -> Result<Access, Failure> {
        let session: Session = read(Stage::Exchange, reply)?;
        if !session.user_id.eq_ignore_ascii_case(&app.user_id) || session.api_key != app.api_key {
            return Err(Failure::ForeignToken);
        }
        Access::parse(Secret::new(session.access_token)).ok_or_else(|| Failure::UnknownPage {
            stage: Stage::Exchange,
            seen: "an access token that is not letters and digits".into(),
        })
    }

    /// `GET /user/profile`: works on every plan, and no order system is behind it (Kite Connect documentation,
    /// "User").
    fn proof(&self, app: &App, access: &Access) -> Request {
        let authorization = format!("token {}:{}", app.api_key, access.secret().expose());
        Request {
            method: Method::Get,
            path: "/user/profile".into(),
            authorization: Some(Secret::new(authorization)),
            headers: vec![VERSION],
            form: None,
        }
    }

    fn read_proof(&self, app: &App, reply: &Reply) -> Result<Owner, Failure> {
        let profile: Profile = read(Stage::Proof, reply)?;
        if !profile.user_id.eq_ignore_ascii_case(&app.user_id) {
            return Err(Failure::ForeignToken);
        }
        Ok(Owner { user_id: profile.user_id })
    }
}

/// Lower-case hex of SHA-256 over key, request token and secret, in this order (Kite Connect documentation, "User").
fn checksum(app: &App, grant: &Grant, api_secret: &Secret) -> Zeroizing<String> {
    let mut hash = Sha256::new();
    for part in [&app.api_key, grant.secret().expose(), api_secret.expose()] {
        hash.update(part.as_bytes());
    }
    let mut text = Zeroizing::new(String::with_capacity(64));
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    text
}

/// What is kept of a session reply. `enctoken`, `public_token` and the rest are not read at all: the web session's
/// key trades without the limits of an app, and nothing of ours needs it.
#[derive(Deserialize)]
struct Session {
    user_id: String,
    api_key: String,
    access_token: String,
}

#[derive(Deserialize)]
struct Profile {
    user_id: String,
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// The data of a reply, if it is JSON with status 200 and says success; else the failure that it means.
fn read<T: for<'de> Deserialize<'de>>(stage: Stage, reply: &Reply) -> Result<T, Failure> {
    if reply.status == 429 {
        return Err(Failure::Throttled { stage, wait_s: None });
    }
    let is_json = reply.media == "application/json";
    if reply.status == 200 && is_json {
        let read: Result<Envelope<T>, _> = serde_json::from_slice(reply.body.expose());
        if let Ok(Envelope { status, data: Some(data), error_type: None, .. }) = read
            && status == "success"
        {
            return Ok(data);
        }
    }
    let error: Option<Envelope<serde::de::IgnoredAny>> =
        if is_json { serde_json::from_slice(reply.body.expose()).ok() } else { None };
    Err(failure(stage, reply.status, error.as_ref()))
}

/// By status and error type; by the text only to tell a wrong secret from a used request token, which share both
/// (Kite Connect forum, discussions 3016 and 40130).
fn failure<T>(stage: Stage, status: u16, error: Option<&Envelope<T>>) -> Failure {
    let kind = error.and_then(|e| e.error_type.as_deref());
    let says = |text: &str| {
        error.and_then(|e| e.message.as_deref()).is_some_and(|m| m.to_lowercase().contains(text))
    };
    match (stage, status, kind) {
        (_, 500..=599, _) if stage == Stage::Exchange => {
            Failure::Unanswered { stage, why: format!("HTTP {status}") }
        }
        (_, 500..=599, _) => Failure::BrokerDown { stage, status },
        (Stage::Exchange, 403, Some("TokenException")) if says("checksum") => Failure::SecretRefused,
        (Stage::Exchange, 403, Some("TokenException")) if !says("api_key") => Failure::GrantRefused,
        (Stage::Exchange, 400 | 403, Some("InputException" | "TokenException")) if says("api_key") => {
            Failure::UnknownKey
        }
        (Stage::Exchange, 400 | 403, Some("InputException" | "PermissionException"))
            if says("not enabled") =>
        {
            Failure::NotEnabled
        }
        (Stage::Proof, 403, Some("TokenException")) => Failure::DeadOnArrival,
        _ => {
            let kind = kind.filter(|k| k.len() <= 40 && k.bytes().all(|b| b.is_ascii_alphabetic()));
            let seen = format!("HTTP {status}, {}", kind.unwrap_or("not a reply of Kite's API"));
            Failure::UnknownPage { stage, seen }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App {
            api_key: "kitekey".into(),
            user_id: "AB1234".into(),
            redirect: "https://example.org/".parse().unwrap(),
        }
    }

    #[test]
    fn the_checksum_is_over_key_token_and_secret_in_this_order() {
        let grant = Grant::parse(Secret::new("a".repeat(32))).unwrap();
        let sum = checksum(&app(), &grant, &Secret::new("s3cret".into()));
        // printf 'kitekeyaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaas3cret' | sha256sum
        assert_eq!(*sum, "64b0f2d8675813ce7ddcc2c15a24caa457ebd4dec2ebc5dcc6c1cf70bd2d74a5");
        let request = KiteCalls.exchange(&app(), &grant, &Secret::new("s3cret".into()));
        let form = request.form.unwrap();
        assert_eq!(
            form.expose(),
            format!("api_key=kitekey&request_token={}&checksum={}", "a".repeat(32), *sum)
        );
    }

    #[test]
    fn the_proof_carries_key_and_token_in_its_header_and_nowhere_else() {
        let access = Access::parse(Secret::new("t".repeat(32))).unwrap();
        let request = KiteCalls.proof(&app(), &access);
        assert_eq!(request.authorization.unwrap().expose(), format!("token kitekey:{}", "t".repeat(32)));
        assert_eq!(request.path, "/user/profile");
    }
}
