//! Kill -9 at any moment: the old or the new token is readable and works, the spent attempt is remembered, and no
//! browser outlives its firstbell.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/folders.rs"]
mod folders;
#[path = "support/processes.rs"]
mod processes;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use firstbell::clock::MachineClock;
use firstbell::ports::{Clock, TokenChange};
use firstbell::stores;
use firstbell_core::broker::App;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::Cause;
use firstbell_core::event::Event;
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::{DRIVERS, Home, Sim};

/// Where a request can be held, and what is left of the tries for password and code after a kill there. At `finish`
/// the code was accepted, but that goes down with the next write: a kill in between makes us more careful, never less.
const PLACES: [(&str, [u64; 2]); 6] = [
    ("login-page", [2, 2]),
    ("login", [1, 2]),
    ("twofa", [2, 1]),
    ("finish", [2, 1]),
    ("exchange", [2, 2]),
    ("profile", [2, 2]),
];
/// For what must happen soon: long enough for a machine that does much else.
const SOON: Duration = Duration::from_secs(20);

/// A simulator, and a home that has a token already and has submitted no code yet: no login waits for the next one.
struct Morning {
    sim: Sim,
    prepared: Home,
    old: String,
}

impl Morning {
    fn begin() -> Morning {
        let sim = Sim::start();
        // The old token must live on, and each home uses the codes of the same moments.
        sim.settings(&json!({ "second_session": "keep_both", "totp_reuse": true }));
        let (first, prepared) = (Home::new(&sim), Home::new(&sim));
        let login = first.login(DRIVERS[1]);
        assert_eq!(login.code, 0, "{login:?}");
        let old = text(&first.token().unwrap(), "access_token");
        keep(&sim, &prepared.state(), &old);
        Morning { sim, prepared, old }
    }

    /// A home as it was prepared, with a sink that holds the old token.
    fn home(&self) -> Home {
        let home = Home::bare(&self.sim);
        let sink = home.dir.path().join("token.json");
        let more = "[[account.main.sink]]\nkind = \"file\"\nformat = \"json\"";
        home.configure(&self.sim, &format!("{more}\npath = '{}'", sink.display()));
        std::fs::write(sink, json!({ "access_token": self.old }).to_string()).unwrap();
        folders::copy_state(&self.prepared.state(), &home.state());
        home
    }

    /// Whether the simulator takes the token.
    fn works(&self, access_token: &str) -> bool {
        let head = format!("Authorization: token {}:{access_token}\r\n", self.sim.account.api_key);
        support::request_with("GET", &self.sim.api, "/user/profile", None, &head).0 == 200
    }

    /// The old token or the new one is served, and works; whether it is the new one.
    fn has_new_token(&self, home: &Home) -> bool {
        let token = home.token().unwrap_or_else(|| panic!("no token: {:?}", home.run(&["token"])));
        let (access_token, new) = (text(&token, "access_token"), token["generation"] == 2);
        assert_eq!(access_token != self.old, new, "{}", token["generation"]);
        assert!(self.works(&access_token));
        let sink = std::fs::read(home.dir.path().join("token.json")).unwrap();
        let sink: Value = serde_json::from_slice(&sink).expect("the sink's file is whole");
        assert!([&self.old, &access_token].contains(&&text(&sink, "access_token")));
        new
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

/// The name under which a store keeps what belongs to the simulator's user.
fn user(sim: &Sim) -> String {
    let (api_key, user_id) = (sim.account.api_key.clone(), sim.account.user_id.clone());
    App { api_key, user_id, redirect: sim.redirect.parse().unwrap() }.user()
}

/// Puts a proven token into a store, as a login does, but without the intents of one.
fn keep(sim: &Sim, state: &Path, access_token: &str) {
    let (stores, now) = (stores::open(state).unwrap(), MachineClock::start().now());
    let access = Access::parse(Secret::new(access_token.to_owned())).unwrap();
    let life = Life::of(now, Kite::live().ground().flush);
    let token = Token { access, api_key: sim.account.api_key.clone(), generation: 1, life };
    let record = |event, change| stores.store().record(&user(sim), &[(now, event)], change).unwrap();
    record(Event::Issued { generation: 1 }, TokenChange::Pend(&token));
    record(Event::Proven { generation: 1 }, TokenChange::Promote);
}

/// What the history of a home says was begun: intents of the password, of a code, and exchanges.
fn begun(sim: &Sim, home: &Home) -> [u64; 3] {
    let history = stores::open(&home.state()).unwrap().store().history(&user(sim)).unwrap();
    let mut begun = [0; 3];
    for (_, event) in history {
        match event {
            Event::Intent { cause: Cause::Password, .. } => begun[0] += 1,
            Event::Intent { cause: Cause::Code, .. } => begun[1] += 1,
            Event::Exchanging => begun[2] += 1,
            _ => {}
        }
    }
    begun
}

/// What the simulator received of the same.
fn received(sim: &Sim) -> [u64; 3] {
    let seen = sim.seen();
    let exchanges = seen["exchanges"].as_array().unwrap().len() as u64;
    [seen["password_submissions"].as_u64().unwrap(), seen["code_submissions"].as_u64().unwrap(), exchanges]
}

fn since(now: [u64; 3], before: [u64; 3]) -> [u64; 3] {
    std::array::from_fn(|i| now[i] - before[i])
}

fn tries_left(home: &Home) -> [u64; 2] {
    let left = &home.status()["tries_left"];
    ["password", "code"].map(|key| left[key].as_u64().unwrap())
}

fn start(home: &Home, driver: &str) -> Child {
    let mut login: Command = home.command(&["login", "--driver", driver]);
    login.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills firstbell alone, and sees that the browser in this folder goes too.
fn kill(mut firstbell: Child, folder: Option<&PathBuf>) {
    firstbell.kill().unwrap();
    firstbell.wait().unwrap();
    folder.into_iter().for_each(|folder| gone(folder));
}

/// Waits until no process names this folder.
fn gone(folder: &Path) {
    let began = now();
    while processes::all().iter().any(|process| process.names(folder)) {
        assert!(began.elapsed() < SOON, "a process still lives in {}", folder.display());
    }
}

#[expect(clippy::disallowed_methods, reason = "measures, and ends a wait that would have no end")]
fn now() -> Instant {
    Instant::now()
}

/// Kills firstbell while a request of it is held there.
fn kill_held(morning: &Morning, home: &Home, driver: &str, at: (&str, &str)) -> Option<PathBuf> {
    let sim = &morning.sim;
    sim.fault(&json!({ "at": at.0, "do": "hold", "when": at.1 }));
    let firstbell = start(home, driver);
    sim.wait_held(at.0);
    let folder = processes::browser_folder_of(firstbell.id());
    kill(firstbell, folder.as_ref());
    sim.no_faults();
    sim.post("/release", &json!({}));
    folder
}

fn held_anywhere(driver: &str) {
    let morning = Morning::begin();
    let mut swept = Vec::new();
    for (place, left) in PLACES {
        for when in ["before", "after"] {
            let (home, before) = (morning.home(), received(&morning.sim));
            let folder = kill_held(&morning, &home, driver, (place, when));
            let reached = PLACES.iter().position(|(name, _)| *name == place).unwrap();
            // From the exchange on the browser is being closed, and may be gone already.
            assert!(folder.is_some() || driver == DRIVERS[1] || reached > 3, "{place}, {when}");
            swept.extend(folder);
            assert_eq!(tries_left(&home), left, "{place}, {when}");
            let new = since(received(&morning.sim), before);
            let spent = begun(&morning.sim, &home);
            assert!(
                new.iter().zip(spent).all(|(new, spent)| *new <= spent && spent <= 1),
                "{new:?} {spent:?}"
            );
            assert_eq!(new, [reached > 0, reached > 1, reached > 3].map(u64::from), "{place}, {when}");
            assert!(!morning.has_new_token(&home), "{place}, {when}");
            if place == "profile" {
                the_pending_token_is_proven(&morning, &home, driver);
            }
        }
    }
    the_next_start_sweeps(&morning, driver, &swept);
}

/// Any next start of a browser does, also one that fails at once.
fn the_next_start_sweeps(morning: &Morning, driver: &str, folders: &[PathBuf]) {
    morning.sim.fault(&json!({ "at": "login-page", "do": "status", "status": 503 }));
    assert_eq!(morning.home().login(driver).code, 5);
    let left: Vec<_> = folders.iter().filter(|folder| folder.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The next login needs no credential for a token that was stored before the kill.
fn the_pending_token_is_proven(morning: &Morning, home: &Home, driver: &str) {
    let before = received(&morning.sim);
    assert_eq!(home.status()["pending"], true);
    assert_eq!(home.login(driver).code, 0);
    assert_eq!(received(&morning.sim), before);
    assert!(morning.has_new_token(home));
}

fn twice_at_the_password(driver: &str) {
    let morning = Morning::begin();
    let (home, before) = (morning.home(), received(&morning.sim));
    for (when, left) in [("before", 1), ("after", 0)] {
        kill_held(&morning, &home, driver, ("login", when));
        assert_eq!(tries_left(&home), [left, 2]);
    }
    assert_eq!(home.login(driver).json()["failure"], "stopped");
    assert_eq!(since(received(&morning.sim), before), [2, 0, 0]);
    assert!(!morning.has_new_token(&home));
    assert_eq!(home.run(&["unlock"]).code, 0);
    assert_eq!(home.login(driver).code, 0);
    assert!(morning.has_new_token(&home));
}

/// Processes that stand still until this is dropped, so that none stands for ever.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn all_of(folder: &Path) -> Stopped {
        let all = processes::all().into_iter().filter(|process| process.names(folder));
        let ids = all.filter_map(|process| Pid::from_raw(process.id.try_into().unwrap()));
        // Some end by themselves in between.
        let stopped: Vec<Pid> = ids.filter(|id| kill_process(*id, Signal::STOP).is_ok()).collect();
        assert!(!stopped.is_empty());
        Stopped(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for id in &self.0 {
            let _ = kill_process(*id, Signal::CONT);
        }
    }
}

/// A browser that hangs at its own start lives on when its firstbell is killed, while the next start sweeps. Then it
/// makes its folder anew before it sees that it is alone; the start after that one sweeps again.
#[test]
fn a_browser_that_dies_late_leaves_nothing() {
    let morning = Morning::begin();
    let home = morning.home();
    let firstbell = start(&home, DRIVERS[0]);
    let (began, mut found) = (now(), None);
    while !found.as_ref().is_some_and(|folder: &PathBuf| folder.join("profile/Default").exists()) {
        assert!(began.elapsed() < SOON, "no browser was started");
        found = found.or_else(|| processes::browser_folder_of(firstbell.id()));
    }
    let folder = found.unwrap();
    let stopped = Stopped::all_of(&folder);
    kill(firstbell, None);
    the_next_start_sweeps(&morning, DRIVERS[0], &[]);
    drop(stopped);
    gone(&folder);
    the_next_start_sweeps(&morning, DRIVERS[0], &[folder]);
}

/// Kills a login after this time; the time is what is tried here, nothing is waited for.
fn kill_after(home: &Home, driver: &str, time: Duration) -> Option<PathBuf> {
    let firstbell = start(home, driver);
    let (_silent, nothing) = channel::<()>();
    let _ = nothing.recv_timeout(time);
    // Looking for a browser takes time, in which a login without one would get on.
    let folder = (driver == DRIVERS[0]).then(|| processes::browser_folder_of(firstbell.id())).flatten();
    kill(firstbell, folder.as_ref());
    folder
}

fn at_any_moment(driver: &str) {
    let morning = Morning::begin();
    let mut durations = [(); 3].map(|()| {
        let (home, began) = (morning.home(), now());
        assert!(start(&home, driver).wait().unwrap().success());
        began.elapsed()
    });
    // The middle one: one of them may have waited for the next time step.
    durations.sort();
    let (duration, kills) = (durations[1], if driver == DRIVERS[0] { 20 } else { 60 });
    let (mut spent_at, mut swept) = (Vec::new(), Vec::new());
    for k in 0..=kills {
        let (home, before) = (morning.home(), received(&morning.sim));
        swept.extend(kill_after(&home, driver, duration * k / kills));
        let new_token = morning.has_new_token(&home);
        let (spent, left) = (begun(&morning.sim, &home), tries_left(&home));
        let new = since(received(&morning.sim), before);
        assert!(new.iter().zip(spent).all(|(new, spent)| *new <= spent && spent <= 1), "{new:?} {spent:?}");
        let expected = match spent {
            _ if new_token => [2, 2],
            [1, 0, 0] => [1, 2],
            [1, 1, 0] => [2, 1],
            _ => [2, 2],
        };
        assert_eq!(left, expected, "{spent:?}");
        spent_at.push(spent);
    }
    assert!(spent_at[0] == [0; 3] && spent_at.iter().any(|s| s[0] == 1), "{duration:?}: {spent_at:?}");
    the_next_start_sweeps(&morning, driver, &swept);
}

/// One test for each driver.
macro_rules! kills {
    ($($name:ident),*) => {
        mod chrome { $(#[test] fn $name() { super::$name(super::DRIVERS[0]); })* }
        mod http { $(#[test] fn $name() { super::$name(super::DRIVERS[1]); })* }
    };
}

kills!(held_anywhere, twice_at_the_password, at_any_moment);
