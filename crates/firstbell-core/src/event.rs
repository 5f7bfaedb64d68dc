//! What happened: the words in which an account's history is kept, append-only and durable.

use std::fmt;

use jiff::Timestamp;

use crate::budget::{Cause, Fingerprint, Verdict};
use crate::failure::Ask;
use crate::incident::{Incident, Severity};

/// What stands in a driver's place where a person logs in.
pub const ASSISTED: &str = "assisted";

/// One thing that happened to an account. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A login began with this driver.
    Began {
        /// The driver's name.
        driver: String,
    },
    /// A credential is about to leave this machine. Written, and durable, before it does.
    Intent {
        /// The counter at the broker that it may move.
        cause: Cause,
        /// Which value of the credential.
        credential: Fingerprint,
        /// The time step of a code.
        time_step: Option<u64>,
    },
    /// What became of the last intent of this cause.
    Judged {
        /// Which counter.
        cause: Cause,
        /// What became of it.
        verdict: Verdict,
    },
    /// The request token is about to be exchanged, once. The token of before may end with it.
    Exchanging,
    /// The broker gave a token; it is kept as pending until it is proven.
    Issued {
        /// The generation that it will have.
        generation: u64,
    },
    /// The token works and is the expected user's: it replaced the one before.
    Proven {
        /// Its generation.
        generation: u64,
    },
    /// The token does not work or is somebody else's: it was dropped.
    Dropped {
        /// The generation that it would have had.
        generation: u64,
    },
    /// A login ended without a token.
    Failed {
        /// [`crate::failure::Failure::code`].
        code: String,
        /// What it asks of us.
        ask: Ask,
    },
    /// The broker said how many attempts remain before it blocks the account.
    Remaining {
        /// Of which counter.
        cause: Cause,
        /// How many.
        left: u8,
    },
    /// The broker asked us to wait.
    Wait {
        /// Nothing is tried before this moment.
        until: Timestamp,
    },
    /// The broker refuses the current token: it was flushed, or another login took its place.
    Died {
        /// Its generation.
        generation: u64,
    },
    /// All that a login needs, but no credential, was tried beforehand.
    Checked {
        /// What was missing, as short names; empty when all is well.
        lacks: Vec<String>,
    },
    /// The verdict at the deadline.
    Assessed {
        /// What was missing, as short names; empty when ready.
        lacks: Vec<String>,
    },
    /// A person was told: a channel took the message, or there is none and the log has it. Another channel that takes the same
    /// one is another such event.
    Told {
        /// About what.
        incident: Incident,
        /// How grave it was.
        severity: Severity,
        /// Whether it was that it is over.
        over: bool,
        /// Which channel, by its name in the configuration.
        channel: Option<String>,
        /// Whether its provider says that it arrived.
        proven: bool,
    },
    /// The owner stored a secret anew.
    Stored {
        /// The secret's name.
        name: String,
    },
    /// The owner wants no logins.
    Paused,
    /// The owner wants logins again.
    Resumed,
    /// The owner says that the account is well.
    Unlocked,
    /// The history before this is not known to be the newest one: a backup was put back, or the store was moved here.
    /// What was submitted since is not known.
    Restored,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Began { driver } => write!(f, "a login began, with {driver}"),
            Event::Intent { cause, .. } => write!(f, "{cause} is about to be sent"),
            Event::Judged { cause, verdict } => write!(f, "{cause} {}", outcome(*verdict)),
            Event::Exchanging => f.write_str("the request token is about to be exchanged"),
            Event::Issued { generation } => write!(f, "token {generation} was issued"),
            Event::Proven { generation } => write!(f, "token {generation} works and is stored"),
            Event::Dropped { generation } => write!(f, "token {generation} did not work and was dropped"),
            Event::Failed { code, .. } => write!(f, "the login failed: {code}"),
            Event::Remaining { cause, left } => write!(f, "the broker counts: {cause} may fail {left} more times"),
            Event::Wait { until } => write!(f, "the broker asked us to wait until {until}"),
            Event::Died { generation } => write!(f, "the broker refuses token {generation}"),
            Event::Checked { lacks } if lacks.is_empty() => f.write_str("all that a login needs is there"),
            Event::Checked { lacks } => write!(f, "before the login something is missing: {}", lacks.join(", ")),
            Event::Assessed { lacks } if lacks.is_empty() => f.write_str("ready at the deadline"),
            Event::Assessed { lacks } => write!(f, "not ready at the deadline: {}", lacks.join(", ")),
            Event::Told { incident, severity, over, channel, proven } => {
                match over {
                    true => write!(f, "it was said that this is over: {}", incident.as_str())?,
                    false => write!(f, "a {severity} was said: {}", incident.as_str())?,
                }
                let arrived = if *proven { ", where it arrived" } else { "" };
                channel.as_ref().map_or(Ok(()), |channel| write!(f, ", by {channel}{arrived}"))
            }
            Event::Stored { name } => write!(f, "the owner stored {name} anew"),
            Event::Paused => f.write_str("the owner wants no logins"),
            Event::Resumed => f.write_str("the owner wants logins again"),
            Event::Unlocked => f.write_str("the owner said that the account is well"),
            Event::Restored => f.write_str(
                "the history was found older than the last one seen here: what is missing in it counts as spent",
            ),
        }
    }
}

fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "was accepted",
        Verdict::Rejected => "was rejected",
        Verdict::Blocked => "met a blocked account",
        Verdict::NeverLeft => "never left this machine",
        Verdict::Unknown => "was sent, and what became of it is not known",
    }
}
