//! What a person may have to be told about, how grave it is, and what was said last.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know.
    Information,
    /// Something is wrong, and there is time.
    Warning,
    /// Something is wrong, and there is hardly any time left.
    Critical,
}

impl Severity {
    /// All of them, the least grave one first.
    pub const ALL: [Severity; 3] = [Severity::Information, Severity::Warning, Severity::Critical];

    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the messages of one kind are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Incident {
    /// The morning has no token.
    NoToken,
    /// There is a token, or there is time, and something else is missing.
    Lacking,
    /// The calendar has no list for a year.
    Calendar,
    /// The morning's token is there; for owners who want to hear it.
    Ready,
    /// The password is about to reach the age that the owner named.
    Password,
    /// The subscription is about to end.
    Subscription,
}

impl Incident {
    /// All of them.
    pub const ALL: [Incident; 6] = [
        Incident::NoToken,
        Incident::Lacking,
        Incident::Calendar,
        Incident::Ready,
        Incident::Password,
        Incident::Subscription,
    ];

    /// Its name in files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Incident::NoToken => "no-token",
            Incident::Lacking => "lacking",
            Incident::Calendar => "calendar",
            Incident::Ready => "ready",
            Incident::Password => "password",
            Incident::Subscription => "subscription",
        }
    }

    /// Whether it is a word on the side: nothing is wrong yet, and nothing will be over.
    pub fn is_aside(self) -> bool {
        !matches!(self, Incident::NoToken | Incident::Lacking)
    }
}

/// What was said last, and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// About what.
    pub incident: Incident,
    /// How grave it was.
    pub severity: Severity,
    /// How many messages there were on that day.
    pub times: u8,
    /// Whether it is over, and was said to be.
    pub over: bool,
    /// The channels that took a message about it, since it began.
    pub heard: Vec<Heard>,
}

/// A channel that took a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// Its name in the configuration.
    pub channel: String,
    /// When.
    pub at: Timestamp,
    /// How grave the message was.
    pub severity: Severity,
    /// Whether its provider says that it arrived.
    pub proven: bool,
}
