//! The daemon's log: one line for each thing that happened, as text or as JSON, in a written grammar.
//!
//! Text: `MOMENT KIND ACCOUNT: SENTENCE`, the moment in India with its offset, the account `-` where it is about none. JSON: one
//! object with `at`, `kind`, `account` and `text`. Kinds: `event` (durable), `next` (what is decided), `notice` (what a person is
//! told), `chat` (what a paired person asked for), `fault` (something could not be done), `daemon` (about the process).

use std::sync::Arc;

use firstbell_core::decide::{Decision, Step};
use firstbell_core::event::Event;
use firstbell_core::failure::{Ask, Failure};
use firstbell_core::notice::Notice;
use jiff::Timestamp;
use serde_json::json;

use super::say;
use crate::caller::Operator;
use crate::clock::monotonic_us;
use crate::crier::Witness;
use crate::keeper::Listener;
use crate::ledger::Journal;
use crate::login::Progress;
use crate::selftest::Examiner;
use crate::shape::india;
use crate::standing;
use crate::tally::Tally;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogForm {
    /// For people and journals.
    Text,
    /// For machines.
    Json,
}

/// Writes the lines of one account, or of the daemon.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) form: LogForm,
    pub(super) account: Option<String>,
    /// Counts what the lines tell, for the metrics.
    pub(super) tally: Arc<Tally>,
}

impl Lines {
    pub(super) fn line(&self, at: Timestamp, kind: &str, text: &str) {
        let account = self.account.as_deref();
        say::out(&match self.form {
            LogForm::Text => format!("{} {kind} {}: {text}", india(at), account.unwrap_or("-")),
            LogForm::Json => {
                json!({ "at": india(at), "kind": kind, "account": account, "text": text }).to_string()
            }
        });
    }
}

impl Journal for Lines {
    fn hear(&self, at: Timestamp, event: &Event) {
        self.line(at, "event", &event.to_string());
        let account = self.account.as_deref().unwrap_or_default();
        match event {
            Event::Failed { code, .. } => {
                self.tally.end(account, monotonic_us());
                self.tally.failed(account, code);
            }
            Event::Proven { .. } | Event::Dropped { .. } => self.tally.end(account, monotonic_us()),
            _ => {}
        }
    }
}

impl Listener for Lines {
    fn decided(&self, at: Timestamp, decision: &Decision) {
        let because = standing::because(decision);
        let text = match decision.step {
            Step::Look => format!("nothing before {}, because {because}", india(decision.at)),
            step => format!("{} at {}, because {because}", standing::step(step), india(decision.at.max(at))),
        };
        self.line(at, "next", &text);
    }

    fn failed(&self, at: Timestamp, failure: &Failure) {
        // What is tried again by itself needs nobody.
        let again = matches!(failure.ask(), Ask::Again | Ask::Wait);
        let cure = if again { String::new() } else { format!(" {}", failure.cure()) };
        self.line(at, "fault", &format!("{failure}.{cure}"));
    }
}

impl Witness for Lines {
    fn told(&self, at: Timestamp, notice: &Notice, channel: Option<&str>) {
        if let Some(name) = channel {
            self.tally.channel(name, true);
        }
        let Notice { severity, title, body, .. } = notice;
        let through = channel.map_or("log only".to_owned(), |name| format!("through {name}"));
        self.line(at, "notice", &format!("{severity}, {through}: {title}. {}", body.replace('\n', " ")));
    }

    fn deaf(&self, at: Timestamp, channel: &str, why: &str) {
        self.tally.channel(channel, false);
        self.line(at, "fault", &format!("the channel {channel} did not take a message: {why}"));
    }
}

impl Operator for Lines {
    fn asked(&self, at: Timestamp, channel: &str) {
        self.line(at, "notice", &format!("a link to log in by went through {channel}"));
    }

    fn unasked(&self, at: Timestamp, why: &str) {
        self.line(at, "fault", &format!("a link to log in by did not get through: {why}"));
    }

    fn dropped(&self, at: Timestamp, why: &str) {
        self.line(at, "fault", &format!("what came back from a login was dropped: {why}"));
    }
}

impl Examiner for Lines {
    fn lives(&self, at: Timestamp, channel: &str) {
        self.tally.channel(channel, true);
        self.line(at, "daemon", &format!("the weekly test message got through {channel}"));
    }

    fn dead(&self, at: Timestamp, channel: &str, why: &str) {
        self.tally.channel(channel, false);
        self.line(at, "fault", &format!("the weekly test message did not get through {channel}: {why}"));
    }

    fn failed(&self, at: Timestamp, failure: &Failure) {
        let cure = failure.cure();
        self.line(at, "fault", &format!("the channels could not be tested: {failure}. {cure}"));
    }
}

/// The steps inside a login are its events already; here they are only counted.
impl Progress for Lines {
    fn begin(&self, step: &'static str) {
        self.tally.begin(self.account.as_deref().unwrap_or_default(), step, monotonic_us());
    }
}
