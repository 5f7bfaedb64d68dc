//! Keys: shown once, kept as hashes, each with its scope and its account; guessing is slow and counted, and delays nobody else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/serving.rs"]
mod serving;
mod support;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use daemon::{Daemon, configure_due, now, until};
use firstbell::serve::Scope;
use scanner::Scanner;
use serving::{Answer, Serving, free_port};
use support::{Home, Sim, request_with};

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

fn asks(serving: &Serving, path: &str, key: &str) -> Answer {
    serving.inet().get(path, &bearer(key))
}

#[test]
fn over_tcp_every_request_needs_a_key_that_may() {
    let serving = Serving::start(&["main", "other"]);
    serving.post(1);
    let status = serving.key("watcher", Scope::Status, None);
    let token = serving.key("algo", Scope::Token, None);
    let admin = serving.key("desk", Scope::Admin, None);
    let bound = serving.key("bound", Scope::Admin, Some("other"));
    let card = "/v1/accounts/main/token";
    for lines in ["", "Authorization: Basic Zm9v\r\n", "Authorization: bearer x\r\n", "X-Key: x\r\n"] {
        for path in [card, "/livez", "/openapi.json", "/nowhere", "/metrics"] {
            let answer = serving.inet().get(path, lines);
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (401, Some("unauthorized")),
                "{path} {lines}"
            );
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    let twice = [bearer(&admin), bearer(&admin)].concat();
    assert_eq!(serving.inet().get(card, &twice).status, 401);
    for (key, may_see, may_read, may_order) in
        [(&status, 200, 403, 403), (&token, 200, 200, 403), (&admin, 200, 200, 200)]
    {
        for path in ["/livez", "/v1/accounts", "/metrics", "/openapi.json"] {
            assert_eq!(asks(&serving, path, key).status, may_see, "{path}");
        }
        assert_eq!(asks(&serving, card, key).status, may_read);
        assert_eq!(asks(&serving, "/v1/accounts/main/token?wait=0", key).status, may_read);
        let mut client = serving.inet();
        client.send("POST", "/v1/accounts/main/pause", &bearer(key));
        assert_eq!(client.read().unwrap().status, may_order);
    }
    let seen = asks(&serving, "/v1/accounts", &bound).json();
    assert_eq!(
        (seen["accounts"].as_array().unwrap().len(), &seen["accounts"][0]["account"]),
        (1, &"other".into())
    );
    for path in [card, "/v1/events?account=main"] {
        assert_eq!(asks(&serving, path, &bound).status, 404, "{path}");
    }
    let mut client = serving.inet();
    client.send("POST", "/v1/accounts/main/pause", &bearer(&bound));
    assert_eq!(client.read().unwrap().status, 404, "not its account");
    assert!(!asks(&serving, "/metrics", &bound).text.contains("account=\"main\""));
    let mut listens = serving.inet();
    listens.listen("/v1/events", &bearer(&bound)).unwrap();
    for _ in 0..3 {
        let (_, name, data) = listens.event().unwrap();
        assert!(name == "health" || data["account"] == "other", "{name} {data}");
    }
}

#[test]
fn another_name_for_the_address_and_a_browser_s_headers_get_nothing_even_with_the_key() {
    let serving = Serving::start(&["main"]);
    serving.post(1);
    let key = bearer(&serving.key("algo", Scope::Admin, None));
    let port = serving.tcp.port();
    let card = "/v1/accounts/main/token";
    for host in ["127.0.0.1:PORT", "localhost:PORT"] {
        let mut client = serving.inet();
        client.host = host.replace("PORT", &port.to_string());
        assert_eq!(client.get(card, &key).status, 200, "{host}");
    }
    for host in [
        "",
        "127.0.0.1",
        "localhost",
        "firstbell",
        "[::1]:PORT",
        "evil.example:PORT",
        "LOCALHOST:PORT",
        "localhost.:PORT",
        "127.0.0.1.:PORT",
        "127.1:PORT",
        "0.0.0.0:PORT",
        "2130706433:PORT",
        "127.0.0.1:PORT.evil.example",
        "me@127.0.0.1:PORT",
        "127.0.0.1:PORT, evil.example",
        "127.0.0.1:80",
    ] {
        let mut client = serving.inet();
        client.host = host.replace("PORT", &port.to_string());
        assert_eq!(client.get(card, &key).status, 403, "{host:?}");
    }
    for lines in [
        "Host: evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1:PORT\r\n",
        "Origin: file://\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Mode: no-cors\r\n",
        "Sec-WebSocket-Key: x\r\n",
        "Upgrade: websocket\r\n",
        "Access-Control-Request-Method: GET\r\n",
    ] {
        let lines = lines.replace("PORT", &port.to_string());
        let answer = serving.inet().get(card, &format!("{key}{lines}"));
        assert_eq!(answer.status, 403, "{lines}");
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
    assert_eq!(serving.number("firstbell_api_key_refused_total"), 0.0);
}

#[test]
fn a_key_that_is_taken_away_ends_what_it_had_begun() {
    let serving = Serving::start(&["main"]);
    serving.post(1);
    let key = serving.key("algo", Scope::Token, None);
    let mut waits = serving.inet();
    waits.send("GET", "/v1/accounts/main/token?wait=1", &bearer(&key));
    let mut listens = serving.inet();
    listens.listen("/v1/events", &bearer(&key)).unwrap();
    while listens.event().unwrap().1 != "health" {}
    serving.forget_keys();
    while listens.event().is_some() {}
    // At once, and not with the next token: none comes.
    let answer = waits.read().unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
    serving.no_ring();
    assert_eq!(asks(&serving, "/livez", &key).status, 503, "the vault could not be read");
}

#[test]
fn guessing_is_slow_however_many_guess_and_the_right_key_is_answered_at_once() {
    let serving = Serving::start(&["main"]);
    serving.post(1);
    let right = serving.key("algo", Scope::Token, None);
    let wrong = format!("fbk_{}", "0".repeat(64));
    let began = now();
    let (slow, sent_away) = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..48)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = serving.inet();
                    client.stream.get_ref().set_read_timeout(Some(Duration::from_secs(4))).unwrap();
                    client.send("GET", "/v1/accounts/main/token", &bearer(&wrong));
                    client.read().ok()
                })
            })
            .collect();
        until("all of them guess", || {
            let seen = serving.number("firstbell_api_key_refused_total");
            if seen >= 48.0 { Ok(()) } else { Err(seen.to_string()) }
        });
        // While 32 stand in line: the right key, again and again.
        for _ in 0..50 {
            let asked = now();
            assert_eq!(asks(&serving, "/v1/accounts/main/token", &right).status, 200);
            // A wrong one that comes now stands in line for more than a minute.
            assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        }
        let answers: Vec<_> = guesses.into_iter().map(|guess| guess.join().unwrap()).collect();
        let with =
            |status| answers.iter().flatten().filter(|answer: &&Answer| answer.status == status).count();
        (with(401), with(429))
    });
    // 0.25, 0.5, 1 and 2 s, one after another: four in four seconds, and a fifth only where this machine took twice as long.
    let took = began.elapsed();
    let most = (1..=20).take_while(|n| Duration::from_millis(250) * (2_u32.pow(*n) - 1) <= took).count();
    assert!((1..=most).contains(&slow), "{slow} guesses were answered in {took:?}");
    // Whoever is late may find a place that was given back.
    assert!((16 - slow..=16).contains(&sent_away), "{sent_away} were sent away");
    assert_eq!(serving.number("firstbell_api_refused_total{why=\"crowd\"}"), sent_away as f64);
}

/// A daemon that listens at a port.
fn listening(sim: &Sim) -> (Home, Daemon, SocketAddr) {
    let home = Home::new(sim);
    let port = free_port();
    configure_due(&home, sim, "", &format!("[api]\nlisten = \"{port}\"\n"));
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    (home, daemon, port)
}

#[test]
fn a_key_is_made_shown_once_used_listed_and_ended() {
    let sim = Sim::start();
    let (home, daemon, port) = listening(&sim);
    let made = home.run(&["key", "add", "algo", "--scope", "token"]);
    assert_eq!(made.code, 0, "{made:?}");
    let key = made.stdout.trim().to_owned();
    assert!(key.starts_with("fbk_") && key.len() == 68 && !made.stderr.contains(&key), "{made:?}");
    let ask =
        |lines: &str| request_with("GET", &format!("http://{port}"), "/v1/accounts/main/token", None, lines);
    until("the key works at once", || match ask(&bearer(&key)) {
        (200, _, body) => {
            assert_eq!(body, home.run(&["token", "--format", "json"]).stdout);
            Ok(())
        }
        (status, ..) => Err(status.to_string()),
    });
    let again = home.run(&["key", "add", "algo", "--scope", "admin"]);
    assert!(again.code == 2 && again.stderr.contains("there is a key algo already"), "{again:?}");
    for wrong in [
        vec!["key", "add", "a b", "--scope", "token"],
        vec!["key", "add", "x", "--scope", "root"],
        vec!["key", "add", "x", "--scope", "token", "--account", "nobody"],
    ] {
        assert_eq!(home.run(&wrong).code, 2, "{wrong:?}");
    }
    let second =
        home.run(&["key", "add", "watch", "--scope", "status", "--account", "main", "--json"]).json();
    let listed = home.run(&["key", "list", "--json"]).json();
    let rows = listed["keys"].as_array().unwrap();
    let names: Vec<_> =
        rows.iter().map(|row| (row["name"].as_str().unwrap(), row["scope"].as_str().unwrap())).collect();
    assert_eq!(names, [("algo", "token"), ("watch", "status")]);
    // Neither key stands anywhere: not in the list, not in a file, not in the log, not in the numbers.
    let mut scanner = Scanner::default();
    scanner.add("key", &key["fbk_".len()..]);
    scanner.add("second key", &second["key"].as_str().unwrap()["fbk_".len()..]);
    let (_, metrics) = (daemon.ask("GET", "/v1/accounts"), home.run(&["status"]));
    for (name, text) in [
        ("list", listed.to_string()),
        ("log", daemon.log()),
        ("errors", daemon.errors()),
        ("status", metrics.stdout),
    ] {
        let finds = scanner.search(name, text.as_bytes());
        assert!(finds.is_empty(), "{finds:#?}");
    }
    let finds = scanner.search_tree(&home.state());
    assert!(finds.is_empty(), "{finds:#?}");
    assert_eq!(home.run(&["key", "rm", "algo"]).code, 0);
    assert_eq!(home.run(&["key", "rm", "algo"]).code, 2);
    until("it opens nothing any more", || match ask(&bearer(&key)) {
        (401, ..) => Ok(()),
        (status, ..) => Err(status.to_string()),
    });
    let log = fs::read_to_string(home.state().join("audit.log")).unwrap();
    assert!(log.contains("\"via\":\"tcp\",\"key\":\"algo\""), "{log}");
    until("a warning", || match daemon.errors().contains("shows wrong keys") {
        true => Ok(()),
        false => Err(daemon.errors()),
    });
}

#[test]
fn commands_that_make_keys_at_one_time_lose_none() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    assert_eq!(home.run(&["key", "list"]).code, 0);
    std::thread::scope(|scope| {
        for i in 0..8 {
            let home = &home;
            scope.spawn(move || {
                let made = home.run(&["key", "add", &format!("k{i}"), "--scope", "status"]);
                assert_eq!(made.code, 0, "{made:?}");
            });
        }
    });
    assert_eq!(home.run(&["key", "list", "--json"]).json()["keys"].as_array().unwrap().len(), 8);
}
