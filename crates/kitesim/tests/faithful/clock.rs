//! The simulated clock, and what dies by it.

use serde_json::json;

use crate::support::{Browser, MORNING, MORNING_S, Sim, get, refusal};

#[test]
fn row_20_the_date_follows_the_simulated_clock() {
    let sim = Sim::start();
    let date = |path: &str| sim.ask(get(path)).header("date").map(str::to_owned);
    for path in ["/", "/nowhere", "/static/login.js", "/user/profile"] {
        assert_eq!(date(path).as_deref(), Some("Mon, 05 Oct 2026 03:00:00 GMT"), "{path}");
    }
    sim.lever("/clock", &json!({"advance_s": 86_400}));
    assert_eq!(date("/").as_deref(), Some("Tue, 06 Oct 2026 03:00:00 GMT"));
    sim.lever("/clock", &json!({"set": "2027-01-01T00:00:00Z"}));
    assert_eq!(date("/").as_deref(), Some("Fri, 01 Jan 2027 00:00:00 GMT"));
    let elsewhere = sim.ask(get("/").header("Host", "kite.zerodha.com"));
    assert_eq!(elsewhere.header("date"), Some("Fri, 01 Jan 2027 00:00:00 GMT"));
}

#[test]
fn row_20_the_clock_starts_where_it_is_told_and_runs_on() {
    let sim = Sim::with(&["--clock", MORNING], None);
    let first = sim.now_s();
    assert!((MORNING_S..MORNING_S + 60).contains(&first), "{first}");
    let running = |sim: &Sim| sim.seen()["now"].as_str().unwrap().to_owned();
    assert_ne!(running(&sim), running(&sim));
    sim.lever("/clock", &json!({"freeze": true}));
    assert_eq!(running(&sim), running(&sim));
    sim.lever("/clock", &json!({"freeze": false}));
    assert_ne!(running(&sim), running(&sim));
}

#[test]
fn row_20_codes_follow_the_simulated_clock() {
    let sim = Sim::start();
    let stale = sim.code(0);
    sim.lever("/clock", &json!({"advance_s": 90}));
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    refusal(&browser.code(&request_id, &stale), 403, "TwoFAException");
    assert_eq!(browser.code(&request_id, &sim.code(0)).status, 200);
}

#[test]
fn row_21_a_request_token_grows_old() {
    let sim = Sim::start();
    let mut browser = Browser::signed_in(&sim);
    for (life_s, wait_s, status) in [(None, 299, 200), (None, 300, 403), (Some(120), 120, 403)] {
        if let Some(life_s) = life_s {
            sim.lever("/faults", &json!({"settings": {"grant_life_s": life_s}}));
        }
        let request_token = browser.grant();
        sim.lever("/clock", &json!({"advance_s": wait_s}));
        assert_eq!(sim.exchange(&request_token).status, status, "{life_s:?} {wait_s}");
    }
}

#[test]
fn row_30_tokens_die_at_the_flush() {
    let sim = Sim::start();
    let token = sim.access_token();
    sim.lever("/clock", &json!({"set": "2026-10-06T05:59:59+05:30"}));
    assert_eq!(sim.profile(&token).status, 200);
    assert_eq!(sim.seen()["live_tokens"], 1);
    sim.lever("/clock", &json!({"set": "2026-10-06T06:00:00+05:30"}));
    let told = refusal(&sim.profile(&token), 403, "TokenException");
    assert_eq!(told, "Incorrect `api_key` or `access_token`.");
    assert_eq!(sim.seen()["live_tokens"], 0);
}

#[test]
fn row_30_the_flush_is_a_setting_and_a_lever() {
    let sim = Sim::under(&json!({"settings": {"flush": "09:00"}}));
    let token = sim.access_token();
    sim.lever("/clock", &json!({"set": "2026-10-05T09:00:00+05:30"}));
    assert_eq!(sim.profile(&token).status, 403);
    let token = sim.access_token();
    assert_eq!(sim.profile(&token).status, 200);
    sim.lever("/flush", &json!({}));
    assert_eq!(sim.profile(&token).status, 403);
}

#[test]
fn row_30_a_browser_session_ends_with_the_flush() {
    let sim = Sim::start();
    let mut browser = Browser::signed_in(&sim);
    assert!(browser.ask(get("/dashboard")).text().contains("user-id"));
    sim.lever("/clock", &json!({"set": "2026-10-06T06:00:00+05:30"}));
    assert!(browser.ask(get("/dashboard")).text().contains("/static/login.js"));
}
