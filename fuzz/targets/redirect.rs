//! Whatever address a login ends at: a grant comes from the registered place only, each parameter once, and from every such one.
#![no_main]

use std::sync::LazyLock;

use firstbell_core::broker::{App, Broker, Nonce};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::secret::Secret;
use firstbell_fuzz::{Feed, app, told};
use libfuzzer_sys::fuzz_target;
use url::Url;

static KITE: LazyLock<Kite> = LazyLock::new(Kite::live);
/// What is registered, and how every address at that place is written.
const PLACES: [(&str, &str); 4] = [
    ("https://example.org/back", "https://example.org/back"),
    ("http://127.0.0.1:5000/?a=1", "http://127.0.0.1:5000/"),
    ("https://example.org:8443", "https://example.org:8443/"),
    ("http://[::1]:80/a%20b/", "http://[::1]/a%20b/"),
];
/// A request token has so many letters and digits.
const GRANT: usize = 32;
/// Sixteen times `CC`, as hex digits.
const NONCE: &str = "cccccccccccccccccccccccccccccccc";

fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    let (registered, place) = feed.one_of(&PLACES);
    let text = String::from_utf8_lossy(feed.piece(usize::MAX)).into_owned();
    let app = App { redirect: registered.parse().expect("the constant is an address"), ..app() };
    let url = Secret::new(text.clone());
    let wanted = strict(place, &text);
    match KITE.capture(&app, &url) {
        Ok(grant) => assert_eq!(Some(grant.secret().expose()), wanted.as_deref(), "{text}"),
        Err(failure) => {
            assert_eq!(wanted, None, "{text} was refused: {failure}");
            // Hosts are written in small letters.
            let (text, told) = (text.to_lowercase(), told(&failure).to_lowercase());
            let runs = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| run.len() >= GRANT);
            let shown = runs.into_iter().find(|run| told.contains(*run));
            assert_eq!(shown, None, "what may be a request token is in {told}");
        }
    }
    let nonce = strict_values(&text, "state");
    let invited = wanted.filter(|_| nonce.as_deref() == Some(&[NONCE.to_owned()]));
    let taken = KITE.capture_invited(&app, &url, &Nonce::of([0xcc; 16])).ok();
    assert_eq!(taken.as_ref().map(|grant| grant.secret().expose()), invited.as_deref(), "{text}");
});

/// The request token of an address, by rules of this file: how addresses are written is the library's, all else is not.
fn strict(place: &str, text: &str) -> Option<String> {
    let written = String::from(Url::parse(text).ok()?);
    let rest = written.strip_prefix(place)?;
    if !(rest.is_empty() || rest.starts_with(['?', '#'])) {
        return None;
    }
    let once = |name| match strict_values(text, name)?.as_slice() {
        [] => Some(None),
        [value] => Some(Some(value.clone())),
        _ => None,
    };
    let (status, action, token) = (once("status")??, once("action")?, once("request_token")??);
    let good = status == "success" && action.is_none_or(|action| action == "login");
    let shaped = token.len() == 32 && token.bytes().all(|b| b.is_ascii_alphanumeric());
    (good && shaped).then_some(token)
}

/// Every value of a parameter.
fn strict_values(text: &str, name: &str) -> Option<Vec<String>> {
    let written = String::from(Url::parse(text).ok()?);
    let query = written.split('#').next()?.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Some(pairs.filter(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value)).collect())
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex
            .filter(|two| *first == b'%' && !two.starts_with('+'))
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
