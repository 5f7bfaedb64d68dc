//! What is next for an account, second by second: the moments at which a decision turns, and the ones just before.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ladder;
mod mornings;
mod people;
mod tokens;

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::decide::{self, Decision, Probe, Reason, Step, View};
use firstbell_core::event::Event;
use firstbell_core::failure::{Ask, Stop};
use firstbell_core::schedule::{Assisted, Hours, Schedule};
use firstbell_core::state::State;
use firstbell_core::token::{Flush, Life};
use jiff::{SignedDuration, Timestamp};

const FLUSH: Flush = Flush { begins_h: 5, ends_h: 8 };

/// A time of Wednesday, 25 November 2026, in India; of the day after with `+` before it, of the day before with `-`.
fn at(time: &str) -> Timestamp {
    let (day, time) = match time.split_at(1) {
        ("+", time) => (26, time),
        ("-", time) => (24, time),
        _ => (25, time),
    };
    format!("2026-11-{day}T{time}+05:30").parse().unwrap()
}

/// All that a decision looks at.
struct Account {
    schedule: Schedule,
    state: State,
    admitted: Result<(), Stop>,
    token: Option<Life>,
    pending: bool,
    probe: Option<Probe>,
}

impl Account {
    /// Without a token, and with nothing behind it; due at half past eight to the second.
    fn new() -> Account {
        let hours = Hours { spread: SignedDuration::ZERO, ..Hours::default() };
        let exchanges = Exchange::USUAL.to_vec();
        Account {
            schedule: Schedule { hours, exchanges, flush: FLUSH, assisted: Assisted::Never, seed: 1 },
            state: State::default(),
            admitted: Ok(()),
            token: None,
            pending: false,
            probe: None,
        }
    }

    fn assisted(mut self, assisted: Assisted) -> Account {
        self.schedule.assisted = assisted;
        self
    }

    /// With this behind it.
    fn after(mut self, time: &str, event: Event) -> Account {
        self.state.take(at(time), &event);
        self
    }

    fn checked(self, time: &str) -> Account {
        self.after(time, Event::Checked { lacks: Vec::new() })
    }

    fn assessed(self, time: &str) -> Account {
        self.after(time, Event::Assessed { lacks: Vec::new() })
    }

    fn failed(self, time: &str, ask: Ask) -> Account {
        self.after(time, Event::Failed { code: "x".into(), ask })
    }

    /// With a token that was issued, and proven in the same second.
    fn with_token(mut self, time: &str) -> Account {
        self.token = Some(Life::of(at(time), FLUSH));
        let generation = self.state.generation + 1;
        self.after(time, Event::Proven { generation })
    }

    fn died(self, time: &str) -> Account {
        let generation = self.state.generation;
        self.after(time, Event::Died { generation })
    }

    fn probed(mut self, time: &str, alive: Option<bool>) -> Account {
        self.probe = Some(Probe { at: at(time), alive });
        self
    }

    fn view(&self) -> View<'_> {
        View {
            schedule: &self.schedule,
            calendar: Calendar::compiled(),
            state: &self.state,
            admitted: self.admitted,
            token: self.token,
            pending: self.pending,
            probe: self.probe,
        }
    }

    fn decides(&self, now: &str) -> Decision {
        decide::decide(&self.view(), at(now))
    }

    /// What becomes of the morning's token, the verdict on it left out.
    fn prospect(&self, now: &str) -> Decision {
        decide::prospect(&self.view(), at(now))
    }

    /// Whether the token's next is this, then and not sooner, for this reason.
    #[track_caller]
    fn leads(&self, now: &str, step: Step, then: &str, because: Reason) {
        assert_eq!(self.prospect(now), Decision { step, at: at(then), because }, "at {now}");
    }

    /// Whether this is next, then and not sooner, for this reason.
    #[track_caller]
    fn is_next(&self, now: &str, step: Step, then: &str, because: Reason) {
        assert_eq!(self.decides(now), Decision { step, at: at(then), because }, "at {now}");
    }
}
