//! The inspection calls, and who may not call them.

use serde_json::{Value, json};

use crate::support::{Browser, Line, Sim, delete, get, post};

#[test]
fn inspection_cannot_be_reached_through_the_pretended_kite() {
    let sim = Sim::start();
    for path in ["/seen", "/held"] {
        assert_eq!(sim.ask(get(path)).status, 404, "{path}");
    }
    for path in ["/clock", "/faults", "/flush", "/release"] {
        assert_eq!(sim.ask(post(path).json(&json!({}))).status, 404, "{path}");
    }
    // The website has a page of that name, but no lever.
    assert_eq!(sim.ask(post("/reset").json(&json!({}))).status, 405);
    let inspect = sim.host("inspect").to_owned();
    assert_eq!(sim.ask(get("/seen").header("Host", &inspect)).status, 421);
    assert_eq!(sim.ask(get(&format!("http://{inspect}/seen")).header("Host", &inspect)).status, 421);
}

#[test]
fn inspection_refuses_foreign_hosts_and_web_pages() {
    let sim = Sim::start();
    let own = sim.host("inspect").to_owned();
    let mut line = Line::to(&own);
    for ask in [
        get("/seen").header("Host", "example.com"),
        get("/seen").header("Host", sim.site()),
        get("/seen").header("Host", "localhost"),
        get("/seen").header("Origin", &format!("http://{own}")),
        post("/reset").header("Origin", "null"),
    ] {
        let reply = line.ask(&ask).unwrap();
        assert_eq!(reply.status, 403);
        assert_eq!(reply.header("x-simulated-by"), Some("kitesim"));
    }
    let port = own.rsplit(':').next().unwrap();
    let by_name = get("/seen").header("Host", &format!("localhost:{port}"));
    assert_eq!(line.ask(&by_name).unwrap().status, 200);
}

#[test]
fn the_pretended_kite_refuses_foreign_hosts() {
    let sim = Sim::start();
    let port = sim.site().rsplit(':').next().unwrap();
    for host in ["kite.zerodha.com", "127.0.0.1", "localhost", &format!("evil.example:{port}"), ""] {
        let reply = sim.ask(get("/").header("Host", host));
        assert_eq!(reply.status, 421, "{host}");
        assert!(reply.text().contains("simulation") && reply.header("x-simulated-by") == Some("kitesim"));
    }
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(sim.ask(get("/").header("Host", &host)).status, 200, "{host}");
    }
    let split = get("http://evil.example/").header("Host", sim.site());
    assert_eq!(sim.ask(split).status, 421);
}

#[test]
fn what_was_seen_holds_no_secret() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    let code = sim.code(0);
    let signed_in = browser.code(&request_id, &code);
    let request_token = browser.grant();
    let session = sim.exchange(&request_token).json()["data"].clone();
    let access_token = session["access_token"].as_str().unwrap();
    sim.profile(access_token);
    let target = format!("/session/token?api_key={}&access_token={access_token}", sim.credential("api_key"));
    sim.ask(delete(&target));
    let seen = sim.seen().to_string();
    let mut secrets = vec![request_id.as_str(), &code, &request_token, access_token];
    secrets.extend(["password", "totp_seed", "api_key", "api_secret"].map(|name| sim.credential(name)));
    secrets.extend(["enctoken", "public_token", "kf_session"].map(|name| signed_in.cookie(name).unwrap()));
    for secret in secrets {
        assert!(!seen.contains(secret), "{seen}");
    }
}

#[test]
fn requests_are_listed_without_their_query() {
    let sim = Sim::start();
    sim.ask(get("/connect/login?api_key=unknown"));
    sim.ask(get("/").header("Host", "example.com"));
    let expected = json!([
        {"method": "GET", "path": "/connect/login", "status": 400},
        {"method": "GET", "path": "/", "status": 421},
    ]);
    assert_eq!(sim.seen()["requests"], expected);
}

#[test]
fn a_reset_forgets_everything_but_settings_and_faults() {
    let sim = Sim::under(&json!({"settings": {"grant_life_s": 0}}));
    let token = {
        sim.lever("/faults", &json!({"settings": {"grant_life_s": 300}}));
        sim.access_token()
    };
    let mut browser = Browser::signed_in(&sim);
    sim.lever("/faults", &json!({"settings": {"not_enabled": true}}));
    sim.lever("/reset", &json!({}));
    assert_eq!(sim.profile(&token).status, 403);
    assert!(browser.ask(get("/dashboard")).text().contains("/static/login.js"));
    let seen = sim.seen();
    for name in ["password_submissions", "code_submissions", "finishes", "logouts", "live_tokens"] {
        assert_eq!(seen[name], 0, "{name}");
    }
    assert_eq!(Browser::signed_in(&sim).last_hop().status, 400);
}

#[test]
fn orders_that_make_no_sense_are_refused_whole() {
    let sim = Sim::start();
    let mut line = Line::to(sim.host("inspect"));
    let bad = json!({"settings": {"flush": "late", "grant_life_s": 1}, "fault": [{"at": "login", "do": "consent"}]});
    let reply = line.ask(&post("/faults").json(&bad)).unwrap();
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["complaints"].as_array().map(Vec::len), Some(2), "{}", reply.text());
    for (path, order) in [
        ("/clock", json!({"set": "tomorrow"})),
        ("/clock", json!({"sett": 1})),
        ("/clock", json!({"advance_s": i64::MAX})),
        ("/clock", Value::Null),
        ("/faults", json!([])),
    ] {
        assert_eq!(line.ask(&post(path).json(&order)).unwrap().status, 400, "{path} {order}");
    }
    assert_eq!(line.ask(&get("/nowhere")).unwrap().status, 404);
    // Half of a bad order must not have been carried out.
    let request_token = Browser::signed_in(&sim).grant();
    sim.lever("/clock", &json!({"advance_s": 100}));
    assert_eq!(sim.exchange(&request_token).status, 200);
}
