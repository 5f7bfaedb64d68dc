//! Each fault does what it says: refusals, cut connections, slow and broken replies.

use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::support::{Ask, Browser, Line, Sim, get, post, refusal};

fn one(at: &str, deed: &str) -> Value {
    json!({"fault": [{"at": at, "do": deed}]})
}

/// The request of one place, with everything right about it.
fn right(sim: &Sim, at: &str) -> Ask {
    let mut browser = Browser::new(sim);
    let user_id = sim.credential("user_id");
    match at {
        "login-page" => get("/"),
        "login" => post("/api/login").form(&[("user_id", user_id), ("password", sim.credential("password"))]),
        "twofa" => {
            let request_id = browser.request_id();
            let code = sim.code(0);
            let fields = [("user_id", user_id), ("request_id", &request_id), ("twofa_value", &code)];
            post("/api/twofa").form(&fields)
        }
        "finish" => {
            let mut browser = Browser::signed_in(sim);
            let first = browser.connect_login("");
            let target = first.location().split_once(sim.site()).expect("it stays at Kite").1.to_owned();
            browser.with_cookies(get(&target))
        }
        "exchange" => {
            let request_token = Browser::signed_in(sim).grant();
            sim.exchange_ask(&request_token)
        }
        _ => {
            let line = format!("token {}:{}", sim.credential("api_key"), sim.access_token());
            get("/user/profile").header("Authorization", &line)
        }
    }
}

const PLACES: [&str; 6] = ["login-page", "login", "twofa", "finish", "exchange", "profile"];

/// What a call leaves behind, and what must not be there without an effect.
fn effect(sim: &Sim, at: &str) -> bool {
    let seen = sim.seen();
    let accepted = |list: &str, last: &str| {
        let entry = seen[list].as_array().and_then(|list| list.last()).cloned().unwrap_or_default();
        assert!(entry["verdict"] == "accepted" || entry["verdict"] == "lost", "{last}: {entry}");
        entry["verdict"] == "accepted"
    };
    match at {
        "login-page" => seen["login_pages"] == 1,
        "login" | "twofa" => accepted("submissions", at),
        "finish" => seen["finishes"] == 1,
        _ => accepted("exchanges", at) && seen["live_tokens"] == 1,
    }
}

#[test]
fn row_34_a_proxy_page_stands_in_everywhere_and_nothing_happens() {
    for at in PLACES {
        let sim = Sim::start();
        let ask = right(&sim, at);
        let fault = json!({"at": at, "do": "status", "status": 503, "retry_after_s": 7});
        sim.lever("/faults", &json!({"fault": [fault]}));
        let reply = sim.ask(ask);
        assert_eq!(reply.status, 503, "{at}");
        assert_eq!(reply.header("retry-after"), Some("7"));
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(reply.text().contains("SIMULATION"));
        assert!(at == "profile" || !effect(&sim, at), "{at}");
    }
}

#[test]
fn row_34_a_reset_before_the_effect_loses_the_submission() {
    for at in PLACES {
        let sim = Sim::start();
        let ask = right(&sim, at);
        sim.lever("/faults", &one(at, "reset-before"));
        let error = Line::to(sim.site()).ask(&ask).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{at}");
        assert!(at == "profile" || !effect(&sim, at), "{at}");
        let requests = sim.seen()["requests"].clone();
        assert_eq!(requests.as_array().unwrap().last().unwrap()["status"], Value::Null);
    }
    let sim = Sim::start();
    sim.lever("/faults", &one("login", "reset-before"));
    let ask = right(&sim, "login");
    assert!(Line::to(sim.site()).ask(&ask).is_err());
    assert_eq!(sim.seen()["password_submissions"], 1);
    assert_eq!(sim.seen()["submissions"][0]["verdict"], "lost");
}

#[test]
fn row_34_a_reset_after_the_effect_keeps_the_effect() {
    for at in PLACES {
        let sim = Sim::start();
        let ask = right(&sim, at);
        sim.lever("/faults", &one(at, "reset-after"));
        // A connection that has served before is reset just the same.
        let mut line = Line::to(sim.site());
        assert_eq!(line.ask(&get("/forgot")).unwrap().status, 200);
        assert_eq!(line.ask(&ask).unwrap_err().kind(), ErrorKind::ConnectionReset, "{at}");
        assert!(effect(&sim, at), "{at}");
    }
}

#[test]
fn row_34_an_unknown_page_stands_in_everywhere() {
    for at in PLACES {
        let sim = Sim::start();
        let ask = right(&sim, at);
        sim.lever("/faults", &one(at, "unknown-page"));
        let reply = sim.ask(ask);
        assert_eq!(reply.status, 200, "{at}");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        let text = reply.text();
        assert!(text.contains("maintenance") && !text.contains("id=\"app\"") && text.contains("SIMULATION"));
        assert!(at == "profile" || !effect(&sim, at), "{at}");
    }
}

#[test]
fn row_34_a_truncated_reply_is_half_a_json_after_a_whole_effect() {
    for at in ["login", "twofa", "exchange", "profile"] {
        let sim = Sim::start();
        let ask = right(&sim, at);
        sim.lever("/faults", &one(at, "truncated"));
        let reply = sim.ask(ask);
        assert_eq!(reply.status, 200, "{at}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(reply.text().starts_with('{'));
        assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
        assert!(effect(&sim, at), "{at}");
    }
}

#[test]
fn row_34_a_slow_reply_comes_late_and_its_effect_at_once() {
    for at in PLACES {
        let sim = Sim::start();
        let ask = right(&sim, at);
        // Longer than any test waits: the effect must be there although the reply never comes.
        let slow = json!({"at": at, "do": "slow", "delay_ms": 600_000});
        let hold = json!({"at": at, "do": "hold", "when": "after"});
        sim.lever("/faults", &json!({"fault": [slow, hold]}));
        let mut line = Line::to(sim.site());
        line.send(&ask).unwrap();
        sim.inspect(get(&format!("/held?wait={at}")));
        assert!(effect(&sim, at), "{at}");
    }
    let sim = Sim::under(&json!({"fault": [{"at": "login", "do": "slow", "delay_ms": 30}]}));
    let ask = right(&sim, "login");
    assert_eq!(sim.ask(ask).status, 200);
}

#[test]
fn wrong_password_and_wrong_code_are_answered_and_counted() {
    let sim = Sim::under(&json!({"fault": [
        {"at": "login", "do": "wrong-password", "call": 1},
        {"at": "twofa", "do": "wrong-code", "call": 1},
    ]}));
    let mut browser = Browser::new(&sim);
    let told = refusal(&browser.password(sim.credential("password")), 403, "UserException");
    assert_eq!(told, "Invalid account credentials. 4 attempts remain");
    let request_id = browser.request_id();
    let code = sim.code(0);
    assert_eq!(refusal(&browser.code(&request_id, &code), 403, "TwoFAException"), "Invalid TOTP");
    assert_eq!(browser.code(&request_id, &code).status, 200);
}

#[test]
fn blocked_blocks_until_a_reset() {
    for at in ["login", "twofa"] {
        let sim = Sim::start();
        let ask = right(&sim, at);
        sim.lever("/faults", &json!({"fault": [{"at": at, "do": "blocked", "call": 1}]}));
        assert!(refusal(&sim.ask(ask), 403, "UserException").contains("Forgot"));
        assert_eq!(sim.seen()["blocked"], true);
        refusal(&Browser::new(&sim).password(sim.credential("password")), 403, "UserException");
        sim.lever("/reset", &json!({}));
        assert_eq!(Browser::new(&sim).log_in().status, 200);
    }
}

#[test]
fn dead_on_arrival_looks_well_and_is_dead() {
    let sim = Sim::under(&one("exchange", "dead-on-arrival"));
    let token = sim.access_token();
    refusal(&sim.profile(&token), 403, "TokenException");
    assert_eq!(sim.seen()["live_tokens"], 0);
}

#[test]
fn other_user_names_somebody_else_from_the_exchange_on() {
    let sim = Sim::under(&one("exchange", "other-user"));
    let request_token = Browser::signed_in(&sim).grant();
    let data = sim.exchange(&request_token).json()["data"].clone();
    assert_ne!(data["user_id"], sim.account["user_id"]);
    let profile = sim.profile(data["access_token"].as_str().unwrap());
    assert_eq!(profile.json()["data"]["user_id"], data["user_id"]);
}

#[test]
fn a_fault_strikes_at_its_call_and_can_be_cleared() {
    let sim = Sim::under(&json!({"fault": [{"at": "login-page", "do": "status", "status": 502, "call": 2}]}));
    let statuses = |sim: &Sim| [0, 1, 2].map(|_| sim.ask(get("/")).status);
    assert_eq!(statuses(&sim), [200, 502, 200]);
    sim.lever("/faults", &one("login-page", "unknown-page"));
    assert_eq!(statuses(&sim), [200, 200, 200]);
    assert!(sim.ask(get("/")).text().contains("maintenance"));
    sim.lever("/faults", &json!({"settings": {"flush": "07:00"}}));
    assert!(sim.ask(get("/")).text().contains("maintenance"));
    sim.inspect(crate::support::delete("/faults"));
    assert!(sim.ask(get("/")).text().contains("/static/login.js"));
}
