//! A login that a person makes: both ways back, a real browser, and whatever else comes back dropped with the old token kept.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/person.rs"]
mod person;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

use person::{Person, Window};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use support::{Account, Ended, Home, Sim};

/// A port that is free, below those that the system gives away by itself.
fn port() -> u16 {
    loop {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).unwrap();
        let port = 15_000 + u16::from_be_bytes(bytes) % 15_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A simulator that sends browsers back to this address, and a home that knows the API secret only.
fn stage(redirect: &str) -> (Sim, Home) {
    let sim = Sim::start_with(Account::new(), &["--redirect", redirect]);
    let home = Home::bare(&sim);
    let stored = home.run_with(&["secrets", "set", "api_secret"], &sim.account.api_secret);
    assert_eq!(stored.code, 0, "{stored:?}");
    (sim, home)
}

fn loopback() -> (Sim, Home) {
    stage(&format!("http://127.0.0.1:{}/back", port()))
}

fn exchanges(sim: &Sim) -> usize {
    sim.seen()["exchanges"].as_array().unwrap().len()
}

fn generation(home: &Home) -> u64 {
    home.token().map_or(0, |token| token["generation"].as_u64().unwrap())
}

/// A firstbell that waits for a person.
struct Waiting {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
    link: String,
}

impl Waiting {
    fn begin(home: &Home, more: &[&str]) -> Waiting {
        let mut command = home.command(&["login", "--assisted", "--json"]);
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut waiting = Waiting { child, stderr, said: String::new(), link: String::new() };
        waiting.next_link();
        waiting
    }

    fn next_link(&mut self) {
        self.link = self.until("/connect/login?").trim().to_owned();
    }

    /// The next line that has this.
    fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {text:?}: {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    fn nonce(&self) -> String {
        self.link.split_once("state%3D").unwrap().1.to_owned()
    }

    fn paste(&mut self, address: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{address}").unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> Ended {
        let mut stdout = String::new();
        self.stderr.read_to_string(&mut self.said).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ended { code, stdout, stderr: std::mem::take(&mut self.said) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Follows an address to the listener: status, head and page. None where nobody listens.
fn follow(address: &str, host: Option<&str>) -> Option<(u16, String, String)> {
    let url: url::Url = address.parse().unwrap();
    let there = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&there).ok()?;
    let target = &address[address.find(&there).unwrap() + there.len()..];
    let host = host.unwrap_or(&there);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, page) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{address}: {reply:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, head.to_lowercase(), page.to_owned()))
}

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
    let login = home.command(&[]);
    let mut terminal = Command::new("script");
    let line = format!("'{}' login --assisted; stty -a", login.get_program().display());
    terminal.args(["-qfc", &line, "/dev/null"]).env_clear();
    terminal.envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut shown, mut bytes) = (String::new(), [0; 4096]);
    let mut screen = terminal.stdout.take().unwrap();
    let mut read = |shown: &mut String| {
        let count = screen.read(&mut bytes).unwrap_or(0);
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    };
    while !shown.contains("Or paste the address") {
        assert!(read(&mut shown), "nobody was asked: {shown}");
    }
    let link = shown.split_whitespace().find(|word| word.contains("/connect/login?")).unwrap();
    let back = Person::signed_in(&sim).back(&sim, link);
    writeln!(terminal.stdin.as_mut().unwrap(), "{back}").unwrap();
    while read(&mut shown) {}
    drop(terminal.stdin.take());
    terminal.wait().unwrap();
    assert!(shown.contains("has a proven token") && !shown.contains("request_token"), "{shown}");
    let modes = shown.split_once("isig").unwrap_or_else(|| panic!("no modes: {shown}")).1;
    assert!(modes.split_whitespace().any(|mode| mode == "echo"), "{shown}");
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
    window.go(&waiting.link);
    window.type_into("input[type=text]", &sim.account.user_id);
    window.type_into("input[type=password]", &sim.account.password);
    window.click("button[type=submit]");
    window.type_into("input[maxlength='6']", &person::code(&sim.account));
    // The page of kitesim goes on by itself, and the listener's has no button: its title is the one that says it.
    assert!(window.text("h1 + p").contains("You can close this window"), "{}", waiting.said);
    let ended = waiting.end();
    assert!(ended.code == 0 && generation(&home) == 1, "{ended:?}");
}

/// An old token, a firstbell that waits for the next one, and a request token that is good but of another login.
struct Attack {
    sim: Sim,
    home: Home,
    person: Person,
    waiting: Waiting,
    foreign: String,
}

impl Attack {
    fn begin() -> Attack {
        let (sim, home) = loopback();
        let mut person = Person::signed_in(&sim);
        let first = Waiting::begin(&home, &[]);
        follow(&person.back(&sim, &first.link), None);
        assert_eq!(first.end().code, 0);
        let plain = format!("{}/connect/login?v=3&api_key={}", sim.site, sim.account.api_key);
        let foreign = person.back(&sim, &plain);
        let waiting = Waiting::begin(&home, &[]);
        Attack { sim, home, person, waiting, foreign }
    }

    /// The old token is served, it is the only one that was exchanged, and the login that is waited for still gets through.
    fn ends_well(mut self) {
        assert_eq!((generation(&self.home), exchanges(&self.sim)), (1, 1));
        let good = self.person.back(&self.sim, &self.waiting.link);
        assert_eq!(follow(&good, None).unwrap().0, 200);
        let ended = self.waiting.end();
        assert_eq!((ended.code, generation(&self.home), exchanges(&self.sim)), (0, 2, 2), "{ended:?}");
    }
}

#[test]
fn foreign_request_tokens_are_dropped_and_told_and_the_old_token_is_kept() {
    let mut attack = Attack::begin();
    let (foreign, nonce) = (attack.foreign.clone(), attack.waiting.nonce());
    let forms = [
        (foreign.clone(), None, "it belongs to no login"),
        (format!("{foreign}&state={}", "0".repeat(32)), None, "it belongs to another login"),
        (format!("{foreign}&state={nonce}&state={nonce}"), None, "it has state twice"),
        (
            format!("{foreign}&request_token={}&state={nonce}", "a".repeat(32)),
            None,
            "it has request_token twice",
        ),
        (format!("{}&state={nonce}", foreign.replace("=success", "=error")), None, "with status \"error\""),
        (format!("{}&state={nonce}", foreign.replace("/back?", "/other?")), None, "its path differs"),
        (format!("{foreign}&state={nonce}"), Some("evil.example"), "it goes to http://another-name.invalid"),
        (format!("{foreign}&state={nonce}"), Some("127.0.0.1:1"), "it goes to http://another-name.invalid"),
    ];
    for (address, host, why) in forms {
        let (status, _, page) = follow(&address, host).unwrap();
        assert!(status == 403 && page.contains("not accepted"), "{why}: {status} {page}");
        let said = attack.waiting.until("Someone sent a foreign login token. It was rejected.");
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!((generation(&attack.home), exchanges(&attack.sim)), (1, 1), "{why}");
    }
    assert!(!attack.waiting.said.contains("evil"), "a stranger's word: {}", attack.waiting.said);
    attack.ends_well();
}

#[test]
fn pasted_foreign_tokens_are_dropped_too() {
    let mut attack = Attack::begin();
    let foreign = attack.foreign.clone();
    for (address, says) in [
        (foreign.as_str(), "Someone sent a foreign login token. It was rejected."),
        ("what is this", "without a token, and was dropped"),
    ] {
        attack.waiting.paste(address);
        attack.waiting.until(says);
    }
    attack.ends_well();
}

#[test]
fn a_used_token_is_dropped_while_it_is_exchanged_and_after() {
    let (sim, home) = loopback();
    let mut waiting = Waiting::begin(&home, &[]);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    sim.fault(&json!({ "at": "exchange", "do": "hold" }));
    let address = back.clone();
    let first = std::thread::spawn(move || follow(&address, None));
    sim.wait_held("exchange");
    assert_eq!(follow(&back, None).unwrap().0, 403);
    waiting.until("Someone sent a foreign login token. It was rejected.");
    sim.no_faults();
    sim.post("/release", &json!({}));
    assert_eq!(first.join().unwrap().unwrap().0, 200);
    assert_eq!(waiting.end().code, 0);
    assert!(follow(&back, None).is_none());
    // And by the next login, which has another nonce.
    let mut next = Waiting::begin(&home, &[]);
    assert_eq!(follow(&back, None).unwrap().0, 403);
    next.until("Someone sent a foreign login token. It was rejected.");
    next.signal(Signal::INT);
    assert_eq!(next.end().code, 130);
    assert_eq!((generation(&home), exchanges(&sim)), (1, 1));
}

#[test]
fn a_late_one_finds_nobody_and_the_old_token_is_kept() {
    let mut attack = Attack::begin();
    attack.waiting.signal(Signal::TERM);
    let late = attack.person.back(&attack.sim, &attack.waiting.link);
    let interrupted = attack.waiting.end();
    assert_eq!(interrupted.code, 130, "{interrupted:?}");
    assert_eq!(interrupted.json()["failure"], "interrupted");
    let waiting = Waiting::begin(&attack.home, &["--wait-s", "1"]);
    let later = attack.person.back(&attack.sim, &waiting.link);
    let ended = waiting.end();
    assert_eq!((ended.code, &ended.json()["failure"]), (6, &json!("nobody-came")), "{ended:?}");
    assert!(ended.stderr.contains("open its new link"), "{ended:?}");
    for address in [late, later] {
        assert!(follow(&address, None).is_none());
    }
    assert_eq!((generation(&attack.home), exchanges(&attack.sim)), (1, 1));
}

/// The link was opened by somebody else, or in a browser that is logged in to another account: it is spent, and another one
/// takes its place.
#[test]
fn a_login_of_another_user_is_dropped_and_another_link_is_given() {
    let mut attack = Attack::begin();
    attack.sim.fault(&json!({ "at": "exchange", "do": "other-user" }));
    let other = attack.person.back(&attack.sim, &attack.waiting.link);
    assert_eq!(follow(&other, None).unwrap().0, 403);
    attack.waiting.until("Someone sent a foreign login token. It was rejected.");
    let spent = attack.waiting.link.clone();
    attack.waiting.next_link();
    assert_ne!(attack.waiting.link, spent);
    attack.sim.no_faults();
    let stale = attack.person.back(&attack.sim, &spent);
    assert_eq!(follow(&stale, None).unwrap().0, 403);
    assert_eq!(exchanges(&attack.sim), 2, "the old one and the other user's");
    let good = attack.person.back(&attack.sim, &attack.waiting.link);
    assert_eq!(follow(&good, None).unwrap().0, 200);
    assert_eq!(attack.waiting.end().code, 0);
    assert_eq!(generation(&attack.home), 2);
}

#[test]
fn what_is_no_way_back_gets_nothing_and_is_not_told() {
    let (sim, home) = loopback();
    let mut waiting = Waiting::begin(&home, &[]);
    let origin = sim.redirect.trim_end_matches("/back").to_owned();
    for (method, path, status) in [
        ("GET", "/favicon.ico", 404),
        ("GET", "/", 404),
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
