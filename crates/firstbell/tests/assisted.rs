//! A login that a person makes: both ways back, a terminal, a real browser, and whatever is no way back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/person.rs"]
mod person;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "support/waiting.rs"]
mod waiting;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use person::{Person, Window};
use terminal::Terminal;
use waiting::{Waiting, exchanges, follow, generation, loopback, stage};

#[test]
fn one_tap_gives_the_same_token_and_needs_neither_password_nor_seed() {
    let (sim, home) = loopback();
    let waiting = Waiting::begin(&home, &[]);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    let (passwords, codes) = (sim.passwords(), sim.codes());
    let (status, head, page) = follow(&back, None).unwrap();
    assert!(status == 200 && page.contains("You can close this"), "{head} {page}");
    for header in [
        "cache-control: no-store",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(header), "{header} is not in {head}");
    }
    assert!(!head.contains("access-control") && !page.contains("<script") && !page.contains("request_token"));
    let ended = waiting.end();
    assert!(ended.code == 0 && ended.json()["generation"] == 1, "{ended:?}");
    assert_eq!((generation(&home), exchanges(&sim)), (1, 1));
    assert_eq!((sim.passwords(), sim.codes()), (passwords, codes), "firstbell sent a credential");
    let history = home.run(&["history"]);
    assert!(history.stdout.contains("a login began, with assisted"), "{history:?}");
    assert!(!history.stdout.contains("is about to be sent"), "the budget was touched: {history:?}");
    assert!(follow(&back, None).is_none(), "it still listens");
}

#[test]
fn a_pasted_address_does_as_well_where_nothing_can_listen() {
    for redirect in ["https://example.org/back", "http://192.0.2.1:5000/back"] {
        let (sim, home) = stage(redirect);
        let mut waiting = Waiting::begin(&home, &[]);
        assert!(waiting.said.contains("does not listen there"), "{}", waiting.said);
        let back = Person::signed_in(&sim).back(&sim, &waiting.link);
        assert!(back.starts_with(redirect), "{back}");
        waiting.paste(&back);
        let ended = waiting.end();
        assert!(ended.code == 0 && generation(&home) == 1, "{ended:?}");
        let token = url::Url::parse(&back)
            .unwrap()
            .query_pairs()
            .find(|(n, _)| n == "request_token")
            .unwrap()
            .1
            .into_owned();
        assert!(!ended.stderr.contains(&token) && !ended.stdout.contains(&token), "{ended:?}");
    }
}

/// At a terminal the address is not shown, and what is typed afterwards is.
#[test]
fn an_address_pasted_at_a_terminal_is_not_shown() {
    let (sim, home) = stage("https://example.org/back");
    let mut terminal = Terminal::run(&home, "login --assisted");
    terminal.until("Or paste the address");
    let link = terminal.shown.split_whitespace().find(|word| word.contains("/connect/login?")).unwrap();
    let back = Person::signed_in(&sim).back(&sim, link);
    terminal.types(&back);
    let shown = terminal.end();
    assert!(shown.contains("has a proven token") && !shown.contains("request_token"), "{shown}");
}

#[test]
fn a_port_that_another_program_has_leaves_the_paste() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, home) = stage(&format!("http://{}/back", other.local_addr().unwrap()));
    let mut waiting = Waiting::begin(&home, &[]);
    assert!(waiting.said.contains("another program listens at"), "{}", waiting.said);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    waiting.paste(&back);
    assert_eq!(waiting.end().code, 0);
}

/// A person in a real browser: types, and reads the page at the end.
#[test]
fn a_person_in_a_real_browser_reads_done() {
    let (sim, home) = loopback();
    let (waiting, window) = (Waiting::begin(&home, &[]), Window::open());
    window.log_in(&waiting.link, &sim.account);
    // The page of kitesim goes on by itself, and the listener's has no button: its title is the one that says it.
    assert!(window.text("h1 + p").contains("You can close this window"), "{}", waiting.said);
    assert!(window.address().starts_with(&format!("{}?told=", sim.redirect)), "{}", window.address());
    let ended = waiting.end();
    assert!(ended.code == 0 && generation(&home) == 1, "{ended:?}");
}

/// The same where nothing of ours can listen: the address bar is copied into the terminal.
#[test]
fn a_person_in_a_real_browser_copies_the_address_bar() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, home) = stage(&format!("http://{}/back", other.local_addr().unwrap()));
    std::thread::spawn(move || {
        for mut stream in other.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 X\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnone");
        }
    });
    let (mut waiting, window) = (Waiting::begin(&home, &[]), Window::open());
    window.log_in(&waiting.link, &sim.account);
    let back = window.arrives_at(&sim.redirect);
    waiting.paste(&back);
    let ended = waiting.end();
    assert!(ended.code == 0 && generation(&home) == 1, "{ended:?}");
}

#[test]
fn what_is_no_way_back_gets_nothing_and_is_not_told() {
    let (sim, home) = loopback();
    let mut waiting = Waiting::begin(&home, &[]);
    let origin = sim.redirect.trim_end_matches("/back").to_owned();
    for (method, path, status) in [
        ("GET", "/favicon.ico", 404),
        ("GET", "/", 404),
        ("GET", "/other?told=00000000000000000000000000000000", 404),
        ("POST", "/back?request_token=x", 405),
        ("HEAD", "/back", 405),
        ("OPTIONS", "/back", 405),
    ] {
        let (got, head, _) = support::request_with(method, &origin, path, None, "");
        assert_eq!(got, status, "{method} {path}: {head}");
    }
    let long = format!("/back?x={}", "x".repeat(200_000));
    let mut stream = TcpStream::connect(origin.trim_start_matches("http://")).unwrap();
    // It may be cut off before it is read whole.
    let _ = write!(stream, "GET {long} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply);
    assert!(!reply.contains(" 200 "), "{reply}");
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    waiting.paste(&back);
    let ended = waiting.end();
    assert!(ended.code == 0 && !ended.stderr.contains("foreign"), "{ended:?}");
}

#[test]
fn the_link_is_opened_with_xdg_open_where_there_is_one() {
    let (sim, home) = loopback();
    let (folder, opened) = (home.dir.path().join("bin"), home.dir.path().join("opened"));
    std::fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\nprintf %s \"$1\" > '{0}.new'; env > '{0}.env'; mv '{0}.new' '{0}'\n",
        opened.display()
    );
    std::fs::write(folder.join("xdg-open"), script).unwrap();
    Command::new("chmod").arg("755").arg(folder.join("xdg-open")).status().unwrap();
    let mut command = home.command(&["login", "--assisted", "--open", "--wait-s", "60"]);
    command
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("KITE_PASSWORD", "not for children");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let link = loop {
        if let Ok(link) = std::fs::read_to_string(&opened) {
            break link;
        }
        std::thread::yield_now();
    };
    let environment = std::fs::read_to_string(opened.with_extension("env")).unwrap();
    assert!(!environment.contains("not for children"), "{environment}");
    let back = Person::signed_in(&sim).back(&sim, &link);
    assert_eq!(follow(&back, None).unwrap().0, 200);
    assert_eq!(support::ended(child.wait_with_output().unwrap()).code, 0);
}
