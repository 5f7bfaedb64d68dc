//! What is true now: an account's events, folded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::event::Event;

/// What the history of an account amounts to. Serializable, because a snapshot stands for the events before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// What was spent.
    pub budget: Budget,
    /// The newest generation that was ever proven; 0 before the first.
    pub generation: u64,
    /// When it was proven.
    pub proven_at: Option<Timestamp>,
    /// Since when the proven token is in doubt: an exchange was sent whose token is not proven yet.
    pub doubted_from: Option<Timestamp>,
    /// The last login that ended without a token, when none succeeded since: moment and failure code.
    pub failed: Option<(Timestamp, String)>,
}

impl State {
    /// Folds a whole history.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a (Timestamp, Event)>) -> State {
        let mut state = State::default();
        for (at, event) in events {
            state.take(*at, event);
        }
        state
    }

    /// Takes in one more event.
    pub fn take(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Intent { cause, credential, time_step } => {
                self.budget.spend(*cause, credential, *time_step)
            }
            Event::Judged { cause, verdict } => self.budget.judge(*cause, *verdict),
            Event::Exchanging => self.doubted_from = Some(at),
            Event::Proven { generation } => {
                self.budget.succeed();
                self.generation = *generation;
                self.proven_at = Some(at);
                self.doubted_from = None;
                self.failed = None;
            }
            Event::Failed { code } => self.failed = Some((at, code.clone())),
            Event::Unlocked => self.budget.forget(),
            Event::Restored => self.budget.doubt(at),
            Event::Began { .. } | Event::Issued { .. } | Event::Dropped { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Cause, Fingerprint, Verdict};
    use crate::failure::Stop;

    fn fold(events: &[Event]) -> State {
        let timed: Vec<_> = events.iter().zip(1..).map(|(e, s)| (at(s), e.clone())).collect();
        State::of(&timed)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn intent(cause: Cause) -> Event {
        Event::Intent { cause, credential: Fingerprint("f".into()), time_step: None }
    }

    #[test]
    fn a_crash_after_the_intent_counts_as_a_submission() {
        let state = fold(&[intent(Cause::Password), intent(Cause::Password)]);
        assert_eq!(state.budget.admits(Cause::Password, &Fingerprint("f".into())), Err(Stop::Unsure));
    }

    #[test]
    fn a_complete_success_begins_anew_and_only_the_owner_forgives_what_was_refused() {
        let refused = Event::Judged { cause: Cause::Password, verdict: Verdict::Rejected };
        let issued = Event::Issued { generation: 1 };
        let mut story = vec![intent(Cause::Password), refused, issued, Event::Exchanging];
        assert!(fold(&story).budget.admits(Cause::Password, &Fingerprint("f".into())).is_err());
        story.push(Event::Proven { generation: 1 });
        assert!(fold(&story).budget.admits(Cause::Password, &Fingerprint("f".into())).is_err());
        assert_eq!(fold(&story).budget.left(Cause::Password, &Fingerprint("g".into())), 2);
        story[4] = Event::Unlocked;
        assert!(fold(&story).budget.admits(Cause::Password, &Fingerprint("f".into())).is_ok());
    }

    #[test]
    fn a_restored_history_is_spent_until_the_owner_says_otherwise_and_its_codes_are_used() {
        let mut story = vec![Event::Restored, Event::Proven { generation: 2 }];
        for cause in [Cause::Password, Cause::Code] {
            assert_eq!(fold(&story).budget.admits(cause, &Fingerprint("f".into())), Err(Stop::Restored));
        }
        story.push(Event::Unlocked);
        assert_eq!(fold(&story).budget.left(Cause::Code, &Fingerprint("f".into())), 2);
        let late: Vec<_> = story.into_iter().map(|event| (at(95), event)).collect();
        assert_eq!(State::of(&late).budget.last_step, Some(3), "the step of second 95");
    }

    #[test]
    fn an_exchange_casts_doubt_on_the_old_token_until_a_new_one_is_proven() {
        let story = [Event::Proven { generation: 1 }, Event::Exchanging];
        assert_eq!(fold(&story).doubted_from, Some(at(2)));
        let state =
            fold(&[Event::Exchanging, Event::Failed { code: "x".into() }, Event::Proven { generation: 2 }]);
        assert_eq!((state.doubted_from, state.generation, state.failed), (None, 2, None));
    }
}
