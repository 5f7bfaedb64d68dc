//! The second factor of a walk: when a code is made or asked for, and that no time step sees two.

use super::{Codes, Moment, Next, Walk};
use crate::failure::{Failure, Part};
use crate::plan::{Page, PageKind};
use crate::secret::Secret;
use crate::sight::Action;

/// A code is not submitted in the last moments of its time step: it might arrive in the next one.
const CODE_LIFE_MIN_MS: u64 = 5_000;
/// Added when the next time step is awaited, so that no rounding wakes us before it.
const STEP_MARGIN_MS: u64 = 50;
/// Difference between our clock and the broker's above which no code is made.
const SKEW_MAX_S: i64 = 10;
/// Times that a code is asked for before one comes within its own time step.
const ASKS_MAX: u8 = 3;
/// The time step of codes that somebody else makes: what Kite's external TOTP has.
const STEP_MS: u64 = 30_000;

/// A code that somebody gave is worth this long, whatever is left of the walk: it was asked for, and it is used up.
const AFTER_CODE_MS: u64 = 30_000;

impl Walk<'_> {
    pub(super) fn clock_fault(&self) -> Option<Failure> {
        let off_s = self.skew_s.filter(|s| s.abs() > SKEW_MAX_S)?;
        Some(Failure::ClockWrong { off_s })
    }

    /// The code is made or asked for here, at the last moment, when its field is there.
    pub(super) fn enter_code(&mut self, page: Option<&Page>, now: Moment) -> Next {
        if let Some(failure) = self.clock_fault() {
            return Next::Fail(failure);
        }
        if now.run_ms < self.not_before_ms {
            return Next::Do(Action::Look { wait_ms: self.not_before_ms - now.run_ms });
        }
        let code = match &self.who.codes {
            Codes::Seed(seed) => Some(seed.code(now.wall)),
            Codes::Asked => None,
        };
        let (step, life_ms) = code.as_ref().map_or_else(|| step_of(now), |code| (code.step, code.life_ms));
        let used = self.last_step.is_some_and(|last| last >= step);
        if self.last_step.is_some_and(|last| last > step + 1) {
            let behind = self.last_step.unwrap_or(step) - step;
            return Next::Fail(Failure::ClockWrong {
                off_s: i64::try_from(behind).unwrap_or(i64::MAX).saturating_mul(-30),
            });
        }
        self.code_awaited = used || life_ms < CODE_LIFE_MIN_MS;
        if self.code_awaited {
            self.until_ms = self.until_ms.max(now.run_ms + life_ms + 10_000);
            return Next::Do(Action::Look { wait_ms: life_ms + STEP_MARGIN_MS });
        }
        let Some(code) = code else {
            let times = self.asked.map_or(0, |(_, times)| times);
            self.asked = Some((step, times.saturating_add(1)));
            return Next::NeedCode;
        };
        match page.and_then(|p| p.entry.as_ref()) {
            Some(entry) => self.fill(entry, Some((code.step, code.digits)), now),
            None => self.unknown(),
        }
    }

    /// What follows from the code that was asked for. One that took longer than its time step is asked for anew, unless
    /// a person gave it (`typed`): a person looks at the authenticator when the code is written.
    pub fn code(&mut self, digits: Secret, typed: bool, now: Moment) -> Next {
        let (step, life_ms) = step_of(now);
        let (asked, times) = self.asked.unwrap_or((step, ASKS_MAX));
        // The code of another time step that is the same is far more likely an old one.
        let again = self.given.as_ref().is_some_and(|last| last.expose() == digits.expose());
        let used = again || self.last_step.is_some_and(|last| last >= step);
        self.end_ms = self.end_ms.max(now.run_ms + AFTER_CODE_MS);
        if used || (!typed && (asked != step || life_ms < CODE_LIFE_MIN_MS)) {
            if times >= ASKS_MAX {
                let why = "the source of codes is too slow, or gives the same code again".to_owned();
                let cure =
                    "See why it is slow, or store the TOTP key itself: firstbell secrets set totp_seed.";
                return Next::Fail(Failure::Broken { part: Part::Secret, why, cure: cure.into() });
            }
            return self.next(false, now);
        }
        let page = self.plan.recognise(&self.counts).filter(|page| page.kind == PageKind::Totp);
        match page.and_then(|p| p.entry.as_ref()) {
            Some(entry) => {
                self.given = Some(digits.clone());
                self.fill(entry, Some((step, digits)), now)
            }
            None => self.unknown(),
        }
    }
}

/// The time step that a moment falls into, and the milliseconds that it still lasts.
fn step_of(now: Moment) -> (u64, u64) {
    let now_ms = u64::try_from(now.wall.as_millisecond()).unwrap_or(0);
    (now_ms / STEP_MS, STEP_MS - now_ms % STEP_MS)
}
