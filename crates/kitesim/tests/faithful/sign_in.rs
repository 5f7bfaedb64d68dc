//! The JSON calls under the login page.

use serde_json::json;

use crate::support::{Browser, Line, Sim, browser::text, get, post, refusal};

#[test]
fn row_16_the_login_reply_has_every_field_and_no_null_true_or_false() {
    let sim = Sim::start();
    let fields = [
        ("user_id", sim.credential("user_id")),
        ("password", sim.credential("password")),
        ("type", "user_id"),
        ("twofa_value", "ignored"),
    ];
    let reply = sim.ask(post("/api/login").form(&fields));
    assert_eq!(reply.status, 200);
    let data = &reply.json()["data"];
    assert_eq!(data["user_id"], sim.account["user_id"]);
    let request_id = text(&data["request_id"]);
    assert!(request_id.len() == 64 && request_id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(data["twofa_type"], "totp");
    assert_eq!(data["twofa_types"], json!(["totp", "app_code"]));
    assert_eq!(data["twofa_status"], "active");
    assert_eq!(data["profile"]["avatar_url"], "");
    for name in ["user_name", "user_shortname"] {
        assert!(data["profile"][name].is_string());
    }
    for word in ["null", "true", "false"] {
        assert!(!reply.text().contains(word), "{}", reply.text());
    }
    assert!(reply.cookie("kf_session").is_some());
}

#[test]
fn row_17_the_code_reply_sets_the_four_cookies() {
    let sim = Sim::start();
    let reply = Browser::new(&sim).log_in();
    assert_eq!(reply.json(), json!({"status": "success", "data": {"profile": {}}}));
    assert_eq!(reply.cookie("user_id"), sim.account["user_id"].as_str());
    assert_eq!(reply.cookie("public_token").map(str::len), Some(32));
    assert_eq!(reply.cookie("enctoken").map(str::len), Some(88));
    assert!(reply.cookie("kf_session").is_some());
    for line in reply.all("set-cookie") {
        assert!(line.contains("Path=/") && !line.contains("Secure"), "{line}");
    }
}

#[test]
fn what_is_handed_out_on_the_way_begins_with_the_mark_and_no_access_token_does() {
    let mark = "4Mark4Look4Leaks";
    let sim = Sim::under(&json!({"settings": {"mark": mark}}));
    let mut browser = Browser::new(&sim);
    let reply = browser.log_in();
    for (name, length) in [("public_token", 32), ("enctoken", 88), ("kf_session", 32)] {
        let given = reply.cookie(name).unwrap();
        assert!(given.starts_with(mark) && given.len() == length, "{name}: {given}");
    }
    let grant = browser.grant();
    assert!(grant.starts_with(mark) && grant.len() == 32, "{grant}");
    let session = sim.exchange(&grant).json()["data"].take();
    assert!(text(&session["public_token"]).starts_with(mark), "{session}");
    assert!(!text(&session["access_token"]).contains("4Mark4"), "{session}");
    for wrong in ["short", "with spaces in it", "longer-than-what-can-be", "123456789012345678901"] {
        let order = json!({"settings": {"mark": wrong}});
        assert_eq!(
            Line::to(sim.host("inspect")).ask(&post("/faults").json(&order)).unwrap().status,
            400,
            "{wrong}"
        );
    }
}

#[test]
fn row_17_the_session_cookie_stands_in_for_the_request_id() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    browser.request_id();
    let user_id = sim.credential("user_id");
    let code = sim.code(0);
    let fields = [("user_id", user_id), ("twofa_value", code.as_str())];
    let stranger = sim.ask(post("/api/twofa").form(&fields));
    refusal(&stranger, 400, "InputException");
    assert_eq!(browser.ask(post("/api/twofa").form(&fields)).status, 200);
}

#[test]
fn row_17_type_and_skip_session_are_optional_but_the_type_must_be_offered() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    let code = sim.code(0);
    let user_id = sim.credential("user_id");
    let mut send = |factor: &str| {
        let fields = [
            ("user_id", user_id),
            ("request_id", request_id.as_str()),
            ("twofa_value", code.as_str()),
            ("twofa_type", factor),
            ("skip_session", "true"),
        ];
        browser.ask(post("/api/twofa").form(&fields))
    };
    let told = refusal(&send("sms"), 400, "InputException");
    assert_eq!(told, "The requested 2FA type is not available");
    assert_eq!(send("totp").status, 200);
    let verdicts = sim.seen()["submissions"].clone();
    assert_eq!(verdicts[1]["verdict"], "unavailable");
    assert_eq!(verdicts[2]["verdict"], "accepted");
}

#[test]
fn row_18_every_refusal_has_the_envelope() {
    let sim = Sim::start();
    let user_id = sim.credential("user_id");
    let login = |fields: &[(&str, &str)]| sim.ask(post("/api/login").form(fields));
    refusal(&login(&[]), 400, "InputException");
    refusal(&login(&[("user_id", user_id)]), 400, "InputException");
    refusal(&login(&[("user_id", user_id), ("password", "")]), 400, "InputException");
    refusal(&login(&[("user_id", "ZZ9999"), ("password", "x")]), 403, "UserException");
    refusal(&sim.ask(post("/api/login").json(&json!({"user_id": user_id}))), 400, "InputException");
    let twofa = |fields: &[(&str, &str)]| sim.ask(post("/api/twofa").form(fields));
    refusal(&twofa(&[("user_id", user_id)]), 400, "InputException");
    let unknown = [("user_id", user_id), ("request_id", "x"), ("twofa_value", "123456")];
    refusal(&twofa(&unknown), 400, "InputException");
    refusal(&sim.ask(get("/nowhere")), 404, "GeneralException");
    refusal(&sim.ask(get("/api/login")), 405, "GeneralException");
}

#[test]
fn row_14_the_second_factor_is_a_setting() {
    let cases = [
        ("app_code", json!(["app_code", "sms"]), "Invalid App Code"),
        ("sms", json!(["sms"]), "Invalid OTP"),
    ];
    for (factor, offered, told) in cases {
        let sim = Sim::under(&json!({"settings": {"second_factor": factor}}));
        let mut browser = Browser::new(&sim);
        let reply = browser.password(sim.credential("password"));
        assert_eq!(reply.json()["data"]["twofa_type"], factor);
        assert_eq!(reply.json()["data"]["twofa_types"], offered);
        let request_id = text(&reply.json()["data"]["request_id"]);
        let wrong = browser.code(&request_id, "000000x");
        assert!(refusal(&wrong, 403, "TwoFAException").starts_with(told));
        assert_eq!(browser.code(&request_id, &sim.code(0)).status, 200);
    }
}

#[test]
fn what_was_submitted_is_recorded_with_its_steps() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let request_id = browser.request_id();
    browser.code(&request_id, &sim.code(-1));
    let seen = sim.seen();
    assert_eq!(seen["password_submissions"], 1);
    assert_eq!(seen["code_submissions"], 1);
    let entry = &seen["submissions"][1];
    assert_eq!(entry["kind"], "code");
    assert_eq!(entry["user_id"], sim.account["user_id"]);
    assert_eq!(entry["at"], "2026-10-05T03:00:00Z");
    assert_eq!(entry["verdict"], "accepted");
    let step = crate::support::MORNING_S / 30;
    assert_eq!(entry["arrived_step"], step);
    assert_eq!(entry["matched_step"], step - 1);
}
