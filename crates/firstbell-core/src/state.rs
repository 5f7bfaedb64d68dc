//! What is true now: an account's events, folded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::event::{ASSISTED, Event};
use crate::failure::{Ask, INTERRUPTED, NOBODY_CAME};
use crate::incident::{Heard, Incident, Severity, Told};
use crate::token::date_in_india;

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
    /// When the broker refused the proven token, if it did.
    pub died_at: Option<Timestamp>,
    /// When the token before that one was refused.
    pub died_before: Option<Timestamp>,
    /// The logins that ended without a token since the last one that succeeded, or since the owner acted.
    pub trouble: Option<Trouble>,
    /// When the broker asked us to wait, and until when.
    pub wait: Option<(Timestamp, Timestamp)>,
    /// The owner wants no logins.
    pub paused: bool,
    /// When all that a login needs was last tried without one.
    pub checked_at: Option<Timestamp>,
    /// When the last verdict at a deadline was given.
    pub assessed_at: Option<Timestamp>,
    /// What was missing at the later one of both.
    pub lacks: Vec<String>,
    /// What was said last to a person.
    pub told: Option<Told>,
    /// When each word on the side was last said.
    pub said: BTreeMap<Incident, Timestamp>,
    /// When the last login began.
    pub began_at: Option<Timestamp>,
    /// When a person was last asked to log in, and how often on that day.
    pub invited: Option<(Timestamp, u8)>,
}

/// Logins of one day that ended without a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// When the last one ended.
    pub at: Timestamp,
    /// Its failure, as a short name.
    pub code: String,
    /// What it asks of us.
    pub ask: Ask,
    /// How many of that day asked for the same.
    pub times: u16,
    /// How many of that day spent something whose end nobody knows.
    pub unclear: u16,
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
            Event::Remaining { cause, left } => self.budget.hear(*cause, *left),
            Event::Exchanging => self.doubted_from = Some(at),
            Event::Proven { generation } => self.prove(at, *generation),
            Event::Died { generation } if *generation == self.generation => self.died_at = Some(at),
            Event::Failed { code, ask } => self.fail(at, code, *ask),
            Event::Wait { until } => self.wait = Some((at, *until)),
            Event::Checked { lacks } => (self.checked_at, self.lacks) = (Some(at), lacks.clone()),
            Event::Assessed { lacks } => (self.assessed_at, self.lacks) = (Some(at), lacks.clone()),
            Event::Told { incident, severity, over, channel, proven } => {
                let heard = channel.as_ref().map(|channel| Heard {
                    channel: channel.clone(),
                    at,
                    severity: *severity,
                    proven: *proven,
                });
                self.tell(at, (*incident, *severity, *over), heard);
            }
            Event::Paused => self.paused = true,
            Event::Resumed => self.paused = false,
            Event::Stored { .. } => self.clear(),
            Event::Unlocked => {
                self.budget.forget();
                self.clear();
                self.wait = None;
            }
            Event::Restored => {
                self.budget.doubt(at);
                self.doubted_from = Some(at);
            }
            Event::Began { driver } => self.begin(at, driver),
            Event::Issued { .. } | Event::Dropped { .. } | Event::Died { .. } => {}
        }
    }

    fn prove(&mut self, at: Timestamp, generation: u64) {
        self.budget.succeed();
        self.generation = generation;
        self.proven_at = Some(at);
        self.doubted_from = None;
        self.died_before = self.died_at.take();
        (self.trouble, self.wait) = (None, None);
    }

    fn begin(&mut self, at: Timestamp, driver: &str) {
        self.began_at = Some(at);
        if driver == ASSISTED {
            let same_day = |(before, _): &(Timestamp, u8)| date_in_india(*before) == date_in_india(at);
            let times = self.invited.filter(same_day).map_or(0, |(_, times)| times);
            self.invited = Some((at, times.saturating_add(1)));
        }
    }

    fn fail(&mut self, at: Timestamp, code: &str, ask: Ask) {
        // That nobody followed a link says nothing of our own logins; and what only the owner may let go on stays until he does.
        let stopped = self.trouble.as_ref().is_some_and(|trouble| trouble.ask == Ask::Stop);
        let human = self.trouble.as_ref().is_some_and(|trouble| trouble.ask == Ask::Human);
        let says_nothing = code == NOBODY_CAME || (human && code == INTERRUPTED);
        if says_nothing || (stopped && ask != Ask::Stop) {
            return;
        }
        let same_day = |t: &Trouble| date_in_india(t.at) == date_in_india(at);
        let before = self.trouble.take().filter(same_day);
        let (times, unclear) = before.map_or((0, 0), |t| (if t.ask == ask { t.times } else { 0 }, t.unclear));
        let unclear = unclear.saturating_add(u16::from(ask == Ask::Once));
        self.trouble = Some(Trouble { at, code: code.into(), ask, times: times.saturating_add(1), unclear });
    }

    fn tell(
        &mut self,
        at: Timestamp,
        (incident, severity, over): (Incident, Severity, bool),
        heard: Option<Heard>,
    ) {
        if incident.is_aside() {
            self.said.insert(incident, at);
            return;
        }
        let before = self.told.take();
        let today = before.as_ref().filter(|told| date_in_india(told.at) == date_in_india(at));
        let same = |told: &&Told| (told.incident, told.severity, told.over) == (incident, severity, over);
        let again = today.filter(same).map(|told| told.at);
        let times = today.map_or(0, |told| told.times).saturating_add(u8::from(again.is_none()));
        // Who heard that something is wrong hears that it is over, however it grew and changed in between.
        let goes_on = before.filter(|told| !told.over || again.is_some());
        let mut all = goes_on.map_or_else(Vec::new, |told| told.heard);
        if let Some(heard) = heard {
            all.retain(|other| (&other.channel, other.severity) != (&heard.channel, heard.severity));
            all.push(heard);
        }
        self.told = Some(Told { at: again.unwrap_or(at), incident, severity, times, over, heard: all });
    }

    /// The owner acted: what held us back is gone, but for what the broker asked.
    fn clear(&mut self) {
        (self.trouble, self.died_before) = (None, None);
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

    fn failed(ask: Ask) -> Event {
        Event::Failed { code: "x".into(), ask }
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
        let state = fold(&[Event::Exchanging, failed(Ask::Again), Event::Proven { generation: 2 }]);
        assert_eq!((state.doubted_from, state.generation, state.trouble), (None, 2, None));
    }

    #[test]
    fn troubles_of_one_kind_are_counted_and_a_new_day_begins_anew() {
        let state = fold(&[failed(Ask::Again), failed(Ask::Once), failed(Ask::Again), failed(Ask::Again)]);
        let trouble = state.trouble.clone().unwrap();
        assert_eq!((trouble.times, trouble.unclear, trouble.at), (2, 1, at(4)));
        let mut state = state;
        state.take(at(90_000), &failed(Ask::Again));
        assert_eq!(state.trouble.map(|t| (t.times, t.unclear)), Some((1, 0)));
    }

    #[test]
    fn only_the_current_token_dies_and_the_death_before_is_remembered() {
        let mut story = vec![
            Event::Proven { generation: 4 },
            Event::Died { generation: 3 },
            Event::Died { generation: 4 },
            Event::Proven { generation: 5 },
            Event::Died { generation: 5 },
        ];
        let state = fold(&story);
        assert_eq!((state.died_at, state.died_before), (Some(at(5)), Some(at(3))));
        story.push(Event::Unlocked);
        assert_eq!(fold(&story).died_before, None);
    }
}
