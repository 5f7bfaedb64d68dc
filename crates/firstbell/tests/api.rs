//! The local API of a real daemon: what programs are given, when they are given nothing, and what is written down of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/serving.rs"]
mod serving;
mod support;

use std::fs;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use daemon::{Daemon, configure, configure_due, leap, standing_sim, until, wait_for};
use firstbell::serve;
use jiff::Timestamp;
use rustix::process::Signal;
use scanner::Scanner;
use serde_json::{Value, json};
use serving::Client;
use support::{Home, Sim};

const CARD: &str = "/v1/accounts/main/token";

fn at(text: &str) -> Timestamp {
    format!("{text}:00+05:30").parse().unwrap()
}

fn unix(home: &Home) -> Client<UnixStream> {
    let stream =
        until("the socket", || UnixStream::connect(home.state().join("socket")).map_err(|e| e.to_string()));
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    Client { stream: BufReader::new(stream), host: "firstbell".into() }
}

/// A daemon whose one account has logged in.
fn logged_in() -> (Sim, Home, Daemon) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", "");
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    (sim, home, daemon)
}

fn audit(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.state().join("audit.log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn the_card_is_the_one_that_the_command_prints_and_every_read_is_written_down_first() {
    let (sim, home, daemon) = logged_in();
    let answer = unix(&home).get(CARD, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let card = answer.json();
    let keys: Vec<&String> = card.as_object().unwrap().keys().collect();
    let want =
        ["access_token", "account", "api_key", "generation", "issued", "trusted_until", "user_id", "version"];
    assert_eq!(keys, want);
    assert_eq!((&card["api_key"], &card["version"]), (&json!(sim.account.api_key), &json!(1)));
    for format in ["json", "plain", "env", "header"] {
        let said = home.run(&["token", "--format", format]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(card["access_token"].as_str().unwrap()), "{format}");
        assert!(format != "json" || said.stdout == answer.text, "{}", said.stdout);
    }
    let lines = audit(&home);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    let own = &lines[0];
    let (uid, pid) = (rustix::process::geteuid().as_raw(), std::process::id());
    assert_eq!(
        (&own["account"], &own["generation"], &own["what"]),
        (&json!("main"), &card["generation"], &json!("token"))
    );
    assert_eq!(
        (&own["via"], &own["peer"]["uid"], &own["peer"]["pid"]),
        (&json!("socket"), &json!(uid), &json!(pid))
    );
    assert!(
        own["peer"]["started"].as_u64().unwrap() > 0 && own["at"].as_str().unwrap().ends_with("+05:30"),
        "{own}"
    );
    assert_eq!(lines[1]["program"], "firstbell", "{}", lines[1]);
    assert_eq!(fs::metadata(home.state().join("audit.log")).unwrap().permissions().mode() & 0o777, 0o600);
    // No token in any of the places that are not its own.
    let mut scanner = Scanner::default();
    scanner.add("access token", card["access_token"].as_str().unwrap());
    scanner.add("password", &sim.account.password);
    let log = fs::read_to_string(home.state().join("audit.log")).unwrap();
    let more =
        ["/metrics", "/v1/accounts", "/openapi.json", "/readyz"].map(|path| unix(&home).get(path, "").text);
    for text in more.iter().chain([&log, &daemon.log(), &daemon.errors()]) {
        let finds = scanner.search("an answer", text.as_bytes());
        assert!(finds.is_empty(), "{finds:#?}");
    }
}

#[test]
fn before_the_first_login_and_after_the_end_of_a_token_there_is_a_reason_and_a_time() {
    let sim = standing_sim(&at("2026-11-25T08:00").to_string());
    let home = Home::new(&sim);
    configure(&home, &sim, "", &leap(&sim, at("2026-11-25T08:10")));
    let mut daemon = Daemon::start(&home);
    let refused = |what: &str| {
        until(what, || {
            let answer = unix(&home).get(CARD, "");
            if answer.status == 503 { Ok(answer) } else { Err(format!("{answer:?}")) }
        })
    };
    wait_for(&sim, at("2026-11-25T08:10"), &mut daemon);
    let said = until("what is next is known", || {
        let answer = refused("no token yet");
        let body = answer.json();
        if body["error"].as_str().unwrap().contains("just started") {
            Err(body.to_string())
        } else {
            Ok(answer)
        }
    });
    let body = said.json();
    assert_eq!(body["code"], "no_token");
    assert!(body["error"].as_str().unwrap().starts_with("there is no valid token: "), "{body}");
    assert!(body["cure"].as_str().unwrap().contains("2026-11-25T08:"), "{body}");
    assert_eq!(said.header("retry-after").unwrap(), body["retry_after_s"].to_string());
    let ended = home.run(&["token", "--json"]);
    assert!(ended.code == 6 && ended.stderr.contains("What to do"), "{ended:?}");
    assert_eq!(ended.json()["message"], body["error"]);
    // Whoever waits hears nothing before his time is over, and the token when it is there.
    assert_eq!(unix(&home).get(&format!("{CARD}?wait=0&timeout_s=1"), "").status, 204);
    let mut waits = unix(&home);
    waits.send("GET", &format!("{CARD}?wait=0&timeout_s=300"), "");
    configure(&home, &sim, "", &leap(&sim, at("2026-11-25T08:52")));
    daemon.signal(Signal::HUP);
    // A change of the configuration sends everybody on his way once; none is left in the dark.
    let first = waits.read().unwrap();
    assert_eq!((first.status, first.header("retry-after")), (503, Some("1")), "{first:?}");
    // Whoever is quick meets the one who is leaving once more, and comes again.
    until("the token of this morning", || {
        let card = unix(&home).get(&format!("{CARD}?wait=0&timeout_s=300"), "");
        match card.status {
            200 => Ok(()),
            503 if card.json()["code"] == "unavailable" => Err(format!("{card:?}")),
            _ => panic!("{card:?}"),
        }
    });
    wait_for(&sim, at("2026-11-25T08:52"), &mut daemon);
    // A master logout ends it: what the keeper knows, programs know.
    sim.post("/event", &json!({ "event": "master-logout" }));
    sim.fault(&json!({ "at": "entry", "do": "status", "status": 503 }));
    configure(&home, &sim, "", &leap(&sim, at("2026-11-25T09:02")));
    daemon.signal(Signal::HUP);
    wait_for(&sim, at("2026-11-25T09:02"), &mut daemon);
    assert_eq!(refused("it was ended").json()["code"], "no_token");
}

#[test]
fn events_tell_how_it_stands_and_then_what_changes() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    configure_due(&home, &sim, "", "");
    let daemon = Daemon::start(&home);
    daemon.account("main");
    let mut listens = unix(&home);
    listens.listen("/v1/events?account=main", "").unwrap();
    let mut numbers = Vec::new();
    let mut next = |want: &str| loop {
        let (id, name, data) = listens.event().unwrap();
        numbers.push(id);
        if name == want {
            return data;
        }
    };
    let withheld = next("withheld");
    assert!(withheld["account"] == "main" && !withheld["why"].as_str().unwrap().is_empty(), "{withheld}");
    let state = next("state");
    assert_eq!((&state["account"], &state["user_id"]), (&json!("main"), &json!("AB1234")));
    home.store_secrets(&sim.account);
    let token = next("token");
    let keys: Vec<&String> = token.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["account", "generation", "issued", "trusted_until"]);
    assert_eq!(token["generation"], unix(&home).get(CARD, "").json()["generation"]);
    let rising: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, rising);
    let mut second = unix(&home);
    second.listen("/v1/events", "").unwrap();
    // How it stands may change meanwhile, and is told again then; that all three come is what counts.
    let mut awaited = vec!["token", "state", "health"];
    while !awaited.is_empty() {
        let (_, name, _) = second.event().unwrap();
        assert_ne!(name, "withheld");
        awaited.retain(|want| *want != name);
    }
}

#[test]
fn a_token_that_cannot_be_written_down_is_not_given_away() {
    let (_sim, home, _daemon) = logged_in();
    let path = home.state().join("audit.log");
    // The log was never opened yet: a folder in its place is what a disk that refuses is.
    if path.exists() {
        fs::remove_file(&path).unwrap();
    }
    fs::create_dir(&path).unwrap();
    let refused = unix(&home).get(CARD, "");
    let body = refused.json();
    assert_eq!((refused.status, body["code"].as_str()), (503, Some("unavailable")), "{body}");
    assert!(body["error"].as_str().unwrap().contains("audit log"), "{body}");
    let ended = home.run(&["token"]);
    assert!(ended.code == 6 && ended.stdout.is_empty() && ended.stderr.contains("audit log"), "{ended:?}");
    fs::remove_dir(&path).unwrap();
    assert_eq!(unix(&home).get(CARD, "").status, 200, "it heals by itself");
    assert_eq!(audit(&home).len(), 1);
}

#[test]
fn orders_keys_and_reads_without_a_daemon_are_written_down() {
    let (_sim, home, daemon) = logged_in();
    assert_eq!(home.run(&["pause"]).code, 0);
    assert_eq!(home.run(&["key", "add", "algo", "--scope", "token"]).code, 0);
    assert_eq!(home.run(&["key", "rm", "algo"]).code, 0);
    drop(daemon);
    assert_eq!(home.run(&["token"]).code, 0);
    let lines = audit(&home);
    let seen: Vec<_> =
        lines.iter().map(|line| (line["what"].as_str().unwrap(), line["via"].as_str().unwrap())).collect();
    assert_eq!(seen, [("pause", "socket"), ("key_add", "store"), ("key_rm", "store"), ("token", "store")]);
    assert_eq!((&lines[1]["name"], &lines[3]["account"]), (&json!("algo"), &json!("main")));
    let uid = json!(rustix::process::geteuid().as_raw());
    for line in &lines {
        assert_eq!((&line["peer"]["uid"], &line["program"]), (&uid, &json!("firstbell")), "{line}");
    }
    // No line, no token.
    fs::remove_file(home.state().join("audit.log")).unwrap();
    fs::create_dir(home.state().join("audit.log")).unwrap();
    let ended = home.run(&["token"]);
    assert!(ended.code != 0 && ended.stdout.is_empty() && ended.stderr.contains("audit log"), "{ended:?}");
}

#[test]
fn a_connection_serves_many_requests_and_ends_with_the_daemon() {
    let (_sim, home, daemon) = logged_in();
    let mut client = unix(&home);
    let first = client.get(CARD, "").text;
    for _ in 0..1_000 {
        assert_eq!(client.get(CARD, "").text, first);
    }
    drop(daemon);
    assert!(client.read().is_err(), "it ends with the daemon");
}

#[test]
fn commands_ask_the_daemon_as_programs_do() {
    let (_sim, home, _daemon) = logged_in();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |account: &str, wait| runtime.block_on(serve::token(&home.state(), account, wait, 1)).unwrap();
    let Some(serve::Answer::Card(card)) = ask("main", None) else { panic!("no card") };
    assert_eq!((card.account.as_str(), card.user_id.as_str()), ("main", "AB1234"));
    assert!(matches!(ask("main", Some(card.token.generation)), Some(serve::Answer::NothingNewer)));
    assert!(ask("nobody", None).is_none());
    let nowhere = runtime.block_on(serve::token(home.dir.path(), "main", None, 1)).unwrap();
    assert!(nowhere.is_none());
}
