//! Replies that are slow, long, of another type or packed to burst; pages that are drawn otherwise; and when they are.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::driver::Driver;
use crate::support::{Ask, Browser, Line, Sim, get, post};

fn login(sim: &Sim) -> Ask {
    let fields = [("user_id", sim.credential("user_id")), ("password", sim.credential("password"))];
    post("/api/login").form(&fields)
}

fn under(fault: &Value) -> Sim {
    Sim::under(&json!({"fault": [fault]}))
}

/// All bytes of one reply on a connection of its own.
fn raw(sim: &Sim, ask: Ask) -> Vec<u8> {
    let mut line = Line::to(sim.site());
    line.send(&ask.header("Connection", "close")).expect("it is sent");
    line.rest().expect("it is read to its end")
}

fn head_and_body(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the head ends") + 4;
    (String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase(), &bytes[end..])
}

#[test]
fn row_34_a_dripping_reply_is_whole_and_slow() {
    let sim = under(&json!({"at": "login-page", "do": "drip", "every_ms": 2}));
    let output = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{size_download} %{time_total}"])
        .arg(format!("http://{}/", sim.site()))
        .output()
        .expect("curl runs");
    let told = String::from_utf8(output.stdout).expect("it is text");
    let (bytes, seconds) = told.split_once(' ').expect("two numbers");
    let (bytes, seconds): (f64, f64) = (bytes.parse().expect("a number"), seconds.parse().expect("a number"));
    assert!(bytes > 100.0 && seconds >= 0.002 * (bytes - 1.0), "{told}");
}

#[test]
fn row_34_an_oversized_reply_has_the_bytes_that_were_asked_for() {
    let sim = under(&json!({"at": "login", "do": "oversized", "bytes": 3_000_000}));
    let bytes = raw(&sim, login(&sim));
    assert!((3_000_000..3_010_000).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!(sim.seen()["submissions"][0]["verdict"], "accepted");
}

#[test]
fn row_34_a_reply_may_claim_another_type_or_be_no_text() {
    let sim = under(&json!({"at": "login", "do": "wrong-type"}));
    let reply = sim.ask(login(&sim));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.json()["status"], "success");
    let sim = under(&json!({"at": "login-page", "do": "wrong-type"}));
    assert_eq!(sim.ask(get("/")).header("content-type"), Some("application/json"));
    let sim = under(&json!({"at": "login", "do": "invalid-text"}));
    let reply = sim.ask(login(&sim));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(std::str::from_utf8(&reply.body).is_err());
}

#[test]
fn row_34_a_bomb_is_small_and_unpacks_to_much() {
    let sim = under(&json!({"at": "login", "do": "gzip-bomb"}));
    let bytes = raw(&sim, login(&sim));
    let (head, body) = head_and_body(&bytes);
    assert!(
        head.contains("content-encoding: gzip") && head.contains("content-type: application/json"),
        "{head}"
    );
    assert!(body.len() < 1_000_000, "{}", body.len());
    assert_eq!(sim.seen()["submissions"][0]["verdict"], "lost");
    let mut gzip =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    let mut into = gzip.stdin.take().expect("stdin is piped");
    let packed = body.to_vec();
    let feeding = std::thread::spawn(move || into.write_all(&packed));
    let mut unpacked = Vec::new();
    gzip.stdout.take().expect("stdout is piped").read_to_end(&mut unpacked).expect("it unpacks");
    feeding.join().expect("it feeds").expect("it is fed whole");
    // gzip checks length and checksum.
    assert!(gzip.wait().expect("it ends").success());
    assert!(unpacked.len() > 60_000_000 && unpacked.iter().all(|byte| *byte == b' '));
}

#[test]
fn row_34_renamed_ids_are_the_same_for_a_seed() {
    let driver = Driver::start();
    let mut ids = Vec::new();
    for seed in [1, 1, 2] {
        let sim = under(&json!({"at": "login-page", "do": "renamed-ids", "seed": seed}));
        driver.open_connect(&sim);
        assert!(driver.find("//*[@id='userid']").is_none() && driver.find("//*[@id='password']").is_none());
        ids.push(driver.run("return document.querySelector('input[type=password]').id"));
    }
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn row_34_decoys_and_another_order() {
    let driver = Driver::start();
    let sim = under(&json!({"at": "login-page", "do": "decoy-fields"}));
    driver.open_connect(&sim);
    assert_eq!(driver.run("return document.querySelectorAll('#userid').length"), 2);
    assert_eq!(driver.run("return document.querySelectorAll('input[type=password]').length"), 2);
    let sim = under(&json!({"at": "login-page", "do": "reordered-fields"}));
    driver.open_connect(&sim);
    assert_eq!(driver.run("return document.querySelectorAll('input')[0].id"), "password");
}

#[test]
fn row_34_a_page_may_be_drawn_late_or_never() {
    let driver = Driver::start();
    let sim = under(&json!({"at": "login-page", "do": "late-rendering", "delay_ms": 700}));
    driver.open_connect(&sim);
    driver.until("document.querySelector('#userid') && performance.now() >= 700");
    let sim = under(&json!({"at": "login-page", "do": "half-loaded", "call": 1}));
    driver.open_connect(&sim);
    driver.until("document.readyState === 'complete'");
    assert!(driver.find("//input").is_none());
    driver.open_connect(&sim);
    assert!(driver.find("//*[@id='userid']").is_some());
}

#[test]
fn row_34_faults_have_hours_and_odds() {
    let sim = under(&json!({"at": "login", "do": "wrong-password", "from": "08:31", "until": "08:32"}));
    let mut browser = Browser::new(&sim);
    let mut try_now = || browser.password(sim.credential("password")).status;
    assert_eq!(try_now(), 200);
    sim.lever("/clock", &json!({"advance_s": 60}));
    assert_eq!(try_now(), 403);
    sim.lever("/clock", &json!({"advance_s": 60}));
    assert_eq!(try_now(), 200);
    let pattern = |seed: u64| {
        let fault =
            json!({"at": "login-page", "do": "status", "status": 503, "probability": 0.5, "seed": seed});
        let sim = under(&fault);
        (0..40).map(|_call| sim.ask(get("/")).status).collect::<Vec<_>>()
    };
    assert_eq!(pattern(5), pattern(5));
    assert_ne!(pattern(5), pattern(6));
    assert!(pattern(5).contains(&200) && pattern(5).contains(&503));
}

#[test]
fn conditions_and_amounts_are_checked() {
    let sim = Sim::start();
    let bad = json!({"fault": [
        {"at": "login", "do": "slow", "delay_ms": 1, "from": "8:30", "until": 9, "probability": 1.5, "seed": -1},
        {"at": "login", "do": "drip", "every_ms": -1},
        {"at": "login", "do": "oversized", "bytes": 1_u64 << 40},
        {"at": "login", "do": "renamed-ids"},
        {"at": "login-page", "do": "certificate-expired"},
        {"at": "handshake", "do": "slow", "delay_ms": 1},
    ]});
    let reply =
        Line::to(sim.host("inspect")).ask(&post("/faults").json(&bad)).expect("the inspection replies");
    assert_eq!(reply.json()["complaints"].as_array().map(Vec::len), Some(9), "{}", reply.text());
}
