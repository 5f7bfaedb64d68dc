//! What the owner wants of one channel: which messages, in which order, and in which hours none.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::incident::Severity;
use crate::token::{date_in_india, in_india, ist};

/// What the owner wants of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name in the configuration.
    pub name: String,
    /// The least severity that it gets.
    pub severity: Severity,
    /// Channels of one order are told together; those of a higher one where the lower ones are not enough.
    pub order: u8,
    /// The hours in which it gets what is critical, and nothing else.
    pub quiet: Option<Quiet>,
}

/// Hours of the day in India; they may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// The first moment.
    pub from: Time,
    /// The first moment after.
    pub until: Time,
}

impl Quiet {
    /// When these hours end, where they hold now.
    pub fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (time, today) = (ist().to_datetime(now).time(), date_in_india(now));
        let over_midnight = self.from > self.until;
        let evening = time >= self.from && (over_midnight || time < self.until);
        let night = over_midnight && time < self.until;
        let tomorrow = today.tomorrow().unwrap_or(today);
        match (evening, night) {
            (true, _) if over_midnight => Some(in_india(tomorrow, self.until)),
            (true, _) | (_, true) => Some(in_india(today, self.until)),
            _ => None,
        }
    }
}
