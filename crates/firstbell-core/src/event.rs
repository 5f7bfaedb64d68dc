//! What happened: the words in which an account's history is kept, append-only and durable.

use crate::budget::{Cause, Fingerprint, Verdict};

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
    },
    /// The owner says that the account is well.
    Unlocked,
    /// The history before this is not known to be the newest one: a backup was put back, or the store was moved here.
    /// What was submitted since is not known.
    Restored,
}
