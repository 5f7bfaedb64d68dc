//! Scripts without a browser, in the style of each public family: their order of calls and what they need of replies.

use crate::support::{Browser, Reply, Sim, get, post};

/// The first step with the fields that one family sends.
fn login(browser: &mut Browser<'_>, sim: &Sim, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![("user_id", sim.credential("user_id")), ("password", sim.credential("password"))];
    fields.extend(more);
    let reply = browser.ask(post("/api/login").form(&fields));
    assert_eq!(reply.json()["status"], "success", "{}", reply.text());
    reply
}

/// The second step with the fields that one family sends.
fn twofa(browser: &mut Browser<'_>, sim: &Sim, first: &Reply, more: &[(&str, &str)]) -> Reply {
    let data = first.json()["data"].clone();
    let code = sim.code(0);
    let mut fields = vec![
        ("user_id", data["user_id"].as_str().expect("it echoes the user")),
        ("request_id", data["request_id"].as_str().expect("it names the login")),
        ("twofa_value", code.as_str()),
    ];
    fields.extend(more);
    let reply = browser.ask(post("/api/twofa").form(&fields));
    assert_eq!(reply.json()["status"], "success", "{}", reply.text());
    reply
}

/// Follows redirects on the pretended Kite to the registered URL; gives that and the number of replies.
fn follow(browser: &mut Browser<'_>, mut reply: Reply) -> (String, u32) {
    let mut replies = 1;
    loop {
        let target = reply.location().to_owned();
        if target.contains("request_token=") {
            return (target, replies);
        }
        reply = browser.follow(&reply);
        replies += 1;
    }
}

#[test]
fn rows_06_16_one_evaluates_the_login_body_and_splits_the_address() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let first = login(&mut browser, &sim, &[("twofa_value", "ignored")]);
    for word in ["null", "true", "false"] {
        assert!(!first.text().contains(word), "{}", first.text());
    }
    twofa(&mut browser, &sim, &first, &[]);
    let entry = browser.ask(get(&format!("/connect/login?api_key={}", sim.credential("api_key"))));
    let (url, _) = follow(&mut browser, entry);
    let token = url.split("request_token=").nth(1).and_then(|rest| rest.split('&').next());
    assert_eq!(sim.exchange(token.expect("a raw token")).status, 200);
}

#[test]
fn rows_03_04_one_keeps_the_final_address_and_appends_skip_session() {
    let sim = Sim::start();
    for kind in [None, Some("totp")] {
        let mut browser = Browser::new(&sim);
        let first_hop = browser.connect_login("");
        let kept = first_hop.location().to_owned();
        assert_eq!(browser.follow(&first_hop).status, 200);
        assert!(kept.contains('?'));
        let first = login(&mut browser, &sim, &[]);
        let more: Vec<_> =
            kind.into_iter().flat_map(|kind| [("twofa_type", kind), ("skip_session", "true")]).collect();
        twofa(&mut browser, &sim, &first, &more);
        let target =
            format!("{kept}&skip_session=true").split_once(sim.site()).expect("it stays").1.to_owned();
        let reply = browser.ask(get(&target));
        follow(&mut browser, reply);
        sim.lever("/clock", &serde_json::json!({"advance_s": 30}));
    }
}

#[test]
fn row_17_one_sends_no_request_id_but_the_cookie() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let first = login(&mut browser, &sim, &[]);
    assert!(first.cookie("kf_session").is_some());
    let fields = [("user_id", sim.credential("user_id")), ("twofa_value", &sim.code(0))];
    let ask = post("/api/twofa").form(&fields).header("x-kite-userid", sim.credential("user_id"));
    let reply = browser.ask(ask);
    for name in ["enctoken", "public_token", "user_id", "kf_session"] {
        assert!(reply.cookie(name).is_some(), "{name}");
    }
}

#[test]
fn rows_17_18_one_reads_the_cookies_of_the_second_reply_and_the_message_of_any_refusal() {
    let sim = Sim::start();
    assert_eq!(sim.credential("totp_seed").len(), 32);
    let mut browser = Browser::new(&sim);
    let refused = browser.password("wrong");
    assert!(refused.status != 200 && refused.json()["message"].is_string());
    let first = login(&mut browser, &sim, &[]);
    assert_eq!(first.json()["data"]["user_id"], *sim.credential("user_id"));
    let second = twofa(&mut browser, &sim, &first, &[("skip_session", "true")]);
    assert_eq!(second.cookie("user_id"), Some(sim.credential("user_id")));
    assert!(second.cookie("enctoken").is_some() && second.cookie("public_token").is_some());
}

#[test]
fn rows_02_21_one_posts_to_the_entry_and_exchanges_without_a_version() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let first = login(&mut browser, &sim, &[]);
    twofa(&mut browser, &sim, &first, &[]);
    let entry = post(&format!("/connect/login?v=3&api_key={}", sim.credential("api_key")));
    let entry = browser.ask(entry);
    let (url, _) = follow(&mut browser, entry);
    let url = url::Url::parse(&url).expect("it is absolute");
    let token = url.query_pairs().find(|(key, _)| key == "request_token").expect("a token").1.into_owned();
    assert_eq!(sim.exchange(&token).json()["status"], "success");
}

#[test]
fn row_17_one_sends_the_app_code_type_and_one_echoes_the_type() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let first = login(&mut browser, &sim, &[]);
    twofa(&mut browser, &sim, &first, &[("twofa_type", "app_code")]);
    sim.lever("/clock", &serde_json::json!({"advance_s": 30}));
    let mut browser = Browser::new(&sim);
    let first = login(&mut browser, &sim, &[]);
    let kind = first.json()["data"]["twofa_type"].as_str().expect("a type").to_owned();
    twofa(&mut browser, &sim, &first, &[("twofa_type", &kind), ("skip_session", "")]);
}

#[test]
fn row_35_one_begins_at_the_front_page() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    assert_eq!(browser.ask(get("/")).status, 200);
    let first = login(&mut browser, &sim, &[]);
    assert!(twofa(&mut browser, &sim, &first, &[]).cookie("enctoken").is_some());
}

#[test]
fn row_05_one_takes_the_session_id_first_and_finishes_by_itself() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let entry = browser.connect_login("");
    let sess_id = entry.location_field("sess_id").expect("the first hop names the login");
    assert!(entry.cookie("kf_session").is_some());
    let first = login(&mut browser, &sim, &[("type", "user_id")]);
    twofa(&mut browser, &sim, &first, &[("twofa_type", "totp"), ("skip_session", "true")]);
    let target = format!("/connect/finish?v=3&api_key={}&sess_id={sess_id}", sim.credential("api_key"));
    let token = browser.ask(get(&target)).location_field("request_token").expect("a token");
    assert_eq!(sim.exchange(&token).status, 200);
}

#[test]
fn row_04_one_follows_absolute_addresses_in_at_most_five_requests() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let first = login(&mut browser, &sim, &[]);
    twofa(&mut browser, &sim, &first, &[("twofa_type", "totp")]);
    let entry = browser.connect_login("&redirect_url=http%3A%2F%2Fx%2F");
    let (_, replies) = follow(&mut browser, entry);
    assert_eq!(replies, 2);
}
