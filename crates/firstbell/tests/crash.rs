//! The n-th call that changes a file fails or is the last one, for every n of a login, a first start and a healing: the old
//! or the new token is readable, what was spent is remembered, and the history is whole.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/failing.rs"]
mod failing;
#[path = "support/folders.rs"]
mod folders;
mod support;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use failing::{Failing, HOWS, How};
use firstbell::stores;
use firstbell_core::broker::App;
use firstbell_core::budget::Cause;
use firstbell_core::event::Event;
use serde_json::json;
use support::{Account, Ended, Home, Sim, ended};
use tempfile::TempDir;

/// A step and a bit: a second login in a row needs not wait for a fresh code.
const STEP_S: u64 = 35;

/// One way to fail: the calls and what happens there, run by run.
type Point = Vec<(u64, How)>;

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
        let (home, prepared) = (Home::new(&sim), TempDir::with_prefix("fb-test-").unwrap());
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
    fn run(&self, arguments: &[&str], steps: u64, (at, how): (u64, How)) -> (Ended, bool, Option<u64>) {
        let mut command = self.home.command(arguments);
        let (state, ahead_s) = (self.home.state(), steps * STEP_S);
        self.failing.arm(&mut command, &state, at, how).env("FAIL_CLOCK_S", ahead_s.to_string());
        let ended = ended(command.output().unwrap());
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
        let (ended, ..) = self.run(&["token", "--json"], steps, (0, How::Dies));
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

    /// Everything that left is in the history.
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
            let (ended, happened, _) = self.run(&["login", "--driver", "http", "--json"], step, *fault);
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
        let (ended, ..) = self.run(&["login", "--driver", "http", "--json"], step, (0, How::Dies));
        // Two passwords without an answer in a row are not followed by a third.
        let spent = point.len() > 1 && ended.code == 3;
        assert!(ended.code == 0 || spent, "{ended:?}");
        assert!(spent || self.served(step) > generation);
        self.nothing_is_forgotten(before);
        fired
    }

    /// How many calls a faultless run makes.
    fn calls(&self, arguments: &[&str], step: u64) -> u64 {
        self.at_step(step);
        let (ended, fired, calls) = self.run(arguments, step, (0, How::Dies));
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
    let calls = World::new(&failing).calls(&["login", "--driver", "http"], 1);
    assert!(calls > 100, "the shim sees what the store does: {calls}");
    let points = every(calls);
    let fired = try_all(&failing, &points, |world, point| world.login_survives(point));
    assert_eq!(fired, points.len(), "each fault happened, once");
}
