//! The official Python client lives on a token from `firstbell token`, and learns of its end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Home, Sim};

fn official_client(sim: &Sim, card: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../../target/venv/bin/python");
    assert!(python.exists(), "the Python environment is missing: run make python (make test does)");
    let mut child = Command::new(python)
        .arg(root.join("tests/official_client.py"))
        .arg(&sim.api)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(card.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_official_client_works_with_today_s_token_and_refuses_yesterday_s() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    assert_eq!(home.login("http").code, 0);
    let card = home.run(&["token", "--format", "json"]);
    assert_eq!(card.code, 0, "{card:?}");
    assert_eq!(official_client(&sim, &card.stdout), json!({ "user_id": "AB1234" }));
    // The next day: every flush there is lies between.
    sim.post("/clock", &json!({ "advance_s": 24 * 3600 }));
    let refused = official_client(&sim, &card.stdout);
    assert_eq!(refused["code"], 403, "{refused}");
    assert!(refused["token_exception"].as_str().unwrap().contains("access_token"), "{refused}");
}
