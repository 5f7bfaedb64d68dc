//! The simulated clock: the host's time moved by an offset, or frozen; the one place that asks the time.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Indian Standard Time is UTC+05:30 all year.
const IST_OFFSET_S: i32 = 5 * 3600 + 1800;

/// What the simulation takes for the time.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The host's time, moved.
    Running(SignedDuration),
    /// Always the same moment.
    Frozen(Timestamp),
}

impl Clock {
    /// A clock that starts at the given moment, or at the host's, and runs on.
    pub(crate) fn starting(at: Option<Timestamp>) -> Clock {
        let mut clock = Clock::Running(SignedDuration::ZERO);
        if let Some(at) = at {
            clock.set(at);
        }
        clock
    }

    /// The simulated moment.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Clock::Running(offset) => host_now().checked_add(*offset).unwrap_or(Timestamp::MAX),
            Clock::Frozen(at) => *at,
        }
    }

    /// Whether it stands still.
    pub(crate) fn frozen(&self) -> bool {
        matches!(self, Clock::Frozen(_))
    }

    /// Jumps to a moment; a frozen clock stays frozen there.
    pub(crate) fn set(&mut self, at: Timestamp) {
        *self = match self {
            Clock::Running(_) => Clock::Running(at.duration_since(host_now())),
            Clock::Frozen(_) => Clock::Frozen(at),
        };
    }

    /// Jumps by so many seconds; false when no calendar reaches that far.
    #[must_use]
    pub(crate) fn advance(&mut self, seconds: i64) -> bool {
        let Ok(at) = self.now().checked_add(SignedDuration::from_secs(seconds)) else {
            return false;
        };
        self.set(at);
        true
    }

    /// Stops the clock at its present moment, or lets it run on from there.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        let now = self.now();
        *self = if frozen { Clock::Frozen(now) } else { Clock::Running(now.duration_since(host_now())) };
    }
}

/// A moment on Indian calendars and clocks.
pub(crate) fn in_india(moment: Timestamp) -> DateTime {
    let offset = Offset::from_seconds(IST_OFFSET_S).expect("half past five is an offset");
    offset.to_datetime(moment)
}

/// A moment as the `Date` header has it (RFC 9110, section 5.6.7).
pub(crate) fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn host_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let mut clock = Clock::starting(Some(moment("2026-10-05T08:30:00+05:30")));
        clock.freeze(true);
        clock.set(moment("2026-10-05T08:30:00+05:30"));
        assert_eq!(clock.now(), moment("2026-10-05T03:00:00Z"));
        assert!(clock.advance(90));
        assert_eq!(clock.now(), moment("2026-10-05T03:01:30Z"));
        assert!(!clock.advance(i64::MAX));
        clock.freeze(false);
        assert!(clock.now() >= moment("2026-10-05T03:01:30Z"));
    }

    #[test]
    fn dates_are_written_as_http_wants_them() {
        assert_eq!(http_date(moment("1994-11-06T08:49:37Z")), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(in_india(moment("2026-10-05T20:00:00Z")).date().to_string(), "2026-10-06");
    }
}
