//! Whatever the broker's API answers: it is taken only in the one form that is documented, and no word of it is repeated.
#![no_main]

use std::sync::LazyLock;

use firstbell_core::broker::{App, Broker, Reply};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::secret::SecretBytes;
use firstbell_fuzz::{CANARY, Feed, app, planted, told};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;

static KITE: LazyLock<Kite> = LazyLock::new(Kite::live);
const STATUS: [u16; 10] = [200, 200, 200, 201, 400, 403, 403, 429, 500, 504];
const MEDIA: [&str; 4] = ["application/json", "application/json", "application/json", "text/html"];

fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    let (status, media) = (feed.one_of(&STATUS), feed.one_of(&MEDIA));
    let body = planted(feed.piece(usize::MAX));
    // What a reader passes over it does not look into: a number without end there is no fault, and `Value` takes none.
    if serde_json::from_str::<IgnoredAny>(&body).is_ok() && serde_json::from_str::<Value>(&body).is_err() {
        return;
    }
    let reply = || Reply { status, media: media.into(), body: SecretBytes::new(body.clone().into_bytes()) };
    let (app, calls) = (app(), KITE.calls());
    let wanted = if status == 200 && media == "application/json" { data_of(&body) } else { None };
    match calls.read_exchange(&app, &reply()) {
        Ok(access) => {
            let data = wanted.as_ref().expect("a token out of what is no success");
            assert!(
                is_ours(data, &app) && data["api_key"] == "samplekey",
                "a token of somebody else: {body}"
            );
            let text = access.secret().expose();
            assert_eq!(data["access_token"], text, "another token than the one that was given");
            assert!((8..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
        Err(failure) => assert!(!told(&failure).contains(CANARY), "{}", told(&failure)),
    }
    match calls.read_proof(&app, &reply()) {
        Ok(owner) => {
            let data = wanted.as_ref().expect("a proof out of what is no success");
            assert!(is_ours(data, &app) && data["user_id"] == owner.user_id.as_str(), "proven by {body}");
        }
        Err(failure) => assert!(!told(&failure).contains(CANARY), "{}", told(&failure)),
    }
});

/// The data of a success, read without our readers.
fn data_of(body: &str) -> Option<Value> {
    let mut whole: Value = serde_json::from_str(body).ok()?;
    let good = whole["status"] == "success" && whole["error_type"].is_null() && whole["data"].is_object();
    good.then(|| whole["data"].take())
}

fn is_ours(data: &Value, app: &App) -> bool {
    data["user_id"].as_str().is_some_and(|user| user.eq_ignore_ascii_case(&app.user_id))
}
