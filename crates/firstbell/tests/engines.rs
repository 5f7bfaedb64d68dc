//! What only some engines have: a server of somebody else, an owner's arguments, a bound on memory, a connection that breaks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/server.rs"]
mod server;
mod support;

use serde_json::json;
use server::Server;
use support::engines::{self, Engine};
use support::{Home, Sim};

fn configure(home: &Home, sim: &Sim, lines: &str) {
    home.configure(sim, "");
    home.prepend(lines);
}

#[test]
fn a_server_of_somebody_else_serves_when_it_is_accepted_by_name() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let server = Server::chromedriver();
    let table = format!("[webdriver]\nurl = \"{}\"\n", server.url);
    configure(&home, &sim, &format!("driver = \"webdriver\"\n{table}"));
    let refused = home.run(&["login"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("accept = [\"remote-webdriver\"]"), "{refused:?}");
    assert_eq!(sim.passwords(), 0);

    let accepted = format!("driver = \"webdriver\"\naccept = [\"remote-webdriver\"]\n{table}");
    configure(&home, &sim, &accepted);
    let ended = home.run(&["login"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
    // Its session is ended too: a second one would be refused otherwise by servers that allow one.
    assert_eq!(server.sessions(), json!([]));
}

#[test]
fn a_server_that_is_not_there_or_speaks_no_bidi_is_told_apart_from_a_refusal() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    // The simulator's own site is no WebDriver server at all.
    for url in ["http://127.0.0.1:9", sim.site.as_str()] {
        let lines = format!(
            "driver = \"webdriver\"\naccept = [\"remote-webdriver\"]\n[webdriver]\nurl = \"{url}\"\n"
        );
        configure(&home, &sim, &lines);
        let ended = home.run(&["login"]);
        assert_eq!(ended.code, 7, "{ended:?}");
        assert!(ended.stderr.contains("gives no browser that firstbell can use"), "{ended:?}");
    }
    assert_eq!(sim.passwords(), 0);
}

#[test]
fn arguments_that_undo_the_care_are_faults_of_the_configuration_with_their_line() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure(
        &home,
        &sim,
        "[browser]\narguments = [\"--lang=en\", \"--disable-features=Prerender2\"]\n[firefox]\narguments = [\"--start-debugger-server\"]\n\
         [webdriver]\narguments = [\"--remote-debugging-port=1\"]\ncapabilities = { acceptInsecureCerts = true }\n",
    );
    let ended = home.run(&["login"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    for (line, what) in [
        (2, "--disable-features=Prerender2 is refused"),
        (4, "--start-debugger-server is refused"),
        (6, "--remote-debugging-port=1 is refused"),
        (7, "acceptInsecureCerts is refused"),
    ] {
        let found = ended.stderr.lines().any(|l| l.contains(&format!(":{line}:")) && l.contains(what));
        assert!(found, "line {line}: {what}\n{}", ended.stderr);
    }
}

#[test]
fn an_owner_s_arguments_and_capabilities_reach_the_browser() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let lines = engines::lines(engines::CHROMEDRIVER)
        + "arguments = [\"--lang=de\"]\ncapabilities = { pageLoadStrategy = \"eager\" }\n";
    configure(&home, &sim, &lines);
    let ended = home.run(&["login"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_browser_that_takes_too_much_memory_is_ended_before_anything_was_typed() {
    let sim = Sim::start();
    for engine in [engines::CHROME, engines::FIREFOX] {
        let home = Home::new(&sim);
        // The page never comes, so that the watchdog is in time.
        sim.fault(&json!({ "at": "login-page", "do": "hold" }));
        let lines = engines::lines(engine);
        configure(&home, &sim, &format!("{lines}[browser]\nmemory_mb = 8\n"));
        let ended = home.run(&["login"]);
        assert_eq!(ended.code, 7, "{engine:?}: {ended:?}");
        assert!(ended.stderr.contains("more than the 8 MB that it may"), "{engine:?}: {ended:?}");
    }
    assert_eq!(sim.passwords(), 0);
}

/// A connection that breaks when the password has arrived: no engine sends it again by itself.
fn resets(engine: Engine) {
    for reset in ["reset-before", "reset-after"] {
        let sim = Sim::start();
        let home = Home::new(&sim);
        sim.fault(&json!({ "at": "login", "do": reset }));
        configure(&home, &sim, &engines::lines(engine));
        let ended = home.run(&["login"]);
        assert_ne!(ended.code, 0, "{engine:?}: {ended:?}");
        assert_eq!(sim.passwords(), 1, "{engine:?}: {}", sim.seen());
    }
}

#[test]
fn firefox_sends_a_password_once_when_its_connection_breaks() {
    resets(engines::FIREFOX);
}

#[test]
fn chromedriver_s_chrome_sends_a_password_once_when_its_connection_breaks() {
    resets(engines::CHROMEDRIVER);
}

#[test]
fn geckodriver_s_firefox_sends_a_password_once_when_its_connection_breaks() {
    resets(engines::GECKODRIVER);
}
