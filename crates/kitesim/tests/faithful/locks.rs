//! Wrong passwords, wrong codes, and the block after five of either.

use serde_json::json;

use crate::support::{Browser, Sim, refusal};

#[test]
fn row_19_five_wrong_passwords_block_the_account_until_a_reset() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    for remaining in (1..5).rev() {
        let told = refusal(&browser.password("wrong"), 403, "UserException");
        assert_eq!(told, format!("Invalid account credentials. {remaining} attempts remain"));
        assert_eq!(sim.seen()["blocked"], false);
    }
    assert!(refusal(&browser.password("wrong"), 403, "UserException").contains("Forgot"));
    assert_eq!(sim.seen()["blocked"], true);
    let right = browser.password(sim.credential("password"));
    assert!(refusal(&right, 403, "UserException").contains("Forgot"));
    let seen = sim.seen();
    assert_eq!(seen["password_submissions"], 6);
    let verdicts: Vec<&str> = seen["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["rejected", "rejected", "rejected", "rejected", "rejected", "blocked"]);
    sim.lever("/reset", &json!({}));
    assert_eq!(sim.seen()["blocked"], false);
    assert_eq!(sim.seen()["password_submissions"], 0);
    assert_eq!(browser.password(sim.credential("password")).status, 200);
}

#[test]
fn row_19_five_wrong_codes_block_the_account_too() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    for _ in 1..5 {
        let told = refusal(&browser.code(&request_id, "wrong"), 403, "TwoFAException");
        assert_eq!(told, "Invalid TOTP");
    }
    assert_eq!(sim.seen()["blocked"], false);
    assert!(refusal(&browser.code(&request_id, "wrong"), 403, "UserException").contains("Forgot"));
    let right = browser.code(&request_id, &sim.code(0));
    refusal(&right, 403, "UserException");
    refusal(&browser.password(sim.credential("password")), 403, "UserException");
    let seen = sim.seen();
    assert_eq!(seen["blocked"], true);
    assert_eq!(seen["code_submissions"], 6);
    assert_eq!(seen["submissions"][6]["verdict"], "blocked");
}

#[test]
fn row_19_the_two_counters_are_separate_and_an_acceptance_clears_its_own() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    for _ in 0..4 {
        browser.password("wrong");
    }
    let request_id = browser.request_id();
    for _ in 0..4 {
        browser.code(&request_id, "wrong");
    }
    assert_eq!(browser.code(&request_id, &sim.code(0)).status, 200);
    for _ in 0..4 {
        browser.password("wrong");
    }
    assert_eq!(sim.seen()["blocked"], false);
}

#[test]
fn row_19_an_unknown_user_counts_against_nobody() {
    let sim = Sim::start();
    for _ in 0..9 {
        let fields = [("user_id", "ZZ0000"), ("password", "wrong")];
        refusal(&sim.ask(crate::support::post("/api/login").form(&fields)), 403, "UserException");
    }
    assert_eq!(sim.seen()["blocked"], false);
}

#[test]
fn row_19_a_code_is_good_one_step_around_and_only_once() {
    let sim = Sim::start();
    for (away, status) in [(-2, 403), (-1, 200), (2, 403), (1, 200), (0, 200)] {
        let mut browser = Browser::new(&sim);
        let request_id = browser.request_id();
        assert_eq!(browser.code(&request_id, &sim.code(away)).status, status, "{away}");
    }
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    let again = browser.code(&request_id, &sim.code(0));
    assert_eq!(refusal(&again, 403, "TwoFAException"), "Invalid TOTP");
    let last = sim.seen()["submissions"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["verdict"], "reused");
    assert!(last["matched_step"].is_i64());
}

#[test]
fn row_19_window_and_reuse_are_settings() {
    let sim = Sim::under(&json!({"settings": {"totp_window": 0, "totp_reuse": true}}));
    for (away, status) in [(-1, 403), (1, 403), (0, 200), (0, 200)] {
        let mut browser = Browser::new(&sim);
        let request_id = browser.request_id();
        assert_eq!(browser.code(&request_id, &sim.code(away)).status, status, "{away}");
    }
}

#[test]
fn a_request_id_serves_one_login() {
    let sim = Sim::under(&json!({"settings": {"totp_reuse": true}}));
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    assert_eq!(browser.code(&request_id, &sim.code(0)).status, 200);
    refusal(&browser.code(&request_id, &sim.code(0)), 400, "InputException");
}
