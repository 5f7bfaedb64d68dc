//! A rehearsal's clock: kitesim's, which leaps to the next moment for which somebody waits, so that a year passes in
//! minutes. For loopback rehearsals only, and for one account.

use std::cell::Cell;

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Call, Clock, FORM, Http, Soon};

/// A clock that stands still while anything is done, and leaps while nothing is.
pub struct LeapClock<'a> {
    control: Origin,
    http: &'a dyn Http,
    now: Cell<Timestamp>,
    start: Timestamp,
    /// Where the rehearsal ends.
    end: Timestamp,
}

impl<'a> LeapClock<'a> {
    /// A clock that begins at `start`, and sets the one behind `control` to it at each leap. From `end` on it stands.
    pub fn new(control: Origin, http: &'a dyn Http, (start, end): (Timestamp, Timestamp)) -> LeapClock<'a> {
        LeapClock { control, http, now: Cell::new(start), start, end }
    }

    async fn leap(&self, to: Timestamp) {
        let url = Secret::new(self.control.join("/control"));
        let call = Call::post(url, FORM, Secret::new(format!("do=set&with={to}")));
        if let Err(fault) = self.http.send(call).await {
            tracing::warn!(why = fault.why, "the rehearsal's clock did not follow");
        }
        self.now.set(to);
    }
}

impl Clock for LeapClock<'_> {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn run_ms(&self) -> u64 {
        u64::try_from(self.now.get().duration_since(self.start).as_millis()).unwrap_or(0)
    }

    fn rest(&self, ms: u64) -> Soon<'_, ()> {
        let to = self.now.get() + SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0));
        Box::pin(self.leap(to))
    }

    /// At the end nobody gets further. What was begun before it still comes to its own end: its pauses are leapt over.
    fn until(&self, at: Timestamp) -> Soon<'_, ()> {
        if self.now.get() >= self.end {
            return Box::pin(std::future::pending());
        }
        Box::pin(self.leap(at.clamp(self.now.get(), self.end)))
    }
}
