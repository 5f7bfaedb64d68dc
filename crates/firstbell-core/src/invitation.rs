//! A login that a person completes: one pending attempt with its nonce and its life, and which address that comes back belongs
//! to it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::broker::{App, Broker, Nonce};
use crate::failure::Failure;
use crate::secret::Secret;
use crate::token::Grant;

/// How long a link is good, at most: a person who has to find the phone needs minutes, a link in a forgotten window should
/// not be good for hours.
pub const LIFE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// One pending attempt. Whoever sends somebody else's request token (login CSRF) does not know its nonce.
#[derive(Debug)]
pub struct Invitation {
    nonce: Nonce,
    began: Timestamp,
    until: Timestamp,
    used: bool,
}

/// Why an address that came back was dropped. Nothing of the address is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not belong to this attempt, or is no success.
    Wrong(String),
    /// The attempt has had its one request token.
    Again,
    /// The attempt's life is over.
    Late,
}

impl Invitation {
    /// An attempt that begins now; random bytes from outside, and a life of [`LIFE_MAX`] at most.
    pub fn new(random: [u8; 16], began: Timestamp, life: SignedDuration) -> Invitation {
        Invitation { nonce: Nonce::of(random), began, until: began + life.min(LIFE_MAX), used: false }
    }

    /// The same attempt once more, under another nonce and for what is left of its life: its one request token was
    /// somebody else's.
    #[must_use]
    pub fn renewed(&self, random: [u8; 16]) -> Invitation {
        Invitation { nonce: Nonce::of(random), used: false, ..*self }
    }

    /// The address that the person opens.
    pub fn link(&self, broker: &dyn Broker, app: &App) -> String {
        broker.invite(app, &self.nonce)
    }

    /// The moment at which it ends.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether its life is over. A clock that was set back to before its beginning ends it too.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now < self.began || now >= self.until
    }

    /// Takes the request token of an address that came back, once.
    ///
    /// # Errors
    /// Why the address was dropped; the attempt goes on as if it had not come.
    pub fn take(
        &mut self,
        broker: &dyn Broker,
        app: &App,
        url: &Secret,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        if self.is_over(now) {
            return Err(Refusal::Late);
        }
        if self.used {
            return Err(Refusal::Again);
        }
        let grant = broker.capture_invited(app, url, &self.nonce).map_err(|failure| match failure {
            Failure::WrongReturn { why } => Refusal::Wrong(why),
            other => Refusal::Wrong(other.to_string()),
        })?;
        self.used = true;
        Ok(grant)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Wrong(why) => f.write_str(why),
            Refusal::Again => f.write_str("this link has had its login"),
            Refusal::Late => f.write_str("this link is too old"),
        }
    }
}
