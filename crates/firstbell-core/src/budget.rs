//! Attempts left before a lock-out: what was submitted, what became of it, and whether one more is allowed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Stop;

/// Submissions of one credential that may end badly (refused, or without an answer) before the owner must act. Kite
/// blocks an account after five wrong passwords, and separately after five wrong codes, and only a reset by hand opens
/// it again (Zerodha support, "How to unblock Kite account?"): three of five always remain for the owner.
pub const TRIES: u8 = 2;

/// Wrong passwords, and separately wrong codes, after which Kite blocks an account (the same source).
pub const BROKERS_TRIES: u8 = 5;

/// Length of a time step of Kite's codes: an external TOTP has the usual 30 seconds (RFC 6238, section 5.2).
const STEP_S: i64 = 30;

/// Which of the two counters at the broker a submission may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The password.
    Password,
    /// A code of the second factor.
    Code,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Password => "the password",
            Cause::Code => "a code",
        })
    }
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The broker took it.
    Accepted,
    /// The broker refused it.
    Rejected,
    /// The broker said that the account is blocked.
    Blocked,
    /// It left, and nobody knows.
    Unknown,
    /// It surely never left this machine.
    NeverLeft,
}

/// Tells one value of a credential from another without telling the value: a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub String);

/// What was spent. Folded from durable events, never kept in memory alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    password: Tally,
    code: Tally,
    /// The newest time step of which a code was submitted.
    pub last_step: Option<u64>,
    blocked: Option<Fingerprint>,
    /// The history may lack submissions: whatever was left counts as spent.
    restored: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tally {
    /// Submissions since the last complete success that were refused or are without an answer, of whatever value: the
    /// broker's counter does not ask which password was wrong.
    bad: u8,
    /// Every value that was ever refused, and how often. A success with another value clears none of them.
    refused: Vec<(Fingerprint, u8)>,
    /// The value of the last submission.
    last: Option<Fingerprint>,
}

impl Tally {
    fn refused(&self, credential: &Fingerprint) -> u8 {
        self.refused.iter().find(|(value, _)| value == credential).map_or(0, |(_, times)| *times)
    }

    fn refuse(&mut self) {
        let Some(last) = self.last.clone() else { return };
        match self.refused.iter_mut().find(|(value, _)| *value == last) {
            Some((_, times)) => *times = times.saturating_add(1),
            None => self.refused.push((last, 1)),
        }
    }
}

impl Budget {
    /// Whether a submission of this credential is allowed.
    ///
    /// # Errors
    /// Says why not. A password that was refused once is never submitted again, nor codes of a seed of which
    /// [`TRIES`] were refused, whatever succeeded since; and nothing after [`TRIES`] submissions in a row that ended
    /// badly or without an answer. Only the owner's word ([`Budget::forget`]) lifts these.
    pub fn admits(&self, cause: Cause, credential: &Fingerprint) -> Result<(), Stop> {
        let tally = self.tally(cause);
        let refused = tally.refused(credential);
        match cause {
            _ if self.restored => Err(Stop::Restored),
            Cause::Password if self.blocked.as_ref() == Some(credential) => Err(Stop::Blocked),
            Cause::Password if refused > 0 => Err(Stop::Password),
            Cause::Code if refused >= TRIES => Err(Stop::Code),
            _ if tally.bad >= TRIES => Err(Stop::Unsure),
            _ => Ok(()),
        }
    }

    /// How many submissions of this credential may still end badly.
    pub fn left(&self, cause: Cause, credential: &Fingerprint) -> u8 {
        self.admits(cause, credential).map_or(0, |()| TRIES - self.tally(cause).bad)
    }

    /// Takes in that a submission is about to leave: until its verdict comes it counts as one that ended badly, so
    /// a crash at any later moment counts too.
    pub fn spend(&mut self, cause: Cause, credential: &Fingerprint, step: Option<u64>) {
        let tally = self.tally_mut(cause);
        tally.last = Some(credential.clone());
        tally.bad = tally.bad.saturating_add(1);
        self.last_step = self.last_step.max(step);
    }

    /// Takes in what became of the last submission of a cause.
    pub fn judge(&mut self, cause: Cause, verdict: Verdict) {
        if verdict == Verdict::Blocked {
            self.blocked = self.password.last.clone();
        }
        let tally = self.tally_mut(cause);
        match verdict {
            Verdict::Unknown => {}
            Verdict::Rejected | Verdict::Blocked => tally.refuse(),
            Verdict::Accepted => {
                tally.bad = tally.bad.saturating_sub(1);
                // A seed of which the broker takes a code is a good one: a refusal of long ago was a passing one.
                let taken = tally.last.clone();
                tally.refused.retain(|(value, _)| Some(value) != taken.as_ref());
            }
            Verdict::NeverLeft => tally.bad = tally.bad.saturating_sub(1),
        }
    }

    /// Takes in the broker's own count. Attempts that others spent count as ours: of the broker's five, at least
    /// [`BROKERS_TRIES`] less [`TRIES`] are the owner's.
    pub fn hear(&mut self, cause: Cause, left: u8) {
        let tally = self.tally_mut(cause);
        tally.bad = tally.bad.max(BROKERS_TRIES.saturating_sub(left));
    }

    /// A *complete* success: the broker's counters begin anew. What it refused stays refused.
    pub fn succeed(&mut self) {
        (self.password.bad, self.code.bad, self.blocked) = (0, 0, None);
    }

    /// The history may lack submissions up to this moment. They count as spent until the owner's word, and no code of a
    /// time step up to this one is made again. A success does not end it: a token that waited needs no submission.
    pub fn doubt(&mut self, at: Timestamp) {
        self.restored = true;
        let step = u64::try_from(at.as_second().div_euclid(STEP_S)).ok();
        self.last_step = self.last_step.max(step);
    }

    /// The owner says that the account is well: all is forgotten but the last time step, because a code is never used
    /// twice.
    pub fn forget(&mut self) {
        *self = Budget { last_step: self.last_step, ..Budget::default() };
    }

    fn tally(&self, cause: Cause) -> &Tally {
        match cause {
            Cause::Password => &self.password,
            Cause::Code => &self.code,
        }
    }

    fn tally_mut(&mut self, cause: Cause) -> &mut Tally {
        match cause {
            Cause::Password => &mut self.password,
            Cause::Code => &mut self.code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_reads_as_a_part_of_a_sentence() {
        let told = [Cause::Password, Cause::Code].map(|cause| format!("{cause} was refused"));
        assert_eq!(told, ["the password was refused", "a code was refused"]);
    }

    fn fp(text: &str) -> Fingerprint {
        Fingerprint(text.into())
    }

    fn submit(budget: &mut Budget, cause: Cause, credential: &str, verdict: Verdict) {
        budget.admits(cause, &fp(credential)).unwrap();
        budget.spend(cause, &fp(credential), None);
        budget.judge(cause, verdict);
    }

    #[test]
    fn a_refused_password_is_never_admitted_again_and_another_one_is() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Password, "a", Verdict::Rejected);
        assert_eq!(budget.admits(Cause::Password, &fp("a")), Err(Stop::Password));
        assert_eq!(budget.admits(Cause::Password, &fp("b")), Ok(()));
        assert_eq!((budget.left(Cause::Password, &fp("a")), budget.left(Cause::Password, &fp("b"))), (0, 1));
        budget.forget();
        assert_eq!(budget.admits(Cause::Password, &fp("a")), Ok(()));
    }

    #[test]
    fn two_refused_codes_stop_and_the_first_does_not() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Code, "s", Verdict::Rejected);
        submit(&mut budget, Cause::Code, "s", Verdict::Rejected);
        assert_eq!(budget.admits(Cause::Code, &fp("s")), Err(Stop::Code));
        assert_eq!(
            budget.admits(Cause::Code, &fp("t")),
            Err(Stop::Unsure),
            "the broker counts codes, not seeds"
        );
    }

    #[test]
    fn refusals_of_a_seed_count_until_a_code_of_it_is_taken() {
        let mut budget = Budget::default();
        for _ in 0..5 {
            submit(&mut budget, Cause::Code, "s", Verdict::Rejected);
            submit(&mut budget, Cause::Code, "s", Verdict::Accepted);
            budget.succeed();
        }
        assert_eq!(budget.left(Cause::Code, &fp("s")), 2);
    }

    #[test]
    fn passwords_in_turn_are_two_in_all() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Password, "a", Verdict::Rejected);
        submit(&mut budget, Cause::Password, "b", Verdict::Rejected);
        for credential in ["a", "b"] {
            assert_eq!(budget.admits(Cause::Password, &fp(credential)), Err(Stop::Password), "{credential}");
        }
        assert_eq!(budget.admits(Cause::Password, &fp("c")), Err(Stop::Unsure));
    }

    #[test]
    fn a_success_with_another_password_does_not_forgive_the_refused_one() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Password, "stale", Verdict::Rejected);
        submit(&mut budget, Cause::Password, "good", Verdict::Accepted);
        budget.succeed();
        assert_eq!(budget.admits(Cause::Password, &fp("stale")), Err(Stop::Password));
        assert_eq!(budget.left(Cause::Password, &fp("good")), 2);
    }

    #[test]
    fn an_intent_counts_before_its_verdict_comes() {
        let mut budget = Budget::default();
        budget.spend(Cause::Password, &fp("a"), None);
        assert_eq!(budget.left(Cause::Password, &fp("a")), 1);
        budget.spend(Cause::Password, &fp("a"), None);
        assert_eq!(budget.admits(Cause::Password, &fp("a")), Err(Stop::Unsure));
    }

    #[test]
    fn an_unknown_and_a_refused_code_are_two() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Code, "s", Verdict::Unknown);
        submit(&mut budget, Cause::Code, "s", Verdict::Rejected);
        assert_eq!(budget.admits(Cause::Code, &fp("s")), Err(Stop::Unsure));
    }

    #[test]
    fn accepted_and_never_left_cost_nothing_and_clear_nothing() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Password, "a", Verdict::Unknown);
        for _ in 0..9 {
            submit(&mut budget, Cause::Password, "a", Verdict::Accepted);
            submit(&mut budget, Cause::Password, "a", Verdict::NeverLeft);
        }
        assert_eq!(budget.left(Cause::Password, &fp("a")), 1);
    }

    #[test]
    fn a_blocked_account_stops_the_password_whatever_was_refused() {
        let mut budget = Budget::default();
        submit(&mut budget, Cause::Password, "a", Verdict::Accepted);
        submit(&mut budget, Cause::Code, "s", Verdict::Blocked);
        assert_eq!(budget.admits(Cause::Password, &fp("a")), Err(Stop::Blocked));
        assert_eq!(budget.admits(Cause::Password, &fp("new")), Ok(()), "after a reset there is a new one");
    }

    #[test]
    fn the_brokers_own_count_is_obeyed() {
        let mut budget = Budget::default();
        budget.hear(Cause::Code, 4);
        assert_eq!(budget.left(Cause::Code, &fp("s")), 1);
        budget.hear(Cause::Code, 3);
        assert_eq!(budget.admits(Cause::Code, &fp("s")), Err(Stop::Unsure), "two of five are ours");
        assert_eq!(budget.admits(Cause::Password, &fp("a")), Ok(()), "the other counter is another one");
        budget.succeed();
        assert_eq!(budget.left(Cause::Code, &fp("s")), 2);
    }

    #[test]
    fn the_last_time_step_only_rises_and_outlives_a_success() {
        let mut budget = Budget::default();
        budget.spend(Cause::Code, &fp("s"), Some(7));
        budget.spend(Cause::Code, &fp("t"), Some(5));
        budget.succeed();
        budget.forget();
        assert_eq!(budget.last_step, Some(7));
    }
}
