//! The REST API: sessions, profile, margins, and every refusal of an exchange.

use serde_json::{Value, json};

use crate::support::{Browser, Sim, browser::text, delete, get, post, refusal};

#[test]
fn row_22_the_session_reply_has_every_field() {
    let sim = Sim::start();
    let request_token = Browser::signed_in(&sim).grant();
    let reply = sim.exchange(&request_token);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let data = reply.json()["data"].clone();
    let expected = [
        ("user_type", json!("individual")),
        ("broker", json!("ZERODHA")),
        ("user_id", sim.account["user_id"].clone()),
        ("api_key", sim.account["api_key"].clone()),
        ("refresh_token", json!("")),
        ("silo", json!("")),
        ("avatar_url", Value::Null),
        ("login_time", json!("2026-10-05 08:30:30")),
    ];
    for (name, value) in expected {
        assert_eq!(data[name], value, "{name}");
    }
    for name in ["email", "user_name", "user_shortname", "enctoken"] {
        assert!(data[name].is_string(), "{name}");
    }
    for name in ["exchanges", "products", "order_types"] {
        assert!(data[name].as_array().is_some_and(|list| !list.is_empty()), "{name}");
    }
    for name in ["access_token", "public_token"] {
        assert_eq!(data[name].as_str().map(str::len), Some(32), "{name}");
    }
    assert!(data["meta"]["demat_consent"].is_string());
    assert_eq!(sim.seen()["live_tokens"], 1);
    assert_eq!(sim.seen()["exchanges"][0]["verdict"], "accepted");
}

#[test]
fn row_21_a_request_token_is_good_once() {
    let sim = Sim::start();
    let request_token = Browser::signed_in(&sim).grant();
    assert_eq!(sim.exchange(&request_token).status, 200);
    for token in [request_token.as_str(), "unknown", ""] {
        let told = refusal(&sim.exchange(token), 403, "TokenException");
        assert_eq!(told, "Token is invalid or has expired.");
    }
    let exchanges = sim.seen()["exchanges"].clone();
    let verdicts: Vec<String> =
        exchanges.as_array().unwrap().iter().map(|entry| text(&entry["verdict"])).collect();
    assert_eq!(verdicts, ["accepted", "used-token", "unknown-token", "unknown-token"]);
}

#[test]
fn row_21_only_a_form_with_every_field_is_taken() {
    let sim = Sim::start();
    let api_key = sim.credential("api_key");
    let short = "`api_key` should be minimum 6 characters in length.";
    let as_json = sim.ask(post("/session/token").json(&json!({"api_key": api_key})));
    assert_eq!(refusal(&as_json, 400, "InputException"), short);
    let form = |fields: &[(&str, &str)]| sim.ask(post("/session/token").form(fields));
    assert_eq!(refusal(&form(&[("api_key", "abc")]), 400, "InputException"), short);
    refusal(&form(&[("api_key", api_key), ("checksum", "x")]), 400, "InputException");
    refusal(&form(&[("api_key", api_key), ("request_token", "x")]), 400, "InputException");
    let other = [("api_key", "unknown-key"), ("request_token", "x"), ("checksum", "x")];
    assert_eq!(refusal(&form(&other), 403, "TokenException"), "Invalid `api_key`.");
}

#[test]
fn row_21_a_wrong_checksum_is_refused_and_spends_nothing() {
    let sim = Sim::start();
    let request_token = Browser::signed_in(&sim).grant();
    let fields = [
        ("api_key", sim.credential("api_key")),
        ("request_token", request_token.as_str()),
        ("checksum", "00"),
    ];
    let reply = sim.ask(post("/session/token").form(&fields));
    assert_eq!(refusal(&reply, 403, "TokenException"), "Invalid `checksum`.");
    assert_eq!(sim.exchange(&request_token).status, 200);
}

#[test]
fn row_24_the_profile_shows_whether_a_token_works() {
    let sim = Sim::start();
    let access_token = sim.access_token();
    let reply = sim.profile(&access_token);
    assert_eq!(reply.status, 200);
    let data = reply.json()["data"].clone();
    assert_eq!(data["user_id"], sim.account["user_id"]);
    assert!(data.get("access_token").is_none() && data["avatar_url"].is_null());
    for name in ["user_type", "email", "user_name", "user_shortname", "broker"] {
        assert!(data[name].is_string(), "{name}");
    }
    let told = refusal(&sim.profile("wrong"), 403, "TokenException");
    assert_eq!(told, "Incorrect `api_key` or `access_token`.");
    refusal(&sim.ask(get("/user/profile")), 400, "InputException");
    for line in ["enctoken abc", &format!("token {access_token}"), &format!("token other:{access_token}")] {
        refusal(&sim.ask(get("/user/profile").header("Authorization", line)), 403, "TokenException");
    }
    assert_eq!(sim.seen()["profile_calls"], 6);
}

#[test]
fn the_margins_are_a_second_cheap_call() {
    let sim = Sim::start();
    let line = format!("token {}:{}", sim.credential("api_key"), sim.access_token());
    let ask = |path: &str| sim.ask(get(path).header("Authorization", &line));
    let both = ask("/user/margins").json()["data"].clone();
    assert!(both["equity"]["available"]["cash"].is_number());
    assert!(both["commodity"]["utilised"]["span"].is_number());
    assert_eq!(ask("/user/margins/equity").json()["data"], both["equity"]);
    refusal(&ask("/user/margins/other"), 400, "InputException");
    refusal(&sim.ask(get("/user/margins")), 400, "InputException");
}

#[test]
fn row_23_a_logout_ends_the_token_and_refresh_is_refused() {
    let sim = Sim::start();
    let access_token = sim.access_token();
    let target = format!("/session/token?api_key={}&access_token={access_token}", sim.credential("api_key"));
    assert_eq!(sim.ask(delete(&target)).json(), json!({"status": "success", "data": true}));
    refusal(&sim.profile(&access_token), 403, "TokenException");
    refusal(&sim.ask(delete(&target)), 403, "TokenException");
    refusal(&sim.ask(delete("/session/token")), 400, "InputException");
    refusal(&sim.ask(post("/session/refresh_token").form(&[])), 403, "TokenException");
    assert_eq!(sim.seen()["logouts"], 1);
    assert_eq!(sim.seen()["live_tokens"], 0);
}

#[test]
fn row_31_what_a_second_session_does_is_a_setting() {
    for (second_session, first_lives, same) in
        [("replace", false, false), ("keep_both", true, false), ("same_token", true, true)]
    {
        let sim = Sim::under(&json!({"settings": {"second_session": second_session}}));
        let first = sim.access_token();
        let second = sim.access_token();
        assert_eq!(sim.profile(&first).status == 200, first_lives, "{second_session}");
        assert_eq!(sim.profile(&second).status, 200, "{second_session}");
        assert_eq!(first == second, same, "{second_session}");
    }
}

#[test]
fn row_24_unknown_routes_have_the_envelope_too() {
    let sim = Sim::start();
    refusal(&sim.ask(get("/nowhere")), 404, "GeneralException");
    refusal(&sim.ask(post("/user/profile")), 405, "GeneralException");
}
