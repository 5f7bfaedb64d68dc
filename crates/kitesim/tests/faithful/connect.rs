//! The hops of the Connect login, and the pages around them.

use serde_json::json;

use crate::support::{Browser, Sim, get, http::Line, post, refusal};

#[test]
fn row_02_the_entry_takes_post_as_well() {
    let sim = Sim::start();
    let target = format!("/connect/login?v=3&api_key={}", sim.credential("api_key"));
    assert!(sim.ask(post(&target)).location_field("sess_id").is_some());
}

#[test]
fn row_03_without_a_session_the_entry_redirects_once_and_then_shows_the_page() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let first = browser.connect_login("");
    let start = format!("http://{}/connect/login?", sim.site());
    assert!(first.location().starts_with(&start), "{}", first.location());
    assert_eq!(first.location_field("api_key").as_deref(), sim.account["api_key"].as_str());
    assert!(first.location_field("sess_id").is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphanumeric())));
    assert!(first.cookie("kf_session").is_some());
    let second = browser.follow(&first);
    assert_eq!(second.status, 200);
    assert_eq!(second.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(sim.seen()["login_pages"], 1);
}

#[test]
fn row_04_with_a_session_two_redirects_lead_to_the_token() {
    let sim = Sim::start();
    let sess_id = Browser::new(&sim).connect_login("").location_field("sess_id").unwrap();
    let mut browser = Browser::signed_in(&sim);
    let known = format!("&sess_id={sess_id}");
    for more in ["", "&skip_session=true", &known, &format!("{known}&skip_session=true"), "&sess_id=unknown"]
    {
        let first = browser.connect_login(more);
        assert!(first.location().contains("/connect/finish?api_key="), "{}", first.location());
        assert!(first.location_field("sess_id").is_some());
        let second = browser.follow(&first);
        assert!(second.location().contains("request_token="), "{}", second.location());
    }
    assert_eq!(sim.seen()["finishes"], 5);
}

#[test]
fn row_05_a_sess_id_outlives_the_login_and_finish_may_be_called_directly() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let sess_id = browser.connect_login("").location_field("sess_id").unwrap();
    browser.log_in();
    let target = format!("/connect/finish?v=3&api_key={}&sess_id={sess_id}", sim.credential("api_key"));
    assert!(browser.ask(get(&target)).location_field("request_token").is_some());
    let without = sim.ask(get(&target));
    assert!(without.location().contains("/connect/login?"), "{}", without.location());
}

#[test]
fn row_05_the_enctoken_alone_authenticates_too() {
    let sim = Sim::start();
    let mut browser = Browser::signed_in(&sim);
    browser.cookies.retain(|name, _| name == "enctoken");
    assert_eq!(browser.grant().len(), 32);
}

#[test]
fn row_06_parameters_are_free_and_redirect_params_come_back_decoded() {
    let sim = Sim::start();
    let api_key = sim.credential("api_key");
    for target in [
        format!("/connect/login?api_key={api_key}"),
        format!("/connect/login?api_key={api_key}&v3"),
        format!("/connect/login?redirect_url=x&state=1&api_key={api_key}&v=3"),
    ] {
        assert!(sim.ask(get(&target)).location_field("sess_id").is_some(), "{target}");
    }
    let mut browser = Browser::new(&sim);
    let sess_id = browser
        .connect_login("&redirect_params=some%3DX%20Y%26more%3D%C3%A9")
        .location_field("sess_id")
        .unwrap();
    browser.log_in();
    let first = browser.connect_login(&format!("&sess_id={sess_id}"));
    let last = browser.follow(&first);
    assert_eq!(last.location_field("some").as_deref(), Some("X Y"));
    assert_eq!(last.location_field("more").as_deref(), Some("é"));
}

#[test]
fn row_07_the_redirect_has_the_four_fields() {
    let sim = Sim::start();
    let last = Browser::signed_in(&sim).last_hop();
    let registered = sim.announced["redirect"].as_str().unwrap();
    let start = format!("{registered}?action=login&type=login&status=success&request_token=");
    let token = last.location().strip_prefix(&start).unwrap();
    assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
}

#[test]
fn row_07_a_redirect_url_keeps_its_own_query() {
    let redirect = "https://localhost/back?tenant=a%20b";
    let sim = Sim::with(&["--redirect", redirect], None);
    assert_eq!(sim.announced["redirect"], redirect);
    let last = Browser::signed_in(&sim).last_hop();
    assert!(last.location().starts_with(&format!("{redirect}&action=login&")), "{}", last.location());
    sim.lever("/faults", &json!({"settings": {"redirect": "http://127.0.0.1:9/x"}}));
    let last = Browser::signed_in(&sim).last_hop();
    assert!(last.location().starts_with("http://127.0.0.1:9/x?action=login"), "{}", last.location());
}

#[test]
fn row_08_something_answers_at_the_landing_page() {
    let sim = Sim::start();
    for ask in [get("/landing?request_token=x"), get("/"), post("/any/where").form(&[("a", "b")])] {
        let reply = Line::to(sim.host("redirect")).ask(&ask.header("Host", "example.invalid")).unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("x-simulated-by"), Some("kitesim"));
        assert!(reply.text().contains("Simulated landing page") && reply.text().contains("SIMULATION"));
    }
}

#[test]
fn row_10_a_user_who_is_not_enabled_sees_raw_json() {
    let sim = Sim::under(&json!({"settings": {"not_enabled": true}}));
    let last = Browser::signed_in(&sim).last_hop();
    assert_eq!(refusal(&last, 400, "InputException"), "The user is not enabled for the app.");
    assert_eq!(sim.seen()["finishes"], 0);
}

#[test]
fn a_wrong_api_key_is_refused_everywhere() {
    let sim = Sim::start();
    for path in ["login", "finish", "authorize"] {
        let reply = sim.ask(get(&format!("/connect/{path}?api_key=unknown&v=3")));
        assert_eq!(refusal(&reply, 400, "InputException"), "Invalid `api_key`.");
    }
    refusal(&sim.ask(get("/connect/login")), 400, "InputException");
}

#[test]
fn a_finish_that_nobody_began_is_refused() {
    let sim = Sim::start();
    let target = format!("/connect/finish?api_key={}&sess_id=unknown", sim.credential("api_key"));
    refusal(&Browser::signed_in(&sim).ask(get(&target)), 400, "InputException");
}

#[test]
fn row_11_the_page_is_drawn_by_script_into_an_empty_mount() {
    let sim = Sim::start();
    let page = sim.ask(get("/"));
    let text = page.text();
    assert!(text.contains("<title>Kite - Zerodha's fast and elegant flagship trading platform</title>"));
    let body = text.split("<body>").nth(1).unwrap().trim_start();
    assert!(body.starts_with("<div id=\"app\"></div>"), "{body}");
    assert!(!text.contains("<input") && !text.contains("<button") && !text.contains("<form"));
    assert!(body.contains("SIMULATION"));
    let script = sim.ask(get("/static/login.js"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.text().contains("twofa-form"));
    assert_eq!(sim.ask(get("/static/login.css")).status, 200);
}

#[test]
fn row_35_the_site_shows_the_login_page_or_the_dashboard() {
    let sim = Sim::start();
    let mut browser = Browser::signed_in(&sim);
    for path in ["/", "/dashboard", "/positions/"] {
        assert!(sim.ask(get(path)).text().contains("/static/login.js"), "{path}");
        let inside = browser.ask(get(path)).text();
        assert!(inside.contains("class=\"navbar-links\""), "{inside}");
        assert!(inside.contains(&format!("class=\"user-id\">{}", sim.credential("user_id"))));
        assert!(inside.contains("SIMULATION"));
    }
    assert!(sim.ask(get("/forgot")).text().contains("SIMULATION"));
    assert_eq!(sim.seen()["login_pages"], 3);
}

#[test]
fn connections_stay_open_unless_the_setting_says_no() {
    let sim = Sim::start();
    let mut line = Line::to(sim.site());
    assert_eq!(line.ask(&get("/")).unwrap().header("connection"), None);
    sim.lever("/faults", &json!({"settings": {"keep_alive": false}}));
    assert_eq!(line.ask(&get("/")).unwrap().header("connection"), Some("close"));
    assert!(line.ask(&get("/")).is_err());
}

#[test]
fn redirects_keep_the_name_under_which_the_client_came() {
    let sim = Sim::start();
    let port = sim.site().rsplit(':').next().unwrap();
    let target = format!("/connect/login?api_key={}", sim.credential("api_key"));
    let reply = sim.ask(get(&target).header("Host", &format!("localhost:{port}")));
    assert!(reply.location().starts_with(&format!("http://localhost:{port}/connect/login?")));
}
