//! The daemon under every way in which Kite may end tokens: nobody knows for sure which one is true, so it must hold under all.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;

use daemon::{Daemon, configure, leap, standing_sim, wait_for};
use jiff::Timestamp;
use serde_json::json;
use support::Home;

/// Trading days of one week: Monday to Friday, with no holiday among them.
const DAYS: [&str; 5] = ["2026-02-02", "2026-02-03", "2026-02-04", "2026-02-05", "2026-02-06"];

/// Plays a week; every morning is ready at its deadline with one login, and the token of the last day works.
fn week(settings: &serde_json::Value, schedule: &str) {
    let sim = standing_sim("2026-02-02T00:00:00+05:30");
    sim.settings(settings);
    let home = Home::new(&sim);
    let end: Timestamp = "2026-02-06T12:00:00+05:30".parse().unwrap();
    configure(&home, &sim, "data = true", &format!("{}\n{schedule}", leap(&sim, end)));
    let mut daemon = Daemon::start(&home);
    wait_for(&sim, end, &mut daemon);
    let log = daemon.log();
    for day in DAYS {
        let of_day = |text: &str| log.lines().filter(|l| l.starts_with(day) && l.contains(text)).count();
        assert_eq!(of_day("works and is stored"), 1, "{day} {settings}\n{log}");
        assert_eq!(of_day("ready at the deadline"), 1, "{day} {settings}\n{log}");
        assert_eq!(of_day("not ready"), 0, "{day} {settings}\n{log}");
    }
    assert_eq!((sim.passwords(), sim.codes()), (5, 5), "{settings}");
    let (status, body) = daemon.ask("GET", "/readyz");
    assert_eq!(status, 200, "{body}");
    assert_eq!(daemon.end().0, 0);
}

#[test]
fn every_way_to_flush_tokens_gives_a_token_every_morning() {
    for mode in ["hard", "window", "progressive", "midnight", "never"] {
        week(&json!({ "flush_mode": mode }), "");
    }
}

#[test]
fn every_effect_of_a_second_session_gives_a_token_every_morning() {
    for mode in ["replace", "keep_both", "same_token"] {
        week(&json!({ "second_session": mode }), "");
    }
}

#[test]
fn the_owner_may_know_other_hours() {
    let hours = "[schedule]\nlogin_at = \"06:30\"\ndeadline = \"07:15\"\ntokens_end_from_h = 0\ntokens_end_until_h = 6\n";
    week(&json!({ "flush_mode": "midnight" }), hours);
}
