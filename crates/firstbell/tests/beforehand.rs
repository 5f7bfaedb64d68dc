//! What is tried before a login and at the deadline, in the real daemon: each lack is found and named, and no credential leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use daemon::{Daemon, configure, leap, standing_sim, wait_for};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{Home, Sim};

const FROM: &str = "2026-11-25T08:00:00+05:30";

fn at(time: &str) -> Timestamp {
    format!("2026-11-25T{time}:00+05:30").parse().unwrap()
}

/// Plays until this time of the day; gives the log, and the account as it stands then.
fn play(home: &Home, sim: &Sim, to: &str) -> (String, Value) {
    let mut daemon = Daemon::start(home);
    wait_for(sim, at(to), &mut daemon);
    let account = daemon.until_account("main", "it rests", |account| {
        let next: Timestamp = account["next"]["at"].as_str().unwrap().parse().unwrap();
        next > at(to)
    });
    let log = daemon.log();
    assert_eq!(daemon.end().0, 0);
    (log, account)
}

/// What is missing by the event of the check; nothing where all is there.
fn missing(log: &str) -> Vec<String> {
    if log.contains("event main: all that a login needs is there") {
        return Vec::new();
    }
    let lacks =
        log.split("before the login something is missing: ").nth(1).unwrap_or_else(|| panic!("{log}"));
    lacks.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

/// What was missing at the deadline.
fn unready(log: &str) -> Vec<String> {
    if log.contains("event main: ready at the deadline") {
        return Vec::new();
    }
    let lacks = log.split("not ready at the deadline: ").nth(1).unwrap_or_else(|| panic!("{log}"));
    lacks.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

fn replaced(home: &Home, from: &str, to: &str) {
    let text = fs::read_to_string(home.config()).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    fs::write(home.config(), text.replace(from, to)).unwrap();
}

/// Plays a check with a configuration that somebody spoiled; no credential and no token is used by it.
fn check(spoil: impl FnOnce(&Home, &Sim)) -> Vec<String> {
    let sim = standing_sim(FROM);
    let home = Home::new(&sim);
    configure(&home, &sim, "", &leap(&sim, at("08:25")));
    spoil(&home, &sim);
    let (log, _) = play(&home, &sim, "08:25");
    let seen = sim.seen();
    let counts =
        ["password_submissions", "code_submissions", "finishes", "profile_calls"].map(|key| &seen[key]);
    assert_eq!((counts, &seen["exchanges"]), ([&json!(0); 4], &json!([])), "{log}");
    missing(&log)
}

#[test]
fn a_check_finds_nothing_where_all_is_there() {
    assert_eq!(check(|_, _| {}), [""; 0]);
}

#[test]
fn a_check_finds_a_network_that_is_down_at_each_end() {
    let nobody = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let site = check(|home, sim| {
        replaced(home, &format!("site = \"{}\"", sim.site), &format!("site = \"{nobody}\""))
    });
    assert_eq!(site, ["login page: network"]);
    let api =
        check(|home, sim| replaced(home, &format!("api = \"{}\"", sim.api), &format!("api = \"{nobody}\"")));
    assert_eq!(api, ["api: network"]);
}

#[test]
fn a_check_finds_a_connection_that_is_not_to_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let strange = Sim::start_with(support::Account::new(), &["--tls", folder.path().to_str().unwrap()]);
    // Its authority is nobody's.
    let port = strange.api.rsplit_once(':').unwrap().1.trim_end_matches('/');
    let port = if port.starts_with("//") { panic!("{}", strange.api) } else { port };
    let lacks = check(|home, sim| {
        let site = format!("site = \"https://127.0.0.1:{port}\"");
        replaced(home, &format!("site = \"{}\"", sim.site), &site);
    });
    assert_eq!(lacks, ["login page: certificate"]);
}

#[test]
fn a_check_finds_a_browser_that_is_missing() {
    let lacks = check(|home, _| {
        replaced(
            home,
            "drivers = [\"http\"]",
            "drivers = [\"chrome\"]\n[browser]\nbinary = \"/nowhere/chrome\"",
        );
    });
    assert_eq!(lacks, ["browser"]);
}

#[test]
fn a_check_finds_secrets_and_places_that_are_missing() {
    let lacks = check(|home, _| assert_eq!(home.run(&["secrets", "rm", "totp_seed"]).code, 0));
    assert_eq!(lacks, ["secrets"]);
    let lacks = check(|home, sim| {
        let sink =
            "[[account.main.sink]]\nkind = \"file\"\nformat = \"json\"\npath = '/nowhere/at/all/token.json'";
        configure(home, sim, sink, &leap(sim, at("08:25")));
    });
    assert_eq!(lacks, ["sink file /nowhere/at/all/token.json"]);
    let lacks = check(|home, sim| {
        let tables = "[channel.phone]\nkind = \"ntfy\"\naddress = { vault = true }\n";
        configure(home, sim, "", &format!("{tables}{}", leap(sim, at("08:25"))));
    });
    assert_eq!(lacks, ["channel phone"], "its secret is missing");
    let nobody = format!("http://{}/topic", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let lacks = check(|home, sim| {
        let tables = "[channel.phone]\nkind = \"ntfy\"\naddress = { vault = true }\n";
        configure(home, sim, "", &format!("{tables}{}", leap(sim, at("08:25"))));
        let set = home.run_with(&["secrets", "set", "--channel", "phone", "address"], &nobody);
        assert_eq!(set.code, 0, "{set:?}");
    });
    assert_eq!(lacks, ["channel phone"], "nobody is there");
}

#[test]
fn a_clock_that_is_wrong_is_found_before_and_nothing_is_typed_by_it() {
    let (sim, timekeeper) = (standing_sim(FROM), standing_sim(FROM));
    let home = Home::new(&sim);
    // The broker's clock stands still while ours goes on.
    configure(&home, &sim, "", &leap(&timekeeper, at("09:05")));
    let (log, account) = play(&home, &timekeeper, "09:05");
    assert_eq!(missing(&log), ["clock"]);
    assert_eq!(unready(&log), ["clock", "token"]);
    assert!(log.contains("the login failed: clock-wrong"), "{log}");
    assert_eq!((sim.passwords(), sim.codes()), (0, 0));
    assert_ne!(account["served"], "yes");
}

#[test]
fn a_ticker_that_refuses_is_told_where_the_plan_includes_data() {
    for (more, lacks) in [("data = true", vec!["ticker"]), ("", vec![])] {
        let sim = standing_sim(FROM);
        let home = Home::new(&sim);
        configure(&home, &sim, more, &leap(&sim, at("09:02")));
        sim.fault(&json!({ "at": "ticker", "do": "status", "status": 403 }));
        let (log, account) = play(&home, &sim, "09:02");
        assert_eq!(unready(&log), lacks, "{more}");
        // The token itself is good, and no login would change that.
        assert_eq!((&account["served"], sim.passwords()), (&json!("yes"), 1));
    }
}

#[test]
fn an_address_that_is_not_the_registered_one_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ip", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let said = ["198.51.100.7\n", "203.0.113.9\n", "<p>your address is 198.51.100.7</p>"];
        for (stream, body) in listener.incoming().zip(said) {
            let (mut stream, mut head) = (stream.unwrap(), [0; 4096]);
            let length = stream.read(&mut head).unwrap();
            // Who asks for an address tells nothing about the account.
            let asked = String::from_utf8_lossy(&head[..length]).to_lowercase();
            assert!(!asked.contains("authorization") && !asked.contains("cookie"), "{asked}");
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    for lacks in [vec![], vec!["egress address"], vec!["egress address"]] {
        let sim = standing_sim(FROM);
        let home = Home::new(&sim);
        let egress = format!("[egress]\naddress = \"198.51.100.7\"\nurl = \"{url}\"\n");
        configure(&home, &sim, "", &format!("{egress}{}", leap(&sim, at("09:02"))));
        let (log, account) = play(&home, &sim, "09:02");
        assert_eq!(unready(&log), lacks);
        assert_eq!(account["served"], "yes");
    }
}

#[test]
fn a_sink_that_cannot_be_written_at_the_deadline_is_told() {
    let sim = standing_sim(FROM);
    let home = Home::new(&sim);
    let folder = home.dir.path().join("sink");
    fs::create_dir(&folder).unwrap();
    let sink = format!(
        "[[account.main.sink]]\nkind = \"file\"\nformat = \"json\"\npath = '{}'",
        folder.join("token.json").display()
    );
    configure(&home, &sim, &sink, &leap(&sim, at("08:52")));
    let (log, _) = play(&home, &sim, "08:52");
    assert_eq!(missing(&log), [""; 0]);
    fs::remove_dir_all(&folder).unwrap();
    configure(&home, &sim, &sink, &leap(&sim, at("09:02")));
    let (log, account) = play(&home, &sim, "09:02");
    assert_eq!(unready(&log), [format!("sink file {}", folder.join("token.json").display())]);
    assert_eq!((&account["served"], sim.passwords()), (&json!("yes"), 1));
}
