//! How the program starts, what it refuses, and how it ends.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Browser, MORNING, Sim, get, refused};

/// A file of its own for one test; the folder is the build's own scratch place.
fn scratch(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::write(&path, text).expect("the scratch folder is there");
    path.to_str().expect("its path is text").to_owned()
}

fn account() -> Value {
    json!({
        "user_id": "XY9876", "password": "given-password", "totp_seed": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "api_key": "given-key", "api_secret": "given-secret",
    })
}

#[test]
fn loopback_only() {
    for option in ["--listen", "--inspect", "--landing"] {
        for address in ["0.0.0.0:0", "192.168.1.10:0", "[::]:0", "8.8.8.8:80"] {
            let (code, told) = refused(&[option, address], "");
            assert_eq!(code, Some(2), "{option} {address}");
            assert!(
                told.contains(&format!("{option} {address}: kitesim binds loopback addresses only")),
                "{told}"
            );
        }
    }
    let sim = Sim::with(&["--listen", "127.0.0.2:0"], None);
    assert!(sim.site().starts_with("127.0.0.2:"));
    assert_eq!(sim.ask(get("/")).status, 200);
}

/// What the kernel says of every listening socket of a running simulation.
#[test]
fn every_socket_that_listens_is_bound_to_loopback() {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-loopback-ca", std::process::id()));
    let folder = folder.to_str().expect("its path is text");
    let sim = Sim::with(&["--inspect", "[::1]:0", "--tls", folder], None);
    let own = fs::read_dir(format!("/proc/{}/fd", sim.id())).expect("the kernel tells its files");
    let links = own.filter_map(|entry| fs::read_link(entry.expect("an entry").path()).ok());
    let sockets: Vec<String> =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.to_owned())).collect();
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{}/net/{table}", sim.id())).expect("the kernel tells");
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // 0A is the state of a socket that listens; the tenth field is its number.
            if fields[3] == "0A" && sockets.contains(&format!("{}]", fields[9])) {
                listening.push(fields[1].split(':').next().expect("an address").to_owned());
            }
        }
    }
    listening.sort();
    assert_eq!(listening, ["00000000000000000000000001000000", "0100007F", "0100007F"]);
}

#[test]
fn row_14_the_page_is_one_of_four_generations() {
    for page in ["E", "a", ""] {
        let (code, told) = refused(&["--page", page], "");
        assert_eq!(code, Some(2));
        assert!(told.contains("generations of the login page are A, B, C and D"), "{told}");
    }
    for page in ["A", "B", "C", "D"] {
        let sim = Sim::with(&["--page", page], None);
        assert!(sim.ask(get("/")).text().contains(&format!("data-page=\"{page}\"")));
    }
}

#[test]
fn a_taken_port_is_an_error_of_its_own() {
    let sim = Sim::start();
    let (code, told) = refused(&["--listen", sim.site()], "");
    assert_eq!(code, Some(1));
    assert!(told.contains(&format!("--listen {}", sim.site())), "{told}");
}

#[test]
fn the_announcement_is_one_line_and_names_made_credentials() {
    let sim = Sim::start();
    let keys: Vec<&String> = sim.announced.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["account", "api", "inspect", "redirect", "site"]);
    assert_eq!(sim.announced["api"], sim.announced["site"]);
    assert!(sim.announced["redirect"].as_str().unwrap().ends_with("/landing"));
    assert_eq!(sim.credential("totp_seed").len(), 32);
    assert_eq!(sim.credential("password").len(), 16);
}

#[test]
fn an_account_from_stdin_is_used_and_not_told_again() {
    let sim = Sim::with(&["--clock", MORNING], Some(&account()));
    assert!(sim.announced.get("account").is_none());
    assert_eq!(Browser::new(&sim).log_in().status, 200);
}

#[test]
fn an_account_from_a_file_is_used() {
    let path = scratch("account.json", &account().to_string());
    let mut sim = Sim::with(&["--account", &path], None);
    sim.account = account();
    assert_eq!(Browser::new(&sim).log_in().status, 200);
}

#[test]
fn a_bad_account_is_refused_without_its_values() {
    let bad = json!({"user_id": "XY9876", "password": "given-password", "totp_seed": "given?seed", "api_secret": 5});
    let (code, told) = refused(&["--account", "-"], &format!("{bad}\n"));
    assert_eq!(code, Some(2));
    for key in ["totp_seed", "api_key", "api_secret"] {
        assert!(told.contains(&format!("--account: `{key}`")), "{told}");
    }
    assert!(!told.contains("given"), "{told}");
    assert_eq!(refused(&["--account", "-"], "").0, Some(2));
    assert_eq!(refused(&["--account", "/nowhere/at/all"], "").0, Some(2));
}

#[test]
fn a_scenario_file_is_used() {
    let text = "[settings]\nredirect = \"http://127.0.0.1:9/there\"\n\
        [[fault]]\nat = \"login\"\ndo = \"wrong-password\"\ncall = 1\n";
    let path = scratch("scenario.toml", text);
    let sim = Sim::with(&["--faults", &path], None);
    assert_eq!(sim.announced["redirect"], "http://127.0.0.1:9/there");
    let mut browser = Browser::new(&sim);
    assert_eq!(browser.password(sim.credential("password")).status, 403);
    assert_eq!(browser.password(sim.credential("password")).status, 200);
    let outranked = Sim::with(&["--faults", &path, "--redirect", "http://127.0.0.1:9/here"], None);
    assert_eq!(outranked.announced["redirect"], "http://127.0.0.1:9/here");
}

#[test]
fn every_fault_of_a_scenario_is_told_at_once() {
    let text = "[settings]\nflush = \"25:00\"\nspeed = 9\n\
        [[fault]]\nat = \"finish\"\ndo = \"wrong-code\"\n[[fault]]\nat = \"login\"\ndo = \"slow\"\n";
    let path = scratch("bad.toml", text);
    let (code, told) = refused(&["--faults", &path, "--page", "E", "--listen", "0.0.0.0:0"], "");
    assert_eq!(code, Some(2));
    for part in
        ["settings.flush", "settings.speed", "fault 1: `wrong-code`", "fault 2: `slow`", "--page", "--listen"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (code, told) = refused(&["--faults", &scratch("broken.toml", "[[fault]\n")], "");
    assert_eq!(code, Some(2));
    assert!(told.contains("line 1"), "{told}");
}

#[test]
fn it_ends_with_its_starter() {
    assert_eq!(Sim::start().leave(), Some(0));
    let mut given = Sim::with(&[], Some(&account()));
    assert_eq!(given.ask(get("/")).status, 200);
    assert!(given.lives());
    assert_eq!(given.leave(), Some(0));
}

#[test]
fn it_ends_with_its_starter_even_while_a_request_is_held() {
    let mut sim = Sim::under(&json!({"fault": [{"at": "login-page", "do": "hold"}]}));
    let mut line = crate::support::Line::to(sim.site());
    line.send(&get("/")).unwrap();
    sim.inspect(get("/held?wait=login-page"));
    assert_eq!(sim.leave(), Some(0));
}

#[test]
fn signals_end_it_with_success() {
    for signal in ["-TERM", "-INT"] {
        let mut sim = Sim::start();
        let sent = Command::new("kill").args([signal, &sim.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(sim.ended(), Some(0), "{signal}");
    }
}
