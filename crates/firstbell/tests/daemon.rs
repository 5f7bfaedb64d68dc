//! The daemon as a process: signals, the service manager, reloads, standbys, and what its owner tells it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/processes.rs"]
mod processes;
mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use daemon::{Daemon, configure, configure_due, leap, standing_sim, until, wait_for};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::json;
use support::{Home, Sim};

/// What a service manager gives a daemon that is told to end.
const END_MAX: Duration = Duration::from_secs(5);

fn at(text: &str) -> Timestamp {
    format!("{text}:00+05:30").parse().unwrap()
}

/// A simulator and a home that play a part of one trading day.
fn part_of_a_day(from: &str, to: &str) -> (Sim, Home) {
    let sim = standing_sim(&at(from).to_string());
    let home = Home::new(&sim);
    configure(&home, &sim, "", &leap(&sim, at(to)));
    (sim, home)
}

fn ends_well(daemon: Daemon) {
    let log = daemon.log();
    let (code, took) = daemon.end();
    assert_eq!(code, 0, "{log}");
    assert!(took < END_MAX, "{took:?}: {log}");
}

fn history(home: &Home) -> String {
    let ended = home.run(&["history", "-n", "1000"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.stdout
}

#[test]
fn an_account_whose_codes_a_person_types_is_not_kept_where_nobody_is() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.configure(&sim, "totp = { prompt = true }");
    let ended = home.run(&["run"]);
    assert!(ended.code == 2 && ended.stderr.contains("account.main takes its codes"), "{ended:?}");
    assert_eq!(sim.passwords(), 0);
}

#[test]
fn a_word_to_end_is_heard_at_once_in_rest_and_in_the_middle_of_a_login() {
    for place in ["login-page", "login", "twofa", "exchange", "profile"] {
        let (sim, home) = part_of_a_day("2026-11-25T08:25", "2026-11-25T08:52");
        // The first two questions for the login page are of who tries beforehand whether all is there.
        let call = if place == "login-page" { 3 } else { 1 };
        sim.fault(&json!({ "at": place, "do": "hold", "call": call }));
        let daemon = Daemon::start(&home);
        sim.wait_held(place);
        ends_well(daemon);
        let told = history(&home);
        assert!(told.contains("the login failed: interrupted"), "{place}: {told}");
        sim.no_faults();
        sim.post("/release", &json!({}));
        // The next one goes on from there, and rests.
        configure(&home, &sim, "", &leap(&sim, at("2026-11-25T08:52")));
        let mut daemon = Daemon::start(&home);
        wait_for(&sim, at("2026-11-25T08:52"), &mut daemon);
        daemon.until_account("main", place, |account| account["served"] == "yes");
        ends_well(daemon);
        assert!(sim.passwords() <= 2 && sim.codes() <= 2, "{place}");
    }
}

#[test]
fn a_browser_that_is_in_the_middle_of_a_login_ends_with_the_daemon() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", "");
    let text = fs::read_to_string(home.config()).unwrap().replace("\"http\"", "\"chrome\"");
    fs::write(home.config(), text).unwrap();
    sim.fault(&json!({ "at": "twofa", "do": "hold" }));
    let daemon = Daemon::start(&home);
    sim.wait_held("twofa");
    let folder = processes::browser_folder_of(daemon.id()).expect("a browser is there");
    ends_well(daemon);
    assert!(!folder.exists(), "{} is left", folder.display());
    let told = history(&home);
    assert!(told.contains("the login failed: interrupted"), "{told}");
}

#[test]
fn who_waits_for_a_login_by_hand_or_stands_by_ends_at_once_too() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", "");
    sim.fault(&json!({ "at": "twofa", "do": "hold" }));
    let mut by_hand = home.command(&["login", "--driver", "http"]);
    let mut by_hand =
        by_hand.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    sim.wait_held("twofa");
    let waits = Daemon::start(&home);
    waits.wait_log("log in at");
    let stands = Daemon::spawn(&home, home.command(&["run"]), "second");
    stands.wait_log("standing by");
    let log = waits.log();
    assert!(!log.contains("a login began"), "{log}");
    ends_well(stands);
    ends_well(waits);
    by_hand.kill().unwrap();
    by_hand.wait().unwrap();
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
}

#[test]
fn a_reload_takes_a_good_file_and_leaves_a_faulty_one() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    configure_due(&home, &sim, "", "");
    let good = fs::read_to_string(home.config()).unwrap();
    let mut daemon = Daemon::start(&home);
    daemon.account("main");
    fs::write(home.config(), format!("{good}\n[account.second]\nuser_id = 7\n")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_log("the configuration of before goes on");
    assert!(daemon.log().contains("user_id must be a text"), "{}", daemon.log());
    let (_, body) = daemon.ask("GET", "/v1/accounts");
    assert_eq!(body["accounts"].as_array().unwrap().len(), 1, "{body}");
    let second = "[account.second]\nuser_id = \"CD5678\"\napi_key = \"otherkey1234\"\nredirect_url = \"http://127.0.0.1:1/\"\n";
    fs::write(home.config(), format!("{good}\n{second}")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.account("second");
    assert!(daemon.lives());
    fs::write(home.config(), good.replacen("drivers", "state_dir = \"/nowhere\"\ndrivers", 1)).unwrap();
    daemon.signal(Signal::HUP);
    fs::write(home.config(), &good).unwrap();
    daemon.signal(Signal::HUP);
    until("one account again", || {
        let (_, body) = daemon.ask("GET", "/v1/accounts");
        if body["accounts"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(body.to_string()) }
    });
    ends_well(daemon);
}

#[test]
fn a_reload_breaks_no_login_off() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", "");
    sim.fault(&json!({ "at": "twofa", "do": "hold", "call": 1 }));
    let daemon = Daemon::start(&home);
    sim.wait_held("twofa");
    daemon.signal(Signal::HUP);
    daemon.wait_log("the configuration was read anew");
    sim.post("/release", &json!({}));
    daemon.until_account("main", "the login came to its end", |account| account["served"] == "yes");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1), "{}", daemon.log());
    let log = daemon.log();
    assert!(!log.contains("interrupted") && log.matches("keeping 1 of").count() <= 2, "{log}");
    ends_well(daemon);
}

/// What the service manager hears, in its order.
fn hear(manager: &UnixDatagram, until: &str) -> Vec<String> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 512]);
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    loop {
        let length = manager.recv(&mut buffer).unwrap_or_else(|e| panic!("{e}; heard {heard:?}"));
        heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        if heard.last().unwrap().starts_with(until) {
            return heard;
        }
    }
}

#[test]
fn the_service_manager_hears_that_it_is_ready_alive_reloading_and_stopping() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    configure_due(&home, &sim, "", "");
    let path = home.dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut command = home.command(&["run"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "150000");
    let daemon = Daemon::spawn(&home, command, "log");
    assert_eq!(hear(&manager, "READY=1"), ["READY=1"]);
    for _ in 0..4 {
        assert_eq!(hear(&manager, "W"), ["WATCHDOG=1"]);
    }
    daemon.signal(Signal::HUP);
    let heard = hear(&manager, "RELOADING=1").pop().unwrap();
    assert!(heard.split_once("\nMONOTONIC_USEC=").unwrap().1.parse::<u64>().unwrap() > 0, "{heard}");
    hear(&manager, "READY=1");
    // The standby is ready as well, and alive.
    let mut command = home.command(&["run"]);
    command.env("NOTIFY_SOCKET", &path);
    let stands = Daemon::spawn(&home, command, "second");
    hear(&manager, "READY=1\nSTATUS=standing by");
    ends_well(stands);
    daemon.signal(Signal::TERM);
    hear(&manager, "STOPPING=1");
    assert_eq!(daemon.end().0, 0);
}

#[test]
fn the_owner_s_words_reach_the_daemon_and_without_one_the_history() {
    let (sim, home) = part_of_a_day("2026-11-25T08:00", "2026-11-25T08:10");
    let said = |arguments: &[&str]| assert_eq!(home.run(arguments).code, 0, "{arguments:?}");
    said(&["pause"]);
    let status = home.run(&["status", "--json"]).json();
    assert_eq!(
        (&status["kept"], &status["accounts"][0]["paused"]),
        (&json!(false), &json!(true)),
        "{status}"
    );
    said(&["unlock"]);
    let mut daemon = Daemon::start(&home);
    wait_for(&sim, at("2026-11-25T08:10"), &mut daemon);
    let status = home.run(&["status", "--json"]).json();
    assert_eq!((&status["kept"], &status["accounts"][0]["paused"]), (&json!(true), &json!(true)), "{status}");
    assert!(status["accounts"][0]["next"]["because"].as_str().unwrap().contains("paused"), "{status}");
    configure(&home, &sim, "", &leap(&sim, at("2026-11-25T08:52")));
    daemon.signal(Signal::HUP);
    wait_for(&sim, at("2026-11-25T08:52"), &mut daemon);
    assert_eq!(sim.passwords(), 0, "it was paused: {}", daemon.log());
    said(&["resume"]);
    daemon.until_account("main", "resumed", |account| account["served"] == "yes");
    said(&["pause"]);
    let paused = daemon.until_account("main", "paused", |account| account["paused"] == true);
    assert_eq!(paused["served"], "yes", "a token that is good stays in use");
    said(&["unlock"]);
    daemon.wait_log("the owner said that the account is well");
    let (status, body) = daemon.ask("POST", "/v1/accounts/nobody/pause");
    assert_eq!(status, 404, "{body}");
    ends_well(daemon);
}

#[test]
fn a_secret_that_is_stored_wakes_it() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    configure_due(&home, &sim, "", "");
    let daemon = Daemon::start(&home);
    daemon.wait_log("the login failed: broken");
    assert_eq!(sim.passwords(), 0);
    home.store_secrets(&sim.account);
    daemon.until_account("main", "it logs in at once", |account| account["served"] == "yes");
    ends_well(daemon);
}

#[test]
fn with_at_once_1_two_accounts_never_log_in_at_the_same_time() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let second = "[account.second]\nuser_id = \"CD5678\"\napi_key = \"otherkey1234\"\nredirect_url = \"http://127.0.0.1:1/\"\n";
    configure_due(&home, &sim, "", &format!("at_once = 1\n{second}"));
    for (name, value) in
        [("password", "somebody-else"), ("totp_seed", &support::seed()), ("api_secret", "s3cr3ts3cr3t")]
    {
        assert_eq!(home.run_with(&["secrets", "set", name, "second"], value).code, 0, "{name}");
    }
    sim.fault(&json!({ "at": "entry", "do": "hold", "call": 1 }));
    let daemon = Daemon::start(&home);
    sim.wait_held("entry");
    until("both are due", || {
        let log = daemon.log();
        if log.matches("log in at").count() == 2 { Ok(()) } else { Err(log) }
    });
    // The one that waits has all the time in the world to knock as well, and does not.
    for _ in 0..20 {
        let (status, _) = daemon.ask("GET", "/livez");
        assert_eq!((status, sim.passwords(), sim.seen()["login_pages"].as_u64().unwrap()), (200, 0, 0));
    }
    let entries = || {
        sim.seen()["requests"].as_array().unwrap().iter().filter(|r| r["path"] == "/connect/login").count()
    };
    assert_eq!(entries(), 1, "{}", sim.seen()["requests"]);
    sim.post("/release", &json!({}));
    until("then the other one", || if entries() >= 2 { Ok(()) } else { Err(daemon.log()) });
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    ends_well(daemon);
}

#[test]
fn a_morning_that_was_missed_is_caught_up_once() {
    let (sim, home) = part_of_a_day("2026-11-25T11:00", "2026-11-25T15:00");
    let mut daemon = Daemon::start(&home);
    wait_for(&sim, at("2026-11-25T15:00"), &mut daemon);
    let log = daemon.log();
    assert_eq!((sim.passwords(), log.matches("was missed and is caught up").count()), (1, 1), "{log}");
    assert!(log.contains("2026-11-25T11:00:00+05:30 event main: token 1 works"), "{log}");
    assert!(log.contains("event main: ready at the deadline"), "{log}");
    ends_well(daemon);
}

#[test]
fn nobody_logs_in_on_a_day_that_is_surely_closed_and_an_evening_of_mcx_is_a_day() {
    // Republic Day after a weekend; Holi, on which MCX trades in the evening.
    let days = [
        ("nse", "2026-01-24", "2026-01-27", 0),
        ("mcx", "2026-01-24", "2026-01-27", 0),
        ("nse", "2026-03-03", "2026-03-04", 0),
        ("mcx", "2026-03-03", "2026-03-04", 1),
    ];
    for (exchange, from, to, logins) in days {
        let sim = standing_sim(&at(&format!("{from}T00:00")).to_string());
        let home = Home::new(&sim);
        let to = at(&format!("{to}T07:00"));
        configure(&home, &sim, &format!("exchanges = [\"{exchange}\"]"), &leap(&sim, to));
        let mut daemon = Daemon::start(&home);
        wait_for(&sim, to, &mut daemon);
        assert_eq!(sim.passwords(), logins, "{exchange} {from}: {}", daemon.log());
        let watched_late = daemon.log().contains(&format!("{from}T23:5"))
            || sim.seen()["profile_calls"].as_u64().unwrap() > 100;
        assert_eq!(watched_late, logins == 1, "{exchange}: {}", daemon.log());
        ends_well(daemon);
    }
}
