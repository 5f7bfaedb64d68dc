//! A login that is ended from outside: soon, and with the session that it had at somebody else's WebDriver server closed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/family.rs"]
mod family;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use server::Server;
use support::{Home, Sim};
use terminal::Terminal;

/// Whoever ends a service waits no longer than this.
const SOON: Duration = Duration::from_secs(5);

fn begin(home: &Home) -> Child {
    let mut command = home.command(&["login", "--json"]);
    command.env("FIRSTBELL_LOG", "warn");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the time that it takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}

/// Sends the signal; gives how the login ended, and sees that it was soon.
fn end(login: Child, signal: Signal) -> support::Ended {
    let began = now();
    kill_process(Pid::from_child(&login), signal).unwrap();
    let ended = support::ended(login.wait_with_output().unwrap());
    assert!(began.elapsed() < SOON, "{:?}: {ended:?}", began.elapsed());
    assert_eq!(ended.code, 130, "{ended:?}");
    assert_eq!(ended.json()["failure"], "interrupted", "{ended:?}");
    ended
}

/// The server has no session and no browser any more.
fn is_closed(server: &Server, family: &[family::Kin]) {
    assert_eq!(server.sessions(), json!([]));
    family::until("the browser of the session", || {
        let living: Vec<_> = family.iter().filter(|kin| kin.lives()).collect();
        if living.is_empty() { Ok(()) } else { Err(format!("still live: {living:#?}")) }
    });
}

/// At the page, which never comes; while a password's answer is awaited; while a code's is.
#[test]
fn an_interrupted_login_leaves_no_session_at_somebody_else_s_server() {
    let server = Server::chromedriver();
    for (at, signal) in
        [("login-page", Signal::INT), ("login", Signal::TERM), ("twofa", Signal::INT), ("twofa", Signal::HUP)]
    {
        let sim = Sim::start();
        let home = Home::new(&sim);
        home.prepend(&server.lines());
        sim.fault(&json!({ "at": at, "do": "hold" }));
        let login = begin(&home);
        sim.wait_held(at);
        let family = family::of(server.id());
        // A server that never had a session proves nothing.
        assert_eq!(server.sessions().as_array().map(Vec::len), Some(1), "{at}");
        assert!(!family.is_empty(), "{at}");
        end(login, signal);
        is_closed(&server, &family);
    }
}

#[test]
fn a_session_that_is_being_begun_is_ended_too() {
    let (server, sim) = (Server::chromedriver(), Sim::start());
    let home = Home::new(&sim);
    home.prepend(&server.lines());
    let login = begin(&home);
    sim.fault(&json!({ "at": "login-page", "do": "hold" }));
    // As soon as there is one: firstbell has not been answered, or knows its number and nothing more.
    family::until("a session", || match server.sessions().as_array().map(Vec::len) {
        Some(1) => Ok(()),
        other => Err(format!("{other:?} sessions")),
    });
    let family = family::of(server.id());
    end(login, Signal::TERM);
    assert_eq!(sim.seen()["password_submissions"], 0, "it went on");
    is_closed(&server, &family);
}

/// What was on its way stays counted, and the next login of the day is told of it.
#[test]
fn what_was_spent_is_remembered_and_the_ending_is_in_the_history() {
    let (server, sim) = (Server::chromedriver(), Sim::start());
    let home = Home::new(&sim);
    home.prepend(&server.lines());
    sim.fault(&json!({ "at": "login", "do": "hold" }));
    let login = begin(&home);
    sim.wait_held("login");
    end(login, Signal::TERM);
    sim.no_faults();
    assert_eq!(home.status()["tries_left"]["password"], 1, "{}", home.status());
    let history = home.run(&["history"]);
    assert!(history.stdout.contains("interrupted"), "{history:?}");
}

/// A person who is asked for a code and ends the login instead finds the terminal as it was.
#[test]
fn a_terminal_shows_what_is_typed_again() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    home.configure(&sim, "totp = { prompt = true }");
    for (name, value) in [("password", &sim.account.password), ("api_secret", &sim.account.api_secret)] {
        assert_eq!(home.run_with(&["secrets", "set", name], value).code, 0);
    }
    let mut terminal = Terminal::run(&home, "login --driver http");
    terminal.until("The six digits");
    let family = family::of(terminal.id());
    let firstbell =
        family.iter().find(|kin| kin.arguments.contains(" login ") && !kin.arguments.contains("stty"));
    firstbell.unwrap().signal(Signal::TERM);
    let shown = terminal.end();
    assert!(shown.contains("interrupted"), "{shown}");
}

/// An engine of our own is gone, with its folder, before firstbell is.
#[test]
fn every_engine_of_ours_ends_with_its_login() {
    for engine in support::engines::BROWSERS {
        let sim = Sim::start();
        let home = Home::new(&sim);
        home.prepend(&support::engines::lines(engine));
        sim.fault(&json!({ "at": "login", "do": "hold" }));
        let login = begin(&home);
        sim.wait_held("login");
        let family = family::of(login.id());
        let folder = family::folder(&family);
        end(login, Signal::TERM);
        family::gone(&format!("{engine:?}"), &family, &folder);
        assert!(!folder.exists(), "{engine:?}");
    }
}
