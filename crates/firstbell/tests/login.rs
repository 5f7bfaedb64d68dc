//! Mornings, good and bad, with both drivers against kitesim: what firstbell says, and what the simulator received.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use serde_json::{Value, json};
use support::{DRIVERS, Home, Sim, seed};

/// One test for each driver.
macro_rules! mornings {
    ($($name:ident),* $(,)?) => {
        mod chrome { $(#[test] fn $name() { super::$name(super::DRIVERS[0]); })* }
        mod http { $(#[test] fn $name() { super::$name(super::DRIVERS[1]); })* }
    };
}

mornings!(
    good_morning,
    wrong_password,
    wrong_seed,
    refused_codes,
    blocked_account,
    closed_for_maintenance,
    closed_after_the_password,
    server_down,
    server_errors,
    server_errors_after_the_password,
    reset_after_the_password,
    reset_before_any_answer,
    slow_pages,
    grant_of_another_user,
    exchange_reply_lost,
    token_dead_on_arrival,
    proof_that_fails_for_a_while,
    wrong_api_secret,
    wrong_redirect_address,
    user_not_enabled,
    consent_page,
    other_second_factor,
    clock_off,
);

/// How it ended: exit code, failure code, and what remains of the tries.
fn outcome(home: &Home, ended: &support::Ended) -> (i32, String, u64, u64) {
    let left = &home.status()["tries_left"];
    let left = |key: &str| left[key].as_u64().unwrap();
    (
        ended.code,
        ended.json()["failure"].as_str().unwrap_or("none").to_owned(),
        left("password"),
        left("code"),
    )
}

fn is(home: &Home, ended: &support::Ended, want: (i32, &str, u64, u64)) {
    let got = outcome(home, ended);
    assert_eq!((got.0, got.1.as_str(), got.2, got.3), want, "{ended:?}");
}

fn good_morning(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let ended = home.login(driver);
    is(&home, &ended, (0, "none", 2, 2));
    let seen = sim.seen();
    let count = |key: &str| seen[key].as_u64().unwrap();
    assert_eq!(
        (count("password_submissions"), count("code_submissions"), count("profile_calls")),
        (1, 1, 1),
        "{seen}"
    );
    assert_eq!(seen["exchanges"].as_array().unwrap().len(), 1, "{seen}");
    let report = ended.json();
    assert_eq!((&report["ok"], &report["generation"]), (&json!(true), &json!(1)));
    assert!(report["steps"].as_array().unwrap().len() >= 6, "{report}");
    let token = home.token().unwrap();
    assert_eq!((&token["user_id"], &token["generation"]), (&json!("AB1234"), &json!(1)));
    let authorization = format!(
        "Authorization: token {}:{}\r\n",
        token["api_key"].as_str().unwrap(),
        token["access_token"].as_str().unwrap()
    );
    let (status, _, body) = support::request_with("GET", &sim.api, "/user/profile", None, &authorization);
    assert_eq!(status, 200, "{body}");
}

fn wrong_password(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.run_with(&["secrets", "set", "password"], "not the password");
    let ended = home.login(driver);
    is(&home, &ended, (3, "password-rejected", 0, 2));
    assert!(ended.stderr.contains("4 attempts remain"), "{}", ended.stderr);
    for _ in 0..3 {
        is(&home, &home.login(driver), (3, "stopped", 0, 2));
    }
    assert_eq!((sim.passwords(), sim.codes()), (1, 0));
    // A new password may be submitted, once; and after unlock even the old one.
    home.run_with(&["secrets", "set", "password"], "not it either");
    is(&home, &home.login(driver), (3, "password-rejected", 0, 2));
    is(&home, &home.login(driver), (3, "stopped", 0, 2));
    assert_eq!(home.run(&["unlock"]).code, 0);
    is(&home, &home.login(driver), (3, "password-rejected", 0, 2));
    assert_eq!(sim.passwords(), 3);
    home.store_secrets(&sim.account);
    // The broker said that two attempts remain: those are the owner's, whatever he stored.
    is(&home, &home.login(driver), (3, "stopped", 0, 2));
    assert_eq!(home.run(&["unlock"]).code, 0);
    is(&home, &home.login(driver), (0, "none", 2, 2));
    // A success forgives the counters, not the refused password.
    home.run_with(&["secrets", "set", "password"], "nor this one");
    is(&home, &home.login(driver), (3, "password-rejected", 0, 2));
    home.store_secrets(&sim.account);
    is(&home, &home.login(driver), (0, "none", 2, 2));
    home.run_with(&["secrets", "set", "password"], "nor this one");
    is(&home, &home.login(driver), (3, "stopped", 0, 2));
    assert_eq!(sim.passwords(), 6);
}

fn wrong_seed(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.run_with(&["secrets", "set", "totp_seed"], &seed());
    is(&home, &home.login(driver), (3, "code-rejected", 2, 0));
    is(&home, &home.login(driver), (3, "stopped", 2, 0));
    let seen = sim.seen();
    let steps: Vec<&Value> = seen["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["kind"] == "code")
        .map(|s| &s["arrived_step"])
        .collect();
    assert!(steps.len() == 2 && steps[0] != steps[1], "{seen}");
    assert_eq!(sim.passwords(), 1);
}

/// The right seed, and a broker that refuses its codes: the simulator knows which time step each code was made for.
fn refused_codes(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "twofa", "do": "wrong-code" }));
    is(&home, &home.login(driver), (3, "code-rejected", 2, 0));
    let seen = sim.seen();
    let codes = seen["submissions"].as_array().unwrap().iter().filter(|s| s["kind"] == "code");
    let steps: Vec<u64> = codes.map(|s| s["matched_step"].as_u64().unwrap()).collect();
    assert!(steps.len() == 2 && steps[0] < steps[1], "{seen}");
}

fn blocked_account(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login", "do": "blocked" }));
    is(&home, &home.login(driver), (3, "blocked", 0, 2));
    is(&home, &home.login(driver), (3, "stopped", 0, 2));
    assert_eq!((sim.passwords(), sim.codes()), (1, 0));
}

fn closed_for_maintenance(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login-page", "do": "unknown-page" }));
    is(&home, &home.login(driver), (5, "maintenance", 2, 2));
    assert_eq!((sim.passwords(), sim.codes()), (0, 0));
}

fn closed_after_the_password(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login", "do": "unknown-page" }));
    is(&home, &home.login(driver), (5, "maintenance", 1, 2));
    assert_eq!((sim.passwords(), sim.codes()), (1, 0));
}

fn server_down(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    // A port that nobody listens on: bound once to be free, then let go.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = std::fs::read_to_string(home.config()).unwrap();
    let text = text.replace(&sim.site, &format!("http://{free}"));
    std::fs::write(home.config(), text).unwrap();
    is(&home, &home.login(driver), (5, "unreachable", 2, 2));
    assert_eq!(sim.passwords(), 0);
}

fn server_errors(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    for status in [500, 502, 503, 504] {
        sim.fault(&json!({ "at": "login-page", "do": "status", "status": status }));
        is(&home, &home.login(driver), (5, "broker-down", 2, 2));
    }
    assert_eq!(sim.passwords(), 0);
    sim.no_faults();
    is(&home, &home.login(driver), (0, "none", 2, 2));
}

fn server_errors_after_the_password(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login", "do": "status", "status": 503 }));
    is(&home, &home.login(driver), (5, "unanswered", 1, 2));
    sim.fault(&json!({ "at": "login", "do": "status", "status": 429, "retry_after_s": 30 }));
    let ended = home.login(driver);
    is(&home, &ended, (5, "throttled", 0, 2));
    assert!(ended.stderr.contains("after 30 seconds"), "{}", ended.stderr);
    is(&home, &home.login(driver), (3, "stopped", 0, 2));
}

fn reset_after_the_password(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "login", "do": "reset-after" }));
    is(&home, &home.login(driver), (5, "unanswered", 1, 2));
    assert_eq!(sim.passwords(), 1, "{}", sim.seen());
    is(&home, &home.login(driver), (5, "unanswered", 0, 2));
    is(&home, &home.login(driver), (3, "stopped", 0, 2));
    assert_eq!(sim.passwords(), 2, "{}", sim.seen());
}

fn reset_before_any_answer(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "twofa", "do": "reset-before" }));
    is(&home, &home.login(driver), (5, "unanswered", 2, 1));
    assert_eq!((sim.passwords(), sim.codes()), (1, 1), "{}", sim.seen());
}

fn slow_pages(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let slow = |at: &str| json!({ "at": at, "do": "slow", "delay_ms": 1500 });
    sim.post(
        "/faults",
        &json!({ "fault": [slow("login-page"), slow("login"), slow("twofa"), slow("exchange")] }),
    );
    is(&home, &home.login(driver), (0, "none", 2, 2));
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
}

fn grant_of_another_user(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "exchange", "do": "other-user" }));
    is(&home, &home.login(driver), (3, "foreign-token", 2, 2));
    assert!(home.token().is_none());
}

fn exchange_reply_lost(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "exchange", "do": "reset-after" }));
    is(&home, &home.login(driver), (5, "unanswered", 2, 2));
    assert_eq!(sim.seen()["exchanges"].as_array().unwrap().len(), 1, "sent once, never again");
    assert!(home.token().is_none());
}

/// Also: an older good token is never replaced by a bad one.
fn token_dead_on_arrival(driver: &str) {
    let sim = Sim::start();
    sim.settings(&json!({ "second_session": "keep_both" }));
    let home = Home::new(&sim);
    is(&home, &home.login(driver), (0, "none", 2, 2));
    let good = home.token().unwrap();
    sim.fault(&json!({ "at": "exchange", "do": "dead-on-arrival" }));
    is(&home, &home.login(driver), (6, "dead-on-arrival", 2, 2));
    // The good one is in doubt, because a second session may have ended it; asked for, it proves itself and is served.
    assert_eq!(home.status()["token"], "suspect");
    assert_eq!(home.token().unwrap()["access_token"], good["access_token"]);
    sim.post("/flush", &json!({}));
    assert_eq!(home.run(&["token"]).code, 6);
}

fn proof_that_fails_for_a_while(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "profile", "do": "status", "status": 503 }));
    is(&home, &home.login(driver), (5, "broker-down", 2, 2));
    assert!(home.token().is_none(), "not served before it is proven");
    sim.no_faults();
    // The token of the first run is proven now; no credential is spent for it.
    is(&home, &home.login(driver), (0, "none", 2, 2));
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
    assert!(home.token().is_some());
}

fn wrong_api_secret(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.run_with(&["secrets", "set", "api_secret"], "0123456789abcdef0123456789abcdef");
    is(&home, &home.login(driver), (3, "secret-refused", 2, 2));
    assert!(home.token().is_none());
}

fn wrong_redirect_address(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.settings(&json!({ "redirect": "https://evil.example/back" }));
    let ended = home.login(driver);
    is(&home, &ended, (4, "wrong-return", 2, 2));
    assert!(ended.stderr.contains("evil.example"), "{}", ended.stderr);
    assert!(sim.seen()["exchanges"].as_array().unwrap().is_empty());
}

fn user_not_enabled(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.settings(&json!({ "not_enabled": true }));
    is(&home, &home.login(driver), (3, "not-enabled", 2, 2));
}

fn consent_page(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "finish", "do": "consent" }));
    is(&home, &home.login(driver), (4, "consent-wanted", 2, 2));
}

fn other_second_factor(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    for factor in ["app_code", "sms"] {
        sim.settings(&json!({ "second_factor": factor }));
        let ended = home.login(driver);
        is(&home, &ended, (3, "other-factor", 2, 2));
        assert!(ended.stderr.contains("set up external TOTP"), "{}", ended.stderr);
    }
    assert_eq!(sim.codes(), 0);
}

fn clock_off(driver: &str) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.post("/clock", &json!({ "advance_s": 300 }));
    let ended = home.login(driver);
    is(&home, &ended, (7, "clock-wrong", 2, 2));
    assert_eq!((sim.passwords(), sim.codes()), (0, 0), "no password for nothing, and no code was made");
}

/// Eight at once: one login, and all of them ready with its token.
#[test]
fn eight_logins_at_once_are_one() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    sim.fault(&json!({ "at": "twofa", "do": "hold" }));
    let mut children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = home.command(&["login", "--driver", "http", "--json"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    // One is in the middle of its login; the kernel tells when the others wait for it.
    sim.wait_held("twofa");
    let lock = std::fs::metadata(home.state().join("AB1234.lock")).unwrap();
    let inode = format!(":{} ", std::os::unix::fs::MetadataExt::ino(&lock));
    let waiting = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().filter(|line| line.contains("->") && line.contains(&inode)).count()
    };
    while waiting() < 7 {
        let dead = children.iter_mut().find_map(|child| child.try_wait().unwrap());
        assert!(dead.is_none(), "one ended before its turn: {dead:?}");
        std::thread::yield_now();
    }
    sim.post("/release", &json!({}));
    for child in children {
        let ended = support::ended(child.wait_with_output().unwrap());
        assert_eq!((ended.code, &ended.json()["generation"]), (0, &json!(1)), "{ended:?}");
    }
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
}
