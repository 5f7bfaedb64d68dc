//! What the daemon would do with its hands in a simulated life: one login in the order in which the real one goes, with
//! each step written down before it leaves, and one question about a token.

use super::Miss;
use super::broker::Answer;
use super::life::{Held, Life, SEED};
use super::weather::{DAY, Fault, HOUR, Happening, MINUTE, SECOND};
use crate::budget::{Cause, Verdict};
use crate::decide::{self, Probe};
use crate::event::{ASSISTED, Event};
use crate::failure::Ask;
use crate::token::{Life as TokenLife, Standing};

/// Midnight in India, in milliseconds after midnight in Greenwich.
const MIDNIGHT: i64 = 18 * HOUR + 30 * MINUTE;
/// Milliseconds of one time step.
const STEP: i64 = 30 * SECOND;

/// A login that got no further.
enum End {
    /// With a name and what it asks.
    Failed(&'static str, Ask),
    /// The process died in it.
    Crashed,
}

impl Life<'_> {
    /// Asks the broker about the current token, unless it was asked a moment ago.
    pub(super) fn ask(&mut self) {
        let Some(token) = self.token.filter(|_| decide::may_probe(&self.view(), self.now())) else { return };
        self.watch.probes(self.t);
        self.report.probes += 1;
        self.t += self.chance.from(50..400);
        let alive = (!self.out()).then(|| self.broker.takes(token.id));
        self.probe = Some(Probe { at: self.now(), alive });
        if alive == Some(false) {
            self.note(Event::Died { generation: token.generation });
            self.watch.dies(self.t);
        }
    }

    pub(super) fn log_in(&mut self) {
        self.report.logins += 1;
        let midnight = (self.t - MIDNIGHT).div_euclid(DAY) * DAY + MIDNIGHT;
        self.watch.begins(self.t, midnight + 8 * HOUR + 31 * MINUTE);
        let end = match self.resume() {
            Ok(true) => Ok(()),
            Ok(false) => self.fresh(),
            Err(end) => Err(end),
        };
        match end {
            Ok(()) => self.marred = None,
            Err(End::Crashed) => {
                let down = self.chance.from(0..5 * MINUTE);
                self.watch.loses_news();
                self.crash(down);
                if self.view().admitted.is_err() {
                    self.mar(Miss::Unclear);
                }
            }
            Err(End::Failed(code, ask)) => {
                self.report.failed += 1;
                if !matches!(ask, Ask::Again | Ask::Wait) {
                    self.mar(if ask == Ask::Once { Miss::Unclear } else { Miss::Owner });
                }
                self.note(Event::Failed { code: code.into(), ask });
            }
        }
    }

    /// A link goes to the owner, who follows it or does not.
    pub(super) fn invite(&mut self) {
        let midnight = (self.t - MIDNIGHT).div_euclid(DAY) * DAY + MIDNIGHT;
        self.note(Event::Began { driver: ASSISTED.into() });
        // The clock is looked at before the link goes out.
        if self.off.abs() >= STEP {
            return self.note(Event::Failed { code: "clock-wrong".into(), ask: Ask::Human });
        }
        self.watch.invites(midnight);
        if self.chance.happens(600) {
            let when = self.t + self.chance.from(20 * SECOND..9 * MINUTE);
            self.day.add(when, Happening::Helper);
        }
    }

    /// He logs in by it. No credential of ours is sent.
    pub(super) fn help(&mut self) {
        if self.broker.blocked || self.out() || !decide::awaits_person(&self.view(), self.now()) {
            return;
        }
        if self.off.abs() >= STEP {
            return self.note(Event::Failed { code: "clock-wrong".into(), ask: Ask::Human });
        }
        (self.broker.wrong_passwords, self.broker.wrong_codes) = (0, 0);
        let end = match self.resume() {
            Ok(true) => Ok(()),
            Ok(false) => self.exchange(),
            Err(end) => Err(end),
        };
        match end {
            Ok(()) => {}
            Err(End::Crashed) => self.crash(MINUTE),
            Err(End::Failed(code, ask)) => self.note(Event::Failed { code: code.into(), ask }),
        }
    }

    /// A token that an earlier run could not prove is asked about first.
    fn resume(&mut self) -> Result<bool, End> {
        let Some(pending) = self.pending else { return Ok(false) };
        let age = self.now().duration_since(pending.life.issued).as_millis();
        let young = (0..i128::from(HOUR)).contains(&age);
        if !young && pending.life.standing(self.now()) != Standing::Trusted {
            self.pending = None;
            self.note(Event::Dropped { generation: pending.generation });
            return Ok(false);
        }
        match self.prove(pending) {
            Ok(()) => Ok(true),
            Err(End::Failed("dead-on-arrival", _)) => Ok(false),
            Err(end) => Err(end),
        }
    }

    fn fresh(&mut self) -> Result<(), End> {
        let view = self.view();
        if view.admitted.is_err() {
            return Err(End::Failed("stopped", Ask::Stop));
        }
        self.note_soon(Event::Began { driver: "http".into() });
        self.open()?;
        self.password()?;
        self.crash_at(4)?;
        self.code()?;
        self.crash_at(6)?;
        self.exchange()
    }

    fn open(&mut self) -> Result<(), End> {
        self.t += self.chance.from(300..3 * SECOND);
        self.crash_at(0)?;
        if self.out() {
            return Err(End::Failed("unreachable", Ask::Again));
        }
        match self.day.fault {
            Some(Fault::UnknownPage) => Err(End::Failed("unknown-page", Ask::Human)),
            Some(Fault::BadCertificate) => Err(End::Failed("insecure", Ask::Stop)),
            Some(Fault::Wait { s }) => {
                self.day.spent();
                let until = self.now() + jiff::SignedDuration::from_secs(s);
                self.note(Event::Wait { until });
                self.watch.waits(self.t + s * SECOND);
                Err(End::Failed("throttled", Ask::Wait))
            }
            _ => Ok(()),
        }
    }

    fn password(&mut self) -> Result<(), End> {
        self.intent(Cause::Password, None)?;
        self.crash_at(1)?;
        self.watch.leaves(Cause::Password, self.stored);
        if let Some(counted) = self.lost(|fault| match fault {
            Fault::LostPassword { counted } => Some(counted),
            _ => None,
        }) {
            if counted {
                let _unheard = self.broker.password(self.stored);
            }
            self.note(Event::Judged { cause: Cause::Password, verdict: Verdict::Unknown });
            return Err(End::Failed("unanswered", Ask::Once));
        }
        self.crash_at(2)?;
        let answer = self.broker.password(self.stored);
        self.hear(Cause::Password, answer)
    }

    fn code(&mut self) -> Result<(), End> {
        for try_number in 0..2 {
            let step = self.next_step()?;
            self.intent(Cause::Code, Some(step))?;
            self.crash_at(5)?;
            self.watch.leaves(Cause::Code, self.stored);
            self.watch.code_leaves(step);
            if let Some(counted) = self.lost(|fault| match fault {
                Fault::LostCode { counted } => Some(counted),
                _ => None,
            }) {
                if counted {
                    let _unheard = self.broker.code(step, true);
                }
                self.note(Event::Judged { cause: Cause::Code, verdict: Verdict::Unknown });
                return Err(End::Failed("unanswered", Ask::Once));
            }
            let wrong = self.day.fault == Some(Fault::WrongCode);
            let answer = self.broker.code(step, !wrong);
            match self.hear(Cause::Code, answer) {
                Ok(()) => return Ok(()),
                Err(end) if try_number == 1 => return Err(end),
                Err(end) if self.state.budget.admits(Cause::Code, &SEED).is_err() => return Err(end),
                Err(_) => {}
            }
        }
        unreachable!("the second try returns")
    }

    fn exchange(&mut self) -> Result<(), End> {
        self.note(Event::Exchanging);
        self.probe = None;
        self.t += self.chance.from(100..SECOND);
        self.crash_at(7)?;
        match self.day.fault {
            Some(Fault::GrantRefused) => {
                self.day.spent();
                return Err(End::Failed("grant-refused", Ask::Once));
            }
            Some(Fault::LostExchange { minted }) => {
                self.day.spent();
                if minted {
                    let _lost = self.broker.mint();
                }
                return Err(End::Failed("unanswered", Ask::Once));
            }
            _ => {}
        }
        let id = self.broker.mint();
        self.crash_at(8)?;
        if self.day.fault == Some(Fault::DeadOnArrival) {
            self.day.spent();
            self.broker.living = None;
        }
        let generation = self.state.generation + 1;
        let held = Held { life: TokenLife::of(self.now(), self.schedule.flush), id, generation };
        self.pending = Some(held);
        self.note(Event::Issued { generation });
        self.crash_at(9)?;
        self.prove(held)
    }

    fn prove(&mut self, held: Held) -> Result<(), End> {
        self.t += self.chance.from(50..400);
        if self.day.fault == Some(Fault::ProofDown) {
            self.day.spent();
            return Err(End::Failed("broker-down", Ask::Again));
        }
        if self.out() {
            return Err(End::Failed("unreachable", Ask::Again));
        }
        self.pending = None;
        if !self.broker.takes(held.id) {
            self.note(Event::Dropped { generation: held.generation });
            return Err(End::Failed("dead-on-arrival", Ask::Once));
        }
        (self.token, self.probe) = (Some(held), None);
        self.note(Event::Proven { generation: held.generation });
        self.watch.replaced(self.state.generation == held.generation);
        self.watch.succeeded();
        if self.day.fault == Some(Fault::RestoredAtOnce) {
            self.day.spent();
            self.day.add(self.t + SECOND, Happening::Restore);
            self.day.add(self.t + 2 * SECOND, Happening::Mend);
        }
        Ok(())
    }

    /// Written down, and durable, before anything leaves; a full disk stops it here.
    fn intent(&mut self, cause: Cause, time_step: Option<u64>) -> Result<(), End> {
        if self.day.fault == Some(Fault::DiskFull) {
            self.day.spent();
            return Err(End::Failed("broken", Ask::Human));
        }
        let credential = if cause == Cause::Password { self.mark.clone() } else { SEED.clone() };
        self.note(Event::Intent { cause, credential, time_step });
        self.report.submissions += 1;
        Ok(())
    }

    fn hear(&mut self, cause: Cause, answer: Answer) -> Result<(), End> {
        self.t += self.chance.from(100..SECOND);
        self.watch.answered(cause, self.stored, answer);
        let verdict = match answer {
            Answer::Taken => Verdict::Accepted,
            Answer::Refused { .. } => Verdict::Rejected,
            Answer::Blocked => Verdict::Blocked,
        };
        let event = Event::Judged { cause, verdict };
        match answer {
            Answer::Taken => {
                self.note_soon(event);
                Ok(())
            }
            Answer::Refused { left } => {
                self.note(event);
                self.note(Event::Remaining { cause, left });
                let code = if cause == Cause::Password { "password-rejected" } else { "code-rejected" };
                Err(End::Failed(code, Ask::Stop))
            }
            Answer::Blocked => {
                self.note(event);
                self.watch.blocked_by_us(self.slips);
                Err(End::Failed("blocked", Ask::Stop))
            }
        }
    }

    /// The next time step that was never used and has enough of its life left, as this machine's clock counts them.
    fn next_step(&mut self) -> Result<u64, End> {
        // The broker's answers carry its own clock: no code is made by one that differs.
        if self.off.abs() >= STEP {
            return Err(End::Failed("clock-wrong", Ask::Human));
        }
        let local = self.t + self.off;
        let into = local.rem_euclid(STEP);
        if STEP - into < 5 * SECOND {
            self.t += STEP - into;
        }
        let of = |t: i64| u64::try_from(t / STEP).unwrap_or(0);
        let mut step = of(self.t + self.off);
        if let Some(last) = self.state.budget.last_step {
            if last > step + 2 {
                return Err(End::Failed("clock-wrong", Ask::Human));
            }
            while step <= last {
                self.t += STEP;
                step = of(self.t + self.off);
            }
        }
        Ok(step)
    }

    fn lost(&mut self, which: impl Fn(Fault) -> Option<bool>) -> Option<bool> {
        let found = self.day.fault.and_then(which);
        if found.is_some() {
            self.day.spent();
        }
        found
    }

    fn crash_at(&mut self, place: u8) -> Result<(), End> {
        if self.day.fault == Some(Fault::CrashAt(place)) {
            self.day.spent();
            return Err(End::Crashed);
        }
        Ok(())
    }
}
