//! What may stand between a user and the end of a login, as settings: consent, captcha, reset, bursts and notices.

use serde_json::{Value, json};

use crate::support::driver::Driver;
use crate::support::{Ask, Browser, Sim, delete, get, post, refusal};

fn with(setting: &str, value: &Value) -> Sim {
    Sim::under(&json!({"settings": {setting: value}}))
}

#[test]
fn row_09_consent_is_asked_once_and_can_be_revoked() {
    let sim = with("consent", &json!(true));
    let mut browser = Browser::signed_in(&sim);
    let last = browser.last_hop();
    assert!(last.location().contains("/connect/authorize?"));
    let sess_id = last.location_field("sess_id").expect("it names the login");
    let api_key = sim.credential("api_key");
    assert_eq!(browser.ask(get("/api/apps/connected_apps")).json()["data"], json!([]));
    browser.ask(post("/connect/authorize").form(&[("api_key", api_key), ("sess_id", &sess_id)]));
    assert_eq!(browser.grant().len(), 32);
    assert_eq!(browser.ask(get("/api/apps/connected_apps")).json()["data"][0]["api_key"], *api_key);
    let revoke = delete(&format!("/api/apps/connected_apps/{api_key}"));
    assert_eq!(browser.ask(revoke.clone()).status, 200);
    refusal(&browser.ask(revoke), 400, "InputException");
    assert!(browser.last_hop().location().contains("/connect/authorize?"));
}

#[test]
fn row_04_continue_as_comes_only_without_skip_session() {
    let sim = with("continue_as", &json!(true));
    let mut browser = Browser::signed_in(&sim);
    let page = browser.connect_login("");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Continue as"), "{}", page.text());
    let link = page
        .text()
        .split("continue-as\" href=\"")
        .nth(1)
        .expect("a link")
        .split('"')
        .next()
        .expect("its end")
        .to_owned();
    let target = link.replace("&amp;", "&").split_once(sim.site()).expect("it stays here").1.to_owned();
    assert!(browser.ask(get(&target)).location_field("request_token").is_some());
    assert!(browser.connect_login("&skip_session=true").location().contains("/connect/finish?"));
}

#[test]
fn row_19_a_burst_of_logins_is_turned_away_and_counts_for_nothing() {
    let sim = with("login_burst", &json!(3));
    let mut browser = Browser::new(&sim);
    for _ in 0..3 {
        assert_eq!(browser.password("wrong").status, 403);
    }
    for _ in 0..9 {
        assert_eq!(refusal(&browser.password("wrong"), 429, "NetworkException"), "Too many requests");
    }
    assert_eq!(sim.seen()["wrong_passwords"], 3);
    sim.lever("/clock", &json!({"advance_s": 59}));
    assert_eq!(browser.password("wrong").status, 429);
    sim.lever("/clock", &json!({"advance_s": 1}));
    assert_eq!(browser.log_in().status, 200);
    assert_eq!(sim.seen()["wrong_passwords"], 0);
}

#[test]
fn row_19_wrong_passwords_and_wrong_codes_are_counted_apart() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    browser.password("wrong");
    let request_id = browser.request_id();
    browser.code(&request_id, &sim.code(9));
    browser.code(&request_id, &sim.code(9));
    browser.password("wrong");
    let seen = sim.seen();
    assert_eq!((&seen["wrong_passwords"], &seen["wrong_codes"]), (&json!(1), &json!(2)));
}

#[test]
fn row_17_a_code_is_asked_for_by_text_message() {
    let sim = with("second_factor", &json!("app_code"));
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    let ask = |user_id: &str, request_id: &str, kind: &str| -> Ask {
        let path = format!("/oms/trusted/kitefront/user/{user_id}/twofa/generate_otp");
        let ask = post(&path).header("x-csrftoken", "").header("x-kite-userid", user_id);
        ask.form(&[("request_id", request_id), ("twofa_type", kind)])
    };
    let user_id = sim.credential("user_id");
    assert_eq!(browser.ask(ask(user_id, &request_id, "sms")).json()["status"], "success");
    for bad in
        [ask(user_id, "x", "sms"), ask("ZZ0000", &request_id, "sms"), ask(user_id, &request_id, "totp")]
    {
        refusal(&browser.ask(bad), 400, "InputException");
    }
    assert_eq!(sim.seen()["messages"], 1);
    let code = sim.code(0);
    let fields = [
        ("user_id", user_id),
        ("request_id", request_id.as_str()),
        ("twofa_value", code.as_str()),
        ("twofa_type", "sms"),
    ];
    assert_eq!(browser.ask(post("/api/twofa").form(&fields)).status, 200);
}

#[test]
fn row_13_the_app_code_page_can_ask_for_a_message() {
    let sim = with("second_factor", &json!("app_code"));
    let driver = Driver::start();
    driver.open_connect(&sim);
    driver.keys(&driver.css("#userid"), sim.credential("user_id"));
    driver.keys(&driver.css("#password"), sim.credential("password"));
    driver.click(&driver.first("tag name", "button"));
    driver.until("document.querySelector('input[label=\"Mobile App Code\"]')");
    driver.click(&driver.css(".send-sms"));
    driver.keys(&driver.css("input[label='SMS OTP']"), &sim.code(0));
    driver.until_at("request_token=");
    assert_eq!(sim.seen()["messages"], 1);
}

#[test]
fn row_34_a_captcha_stands_before_the_password() {
    let sim = with("captcha", &json!(true));
    let mut browser = Browser::new(&sim);
    let refused = browser.password(sim.credential("password"));
    assert_eq!(refusal(&refused, 400, "InputException"), "Invalid captcha");
    assert_eq!(sim.seen()["wrong_passwords"], 0);
    let drawn = browser.ask(get("/api/captcha")).json()["data"].clone();
    let image = drawn["image"].as_str().expect("an image").rsplit(',').next().expect("base64").to_owned();
    let picture = data_encoding::BASE64.decode(image.as_bytes()).expect("base64");
    let picture = String::from_utf8(picture).expect("text");
    let text = picture.rsplit_once("</text>").expect("letters").0.rsplit('>').next().expect("letters");
    let id = drawn["captcha_id"].as_str().expect("an id");
    let fields = [
        ("user_id", sim.credential("user_id")),
        ("password", sim.credential("password")),
        ("captcha_id", id),
        ("captcha", text),
    ];
    assert_eq!(browser.ask(post("/api/login").form(&fields)).status, 200);
    // Each is good for one try.
    assert_eq!(browser.ask(post("/api/login").form(&fields)).status, 400);
}

#[test]
fn row_34_the_captcha_is_drawn_on_the_page() {
    let sim = with("captcha", &json!(true));
    let driver = Driver::start();
    driver.open_connect(&sim);
    driver.until("document.querySelector('img[alt=Captcha]') && document.querySelector('#captcha')");
    let path = "/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[4]/button";
    assert!(driver.find(path).is_some());
}

#[test]
fn row_34_an_expired_password_leads_to_the_reset_page() {
    let sim = with("forced_reset", &json!(true));
    let told = refusal(&Browser::new(&sim).password(sim.credential("password")), 403, "UserException");
    assert!(told.contains("expired"));
    let driver = Driver::start();
    driver.open_connect(&sim);
    driver.keys(&driver.css("#userid"), sim.credential("user_id"));
    driver.keys(&driver.css("#password"), sim.credential("password"));
    driver.click(&driver.first("tag name", "button"));
    driver.until_at("/reset");
    assert_eq!(sim.seen()["wrong_passwords"], 0);
}

#[test]
fn row_35_the_dashboard_has_its_notices() {
    let sim = Sim::under(&json!({"settings": {"risk_modal": true, "kill_switch": true}}));
    let driver = Driver::start();
    driver.open(&format!("http://{}/positions/", sim.site()));
    driver.keys(&driver.css("#userid"), sim.credential("user_id"));
    driver.keys(&driver.css("#password"), sim.credential("password"));
    driver.click(&driver.first("tag name", "button"));
    driver.until("document.querySelector('form.twofa-form')");
    driver.keys(&driver.css("#userid"), &sim.code(0));
    driver.until_at("/dashboard");
    driver.until("document.querySelector('.kill-switch')");
    driver.click(&driver.first("xpath", "//*[@id=\"app\"]/div[6]/div/div/div[3]/div/div/div/button"));
    driver
        .until("!document.querySelector('.modal-mask') && document.querySelector('.navbar-links .user-id')");
}

#[test]
fn settings_of_the_website_are_checked() {
    let bad = json!({"settings": {
        "page": "E", "pin": "12345", "answers": ["one"], "login_burst": -1, "captcha": "yes",
    }});
    let sim = Sim::start();
    let reply = crate::support::Line::to(sim.host("inspect"))
        .ask(&post("/faults").json(&bad))
        .expect("the inspection replies");
    assert_eq!(reply.json()["complaints"].as_array().map(Vec::len), Some(5), "{}", reply.text());
}
