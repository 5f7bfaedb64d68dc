//! However a login ends, and whoever is killed in the middle of it: no process of it lives on, and nothing of it lies anywhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/family.rs"]
mod family;
#[path = "support/held.rs"]
mod held;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Mutex;

use family::Kin;
use held::Held;
use rustix::process::Signal;
use scanner::Scanner;
use serde_json::json;
use support::{Home, engines};

/// How a login in the middle is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The code is answered, and all goes well.
    Well,
    /// The code is answered with an error that nobody knows.
    Badly,
    Interrupt,
    KillFirstbell,
    KillBrowser,
    /// The process that keeps a cage, from within and from without.
    KillWarden,
    KillDoor,
    /// chromedriver or geckodriver.
    KillServer,
    /// All at once: nobody is left who could clean up.
    KillAll,
}

impl End {
    /// Whom it kills, among the processes of a login.
    fn victims(self, family: &[Kin]) -> Vec<&Kin> {
        let server =
            |kin: &Kin| ["chromedriver", "geckodriver"].iter().any(|name| program(kin).ends_with(name));
        let browser = |kin: &Kin| {
            let child = kin.arguments.contains("--type=") || kin.arguments.contains("-contentproc");
            let named = ["chromium", "headless-shell", "firefox-esr", "firefox"];
            !child && named.iter().any(|name| program(kin).ends_with(name))
        };
        let victims = family.iter().filter(|kin| match self {
            End::KillBrowser => browser(kin),
            End::KillWarden => kin.arguments.contains(" cage inside"),
            End::KillDoor => kin.arguments.contains(" cage enter"),
            End::KillServer => server(kin),
            _ => false,
        });
        victims.collect()
    }
}

fn program(kin: &Kin) -> &str {
    kin.arguments.split(' ').next().unwrap_or_default()
}

/// One test for each browser engine. Several ends at a time: most of a login is waiting.
macro_rules! endings {
    ($($name:ident: $number:expr, [$($end:ident),*]);* $(;)?) => {$(
        mod $name {
            #[test]
            fn nothing_is_left_however_it_ends() {
                super::all_end($number, vec![$(super::End::$end),*]);
            }
        }
    )*};
}

endings!(
    headless_shell: 0, [Well, Badly, Interrupt, KillFirstbell, KillBrowser, KillAll];
    full_chrome: 1, [Well, Badly, Interrupt, KillFirstbell, KillBrowser, KillAll];
    firefox: 2, [Well, Badly, Interrupt, KillFirstbell, KillBrowser, KillWarden, KillDoor, KillAll];
    chromedriver: 3, [Well, Badly, Interrupt, KillFirstbell, KillBrowser, KillWarden, KillDoor, KillServer, KillAll];
    geckodriver: 4, [Well, Badly, Interrupt, KillFirstbell, KillBrowser, KillWarden, KillDoor, KillServer, KillAll];
);

fn all_end(number: usize, ends: Vec<End>) {
    let ends = Mutex::new(ends);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(end) = { ends.lock().unwrap().pop() } {
                    one_ends(number, end);
                }
            });
        }
    });
}

fn one_ends(number: usize, end: End) {
    let (name, lines) = engines::every_browser().swap_remove(number);
    let what = format!("{name}, {end:?}");
    let mut held = Held::begin(&lines);
    match end {
        End::Well | End::Badly => held.sim.no_faults(),
        End::Interrupt => held.itself().signal(Signal::INT),
        End::KillFirstbell => held.itself().signal(Signal::KILL),
        End::KillAll => {
            let all = [vec![held.itself()], held.family.clone()].concat();
            all.iter().for_each(|kin| kin.signal(Signal::STOP));
            all.iter().for_each(|kin| kin.signal(Signal::KILL));
        }
        _ => {
            let victims = end.victims(&held.family);
            assert!(!victims.is_empty(), "{what}: nobody to kill among {:#?}", held.family);
            victims.iter().for_each(|victim| victim.signal(Signal::KILL));
        }
    }
    // A login that goes on gets its answer; one that is ending must not need it.
    if matches!(end, End::Well | End::Badly | End::KillDoor) {
        if end == End::Badly {
            held.sim.fault(&json!({ "at": "finish", "do": "unknown-page" }));
        }
        held.sim.post("/release", &json!({}));
    }
    let status = held.firstbell.wait().unwrap();
    let is_killed = matches!(end, End::KillFirstbell | End::KillAll);
    assert_eq!(status.signal(), is_killed.then_some(9), "{what}");
    match end {
        End::Well => assert!(status.success(), "{what}"),
        End::KillDoor => {}
        _ => assert!(!status.success(), "{what}"),
    }
    family::gone(&what, &held.family, &held.folder);
    if end == End::KillAll {
        assert!(held.folder.join("home").is_dir(), "{what}: there is nothing to look through");
        let finds = scanner(&held).search_tree(&held.folder);
        assert!(finds.is_empty(), "{what}: {finds:#?}");
    }
    if is_killed {
        the_next_start_sweeps(&held, &lines);
    }
    assert!(!held.folder.exists(), "{what}: {} is left", held.folder.display());
    nothing_lies_about(&what, &held.home);
}

/// What was typed, and all that the site handed out.
fn scanner(held: &Held) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.add("password", &held.sim.account.password);
    scanner.add_seed("seed", &held.sim.account.totp_seed);
    scanner.add("what the login was given", &held.mark);
    scanner
}

/// Any next start of an engine does, also one that fails at once.
fn the_next_start_sweeps(held: &Held, lines: &str) {
    held.sim.fault(&json!({ "at": "login-page", "do": "status", "status": 503 }));
    let home = Home::new(&held.sim);
    let config = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{lines}{config}")).unwrap();
    assert_eq!(home.run(&["login"]).code, 5);
}

/// A home holds what its owner put there and firstbell's own state, and the folder for temporary files holds nothing.
fn nothing_lies_about(what: &str, home: &Home) {
    let names = |folder: &Path| -> BTreeSet<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(names(&home.dir.path().join("temp")), BTreeSet::new(), "{what}");
    let expected = ["config.toml", "state", "state.mark", "state.mark.lock", "temp"].map(str::to_owned);
    assert_eq!(names(home.dir.path()), BTreeSet::from(expected), "{what}");
}
