//! The control page for people: what it shows, its levers, and who may not pull them.

use serde_json::json;

use crate::support::driver::Driver;
use crate::support::{Browser, Line, MORNING_S, Sim, get, post};

fn pull(sim: &Sim, lever: &str, with: &str) -> u16 {
    let own = sim.host("inspect");
    let ask =
        post("/control").form(&[("do", lever), ("with", with)]).header("Origin", &format!("http://{own}"));
    Line::to(own).ask(&ask).expect("the inspection replies").status
}

fn page(sim: &Sim) -> String {
    let reply = Line::to(sim.host("inspect")).ask(&get("/")).expect("the inspection replies");
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("content-security-policy")
            .is_some_and(|policy| policy.starts_with("default-src 'none'"))
    );
    reply.text()
}

#[test]
fn it_shows_the_state_and_no_secret() {
    let sim = Sim::start();
    let token = sim.access_token();
    sim.ask(get("/<b>strange</b>"));
    let mut browser = Browser::new(&sim);
    browser.password("wrong");
    let text = page(&sim);
    for part in ["SIMULATION", "stands still", "wrong passwords 1 of 5", "/session/token", "rejected"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Tokens die at six in the morning of the next day.
    assert!(text.contains("Tue 06 Oct 2026 06:00:00"), "{text}");
    assert!(!text.contains("<script") && !text.contains("<b>strange"), "{text}");
    assert!(!text.contains(&token) && !text.contains(sim.credential("password")));
    let seen = sim.seen();
    assert_eq!(seen["tokens"][0]["ends"], "2026-10-06T00:30:00Z");
    assert_eq!(seen["sessions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn its_levers_work() {
    let sim = Sim::start();
    let token = sim.access_token();
    let start = sim.now_s();
    assert_eq!(pull(&sim, "advance", "300"), 303);
    assert_eq!(sim.now_s(), start + 300);
    assert_eq!(pull(&sim, "fault", "wrong-password"), 303);
    assert!(page(&sim).contains("<td>wrong-password</td>"));
    assert_eq!(Browser::new(&sim).password(sim.credential("password")).status, 403);
    assert_eq!((pull(&sim, "clear", ""), pull(&sim, "release", "")), (303, 303));
    assert_eq!(sim.seen()["faults"], json!([]));
    assert_eq!(sim.profile(&token).status, 200);
    assert_eq!(pull(&sim, "morning", ""), 303);
    assert_eq!(sim.now_s(), MORNING_S - 9000 + 86_400 + 60);
    assert_eq!(sim.profile(&token).status, 403);
    assert_eq!(pull(&sim, "set", "2026-10-05T08:30:00+05:30"), 303);
    assert_eq!(sim.now_s(), MORNING_S);
    assert_eq!((pull(&sim, "flush", ""), pull(&sim, "reset", "")), (303, 303));
    assert_eq!(sim.seen()["requests"], json!([]));
    assert_eq!((pull(&sim, "run", ""), sim.seen()["frozen"].clone()), (303, json!(false)));
    assert_eq!((pull(&sim, "freeze", ""), sim.seen()["frozen"].clone()), (303, json!(true)));
    assert_eq!((pull(&sim, "speed", "60"), sim.seen()["speed"].clone()), (303, json!(60)));
    assert!(page(&sim).contains("(60 s a second)"));
    assert_eq!(pull(&sim, "cut", ""), 303);
    for (lever, with) in
        [("advance", "x"), ("speed", "fast"), ("set", "today"), ("fault", "none"), ("explode", ""), ("", "")]
    {
        assert_eq!(pull(&sim, lever, with), 400, "{lever}");
    }
}

#[test]
fn no_other_web_page_pulls_them() {
    let sim = Sim::start();
    let own = sim.host("inspect");
    let lever = post("/control").form(&[("do", "reset")]);
    for origin in
        ["null", "http://evil.example", &format!("http://{}", sim.site()), &format!("https://{own}")]
    {
        let reply =
            Line::to(own).ask(&lever.clone().header("Origin", origin)).expect("the inspection replies");
        assert_eq!(reply.status, 403, "{origin}");
    }
    let foreign = lever.header("Host", "evil.example").header("Origin", "http://evil.example");
    assert_eq!(Line::to(own).ask(&foreign).expect("the inspection replies").status, 403);
    assert_eq!(sim.ask(get("/control")).status, 404);
}

#[test]
fn a_person_pulls_them_in_a_browser() {
    let sim = Sim::start();
    let driver = Driver::start();
    driver.open(&format!("http://{}/", sim.host("inspect")));
    driver.click(&driver.first("xpath", "//button[text()='wrong-code']"));
    let stands = "[...document.querySelectorAll('td')].some((cell) => cell.textContent === 'wrong-code')";
    driver.until(stands);
    assert_eq!(sim.seen()["faults"][0]["at"], "twofa");
    driver.click(&driver.first("xpath", "//button[text()='Clear all faults']"));
    driver.until(&format!("!{stands}"));
}
