//! The daemon's socket and its log: who is answered and who is not, what ready means, and lines that machines can read and that
//! hold no secret.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/stranger.rs"]
mod stranger;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use daemon::{Daemon, configure, configure_due, head, leap, now, standing_sim, talk, wait_for};
use firstbell::stores;
use firstbell_core::broker::App;
use jiff::Timestamp;
use rustix::process::Signal;
use scanner::Scanner;
use serde_json::{Value, json};
use stranger::as_stranger;
use support::{Home, Sim};

fn at(text: &str) -> Timestamp {
    format!("{text}:00+05:30").parse().unwrap()
}

/// A daemon of an account without secrets: it is there, and sends nothing.
fn idle() -> (Sim, Home, Daemon) {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    configure_due(&home, &sim, "", "");
    let daemon = Daemon::start(&home);
    daemon.account("main");
    (sim, home, daemon)
}

fn connect(home: &Home) -> UnixStream {
    let stream = UnixStream::connect(home.state().join("socket")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Status and body of an answer to these words.
fn answer(home: &Home, words: &str) -> (u16, Value) {
    let reply = talk(&mut connect(home), words);
    let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn ready_means_that_a_proven_token_is_served_and_alive_that_keepers_look() {
    let sim = standing_sim("2026-11-25T08:00:00+05:30");
    let home = Home::new(&sim);
    let on_to = |daemon: &mut Option<Daemon>, to: &str| {
        configure(&home, &sim, "", &leap(&sim, at(to)));
        match daemon {
            None => *daemon = Some(Daemon::start(&home)),
            Some(daemon) => daemon.signal(Signal::HUP),
        }
        let daemon = daemon.as_mut().unwrap();
        wait_for(&sim, at(to), daemon);
        daemon.until_account("main", "it rests", |account| {
            let next: Timestamp = account["next"]["at"].as_str().unwrap().parse().unwrap();
            next > at(to)
        });
    };
    let is = |daemon: &Option<Daemon>, ready: bool, what: &str| {
        let daemon = daemon.as_ref().unwrap();
        let (status, body) = daemon::until(what, || {
            let (status, body) = daemon.ask("GET", "/readyz");
            if (status == 200) == ready { Ok((status, body)) } else { Err(format!("{body}{}", daemon.log())) }
        });
        assert_eq!((status, &body["ready"]), (if ready { 200 } else { 503 }, &json!(ready)), "{what}");
        let account = &body["accounts"][0];
        assert_eq!(
            (&account["account"], account["served"] == "yes"),
            (&json!("main"), ready),
            "{what}: {body}"
        );
        let (status, body) = daemon.ask("GET", "/livez");
        assert_eq!((status, &body["alive"]), (200, &json!(true)), "{what}");
    };
    let mut daemon = None;
    on_to(&mut daemon, "2026-11-25T08:10");
    is(&daemon, false, "before the first login");
    on_to(&mut daemon, "2026-11-25T08:52");
    is(&daemon, true, "with the morning's token");
    sim.post("/event", &json!({ "event": "master-logout" }));
    sim.fault(&json!({ "at": "entry", "do": "status", "status": 503 }));
    on_to(&mut daemon, "2026-11-25T09:02");
    is(&daemon, false, "the token was ended, and nobody can log in");
    sim.no_faults();
    on_to(&mut daemon, "2026-11-25T10:00");
    is(&daemon, true, "healed");
    on_to(&mut daemon, "2026-11-26T04:50");
    is(&daemon, true, "in the night the token lives");
    on_to(&mut daemon, "2026-11-26T05:30");
    is(&daemon, false, "the broker ends tokens, and nobody has looked yet");
    on_to(&mut daemon, "2026-11-26T08:52");
    is(&daemon, true, "the next morning");
}

#[test]
fn another_user_is_sent_away_even_where_folder_and_socket_stand_open() {
    let (_sim, home, daemon) = idle();
    let socket = home.state().join("socket");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = as_stranger(|| UnixStream::connect(&socket).map(drop))
        .expect("only root can take another user's seat: run these tests as root");
    assert!(refused.is_err(), "the folder lets nobody in");
    for (path, mode) in [(home.dir.path().to_owned(), 0o755), (home.state(), 0o755), (socket.clone(), 0o666)]
    {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let words = head("GET", "/v1/accounts", "Host: firstbell\r\n");
    let reply = as_stranger(|| talk(&mut UnixStream::connect(&socket).unwrap(), &words));
    assert_eq!(reply.as_deref(), Some(""), "a stranger was answered");
    let order = head("POST", "/v1/accounts/main/pause", "Host: firstbell\r\n");
    let reply = as_stranger(|| talk(&mut UnixStream::connect(&socket).unwrap(), &order));
    assert_eq!(reply.as_deref(), Some(""));
    assert_eq!(daemon.account("main")["paused"], false);
}

#[test]
fn browsers_bodies_and_unknown_words_are_refused_and_change_nothing() {
    let (_sim, home, daemon) = idle();
    let ours = "Host: firstbell\r\n";
    let pause = "/v1/accounts/main/pause";
    let refused = [
        (head("POST", pause, "Host: Firstbell\r\n"), 403),
        (head("POST", pause, "Host: firstbell.\r\n"), 403),
        (head("POST", pause, "Host: firstbell\r\nHost: firstbell\r\n"), 403),
        (head("POST", pause, "Host: firstbell\r\nSec-Fetch-Site: none\r\n"), 403),
        (head("POST", &format!("http://firstbell{pause}"), "Host: firstbell\r\n"), 400),
        (head("POST", pause, "Host: firstbell.example\r\n"), 403),
        (head("POST", pause, "Host: firstbell:80\r\n"), 403),
        (head("POST", pause, ""), 403),
        (head("POST", pause, "Host: firstbell\r\nOrigin: http://firstbell\r\n"), 403),
        (head("POST", pause, "Host: firstbell\r\nOrigin: null\r\n"), 403),
        (head("GET", "/readyz", "Host: evil\r\n"), 403),
        (head("POST", pause, "Host: firstbell\r\nContent-Length: 3\r\n") + "abc", 413),
        (
            head("POST", pause, "Host: firstbell\r\nTransfer-Encoding: chunked\r\n")
                + "3\r\nabc\r\n0\r\n\r\n",
            413,
        ),
        (head("GET", pause, ours), 405),
        (head("PUT", pause, ours), 405),
        (head("POST", "/livez", ours), 405),
        (head("GET", "/livez?", ours), 400),
        (head("GET", "/livez?x=1", ours), 400),
        (head("GET", "/", ours), 404),
        (head("GET", "/v1/accounts/main", ours), 404),
        (head("GET", "/v1/accounts/other/token", ours), 404),
        (head("GET", "/v1/accounts/main/token", ours), 503),
        (head("POST", "/v1/accounts/main/explode", ours), 404),
        (head("POST", "/v1/accounts/main/pause/", ours), 404),
        (head("POST", "/v1/accounts/../main/pause", ours), 404),
        (head("POST", "/v1/accounts/ma%69n/pause", ours), 404),
        (head("POST", "/v1/accounts//pause", ours), 404),
    ];
    for (words, status) in refused {
        let (got, body) = answer(&home, &words);
        assert_eq!(got, status, "{words}: {body}");
        assert!(body["error"].as_str().is_some_and(|why| !why.is_empty()), "{words}: {body}");
    }
    let long = format!("{ours}X: {}\r\n", "x".repeat(1 << 20));
    for words in ["\0\0\0\0\r\n\r\n".to_owned(), "GET\r\n\r\n".to_owned(), head("GET", "/livez", &long)] {
        let (status, _) = answer(&home, &words);
        assert!(status == 0 || (400..500).contains(&status), "{status}");
    }
    assert_eq!(daemon.account("main")["paused"], false);
    assert_eq!(answer(&home, &head("POST", pause, ours)).0, 200);
    assert_eq!(daemon.until_account("main", "paused", |a| a["paused"] == true)["paused"], true);
}

#[test]
fn half_a_request_is_closed_after_its_time_and_holds_nobody_up() {
    let (_sim, home, daemon) = idle();
    let began = now();
    // More than are served at one time: the later ones wait for the first ones' end.
    let hanging: Vec<UnixStream> = (0..200).map(|_| connect(&home)).collect();
    let half = |mut stream: UnixStream| talk(&mut stream, "GET /livez HTTP/1.1\r\nHost: first");
    std::thread::scope(|scope| {
        let seats: Vec<_> = hanging.into_iter().map(|stream| scope.spawn(move || half(stream))).collect();
        let (status, _) = daemon.ask("GET", "/livez");
        assert_eq!(status, 200);
        for seat in seats {
            let reply = seat.join().unwrap();
            assert!(reply.is_empty() || reply.contains(" 408 ") || reply.contains(" 400 "), "{reply}");
        }
    });
    let took = began.elapsed();
    assert!((4..40).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn two_hundred_at_once_are_all_answered() {
    let (_sim, home, _daemon) = idle();
    let words = head("GET", "/v1/accounts", "Host: firstbell\r\n");
    std::thread::scope(|scope| {
        let seats: Vec<_> = (0..200).map(|_| scope.spawn(|| answer(&home, &words))).collect();
        for seat in seats {
            let (status, body) = seat.join().unwrap();
            assert_eq!((status, &body["accounts"][0]["account"]), (200, &json!("main")), "{body}");
        }
    });
}

#[test]
fn log_lines_have_their_grammar_in_both_forms_and_hold_no_secret() {
    for form in ["text", "json"] {
        let sim = standing_sim("2026-11-25T07:00:00+05:30");
        let home = Home::new(&sim);
        configure(&home, &sim, "data = true", &leap(&sim, at("2026-11-27T07:00")));
        // One day with an answer that nobody can read and a token that dies, and one on which the password is wrong.
        sim.post(
            "/faults",
            &json!({ "fault": [
            { "at": "exchange", "do": "truncated", "call": 1 },
            { "at": "profile", "do": "tokens-killed", "call": 4 },
            { "at": "login", "do": "wrong-password", "from": "2026-11-26T00:00:00+05:30" },
        ] }),
        );
        let mut command = home.command(&["run", "--log", form]);
        command.env("FIRSTBELL_LOG", "trace");
        let mut daemon = Daemon::spawn(&home, command, "log");
        wait_for(&sim, at("2026-11-27T07:00"), &mut daemon);
        let (log, errors) = (daemon.log(), daemon.errors());
        assert_eq!(daemon.end().0, 0);
        let mut kinds: Vec<String> = log.lines().map(|line| kind_of(form, line)).collect();
        assert!(kinds.len() > 20, "{log}");
        kinds.sort();
        kinds.dedup();
        assert_eq!(kinds, ["daemon", "event", "fault", "next", "notice"], "{log}");
        let scanner = scanner(&sim, &home);
        for (name, text) in [("log", &log), ("errors", &errors)] {
            let finds = scanner.search(name, text.as_bytes());
            assert!(finds.is_empty(), "{finds:#?}");
        }
    }
}

/// Reads a line by the written grammar; says its kind.
fn kind_of(form: &str, line: &str) -> String {
    let moment = |text: &str| {
        assert!(text.ends_with("+05:30"), "{line}");
        text.parse::<Timestamp>().unwrap_or_else(|e| panic!("{e}: {line}"));
    };
    if form == "json" {
        let row: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["account", "at", "kind", "text"], "{line}");
        moment(row["at"].as_str().unwrap());
        assert!(row["account"].is_null() || row["account"] == "main", "{line}");
        assert!(!row["text"].as_str().unwrap().is_empty(), "{line}");
        return row["kind"].as_str().unwrap().to_owned();
    }
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    let [when, kind, account, sentence] = words.as_slice() else { panic!("{line}") };
    moment(when);
    assert!(["main:", "-:"].contains(account) && !sentence.is_empty(), "{line}");
    (*kind).to_owned()
}

fn scanner(sim: &Sim, home: &Home) -> Scanner {
    let account = &sim.account;
    let mut scanner = Scanner::default();
    scanner.add("password", &account.password);
    scanner.add_seed("TOTP seed", &account.totp_seed);
    scanner.add("API secret", &account.api_secret);
    let (api_key, user_id) = (account.api_key.clone(), account.user_id.clone());
    let user = App { api_key, user_id, redirect: sim.redirect.parse().unwrap() }.user();
    let token =
        stores::open(&home.state()).unwrap().store().current(&user).unwrap().expect("a token was made");
    scanner.add("access token", token.access.secret().expose());
    scanner
}
