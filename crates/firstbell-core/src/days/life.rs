//! One simulated life: the world goes on, the keeper's decisions are asked for and carried out, and both are watched.

use jiff::Timestamp;

use super::broker::Broker;
use super::chance::Chance;
use super::watch::Watch;
use super::weather::{DAY, Day, Fault, HOUR, Happening, MINUTE, SECOND};
use super::{Miss, Report};
use crate::budget::{Cause, Fingerprint};
use crate::calendar::Calendar;
use crate::decide::{self, Decision, Probe, Step, View};
use crate::event::Event;
use crate::schedule::{Assisted, Hours, Schedule};
use crate::state::State;
use crate::token::{Flush, Life as TokenLife};

/// 2026-01-01 in India, in milliseconds since 1970.
const BEGIN: i64 = 1_767_205_800_000;
/// Looks without anything in between that the clock could explain.
const LOOKS_MAX: u32 = 10_000;
/// A login takes less, with the pause before it, so what ends this long before the deadline leaves time for one.
pub(super) const ENOUGH: i64 = 4 * MINUTE;

/// A token as the store holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) life: TokenLife,
    pub(super) id: u64,
    pub(super) generation: u64,
}

pub(super) struct Life<'h> {
    pub(super) chance: Chance,
    /// The true moment.
    pub(super) t: i64,
    /// How wrong this machine's clock is.
    pub(super) off: i64,
    pub(super) broker: Broker,
    pub(super) day: Day,
    pub(super) watch: Watch,
    pub(super) report: Report,
    pub(super) state: State,
    /// The state as it is on the disk, where events wait for the next write.
    pub(super) durable: Option<State>,
    pub(super) token: Option<Held>,
    pub(super) pending: Option<Held>,
    pub(super) probe: Option<Probe>,
    /// The password that the owner stored, and what the budget knows it by.
    pub(super) stored: u32,
    pub(super) mark: Fingerprint,
    /// What the owner must mend, or brought about, since when nothing succeeded.
    pub(super) marred: Option<Miss>,
    /// When the owner last let it go on, and what it had waited for him for.
    pub(super) freed: (i64, Miss),
    pub(super) schedule: Schedule,
    /// Until when nothing answered, nobody was there, or the clock was wrong.
    pub(super) down_until: i64,
    pub(super) wrong_until: i64,
    pub(super) slips: u8,
    /// When somebody else logged in, the last two times.
    pub(super) strangers: [i64; 2],
    backup: State,
    /// Whether somebody listens to what a person is told.
    pub(super) ears: bool,
    hear: Option<&'h mut dyn FnMut(String)>,
}

impl<'h> Life<'h> {
    pub(super) fn of(seed: u64, hear: Option<&'h mut dyn FnMut(String)>) -> Life<'h> {
        let mut chance = Chance::of(seed);
        let mut hours = Hours::default();
        let often = chance.happens(150);
        let minutes = chance.from(if often { 1..10 } else { 60..300 });
        hours.probe_every = jiff::SignedDuration::from_mins(minutes);
        let flush = Flush { begins_h: 5, ends_h: 8 };
        let assisted = match seed % 8 {
            0 => Assisted::Only,
            1..=3 => Assisted::Last,
            _ => Assisted::Never,
        };
        let schedule =
            Schedule { hours, exchanges: crate::calendar::Exchange::USUAL.into(), flush, assisted, seed };
        Life {
            chance,
            t: BEGIN,
            off: 0,
            broker: Broker::default(),
            day: Day::default(),
            watch: Watch::default(),
            report: Report::default(),
            state: State::default(),
            durable: None,
            token: None,
            pending: None,
            probe: None,
            stored: 0,
            mark: Fingerprint("0".into()),
            marred: None,
            freed: (0, Miss::Owner),
            schedule,
            down_until: 0,
            wrong_until: 0,
            slips: 0,
            strangers: [0; 2],
            backup: State::default(),
            ears: false,
            hear,
        }
    }

    pub(super) fn live(mut self, days: u32) -> Result<Report, (u32, String)> {
        for day in 1..=days {
            let midnight = BEGIN + i64::from(day - 1) * DAY;
            Day::draw(&mut self.chance, midnight, &mut self.day);
            self.through(midnight + DAY);
            self.report.days += 1;
            if let Some(what) = self.watch.breach.take() {
                return Err((day, what));
            }
        }
        Ok(self.report)
    }

    /// What this machine's clock shows.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.t + self.off).expect("lives are lived in this century or near it")
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(hear) = &mut self.hear {
            hear(format!("{now}  {}", what()));
        }
    }

    /// Durable when this returns.
    pub(super) fn note(&mut self, event: Event) {
        self.say(|| event.to_string());
        self.state.take(self.now(), &event);
        self.durable = None;
    }

    /// Durable with the next one.
    pub(super) fn note_soon(&mut self, event: Event) {
        self.durable.get_or_insert_with(|| self.state.clone());
        self.say(|| event.to_string());
        self.state.take(self.now(), &event);
    }

    pub(super) fn view(&self) -> View<'_> {
        let admits = |cause, mark: &Fingerprint| self.state.budget.admits(cause, mark);
        View {
            schedule: &self.schedule,
            calendar: Calendar::compiled(),
            state: &self.state,
            admitted: admits(Cause::Password, &self.mark).and_then(|()| admits(Cause::Code, &SEED)),
            token: self.token.map(|token| token.life),
            pending: self.pending.is_some(),
            probe: self.probe,
        }
    }

    pub(super) fn out(&self) -> bool {
        self.day.outage.is_some_and(|(from, to)| from <= self.t && self.t < to)
    }

    fn through(&mut self, end: i64) {
        let mut looks = 0;
        while self.t < end && self.watch.breach.is_none() {
            looks += 1;
            if looks > LOOKS_MAX {
                self.watch.breach = Some("the keeper turns in circles".into());
                return;
            }
            let next = self.day.happenings.last().map_or(end, |(moment, _)| *moment).min(end);
            if next <= self.t {
                if let Some((_, what)) = self.day.happenings.pop() {
                    self.happen(what);
                }
                continue;
            }
            let decision = decide::decide(&self.view(), self.now());
            let due = self.heeds(decision.at).as_millisecond() - self.off;
            if due > self.t {
                self.t = due.min(next);
                self.listen();
                continue;
            }
            self.perform(decision);
            self.listen();
        }
    }

    fn perform(&mut self, decision: Decision) {
        self.say(|| format!("{:?}: {}", decision.step, decision.because));
        match decision.step {
            // The state changes by what happens; a look that is due again at once would be a circle.
            Step::Look => self.t += SECOND,
            Step::Check => {
                self.t += self.chance.from(SECOND..20 * SECOND);
                let lacks = if self.out() { vec!["network".to_owned()] } else { Vec::new() };
                self.note(Event::Checked { lacks });
            }
            Step::Probe => self.ask(),
            Step::Login => self.log_in(),
            Step::Invite => self.invite(),
            Step::Assess => {
                let before = self.state.died_at;
                self.ask();
                if self.state.died_at != before {
                    return;
                }
                let ready = decide::serve(&self.view(), self.now()).is_ok();
                let lacks = if ready { Vec::new() } else { vec!["token".to_owned()] };
                self.note(Event::Assessed { lacks });
            }
        }
    }

    fn happen(&mut self, what: Happening) {
        self.say(|| format!("{what:?}"));
        match what {
            Happening::Flush => self.broker.living = None,
            Happening::Crash { down } => self.crash(down),
            Happening::Suspend { ms } => self.sleep(ms),
            Happening::Jump { off } => self.jump(off, self.t + 6 * HOUR),
            Happening::Right => self.jump(0, self.t),
            Happening::Helper => self.help(),
            Happening::Stranger => {
                let _theirs = self.broker.mint();
                self.strangers = [self.strangers[1], self.t];
                (self.broker.wrong_passwords, self.broker.wrong_codes) = (0, 0);
            }
            Happening::Slips { times } => self.slip(times),
            Happening::NewPassword => {
                self.broker.reset(self.broker.password + 1);
                self.mar(Miss::Owner);
            }
            Happening::Mend => self.mend(),
            Happening::Pause => self.pause(true),
            Happening::Resume => self.pause(false),
            Happening::Restore => self.restore(),
            Happening::Serve => self.serve(),
            Happening::Verdict => self.verdict(),
        }
    }

    /// The process dies: what was not durable is gone, and another one begins after a while, here or on a second node;
    /// the kernel's lease lets only one of them in.
    pub(super) fn crash(&mut self, down: i64) {
        self.report.blows += 1;
        if let Some(durable) = self.durable.take() {
            self.state = durable;
            self.watch.loses_news();
        }
        self.probe = None;
        self.watch.forgets_probes();
        self.gone(down);
    }

    fn sleep(&mut self, ms: i64) {
        self.report.blows += 1;
        self.gone(ms);
    }

    /// Nobody is there: the world goes on without us, but its questions are put off.
    fn gone(&mut self, ms: i64) {
        let back = self.t + ms;
        while let Some((moment, what)) = self.day.happenings.pop_if(|(moment, _)| *moment <= back) {
            self.t = self.t.max(moment);
            match what {
                Happening::Verdict | Happening::Serve => {}
                Happening::Crash { .. } | Happening::Suspend { .. } => {}
                other => self.happen(other),
            }
        }
        self.t = self.t.max(back);
        self.down_until = self.t;
    }

    fn jump(&mut self, off: i64, until: i64) {
        self.report.blows += 1;
        self.off = off;
        self.wrong_until = until;
        self.watch.forgets_times();
    }

    fn slip(&mut self, times: u8) {
        self.slips += times;
        for _ in 0..times {
            let _answer = self.broker.password(u32::MAX);
        }
        self.mar(Miss::Owner);
    }

    /// Something is wrong that the owner sees to within a day or so.
    pub(super) fn mar(&mut self, miss: Miss) {
        self.marred = Some(miss);
        let when = self.t + self.chance.from(HOUR..30 * HOUR);
        self.day.add(when, Happening::Mend);
    }

    fn mend(&mut self) {
        if self.chance.happens(100) {
            // A hasty owner: he wants it to go on, and has mended nothing.
            self.pause(false);
            return self.mar(self.marred.unwrap_or(Miss::Owner));
        }
        if self.broker.blocked || self.broker.wrong_passwords > 0 {
            self.broker.reset(self.broker.password + u32::from(self.broker.blocked));
            (self.broker.wrong_codes, self.slips) = (0, 0);
        }
        if self.stored != self.broker.password {
            self.stored = self.broker.password;
            self.mark = Fingerprint(self.stored.to_string());
            self.note(Event::Stored { name: "password".into() });
        }
        self.note(Event::Unlocked);
        self.watch.mended();
        self.freed = (self.t, self.marred.unwrap_or(Miss::Owner));
        if matches!(self.day.fault, Some(Fault::UnknownPage | Fault::BadCertificate)) {
            self.day.fault = None;
        }
        self.marred = None;
    }

    fn pause(&mut self, paused: bool) {
        self.watch.paused = paused;
        if !paused {
            self.watch.forgets_times();
            self.freed = (self.t, Miss::Paused);
        }
        self.note(if paused { Event::Paused } else { Event::Resumed });
    }

    /// An older state comes back; the mark beside the store tells that it is older.
    fn restore(&mut self) {
        self.report.blows += 1;
        if self.backup != self.state {
            let older = std::mem::replace(&mut self.backup, self.state.clone());
            (self.state, self.durable) = (older, None);
            (self.token, self.pending, self.probe) = (None, None, None);
            self.watch.forgets_times();
            self.watch.paused = self.state.paused;
            self.note(Event::Restored);
            self.mar(Miss::Owner);
        }
    }

    fn serve(&mut self) {
        if decide::serve(&self.view(), self.now()).is_ok() {
            let token = self.token.expect("what is handed out is there");
            let true_now = Timestamp::from_millisecond(self.t).expect("as above");
            let over = self.off == 0 && true_now >= token.life.dead_from;
            self.watch.served(over || self.state.died_at.is_some());
        }
    }
}

/// The seed of the second factor never changes in a life.
pub(super) static SEED: Fingerprint = Fingerprint(String::new());
