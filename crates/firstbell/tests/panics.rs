//! A panic says where it was and never what: its message may hold whatever was at hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/compiled.rs"]
mod compiled;
mod support;

use compiled::preloaded;
use support::{Ended, Home, Sim, ended};
use tempfile::TempDir;

/// How Rust ends a program that panicked.
const PANICKED: i32 = 101;

/// What is said where the first look at a clock panics, with all that makes panics talkative.
fn forced(home: &Home, words: &[&str]) -> Ended {
    let folder = TempDir::with_prefix("fb-test-").unwrap();
    let mut command = home.command(words);
    command.env("LD_PRELOAD", preloaded(folder.path(), "clockless"));
    command.env("RUST_BACKTRACE", "full").env("FIRSTBELL_LOG", "trace");
    ended(command.output().unwrap())
}

#[test]
fn a_panic_says_where_and_not_what() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    for words in [&["login", "--driver", "http"][..], &["run"], &["token"], &["status", "--json"]] {
        let ended = forced(&home, words);
        assert_eq!(ended.code, PANICKED, "{words:?} did not panic: {ended:?}");
        let place = ended.stderr.strip_prefix("firstbell: internal error at ");
        let place = place.and_then(|rest| rest.strip_suffix("; please report this line\n"));
        let (file, line) =
            place.and_then(|place| place.split_once(".rs:")).unwrap_or_else(|| panic!("{ended:?}"));
        assert!(!file.contains(char::is_whitespace), "{words:?}: {ended:?}");
        assert!(line.chars().all(|letter| letter.is_ascii_digit() || letter == ':'), "{words:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{words:?}");
    }
}

#[test]
fn a_worker_that_panics_says_nothing() {
    let sim = Sim::start();
    let ended = forced(&Home::new(&sim), &["work"]);
    assert_eq!(ended.code, PANICKED, "it did not panic: {ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}
