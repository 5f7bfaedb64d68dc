//! The simulated clock: the host's time moved and stretched, or frozen; the one place that asks the time.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Indian Standard Time is UTC+05:30 all year.
const IST_OFFSET_S: i32 = 5 * 3600 + 1800;

/// A trading day of 22,500 seconds passes in a quarter of a second; faster, and nobody sees anything of it.
const FASTEST: u32 = 100_000;

/// What the simulation takes for the time.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The simulated moment at the last change.
    at: Timestamp,
    /// The host's moment at the last change; nothing while the clock stands still.
    since: Option<Timestamp>,
    /// How many simulated seconds pass in one of the host's.
    speed: u32,
}

/// What can be asked of the clock, all at once: in inspection calls and in scenarios.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockOrder {
    set: Option<Timestamp>,
    advance_s: Option<i64>,
    freeze: Option<bool>,
    speed: Option<u32>,
}

impl ClockOrder {
    /// One complaint for each thing that no clock can do.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let bad = self.speed.is_some_and(|speed| !(1..=FASTEST).contains(&speed));
        bad.then(|| format!("speed: must be a number from 1 to {FASTEST}")).into_iter().collect()
    }
}

impl Clock {
    /// A clock that starts at the given moment, or at the host's, and runs on.
    pub(crate) fn starting(at: Option<Timestamp>) -> Clock {
        let host = host_now();
        Clock { at: at.unwrap_or(host), since: Some(host), speed: 1 }
    }

    /// The simulated moment.
    pub(crate) fn now(&self) -> Timestamp {
        let Some(since) = self.since else { return self.at };
        let passed = host_now().duration_since(since).checked_mul(i32::try_from(self.speed).unwrap_or(1));
        passed.and_then(|passed| self.at.checked_add(passed).ok()).unwrap_or(Timestamp::MAX)
    }

    /// Whether it stands still.
    pub(crate) fn frozen(&self) -> bool {
        self.since.is_none()
    }

    /// How many simulated seconds pass in one of the host's while it runs.
    pub(crate) fn speed(&self) -> u32 {
        self.speed
    }

    /// The host's milliseconds while the simulated clock stands still, for what must go on nevertheless.
    pub(crate) fn still_ms(&self) -> Option<i64> {
        self.frozen().then(|| host_now().as_millisecond())
    }

    /// Does what is asked; false when no calendar reaches that far.
    #[must_use]
    pub(crate) fn obey(&mut self, order: &ClockOrder) -> bool {
        // Frozen first: a clock that is set while it stands still shows exactly that moment.
        if let Some(frozen) = order.freeze {
            self.freeze(frozen);
        }
        if let Some(speed) = order.speed {
            self.hurry(speed);
        }
        if let Some(at) = order.set {
            self.set(at);
        }
        order.advance_s.is_none_or(|seconds| self.advance(seconds))
    }

    /// Jumps to a moment; a frozen clock stays frozen there.
    pub(crate) fn set(&mut self, at: Timestamp) {
        self.at = at;
        self.since = self.since.map(|_before| host_now());
    }

    /// Lets it run faster from here on.
    pub(crate) fn hurry(&mut self, speed: u32) {
        self.set(self.now());
        self.speed = speed.clamp(1, FASTEST);
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
        self.at = self.now();
        self.since = (!frozen).then(host_now);
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
    fn a_hurried_clock_runs_so_many_times_as_fast() {
        let mut clock = Clock::starting(Some(moment("2026-10-05T09:15:00+05:30")));
        clock.freeze(true);
        clock.set(moment("2026-10-05T09:15:00+05:30"));
        let order = ClockOrder { speed: Some(1_000), ..ClockOrder::default() };
        assert!(order.complaints().is_empty() && clock.obey(&order));
        assert_eq!(clock.now(), moment("2026-10-05T09:15:00+05:30"));
        clock.freeze(false);
        let host = host_now();
        let first = clock.now();
        while host_now().duration_since(host) < SignedDuration::from_millis(20) {}
        assert!(clock.now().duration_since(first) >= SignedDuration::from_secs(19));
        assert!(!ClockOrder { speed: Some(0), ..ClockOrder::default() }.complaints().is_empty());
        clock.set(Timestamp::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn dates_are_written_as_http_wants_them() {
        assert_eq!(http_date(moment("1994-11-06T08:49:37Z")), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(in_india(moment("2026-10-05T20:00:00Z")).date().to_string(), "2026-10-06");
    }
}
