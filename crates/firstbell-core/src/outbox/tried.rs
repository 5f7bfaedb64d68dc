//! One channel and one message: when it was asked, how often, what came of it, and when it may be asked again.

use jiff::{SignedDuration, Timestamp};

/// A channel that failed is tried again after this …
const AGAIN: SignedDuration = SignedDuration::from_secs(20);
/// … and the more often it failed, after the more: an answer that got lost may stand for a message that arrived.
const PAUSES: [(u32, SignedDuration); 3] =
    [(4, AGAIN), (10, SignedDuration::from_mins(1)), (u32::MAX, SignedDuration::from_mins(5))];
/// One that failed while another took the message is tried this often.
pub(super) const BESIDE: u32 = 4;

/// How long a channel that failed this often is left alone.
pub(super) fn pause(times: u32) -> SignedDuration {
    PAUSES.iter().find(|(most, _)| times < *most).map_or(AGAIN, |(_, pause)| *pause)
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    /// When it was asked, first.
    pub(super) at: Timestamp,
    pub(super) times: u32,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Taken(Timestamp),
    Proven,
    Failed(Timestamp),
}

impl Try {
    pub(super) fn taken_at(&self) -> Option<Timestamp> {
        match self.outcome {
            Some(Outcome::Taken(at)) => Some(at),
            _ => None,
        }
    }
}
