//! The daemon killed with -9 at random instants while the clock leaps through its days: nothing is submitted twice, no token is
//! lost, nothing that was spent is forgotten.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;
#[path = "support/trials.rs"]
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daemon::{Daemon, clock, configure, leap, standing_sim};
use firstbell::stores::{self, Stores};
use firstbell_core::broker::App;
use firstbell_core::budget::Cause;
use firstbell_core::event::Event;
use firstbell_core::state::State;
use firstbell_core::token::Standing;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::{Home, Sim, request_with};
use trials::Chance;

/// How often.
const KILLS: u64 = 1_000;
/// As many daemons with homes of their own as machines have cores at least.
const WORLDS: u64 = 2;
/// Between two looks at the whole history.
const LOOK_EVERY: u64 = 25;

/// One account in a home and a simulator of its own, and what was known of it before.
struct World {
    sim: Sim,
    home: Home,
    user: String,
    chance: Chance,
    history: Vec<(Timestamp, Event)>,
    /// Passwords and codes that arrived, by the simulator's list.
    arrived: Vec<Value>,
    counted: u64,
    /// How much of the log is of earlier processes.
    said: usize,
    in_the_middle: u64,
}

#[expect(clippy::disallowed_methods, reason = "the instant is what is tried, and nothing is waited for")]
fn random_instant(after: Duration) {
    std::thread::sleep(after);
}

impl World {
    fn begin(seed: u64) -> World {
        let sim = standing_sim("2026-01-01T07:00:00+05:30");
        let home = Home::new(&sim);
        let (api_key, user_id) = (sim.account.api_key.clone(), sim.account.user_id.clone());
        let user = App { api_key, user_id, redirect: sim.redirect.parse().unwrap() }.user();
        let (chance, history, arrived) = (Chance(seed), Vec::new(), Vec::new());
        World { sim, home, user, chance, history, arrived, counted: 0, said: 0, in_the_middle: 0 }
    }

    fn kill_once(&mut self) {
        let far = clock(&self.sim, &json!({})) + SignedDuration::from_hours(24 * 300);
        // Few questions, so that logins are much of what there is to be killed in.
        let tables = "[schedule]\nprobe_every_s = 86400\n";
        configure(&self.home, &self.sim, "data = true", &format!("{tables}{}", leap(&self.sim, far)));
        self.home.prepend("keep_days = 4000");
        let mut daemon = Daemon::start(&self.home);
        // Some while it begins, some anywhere in its days, most in a login or right before it: the check is done, and the clock
        // leaps to the login.
        let (wait_for, most_us) = match self.chance.below(6) {
            0 => ("", 40_000),
            1 | 2 => ("keeping 1 of", 120_000),
            _ => ("all that a login needs is there", 30_000),
        };
        let from = self.said;
        daemon::until(wait_for, || {
            assert!(daemon.lives(), "{}{}", daemon.log(), daemon.errors());
            let log = daemon.log();
            if log[from..].contains(wait_for) { Ok(()) } else { Err(log) }
        });
        random_instant(Duration::from_micros(self.chance.below(most_us)));
        daemon.kill();
        self.said = daemon.log().len();
        assert!(!daemon.errors().contains("internal error"), "{}", daemon.errors());
    }

    /// What can be read right after a kill.
    fn look(&mut self) {
        let stores = stores::open(&self.home.state()).unwrap();
        assert!(!stores.healed(), "the store was damaged");
        let state = stores.store().state(&self.user).unwrap();
        self.has_its_tokens(&stores, &state);
        if [Cause::Password, Cause::Code].iter().any(|cause| self.is_spent(&state, *cause)) {
            drop(stores);
            // Two logins in a row without an end that anybody knows: the owner looks, and says that all is well.
            let unlock = self.home.run(&["unlock"]);
            assert_eq!(unlock.code, 0, "{unlock:?}");
        }
    }

    fn is_spent(&self, state: &State, cause: Cause) -> bool {
        let any = firstbell_core::budget::Fingerprint(String::new());
        state.budget.left(cause, &any) == 0
    }

    /// The newest proven token is there, and works wherever nothing could have ended it.
    fn has_its_tokens(&self, stores: &Stores, state: &State) {
        let token = stores.store().current(&self.user).unwrap();
        assert_eq!(token.as_ref().map_or(0, |token| token.generation), state.generation, "a token is lost");
        let Some(token) = token else { return };
        let now = clock(&self.sim, &json!({}));
        let sure = state.doubted_from.is_none() && state.died_at.is_none();
        if sure && token.life.standing(now) == Standing::Trusted {
            let access = token.access.secret().expose();
            let head = format!("Authorization: token {}:{access}\r\n", self.sim.account.api_key);
            let (status, _, body) = request_with("GET", &self.sim.api, "/user/profile", None, &head);
            assert_eq!(status, 200, "token {} at {now}: {body}", token.generation);
        }
    }

    /// The whole history: it only grows, and each submission that arrived was paid for by an intent of its own.
    fn look_back(&mut self) {
        let history = stores::open(&self.home.state()).unwrap().store().history(&self.user).unwrap();
        assert!(history.starts_with(&self.history), "the history does not go on from where it was");
        self.history = history;
        let seen = self.sim.seen();
        assert_eq!(
            (&seen["blocked"], &seen["wrong_passwords"], &seen["wrong_codes"]),
            (&json!(false), &json!(0), &json!(0))
        );
        let number = |key: &str| seen[key].as_u64().unwrap();
        let total = number("password_submissions") + number("code_submissions");
        let list = seen["submissions"].as_array().unwrap();
        let new = usize::try_from(total - self.counted).unwrap();
        assert!(new <= list.len(), "more arrived between two looks than the simulator keeps");
        self.arrived.extend_from_slice(&list[list.len() - new..]);
        self.counted = total;
        self.paid_for("password", Cause::Password);
        self.paid_for("code", Cause::Code);
        self.steps_rise();
    }

    fn paid_for(&self, kind: &str, cause: Cause) {
        let mut paid = BTreeMap::<i64, u64>::new();
        for (at, event) in &self.history {
            if matches!(event, Event::Intent { cause: c, .. } if *c == cause) {
                *paid.entry(at.as_millisecond()).or_default() += 1;
            }
        }
        let of_kind = self.arrived.iter().filter(|one| one["kind"] == kind);
        for one in of_kind {
            let at: Timestamp = one["at"].as_str().unwrap().parse().unwrap();
            let left = paid.get_mut(&at.as_millisecond()).filter(|left| **left > 0);
            *left.unwrap_or_else(|| panic!("a {kind} at {at} that no intent of its own paid for")) -= 1;
        }
    }

    fn steps_rise(&self) {
        let mut last = None;
        for (at, event) in &self.history {
            if let Event::Intent { cause: Cause::Code, time_step, .. } = event {
                assert!(*time_step > last, "{at}: {time_step:?} after {last:?}");
                last = *time_step;
            }
        }
        let steps: Vec<i64> = self.arrived.iter().filter_map(|one| one["matched_step"].as_i64()).collect();
        assert_eq!(steps.iter().collect::<BTreeSet<_>>().len(), steps.len(), "a time step was used twice");
    }

    fn play(&mut self, kills: u64) {
        for kill in 1..=kills {
            self.kill_once();
            self.look();
            if kill % LOOK_EVERY == 0 || kill == kills {
                self.look_back();
            }
            let stores = stores::open(&self.home.state()).unwrap();
            let state = stores.store().state(&self.user).unwrap();
            let open = state.doubted_from.is_some() || stores.store().pending(&self.user).unwrap().is_some();
            let any = firstbell_core::budget::Fingerprint(String::new());
            let spent =
                [Cause::Password, Cause::Code].iter().any(|cause| state.budget.left(*cause, &any) < 2);
            self.in_the_middle += u64::from(open || spent);
        }
        let verify = self.home.run(&["history", "--verify"]);
        assert_eq!(verify.code, 0, "{verify:?}");
        assert!(
            self.in_the_middle > kills / 8,
            "hardly any kill struck a login: {} of {kills}",
            self.in_the_middle
        );
    }
}

#[test]
fn killed_at_any_moment_it_submits_nothing_twice_and_forgets_nothing() {
    let kills: u64 = std::env::var("FIRSTBELL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let seed: u64 = std::env::var("FIRSTBELL_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("FIRSTBELL_SEED={seed}");
    let began = daemon::now();
    let play = |number: u64| {
        let mut world = World::begin(seed.wrapping_mul(1_000) + number);
        world.play(kills / WORLDS);
        println!(
            "{} kills, {} in the middle of a login; {} events, {} submissions; now {}",
            kills / WORLDS,
            world.in_the_middle,
            world.history.len(),
            world.arrived.len(),
            clock(&world.sim, &json!({}))
        );
    };
    std::thread::scope(|scope| {
        let seats: Vec<_> = (0..WORLDS).map(|number| scope.spawn(move || play(number))).collect();
        seats.into_iter().for_each(|seat| seat.join().unwrap());
    });
    println!("{kills} kills in {:.1?}", began.elapsed());
}
