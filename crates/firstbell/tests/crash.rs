//! The n-th call that changes a file fails or is the last one, for every n of a login, a first start and a healing: the old
//! or the new token is readable, what was spent is remembered, and the history is whole.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/failing.rs"]
mod failing;
#[path = "support/folders.rs"]
mod folders;
mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use failing::{EIO, ENOSPC, Failing, HOWS, How};
use firstbell::stores;
use firstbell_core::broker::App;
use firstbell_core::budget::Cause;
use firstbell_core::event::Event;
use serde_json::json;
use support::{Account, Ended, Home, Sim, ended};
use tempfile::TempDir;

/// A step and a bit: a second login in a row needs not wait for a fresh code.
const STEP_S: u64 = 35;
const LOGIN: [&str; 4] = ["login", "--driver", "http", "--json"];
const SET: [&str; 3] = ["secrets", "set", "password"];
const DAMAGE: &[u8] = &[0x55; 8192];

/// In memory where the machine has such a place: the calls are the same, and thousands of syncs cost nothing.
fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("fb-test-").tempdir_in(parent).unwrap()
}

/// One way to fail: a fault for each run.
type Point = Vec<Fault>;
/// The call at which it happens, 0 for never, and what.
type Fault = (u64, How);
const NONE: Fault = (0, How::Dies);

/// A simulator, and a home whose store has a proven token, to be copied for each point.
struct World<'a> {
    failing: &'a Failing,
    sim: Sim,
    home: Home,
    prepared: TempDir,
    old: String,
}

impl World<'_> {
    fn new(failing: &Failing) -> World<'_> {
        let sim = Sim::start_with(Account::new(), &[]);
        sim.settings(&json!({ "second_session": "keep_both", "totp_reuse": true }));
        let (home, prepared) = (Home { dir: folder() }, folder());
        home.configure(&sim, "");
        home.store_secrets(&sim.account);
        let login = home.login("http");
        assert_eq!(login.code, 0, "{login:?}");
        let old = home.token().unwrap()["access_token"].as_str().unwrap().to_owned();
        folders::copy_state(&home.state(), &prepared.path().join("state"));
        World { failing, sim, home, prepared, old }
    }

    fn start_over(&self) {
        let _ = fs::remove_dir_all(self.home.state());
        folders::copy_state(&self.prepared.path().join("state"), &self.home.state());
    }

    /// Runs a command some time steps later, on a disk that fails; says whether it did, and how many calls there were.
    fn run(&self, arguments: &[&str], steps: u64, (at, how): Fault) -> (Ended, bool, Option<u64>) {
        let mut command = self.home.command(arguments);
        let (state, ahead_s) = (self.home.state(), steps * STEP_S);
        self.failing.arm(&mut command, &state, at, how).env("FAIL_CLOCK_S", ahead_s.to_string());
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // For secrets; one that died reads nothing.
        let _ = child.stdin.take().unwrap().write_all(self.sim.account.password.as_bytes());
        let ended = ended(child.wait_with_output().unwrap());
        let (fired, calls) = failing::happened(&state);
        (ended, fired, calls)
    }

    /// Moves the simulator's clock.
    fn at_step(&self, step: u64) {
        #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
        let now = jiff::Timestamp::now();
        let moment = now + jiff::SignedDuration::from_secs(i64::try_from(step * STEP_S).unwrap());
        self.sim.post("/clock", &json!({ "set": moment.to_string() }));
    }

    fn user(&self) -> String {
        let account = &self.sim.account;
        let (api_key, user_id) = (account.api_key.clone(), account.user_id.clone());
        App { api_key, user_id, redirect: self.sim.redirect.parse().unwrap() }.user()
    }

    /// Intents of password and code, and exchanges, that the history holds. It is whole, and nothing was restored.
    fn begun(&self) -> [u64; 3] {
        let (stores, user) = (stores::open(&self.home.state()).unwrap(), self.user());
        let found = stores.store().verify(&user).unwrap();
        assert_eq!(found.flaw, None);
        let history = stores.store().history(&user).unwrap();
        let count = |is: fn(&Event) -> bool| history.iter().filter(|(_, event)| is(event)).count() as u64;
        assert_eq!(count(|event| *event == Event::Restored), 0, "a crash is no restored backup");
        [
            count(|event| matches!(event, Event::Intent { cause: Cause::Password, .. })),
            count(|event| matches!(event, Event::Intent { cause: Cause::Code, .. })),
            count(|event| *event == Event::Exchanging),
        ]
    }

    fn received(&self) -> [u64; 3] {
        let seen = self.sim.seen();
        let exchanges = seen["exchanges"].as_array().unwrap().len() as u64;
        let count = |key: &str| seen[key].as_u64().unwrap();
        [count("password_submissions"), count("code_submissions"), exchanges]
    }

    /// The token that is served, proven to work: its generation.
    fn served(&self, steps: u64) -> u64 {
        let (ended, ..) = self.run(&["token", "--json"], steps, NONE);
        assert_eq!(ended.code, 0, "no token: {ended:?}");
        let (token, generation) = (ended.json(), ended.json()["generation"].as_u64().unwrap());
        assert_eq!(token["access_token"] == self.old.as_str(), generation == 1, "{generation}");
        let head = format!(
            "Authorization: token {}:{}\r\n",
            self.sim.account.api_key,
            token["access_token"].as_str().unwrap()
        );
        assert_eq!(support::request_with("GET", &self.sim.api, "/user/profile", None, &head).0, 200);
        generation
    }

    /// Everything that left is in the history, which is whole.
    fn nothing_is_forgotten(&self, before: ([u64; 3], [u64; 3])) {
        let (begun, received) = (self.begun(), self.received());
        for i in 0..3 {
            assert!(
                received[i] - before.1[i] <= begun[i] - before.0[i],
                "{received:?} {begun:?} since {before:?}"
            );
        }
    }

    /// Faulty logins in a row, then one without a fault.
    fn login_survives(&self, point: &Point) -> usize {
        self.start_over();
        let (mut fired, mut generation) = (0, 1);
        let before = (self.begun(), self.received());
        for (step, fault) in (1..).zip(point) {
            self.at_step(step);
            let (ended, happened, _) = self.run(&LOGIN, step, *fault);
            fired += usize::from(happened);
            let served = self.served(step);
            assert!(served >= generation, "a token was lost");
            // What was acknowledged is there.
            assert!(ended.code != 0 || served > generation, "{ended:?}");
            assert!(ended.code == 0 || ended.code == -1 || ended.code == 7, "{ended:?}");
            generation = served;
            self.nothing_is_forgotten(before);
        }
        let step = point.len() as u64 + 1;
        self.at_step(step);
        let (ended, ..) = self.run(&LOGIN, step, NONE);
        // Two passwords without an answer in a row are not followed by a third.
        let spent = point.len() > 1 && ended.code == 3;
        assert!(ended.code == 0 || spent, "{ended:?}");
        assert!(spent || self.served(step) > generation);
        self.nothing_is_forgotten(before);
        // The program itself says so too.
        let (ended, ..) = self.run(&["history", "--verify"], 0, NONE);
        assert_eq!(ended.code, 0, "{ended:?}");
        fired
    }

    /// The first start on a machine, then again without a fault, and a login.
    fn first_start_survives(&self, point: &Point) -> usize {
        let _ = fs::remove_dir_all(self.home.state());
        let _ = fs::remove_file(self.home.state().with_extension("mark"));
        let (ended, fired, _) = self.run(&SET, 1, point[0]);
        let said = ended.code == 0;
        assert!(said || ended.code == -1 || ended.code == 7, "{ended:?}");
        if said {
            let listed = self.run(&["secrets", "list", "--json"], 1, NONE).0.json();
            assert!(
                listed.to_string().contains("\"present\":true"),
                "what was acknowledged is there: {listed}"
            );
        }
        self.home.store_secrets(&self.sim.account);
        self.at_step(1);
        let (ended, ..) = self.run(&LOGIN, 1, NONE);
        assert_eq!(ended.code, 0, "{ended:?}");
        self.begun();
        usize::from(fired)
    }

    /// A store that was damaged is being replaced by its previous generation.
    fn healing_survives(&self, point: &Point) -> usize {
        self.start_over();
        self.damage();
        self.at_step(1);
        let (ended, fired, _) = self.run(&["token", "--json"], 1, point[0]);
        assert!(ended.code == 0 || ended.code == -1 || ended.code == 7, "{ended:?}");
        assert_eq!(self.served(1), 1);
        let aside = fs::read_dir(self.home.state()).unwrap().flatten().map(|entry| entry.path());
        let aside = aside.filter(|path| fs::read(path).is_ok_and(|bytes| bytes == DAMAGE)).count();
        assert_eq!(aside, 1, "the damaged file is never lost");
        let (ended, ..) = self.run(&LOGIN, 1, NONE);
        assert_eq!(ended.code, 0, "{ended:?}");
        self.begun();
        usize::from(fired)
    }

    fn damage(&self) {
        fs::write(self.home.state().join("store.db"), DAMAGE).unwrap();
    }

    /// How many calls a faultless run makes.
    fn calls(&self, arguments: &[&str], step: u64) -> u64 {
        self.at_step(step);
        let (ended, fired, calls) = self.run(arguments, step, NONE);
        assert!(ended.code == 0 && !fired, "{ended:?}");
        calls.expect("the count is written at a regular end")
    }
}

/// Tries each point in a world of one of several threads; the faults that happened.
fn try_all(
    failing: &Failing,
    points: &[Point],
    survives: impl Fn(&World<'_>, &Point) -> usize + Sync,
) -> usize {
    let (next, fired) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8) + 1 {
            scope.spawn(|| {
                let world = World::new(failing);
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = std::panic::AssertUnwindSafe(|| survives(&world, point));
                    match std::panic::catch_unwind(tried) {
                        Ok(happened) => fired.fetch_add(happened, Ordering::Relaxed),
                        Err(_) => panic!("at {point:?}"),
                    };
                }
            });
        }
    });
    fired.into_inner()
}

fn every(calls: u64) -> Vec<Point> {
    HOWS.iter().flat_map(|how| (1..=calls).map(|n| vec![(n, *how)])).collect()
}

#[test]
fn a_login_survives_every_fault_at_every_call() {
    let failing = Failing::build();
    let calls = World::new(&failing).calls(&LOGIN, 1);
    assert!(calls > 100, "the shim sees what the store does: {calls}");
    let points = every(calls);
    let fired = try_all(&failing, &points, |world, point| world.login_survives(point));
    assert_eq!(fired, points.len(), "each fault happened, once");
}

/// Every call is the last one; then the next login meets another fault. Two for each call: at call `7n + 31k` of the next
/// login, counted around, k from 0, so that both spread over all calls; each kind of fault in turn.
#[test]
fn a_login_survives_a_fault_while_it_recovers_from_another() {
    let failing = Failing::build();
    let calls = World::new(&failing).calls(&LOGIN, 1);
    let kinds = [How::Dies, How::Tears, How::Once(EIO), How::FromThenOn(ENOSPC)];
    let kind = |n: u64, k: u64| kinds[usize::try_from(n + 2 * k).unwrap() % kinds.len()];
    let second = |n: u64| [0, 1].map(|k| vec![(n, How::Dies), ((n * 7 + k * 31) % calls + 1, kind(n, k))]);
    let points: Vec<Point> = (1..=calls).flat_map(second).collect();
    let fired = try_all(&failing, &points, |world, point| world.login_survives(point));
    // A login that only has to prove what another one was given makes fewer calls, and may not come to the second fault.
    assert!(fired > points.len() * 7 / 4, "{fired} of {} faults happened", points.len() * 2);
}

#[test]
fn a_first_start_survives_every_fault_at_every_call() {
    let failing = Failing::build();
    let world = World::new(&failing);
    fs::remove_dir_all(world.home.state()).unwrap();
    let points = every(world.calls(&SET, 0));
    let fired = try_all(&failing, &points, |world, point| world.first_start_survives(point));
    assert_eq!(fired, points.len(), "each fault happened, once");
}

#[test]
fn the_healing_of_a_store_survives_every_fault_at_every_call() {
    let failing = Failing::build();
    let world = World::new(&failing);
    world.damage();
    let points = every(world.calls(&["token", "--json"], 0));
    let fired = try_all(&failing, &points, |world, point| world.healing_survives(point));
    assert_eq!(fired, points.len(), "each fault happened, once");
}

/// A program that writes in place loses both the old and the new content somewhere: this disk shows it.
#[test]
fn a_careless_program_is_caught() {
    let (failing, folder) = (Failing::build(), folder());
    let (state, new) = (folder.path().join("state"), folder.path().join("new"));
    fs::write(&new, "new").unwrap();
    let lost = |n: u64, how| {
        fs::write(&state, "old").unwrap();
        let mut dd = Command::new("dd");
        dd.arg(format!("if={}", new.display())).arg(format!("of={}", state.display()));
        failing.arm(&mut dd, &state, n, how).output().unwrap();
        let (fired, calls) = failing::happened(&state);
        assert_eq!(fired, n > 0);
        (!["old", "new"].contains(&fs::read_to_string(&state).unwrap().as_str()), calls)
    };
    let (whole, calls) = lost(0, How::Dies);
    assert!(!whole && calls.is_some_and(|calls| calls >= 2), "{calls:?}");
    for how in [How::Dies, How::Tears, How::FromThenOn(EIO)] {
        assert!((1..=calls.unwrap()).any(|n| lost(n, how).0), "{how:?}");
    }
}
