//! Whatever stands in a configuration: every fault has its file and line, and what is accepted sends no secret elsewhere.
#![no_main]

use firstbell::config::{Config, Environment, read};
use firstbell_fuzz::CANARY;
use libfuzzer_sys::fuzz_target;
use url::Url;

/// A value that may be a secret that somebody wrote into the wrong place.
const VALUE: &str = "= \"c4n4ry77kq2vx9\"";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).replace("= \"@@\"", VALUE);
    let first = read("c.toml", &text, &Environment::new());
    let again = read("c.toml", &text, &Environment::new());
    match (first, again) {
        (Ok(config), Ok(again)) => {
            sound(&config);
            assert_eq!(shape(&config), shape(&again), "read twice, it says two things");
        }
        (Err(faults), Err(again)) => {
            assert_eq!(faults.0, again.0, "read twice, it has other faults");
            assert!(!faults.0.is_empty(), "refused without a word");
            for line in &faults.0 {
                placed(line, &text);
            }
        }
        (first, again) => panic!("{} once and {} then", first.is_ok(), again.is_ok()),
    }
});

fn sound(config: &Config) {
    for origin in config.rehearsal.iter().flat_map(|(site, api)| [site, api]) {
        assert!(origin.is_loopback(), "a rehearsal with {origin}");
    }
    assert!(!config.accounts.is_empty(), "nobody logs in");
    assert!(!config.store.mark.starts_with(&config.state_dir), "the mark is inside of what it marks");
    for (i, account) in config.accounts.iter().enumerate() {
        let app = &account.app;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        assert!(plain(&app.user_id) && plain(&app.api_key), "{app:?}");
        assert!(matches!(app.redirect.scheme(), "http" | "https") && bare(&app.redirect), "{}", app.redirect);
        assert!(config.accounts[..i].iter().all(|other| other.app.user() != app.user()), "a user twice");
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        assert!(!account.name.is_empty() && account.name.chars().all(name), "{:?}", account.name);
    }
}

/// Nobody's name and no password stand in it.
fn bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

/// All of it but the calendar, which is large, and is fuzzed alone.
fn shape(config: &Config) -> String {
    let Config { state_dir, store, shared, accounts, channels, drivers, plan, keeping, rehearsal, .. } =
        config;
    format!(
        "{state_dir:?}{store:?}{shared:?}{accounts:?}{channels:?}{drivers:?}{plan:?}{keeping:?}{rehearsal:?}"
    )
}

/// A fault is one line for a terminal that says where it is, and a value that may be a secret is not in it.
fn placed(line: &str, text: &str) {
    let number = line.strip_prefix("c.toml:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
    let number = number.unwrap_or_else(|| panic!("no file or no line: {line:?}"));
    assert!((1..=text.split('\n').count()).contains(&number), "there is no such line: {line:?}");
    assert!(!line.replace("\n    ", "").contains(char::is_control), "not for a terminal: {line:?}");
    // Only where each one is a whole value at its line's end: names of tables and keys are shown.
    let ends = |rest: &str| rest.is_empty() || rest.starts_with('\n');
    let value =
        text.matches(CANARY).count() == text.matches(VALUE).count() && text.split(VALUE).skip(1).all(ends);
    assert!(!value || !line.contains(CANARY), "a value is in {line:?}");
}
