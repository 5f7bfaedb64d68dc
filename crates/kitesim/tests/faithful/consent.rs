//! The page on which a user allows an app for the first time.

use serde_json::json;

use crate::support::{Browser, Sim, get, post, refusal};

fn consenting() -> Sim {
    Sim::under(&json!({"fault": [{"at": "finish", "do": "consent"}]}))
}

#[test]
fn row_09_the_consent_page_comes_once_and_is_remembered() {
    let sim = consenting();
    let mut browser = Browser::signed_in(&sim);
    let last = browser.last_hop();
    assert!(last.location().contains("/connect/authorize?api_key="), "{}", last.location());
    let page = browser.follow(&last);
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(text.contains("SIMULATION"));
    assert!(text.split("<button").nth(1).unwrap().contains("class=\"button-orange wide\""));
    let sess_id = last.location_field("sess_id").unwrap();
    let fields =
        [("api_key", sim.credential("api_key")), ("sess_id", sess_id.as_str()), ("action", "accept")];
    let accepted = browser.ask(post("/connect/authorize").form(&fields));
    assert!(browser.follow(&accepted).location_field("request_token").is_some());
    assert_eq!(browser.grant().len(), 32);
    sim.lever("/reset", &json!({}));
    let again = Browser::signed_in(&sim).last_hop();
    assert!(again.location().contains("/connect/authorize?"));
}

#[test]
fn row_09_the_json_calls_of_the_consent_answer() {
    let sim = consenting();
    let mut browser = Browser::signed_in(&sim);
    let sess_id = browser.last_hop().location_field("sess_id").unwrap();
    let api_key = sim.credential("api_key");
    let about = browser.ask(get(&format!("/api/connect/session?api_key={api_key}&sess_id={sess_id}")));
    assert_eq!(about.json()["data"]["api_key"], sim.account["api_key"]);
    let unknown = sim.ask(get(&format!("/api/connect/session?api_key={api_key}&sess_id=x")));
    refusal(&unknown, 400, "InputException");
    let accept = post("/api/connect/app/authorize").json(&json!({"api_key": api_key, "sess_id": sess_id}));
    refusal(&sim.ask(accept.clone()), 403, "TokenException");
    assert_eq!(browser.ask(accept).status, 200);
    assert_eq!(browser.grant().len(), 32);
}

#[test]
fn row_09_consent_needs_a_login() {
    let sim = consenting();
    let api_key = sim.credential("api_key");
    let page = sim.ask(get(&format!("/connect/authorize?api_key={api_key}&sess_id=x")));
    assert!(page.location().contains("/connect/login?"));
    let sent = sim.ask(post("/connect/authorize").form(&[("api_key", api_key), ("sess_id", "x")]));
    assert!(sent.location().contains("/connect/login?"));
}
