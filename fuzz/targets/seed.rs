//! Whatever an owner has of a TOTP key: what is taken is the key that stands there, in any spelling, and no word of it is told.
#![no_main]

use std::fs;

use firstbell::setup::{Look, read_seed};
use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use firstbell_fuzz::spelling::{bytes, letters, summed};
use firstbell_fuzz::{CANARY, Feed, folder, planted};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded::{Serializer, parse};

const ADDRESS: &str = "otpauth://totp/";

fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    match feed.byte() % 8 {
        0 => pictured(feed.piece(usize::MAX)),
        1..4 => spelled(&mut feed),
        _ => whatever(&planted(feed.piece(usize::MAX))),
    }
});

fn whatever(text: &str) {
    let is_address = text.trim().get(..10).is_some_and(|start| start.eq_ignore_ascii_case("otpauth://"));
    // Anything else with a slash is a path.
    if text.contains('/') && !is_address {
        return;
    }
    let taken = taken(text);
    assert_eq!(taken.is_some(), Seed::parse(&Secret::new(text.into())).is_ok(), "{text:?}");
    let Some(key) = taken else { return };
    let written = match is_address {
        true => {
            let query = text.split_once('?').map_or("", |(_, query)| query).split('#').next().unwrap_or("");
            let mut secrets = parse(query.as_bytes()).filter(|(name, _)| name == "secret");
            let first = secrets.next().expect("a key is there").1.into_owned();
            assert!(secrets.next().is_none(), "one of several keys was taken: {text:?}");
            first
        }
        false => text.to_owned(),
    };
    assert_eq!(key, letters(&bytes(&written)), "not what stands in {text:?}");
}

/// A key that is known, as issuers and people write it.
fn spelled(feed: &mut Feed<'_>) {
    let length = 10 + usize::from(feed.byte()) % 54;
    let key = feed.piece(length).to_vec();
    if key.len() < 10 {
        return;
    }
    let plain = letters(&key);
    let ways = feed.byte();
    let mut written = if ways & 1 == 0 { plain.clone() } else { plain.to_lowercase() };
    let between = [" ", "-", "\u{a0}", "\t"][usize::from(ways >> 1) % 4];
    if ways & 8 != 0 {
        let parts: Vec<_> = written.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        written = parts.join(between);
    }
    if ways & 16 != 0 {
        written += &"=".repeat((8 - plain.len() % 8) % 8);
    }
    let (digits, period) = (6 + feed.byte() % 3, 10 + u16::from(feed.byte()));
    let hash = feed.one_of(&["SHA1", "SHA256", "sha512"]);
    let (label, issuer) = (feed.text(), feed.text());
    let label: String = Serializer::new(String::new()).append_key_only(&label).finish();
    let query = Serializer::new(String::new())
        .append_pair("issuer", &issuer)
        .append_pair("secret", &written)
        .append_pair("algorithm", hash)
        .append_pair("digits", &digits.to_string())
        .append_pair("period", &period.to_string())
        .finish();
    assert_eq!(taken(&format!("{ADDRESS}{label}?{query}")), Some(plain.clone()), "as an address");
    assert_eq!(taken(&written), Some(plain), "{written:?}");
}

/// What is not a whole picture of one code is refused; the sums of a PNG's parts are put right, so that more of it is read.
fn pictured(bytes: &[u8]) {
    let place = folder();
    fs::create_dir_all(&place).expect("a folder of our own");
    let path = place.join("key.png");
    let mut bytes = bytes.to_vec();
    summed(&mut bytes);
    fs::write(&path, bytes).expect("a folder of our own");
    taken(path.to_str().expect("the folder's name is text"));
}

/// The letters of the key that was taken. Its codes are codes, and nothing is told that should not be.
fn taken(answer: &str) -> Option<String> {
    let (found, told) = match read_seed(&Secret::new(answer.into()), None) {
        Look::Good(found) => (found, String::new()),
        Look::Doubtful(found, told) => (found, told),
        Look::Wrong(told) => {
            assert!(!told.contains(CANARY), "{told}");
            return None;
        }
    };
    assert!(!told.chars().any(char::is_control) && told.len() < 120, "{told:?}");
    let canonical = found.seed.canonical();
    let parts: Vec<&str> = canonical.expose().split('/').collect();
    let (digits, period_s): (usize, u64) =
        (parts[2].parse().expect("6 to 8"), parts[3].parse().expect("seconds"));
    let code = found.seed.code(Timestamp::from_second(1_800_000_000).expect("in 2027"));
    let text = code.digits.expose();
    assert!(
        (6..=8).contains(&digits) && text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()),
        "{text}"
    );
    assert!((10..=300).contains(&period_s) && (1..=period_s * 1_000).contains(&code.life_ms));
    Some(parts[0].to_owned())
}
