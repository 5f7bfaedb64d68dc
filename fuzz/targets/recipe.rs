//! Whatever an owner kept secrets in: what is found stands where it is said to stand, and a value in quotes is found as it is.
#![no_main]

use firstbell_core::recipe::{self, Found, Part};
use firstbell_core::secret::Secret;
use firstbell_fuzz::{CANARY, Feed, planted};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    match feed.byte() % 4 {
        0 => quoted(feed.piece(usize::MAX)),
        _ => whatever(&planted(feed.piece(usize::MAX))),
    }
});

fn whatever(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let found = recipe::read(&Secret::new(text.into()));
    let named = found.iter().any(|one| one.name.as_ref().is_some_and(|name| name.contains(CANARY)));
    assert!(named || !format!("{found:?}").contains(CANARY), "a value is shown");
    for (at, Found { line, name, part, value }) in found.iter().enumerate() {
        let told = line.checked_sub(1).and_then(|line| lines.get(line));
        let there = told.unwrap_or_else(|| panic!("line {line} of {}", lines.len()));
        let (value, name) = (value.expose(), name.as_deref());
        assert!(!value.trim().is_empty(), "a secret of nothing");
        assert!(name.is_none_or(|name| name.len() <= 40 && there.contains(name)), "{name:?} is not there");
        assert!(name.is_none_or(|name| !name.chars().any(char::is_control)), "{name:?}");
        // What is escaped is written longer than it is.
        assert!(value.len() <= there.len(), "more than stands on line {line}");
        let is_plain = !there.contains('\\');
        assert!(!is_plain || there.contains(value), "what is not on line {line}");
        let twice = found[..at].iter().any(|other| other.part == *part && other.value.expose() == value);
        assert!(!twice, "{part:?} is found twice");
    }
}

/// A password in the quotes of the usual notations, and beside it what a file of this kind has too.
fn quoted(value: &[u8]) {
    let value: String = String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).collect();
    if value.trim().is_empty() {
        return;
    }
    let json = serde_json::to_string(&value).expect("text is JSON");
    let python = format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    let texts = [
        format!("{{\"user_id\": \"AB1234\", \"password\": {json}}}"),
        format!("# of main\nexport KITE_PASSWORD={json}\nexport KITE_USER=AB1234\n"),
        format!("kite.login('AB1234', password={python})\n"),
        format!("password: {python}\n"),
    ];
    for text in texts {
        let found = recipe::read(&Secret::new(text.clone()));
        let mut passwords = found.iter().filter(|one| one.part == Part::Password);
        let first = passwords.next().map(|one| one.value.expose());
        assert_eq!(first, Some(value.as_str()), "{text}");
        assert!(passwords.next().is_none(), "{text}");
    }
}
