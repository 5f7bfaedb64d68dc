//! `firstbell next` and `firstbell simulate` as people and scripts meet them: what is shown, what is refused, and how.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {:?}", self.stdout))
    }
}

fn run(home: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstbell"));
    let output = command.env_clear().env("HOME", home).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn configured(home: &Path, name: &str) -> String {
    let path = home.join(name);
    let text = "[account.main]\nuser_id = \"AB1234\"\napi_key = \"kitekey123\"\n\
                redirect_url = \"http://127.0.0.1:5000/back\"\nexchanges = [\"nse\", \"mcx\"]\n";
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn next_shows_the_mornings_and_why() {
    let home = tempfile::tempdir().unwrap();
    let config = configured(home.path(), "own.toml");
    let shown =
        run(home.path(), &["next", "main", "-n", "3", "--at", "2026-11-26T12:00", "--config", &config]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines[0], "main (NSE, MCX); all times are India's (+05:30)");
    assert!(lines[2].starts_with("  Fri 2026-11-27  08:20  08:30:"), "{lines:?}");
    assert!(lines[2].ends_with("  09:00     an ordinary trading day"), "{lines:?}");
    assert!(lines[3].starts_with("  Sat–Sun ") && lines[3].ends_with("closed: weekend"), "{lines:?}");
    assert_eq!(lines.len(), 6);
}

#[test]
fn next_without_a_configuration_says_so_and_shows_the_usual() {
    let home = tempfile::tempdir().unwrap();
    let shown = run(home.path(), &["next", "--json", "--at", "2026-12-30T12:00", "-n", "2"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stderr.contains(".config/firstbell/config.toml is not there"), "{}", shown.stderr);
    assert!(shown.stderr.contains("the calendar of 2027 is not complete"), "{}", shown.stderr);
    let account = shown.json()["accounts"][0].clone();
    assert_eq!(account["exchanges"], json!(["nse", "bse"]));
    assert_eq!(account["unknown_year"], 2027);
    let why = account["mornings"][1]["why"].as_str().unwrap();
    assert!(why.starts_with("2027 is not in the calendar of NSE"), "{why}");
}

#[test]
fn next_refuses_what_it_cannot_show() {
    let home = tempfile::tempdir().unwrap();
    let config = configured(home.path(), "own.toml");
    let refused = |arguments: &[&str], part: &str| {
        let ended = run(home.path(), arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.stderr.contains(part), "{arguments:?}: {}", ended.stderr);
    };
    for time in ["soon", "2026-02-30", "08:30", "2026-11-24T25:00", ""] {
        refused(&["next", "--at", time], "or in India 2026-11-24T08:00 or 2026-11-24");
    }
    refused(&["next", "--at", "1999-12-31"], "a year from 2000 to 2199");
    refused(&["next", "-n", "0"], "1..=1000");
    refused(&["next", "nobody"], "there is no account \"nobody\"");
    refused(&["next", "nobody", "--config", &config], "there is no account \"nobody\". There are: main");
    let missing = home.path().join("missing.toml");
    refused(&["next", "--config", missing.to_str().unwrap()], "the configuration cannot be read");
}

#[test]
fn simulated_days_are_the_same_on_any_number_of_threads() {
    let home = tempfile::tempdir().unwrap();
    let lived = |threads: &str| run(home.path(), &["simulate", "--days", "2600", "--threads", threads]);
    let (one, three) = (lived("1"), lived("3"));
    assert_eq!((one.code, three.code), (Some(0), Some(0)), "{} {}", one.stderr, three.stderr);
    assert_eq!(one.stdout, three.stdout);
    assert!(one.stdout.lines().next().unwrap().split_whitespace().eq(["days", "2,600"]), "{}", one.stdout);
    assert!(one.stderr.contains("days a second") && !one.stdout.contains("a second"), "{}", one.stderr);
    let report = run(home.path(), &["simulate", "--days", "300", "--seed", "5", "--json"]).json();
    let missed: u64 =
        report["missed"].as_array().unwrap().iter().map(|miss| miss["mornings"].as_u64().unwrap()).sum();
    assert_eq!(report["days"], 300);
    assert_eq!(report["mornings"].as_u64().unwrap(), report["in_time"].as_u64().unwrap() + missed);
}

#[test]
fn a_life_is_told_line_by_line() {
    let home = tempfile::tempdir().unwrap();
    let told = run(home.path(), &["simulate", "--seed", "2", "--days", "3", "--tell"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("Z  Flush\n") && told.stdout.contains("\ndays "), "{}", told.stdout);
    let json = run(home.path(), &["simulate", "--seed", "2", "--days", "3", "--tell", "--json"]).json();
    let lines = json["told"].as_array().unwrap();
    assert!(lines.iter().all(|line| told.stdout.contains(line.as_str().unwrap())), "{json}");
    assert_eq!(json["days"], 3);
}

#[test]
fn simulate_refuses_what_it_cannot_live() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["simulate", "--days", "0"][..],
        &["simulate", "--days", "many"],
        &["simulate", "--seed", "-1"],
        &["simulate", "--threads", "0"],
        &["simulate", "--days", "251", "--tell"],
    ] {
        let ended = run(home.path(), arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
    }
}
