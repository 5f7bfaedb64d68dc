//! What passes between the keeper and the worker that drives a browser for it: a closed list of orders and of reports.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::obstacle::TlsFault;
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Seen, Sight};

use super::super::bounds::Bounds;
use super::super::engine::Deed;
use super::super::job::Job;

/// An order, and its number: the report on it carries the same, so that none is taken for that on a later one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) order: Order,
}

/// What the keeper wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Start an engine. The first order, and once.
    Begin(Box<Job>),
    /// Prove the engine's sandbox.
    Prove,
    /// Do this.
    Perform(Deed),
    /// The text that was asked for; it carries the number of the order in which it is typed.
    Type(Text),
    /// End the engine.
    Close,
}

/// A report, and the number of the order that it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    pub(super) number: u64,
    pub(super) report: Report,
}

/// What the worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Report {
    /// It was done: the engine stands, its sandbox is proven, or it is ended.
    Done {
        /// Why the engine's control port is open to this machine's users, where the owner accepted that.
        open_port: Option<String>,
        /// Of an engine that stands now: what the kernel holds it to.
        bounds: Option<Bounds>,
    },
    /// A field is proven: its text is wanted now.
    Want {
        /// Which, counted from 0.
        field: usize,
    },
    /// This was seen.
    Saw(Saw),
    /// The engine broke, and nothing of this order left.
    Broke {
        /// What happened.
        why: String,
        /// What the owner can do.
        cure: String,
    },
}

/// A text that passes to the process that types it, or comes from the one that saw it; nothing else makes it readable.
#[derive(Debug)]
pub(super) struct Text(pub(super) Secret);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(|text| Text(Secret::new(text)))
    }
}

/// A picture, as base64.
#[derive(Debug)]
pub(super) struct Picture(Vec<u8>);

impl Serialize for Picture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Picture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Picture, D::Error> {
        let text = String::deserialize(deserializer)?;
        data_encoding::BASE64.decode(text.as_bytes()).map(Picture).map_err(de::Error::custom)
    }
}

/// What a driver says it saw, as it passes from process to process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Saw {
    Page(Sight),
    Away(Text),
    Lost { left: bool, why: String },
    Insecure(TlsFault),
    Untyped { why: String },
    Bones(Text),
    Picture(Picture),
    Unchanged,
}

impl From<Seen> for Saw {
    fn from(seen: Seen) -> Saw {
        match seen {
            Seen::Page(sight) => Saw::Page(sight),
            Seen::Away(url) => Saw::Away(Text(url)),
            Seen::Lost { left, why } => Saw::Lost { left, why },
            Seen::Insecure(fault) => Saw::Insecure(fault),
            Seen::Untyped { why } => Saw::Untyped { why },
            Seen::Bones(told) => Saw::Bones(Text(told)),
            Seen::Picture(png) => Saw::Picture(Picture(png)),
            Seen::Unchanged => Saw::Unchanged,
        }
    }
}

impl From<Saw> for Seen {
    fn from(saw: Saw) -> Seen {
        match saw {
            Saw::Page(sight) => Seen::Page(sight),
            Saw::Away(Text(url)) => Seen::Away(url),
            Saw::Lost { left, why } => Seen::Lost { left, why: plain(&why) },
            Saw::Insecure(fault) => Seen::Insecure(fault),
            Saw::Untyped { why } => Seen::Untyped { why: plain(&why) },
            Saw::Bones(Text(told)) => Seen::Bones(told),
            Saw::Picture(Picture(png)) => Seen::Picture(png),
            Saw::Unchanged => Seen::Unchanged,
        }
    }
}

impl Report {
    /// How something ended that gives nothing.
    pub(super) fn of(outcome: Result<(), Failure>) -> Report {
        outcome.map_or_else(Report::failed, |()| Report::Done { open_port: None, bounds: None })
    }

    /// A failure of the engine. It has no other kind: what pages and networks do is seen.
    pub(super) fn failed(failure: Failure) -> Report {
        let cure = failure.cure();
        Report::Broke { why: failure.to_string(), cure }
    }
}

/// An engine's failure, as the keeper takes it from the worker.
pub(super) fn broken(why: &str, cure: &str) -> Failure {
    Failure::Broken { part: Part::Browser, why: plain(why), cure: plain(cure) }
}

/// Sentences are no longer than this.
const WORDS_CHARS: usize = 600;

/// One line of a sentence: the worker has seen a stranger's page, and what it says comes into logs and onto terminals.
pub(super) fn plain(text: &str) -> String {
    text.chars().take(WORDS_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_a_text() {
        let secret = || Text(Secret::new("hunter2".into()));
        let asked = Asked { number: 1, order: Order::Type(secret()) };
        let said = Said { number: 1, report: Report::Saw(Saw::Away(secret())) };
        let shown = format!("{asked:?} {said:?} {:?}", Saw::Bones(secret()));
        assert!(!shown.contains("hunter2"), "{shown}");
        let written = serde_json::to_string(&asked).unwrap();
        assert_eq!(written, r#"{"number":1,"order":{"type":"hunter2"}}"#);
        let Order::Type(Text(back)) = serde_json::from_str::<Asked>(&written).unwrap().order else {
            panic!()
        };
        assert_eq!(back.expose(), "hunter2");
    }

    #[test]
    fn what_a_worker_says_stays_one_short_line() {
        let said = plain(&"x\u{1b}[2J\n".repeat(1000));
        assert!(said.chars().count() == WORDS_CHARS && !said.chars().any(char::is_control));
    }
}
