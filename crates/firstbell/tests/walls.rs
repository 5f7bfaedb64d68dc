//! Machines that give a browser no walls: an engine is refused there before any secret leaves, unless the owner accepts by name
//! what can be accepted. Runs as root and as anybody else alike, and fails where the machine cannot show it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/machine.rs"]
mod machine;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use machine::{run_without, unconfined};
use support::engines::{self, CHROMEDRIVER, FIREFOX, GECKODRIVER};
use support::{Ended, Home, Sim};

/// A kind of namespace that a cage is made of and no browser's own sandbox is.
const CAGE: &[&str] = &["mnt"];
/// What every sandbox and every cage begins with.
const ALL: &[&str] = &["user"];
const ACCEPT: &str = "accept = [\"open-control-port\"]\n";
const FULL: &str = "driver = \"chrome\"\n[browser]\nbinary = \"/usr/lib/chromium/chromium\"\n";

fn home(sim: &Sim, lines: &str) -> Home {
    let home = Home::new(sim);
    home.prepend(lines);
    home
}

/// Logs in where the kernel makes no namespaces of these kinds.
fn login(sim: &Sim, kinds: &[&str], lines: &str) -> Ended {
    let home = home(sim, lines);
    run_without(kinds, home.command(&["login"]).env("FIRSTBELL_LOG", "warn"))
}

/// Refused as a broken part of this machine, with what to do, and before anything was spent.
fn is_refused(sim: &Sim, ended: &Ended, lines: &str, says: &[&str]) {
    assert_eq!(ended.code, 7, "{lines}: {ended:?}");
    for text in says {
        assert!(ended.stderr.contains(text), "{lines}: {text}: {ended:?}");
    }
    let seen = sim.seen();
    assert_eq!((sim.passwords(), sim.codes()), (0, 0), "{lines}: {seen}");
    assert!(!seen.to_string().contains(&sim.account.password), "{lines}");
}

/// One test for each engine with a control port.
macro_rules! ports {
    ($($name:ident: $engine:expr),*) => {$(
        mod $name {
            #[test]
            fn without_a_cage_it_is_refused_until_the_owner_accepts_the_open_port() {
                super::refused_until_accepted(&super::engines::lines($engine));
            }
        }
    )*};
}

ports!(firefox: super::FIREFOX, chromedriver: super::CHROMEDRIVER, geckodriver: super::GECKODRIVER);

fn refused_until_accepted(lines: &str) {
    let sim = Sim::start();
    let ended = login(&sim, CAGE, lines);
    let remedy = [
        "through which any local user could use the browser",
        "gives no namespaces to shut it in",
        "kernel.unprivileged_userns_clone=1",
        "--driver chrome",
        ACCEPT.trim(),
    ];
    is_refused(&sim, &ended, lines, &remedy);
    assert!(!ended.stderr.contains("opening the login page"), "{lines}: {ended:?}");

    let accepted = format!("{ACCEPT}{lines}");
    let ended = login(&sim, CAGE, &accepted);
    assert_eq!(ended.code, 0, "{lines}: {ended:?}");
    assert!(ended.stderr.contains("control port is open to this machine's users"), "{lines}: {ended:?}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1), "{lines}");
}

#[test]
fn what_is_accepted_is_not_used_where_the_cage_can_be_built() {
    let sim = Sim::start();
    let ended = login(&sim, &[], &format!("{ACCEPT}{}", engines::lines(FIREFOX)));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.stderr.contains("control port is open"), "{ended:?}");
}

#[test]
fn chrome_needs_no_cage() {
    let sim = Sim::start();
    let ended = login(&sim, CAGE, "driver = \"chrome\"\n");
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_browser_that_finds_no_sandbox_is_refused_whatever_is_accepted() {
    let sim = Sim::start();
    let chromedriver = engines::lines(CHROMEDRIVER);
    for lines in ["driver = \"chrome\"\n", FULL, &chromedriver] {
        let lines = format!("{ACCEPT}{lines}");
        let ended = login(&sim, ALL, &lines);
        is_refused(&sim, &ended, &lines, &["sandbox is off", "unprivileged user namespaces"]);
    }
}

#[test]
fn no_engine_with_a_port_starts_where_there_is_no_user_namespace() {
    let sim = Sim::start();
    for engine in [FIREFOX, CHROMEDRIVER, GECKODRIVER] {
        let lines = engines::lines(engine);
        let ended = login(&sim, ALL, &lines);
        is_refused(&sim, &ended, &lines, &["gives no namespaces to shut it in", ACCEPT.trim()]);
    }
}

/// The page comes up; it is the look at the process that shows it which stops the login.
#[test]
fn a_page_outside_of_a_sandbox_is_not_typed_into() {
    let chrome = "/usr/lib/chromium/chromium-headless-shell";
    let firefox = "/usr/lib/firefox-esr/firefox-esr";
    let (chrome_off, firefox_off) = ((Some("--no-sandbox"), "UNUSED"), (None, "MOZ_DISABLE_CONTENT_SANDBOX"));
    for (engine, table, real, off) in [
        (engines::CHROME, "[browser]", chrome, chrome_off),
        (CHROMEDRIVER, "", "/usr/lib/chromium/chromium", chrome_off),
        (FIREFOX, "[firefox]", firefox, firefox_off),
        (GECKODRIVER, "", firefox, firefox_off),
    ] {
        let folder = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let binary = unconfined(folder.path(), real, off);
        let lines = format!("{}{table}\nbinary = \"{}\"\n", engines::lines(engine), binary.display());
        let sim = Sim::start();
        let ended = home(&sim, &lines).run(&["login"]);
        is_refused(&sim, &ended, &lines, &["sandbox is off on this system", "types no password without it"]);
        let opened = sim.seen().to_string();
        assert!(opened.contains("login"), "{lines}: the page was never opened: {opened}");
    }
}
