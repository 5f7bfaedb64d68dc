//! Requests that are held, looked at, and let go.

use serde_json::json;

use crate::support::{Browser, Line, Sim, get, http::Ask, post};

fn login(sim: &Sim) -> Ask {
    let fields = [("user_id", sim.credential("user_id")), ("password", sim.credential("password"))];
    post("/api/login").form(&fields)
}

#[test]
fn a_request_held_before_its_effect_has_none_until_it_is_released() {
    let sim = Sim::under(&json!({"fault": [{"at": "login", "do": "hold"}]}));
    let mut line = Line::to(sim.site());
    line.send(&login(&sim)).unwrap();
    let held = sim.inspect(get("/held?wait=login&timeout_ms=10000"));
    assert_eq!(held, json!({"held": [{"at": "login"}]}));
    assert_eq!(sim.seen()["password_submissions"], 1);
    assert_eq!(sim.seen()["submissions"][0]["verdict"], "lost");
    sim.lever("/release", &json!({}));
    assert_eq!(line.reply().unwrap().status, 200);
    assert_eq!(sim.seen()["submissions"][0]["verdict"], "accepted");
    assert_eq!(sim.inspect(get("/held")), json!({"held": []}));
}

#[test]
fn a_request_held_after_its_effect_has_it_already() {
    let sim = Sim::start();
    let request_token = Browser::signed_in(&sim).grant();
    sim.lever("/faults", &json!({"fault": [{"at": "exchange", "do": "hold", "when": "after"}]}));
    let mut line = Line::to(sim.site());
    line.send(&sim.exchange_ask(&request_token)).unwrap();
    sim.inspect(get("/held?wait=exchange"));
    assert_eq!(sim.seen()["live_tokens"], 1);
    assert_eq!(sim.seen()["exchanges"][0]["verdict"], "accepted");
    sim.lever("/release", &json!({}));
    assert_eq!(line.reply().unwrap().status, 200);
}

#[test]
fn a_client_that_goes_away_is_held_no_longer_and_its_submission_stays_lost() {
    let sim = Sim::under(
        &json!({"fault": [{"at": "login", "do": "hold", "call": 1}, {"at": "profile", "do": "hold"}]}),
    );
    let mut line = Line::to(sim.site());
    line.send(&login(&sim)).unwrap();
    sim.inspect(get("/held?wait=login"));
    drop(line);
    let mut other = Line::to(sim.site());
    other.send(&get("/user/profile")).unwrap();
    // The room notices the departure when its connection does, which may be a few looks later.
    let alone = json!({"held": [{"at": "profile"}]});
    let mut looks = (0..10_000).map(|_| sim.inspect(get("/held?wait=profile")));
    assert!(looks.any(|held| held == alone));
    sim.lever("/release", &json!({}));
    assert_eq!(other.reply().unwrap().status, 400);
    assert_eq!(sim.seen()["submissions"][0]["verdict"], "lost");
}

#[test]
fn waiting_for_what_never_comes_ends() {
    let sim = Sim::start();
    let mut line = Line::to(sim.host("inspect"));
    assert_eq!(line.ask(&get("/held?wait=login&timeout_ms=1")).unwrap().status, 504);
    assert_eq!(line.ask(&get("/held?wait=nowhere")).unwrap().status, 400);
    assert_eq!(line.ask(&get("/held?wait=login&timeout_ms=soon")).unwrap().status, 400);
}
