//! The daemon through a year of trading days, each with a fault: real process, real store, real requests, under a clock that
//! leaps. What came of it is told by the simulator and by the history.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;
#[path = "support/trials.rs"]
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use daemon::{Daemon, clock, configure, leap, standing_sim, wait_for};
use firstbell::stores;
use firstbell_core::broker::App;
use firstbell_core::budget::{Cause, Verdict};
use firstbell_core::event::Event;
use firstbell_core::token::date_in_india;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Account, Home, Sim};
use trials::{Chance, Trial, draw, trading_days, usual};

/// The days that are played.
const DAYS: usize = 250;
/// Of both processes together, on two idle cores hardly less than the time that passes.
const CPU_MAX_S: f64 = 120.0;

/// A play: the simulator, the daemon, and what was seen of each day.
struct Play {
    sim: Sim,
    home: Home,
    daemon: Option<Daemon>,
    owner: Account,
    chance: Chance,
    played: Vec<Played>,
}

/// One day, as it came.
struct Played {
    date: Date,
    trial: Trial,
    /// The owner had to act, and when he did.
    acted: Option<Timestamp>,
    /// What the simulator counted until the day's end: passwords, codes.
    counted: [u64; 2],
    until: Timestamp,
}

impl Play {
    fn begin(seed: u64) -> Play {
        let sim = standing_sim("2026-01-01T07:00:00+05:30");
        let home = Home::new(&sim);
        let owner = sim.account.clone();
        Play { sim, home, daemon: None, owner, chance: Chance(seed), played: Vec::new() }
    }

    /// Lets the clock leap on to a moment.
    fn on_to(&mut self, to: Timestamp) {
        let sink = self.home.dir.path().join("token.json");
        let more = format!(
            "data = true\n[[account.main.sink]]\nkind = \"file\"\nformat = \"json\"\npath = '{}'",
            sink.display()
        );
        // Every ten minutes is often enough to find what dies, and half the work.
        let tables = format!("[schedule]\nprobe_every_s = 600\n{}", leap(&self.sim, to));
        configure(&self.home, &self.sim, &more, &tables);
        match &self.daemon {
            None => self.daemon = Some(Daemon::start(&self.home)),
            Some(daemon) => daemon.signal(Signal::HUP),
        }
        wait_for(&self.sim, to, self.daemon.as_mut().unwrap());
    }

    /// How the account stands when the daemon waits for moments that are still to come.
    fn stands(&self, to: Timestamp) -> Value {
        self.daemon.as_ref().unwrap().until_account("main", "all that is due is done", |account| {
            let next: Timestamp = account["next"]["at"].as_str().unwrap().parse().unwrap();
            next > to
        })
    }

    fn day(&mut self, date: Date) {
        let trial = draw(&mut self.chance, date);
        self.sim.post("/faults", &json!({ "fault": trial.faults, "settings": trial.settings }));
        if let Some(event) = &trial.event {
            self.sim.post("/event", event);
        }
        let at = |time: &str| format!("{date}T{time}:00+05:30").parse::<Timestamp>().unwrap();
        self.on_to(at("08:52"));
        let mut acted = None;
        if self.stands(at("08:52"))["needs_you"].is_string() {
            let mut moment = at("08:52");
            // One owner in four is late.
            if self.chance.below(4) == 0 {
                moment = at("10:01");
                self.on_to(moment);
                self.stands(moment);
            }
            self.act(&trial);
            acted = Some(moment);
        }
        let seen = self.sim.seen();
        let tried = |key: &str| seen[key].as_u64().unwrap();
        assert!(tried("wrong_passwords") <= 2 && tried("wrong_codes") <= 2, "{date} {trial:?}: {seen}");
        assert_eq!(seen["blocked"], false, "{date} {trial:?}");
        let counted = [tried("password_submissions"), tried("code_submissions")];
        let until = clock(&self.sim, &json!({}));
        self.played.push(Played { date, trial, acted, counted, until });
    }

    /// The owner puts right what is wrong, and says so in one of his ways.
    fn act(&mut self, trial: &Trial) {
        self.sim.post("/faults", &json!({ "fault": [], "settings": usual() }));
        let new = trial.event.as_ref().and_then(|event| event["password"].as_str());
        let daemon = self.daemon.as_ref().unwrap();
        match new {
            Some(password) => {
                self.owner.password = password.to_owned();
                let set = self.home.run_with(&["secrets", "set", "password"], password);
                assert_eq!(set.code, 0, "{set:?}");
            }
            None if self.chance.below(2) == 0 => {
                let (status, reply) = daemon.ask("POST", "/v1/accounts/main/unlock");
                assert_eq!(status, 200, "{reply}");
            }
            None => {
                let unlock = self.home.run(&["unlock"]);
                assert_eq!(unlock.code, 0, "{unlock:?}");
            }
        }
        daemon.until_account("main", &format!("a token after the owner acted: {trial:?}"), |a| {
            a["served"] == "yes"
        });
    }

    fn history(&self) -> Vec<(Timestamp, Event)> {
        let (api_key, user_id) = (self.owner.api_key.clone(), self.owner.user_id.clone());
        let user = App { api_key, user_id, redirect: self.sim.redirect.parse().unwrap() }.user();
        stores::open(&self.home.state()).unwrap().store().history(&user).unwrap()
    }
}

#[test]
fn a_year_of_trading_days_with_a_fault_each_has_its_tokens_and_endangers_nothing() {
    let seed = std::env::var("FIRSTBELL_SEED").map_or(1, |seed| seed.parse().unwrap());
    let days = std::env::var("FIRSTBELL_DAYS").map_or(DAYS, |days| days.parse().unwrap());
    println!("FIRSTBELL_SEED={seed}");
    let mut play = Play::begin(seed);
    let began = daemon::now();
    trading_days().take(days).for_each(|date| play.day(date));
    let took = began.elapsed();
    let used = cpu_s(play.daemon.as_ref().unwrap().id()) + cpu_s(play.sim.id());
    if let Ok(path) = std::env::var("FIRSTBELL_LOG_TO") {
        fs::write(path, play.daemon.as_ref().unwrap().log()).unwrap();
    }
    println!("{days} days in {took:.1?}, {used:.1} s of processor time");
    assert_eq!(play.daemon.take().unwrap().end().0, 0);
    let history = play.history();
    each_day_has_a_token_or_is_told(&play, &history);
    nothing_is_submitted_twice(&play, &history);
    generations_rise(&history);
    let verify = play.home.run(&["history", "--verify"]);
    assert_eq!(verify.code, 0, "{verify:?}");
    assert!(used < CPU_MAX_S, "{used} s of processor time");
}

fn each_day_has_a_token_or_is_told(play: &Play, history: &[(Timestamp, Event)]) {
    let (mut missed, mut tally) = (Vec::new(), BTreeMap::<String, [u32; 2]>::new());
    for Played { date, trial, acted, .. } in &play.played {
        let of_day: Vec<&(Timestamp, Event)> =
            history.iter().filter(|(at, _)| date_in_india(*at) == *date).collect();
        let deadline: Timestamp = format!("{date}T09:00:00+05:30").parse().unwrap();
        let in_time = of_day.iter().any(|(at, e)| matches!(e, Event::Proven { .. }) && *at <= deadline);
        let told = of_day.iter().find_map(|(at, event)| match event {
            Event::Assessed { lacks } if *at >= deadline => Some(lacks),
            _ => None,
        });
        let told_of_it = told.is_some_and(|lacks| lacks.iter().any(|lack| lack == "token"));
        let last = *date == play.played.last().unwrap().date;
        assert!(
            in_time || told_of_it || (last && acted.is_none()),
            "{date} {trial:?}: a silent day: {of_day:#?}"
        );
        let by_itself = in_time && acted.is_none();
        tally.entry(trial.name.clone()).or_default()[usize::from(!by_itself)] += 1;
        let refused = |(_, event): &(Timestamp, Event)| {
            matches!(event, Event::Judged { cause: Cause::Code, verdict: Verdict::Rejected })
        };
        let before = history.iter().filter(|(at, _)| date_in_india(*at) < *date).rev();
        let warned = before.take_while(|(_, event)| *event != Event::Unlocked).any(refused);
        if trial.heals && !by_itself && !(trial.once && warned) {
            let told: Vec<String> = of_day.iter().map(|(at, event)| format!("  {at} {event}")).collect();
            missed.push(format!("{date} {}\n{}", trial.name, told.join("\n")));
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {} days that heal by themselves had no token:\n{}\nwell and ill: {tally:#?}",
        missed.len(),
        play.played.len(),
        missed.join("\n")
    );
}

/// What arrived between two moments was paid for between them, and each time step was used once.
fn nothing_is_submitted_twice(play: &Play, history: &[(Timestamp, Event)]) {
    let (mut before, mut from) = ([0, 0], Timestamp::MIN);
    for Played { date, trial, counted, until, .. } in &play.played {
        let paid = |cause: Cause| {
            let of_day = history.iter().filter(|(at, _)| (from..=*until).contains(at));
            of_day.filter(|(_, e)| matches!(e, Event::Intent { cause: c, .. } if *c == cause)).count() as u64
        };
        let arrived = [counted[0] - before[0], counted[1] - before[1]];
        let paid = [paid(Cause::Password), paid(Cause::Code)];
        assert!(arrived[0] <= paid[0] && arrived[1] <= paid[1], "{date} {trial:?}: {arrived:?} of {paid:?}");
        (before, from) = (*counted, *until + SignedDuration::from_nanos(1));
    }
    let seen = play.sim.seen();
    let steps: Vec<i64> =
        seen["submissions"].as_array().unwrap().iter().filter_map(|s| s["matched_step"].as_i64()).collect();
    assert!(steps.len() >= play.played.len() / 2, "{}", steps.len());
    assert_eq!(steps.iter().collect::<BTreeSet<_>>().len(), steps.len(), "a time step was used twice");
    // Never more than two in a row that are not known to have gone well.
    for cause in [Cause::Password, Cause::Code] {
        let mut open = 0;
        for (at, event) in history {
            match event {
                Event::Intent { cause: c, .. } if *c == cause => open += 1,
                Event::Judged { cause: c, verdict: Verdict::Accepted | Verdict::NeverLeft }
                    if *c == cause =>
                {
                    open -= 1
                }
                Event::Proven { .. } | Event::Unlocked => open = 0,
                _ => {}
            }
            assert!(open <= 2, "{at}: {open} of {cause}");
        }
    }
}

fn generations_rise(history: &[(Timestamp, Event)]) {
    let mut last = 0;
    for (at, event) in history {
        if let Event::Proven { generation } = event {
            assert_eq!(*generation, last + 1, "{at}");
            last = *generation;
        }
    }
    assert!(last > 0);
}

/// Processor time of a process, in seconds.
fn cpu_s(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |n: usize| fields[n].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
