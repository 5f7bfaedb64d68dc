//! A node that keeps the accounts and is stopped or dies: another one takes over after the lease, and the first one, when it wakes,
//! spends nothing.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::postgres::Postgres;
use crate::support::Sim;
use crate::{LEASE_S, arrived, begun, due};

fn served(account: &Value) -> bool {
    account["served"] == "yes"
}

/// What one login submits after another one was stopped at this place, and what both have begun.
fn taken_over(place: &str, when: &str, dies: bool) -> ([u64; 3], [u64; 3]) {
    let server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    sim.settings(&json!({ "totp_reuse": true, "second_session": "keep_both" }));
    let first = due(&sim, &url, None);
    first.store_secrets(&sim.account);
    let second = due(&sim, &url, Some(&first));
    sim.fault(&json!({ "at": place, "do": "hold", "when": when, "call": 1 }));
    let mut old = Daemon::start(&first);
    sim.wait_held(place);
    let mut new = Daemon::start(&second);
    new.wait_log("standing by");
    if dies {
        old.kill();
    } else {
        old.signal(Signal::STOP);
    }
    new.until_account("main", "it has a token", served);
    sim.no_faults();
    sim.post("/release", &json!({}));
    let token = second.token().unwrap();
    let after = arrived(&sim);
    if !dies {
        old.signal(Signal::CONT);
        old.wait_log("another node took these accounts over");
        old.wait_log("standing by");
        assert!(old.lives() && new.lives());
    }
    assert_eq!(arrived(&sim), after, "{place}: it submitted when it woke: {}", old.log());
    assert_eq!(first.token().unwrap(), token, "{place}: both nodes serve the same token");
    (after, begun(&sim, &second, &url))
}

/// Nothing had left yet: the whole budget is the second node's.
#[test]
fn a_node_that_is_stopped_before_its_password_leaves_never_submits_it() {
    let (arrived, begun) = taken_over("login-page", "before", false);
    assert_eq!((arrived, begun), ([1, 1, 1], [1, 1, 1]));
}

/// The password was out, and nobody knows what became of it: it counts.
#[test]
fn a_node_that_is_stopped_with_its_password_out_goes_no_step_further() {
    let (arrived, begun) = taken_over("login", "after", false);
    assert_eq!((arrived, begun), ([2, 1, 1], [2, 1, 1]));
}

#[test]
fn a_node_that_is_stopped_with_its_code_out_exchanges_nothing() {
    let (arrived, begun) = taken_over("twofa", "after", false);
    assert_eq!((arrived, begun), ([2, 2, 1], [2, 2, 1]));
}

#[test]
fn a_node_that_dies_with_its_password_out_is_followed_by_another_within_the_budget() {
    let (arrived, begun) = taken_over("login", "after", true);
    assert_eq!((arrived, begun), ([2, 1, 1], [2, 1, 1]));
}

/// Long before its lease would end.
#[test]
fn a_node_that_is_told_to_end_hands_over_at_once() {
    let server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    let first = due(&sim, &url, None);
    first.store_secrets(&sim.account);
    let second = due(&sim, &url, Some(&first));
    for home in [&first, &second] {
        let text = fs::read_to_string(home.config()).unwrap();
        fs::write(home.config(), text.replace(&format!("lease_s = {LEASE_S}"), "lease_s = 300")).unwrap();
    }
    let old = Daemon::start(&first);
    old.until_account("main", "it has a token", served);
    let new = Daemon::start(&second);
    new.wait_log("standing by");
    assert_eq!(old.end().0, 0);
    new.wait_log("keeping 1 of");
    new.until_account("main", "it has the token", |main| served(main) && main["generation"] == 1);
    assert_eq!(arrived(&sim), [1; 3]);
}
