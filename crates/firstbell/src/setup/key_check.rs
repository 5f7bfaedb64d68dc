//! Whether Kite knows an API key: its login page is opened as a browser would, and nothing is typed there.

use firstbell_core::broker::{App, Broker};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::secret::Secret;
use jiff::Timestamp;
use serde_json::Value;

use crate::ports::{Call, Http};

/// What the login page says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It begins a login with it: a redirect to itself with a `sess_id` (public login scripts, 2018 to 2026).
    Yes,
    /// It answers with an `InputException` (Kite Connect forum; no one has put the whole answer on record).
    No,
    /// Neither of both, in our words.
    Unclear(String),
    /// Nobody answered, in our words.
    Unreachable(String),
}

/// What one look at the login page tells.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Whether the key is known.
    pub known: Known,
    /// How many seconds the broker's clock is ahead of this machine's, where it told its time.
    pub ahead_s: Option<i64>,
}

/// Opens the login page of this key. No credential is sent, and the broker counts nothing.
pub async fn check(kite: &Kite, app: &App, http: &dyn Http, now: impl Fn() -> Timestamp) -> Checked {
    let reply = match http.send(Call::get(Secret::new(kite.entry(app)))).await {
        Ok(reply) => reply,
        Err(fault) => return Checked { known: Known::Unreachable(fault.why), ahead_s: None },
    };
    let ahead_s = reply.date.map(|date| date.duration_since(now()).as_secs());
    let begins = |location: &Secret| {
        let url = kite.plan().origin.join("/connect/login?");
        location.expose().starts_with(&url) && location.expose().contains("sess_id=")
    };
    let known = if (300..400).contains(&reply.status) && reply.location.as_ref().is_some_and(begins) {
        Known::Yes
    } else {
        match serde_json::from_slice::<Value>(reply.body.expose()) {
            Ok(body) if body["error_type"] == "InputException" => Known::No,
            _ => Known::Unclear(format!("it answered with HTTP {}", reply.status)),
        }
    };
    Checked { known, ahead_s }
}
