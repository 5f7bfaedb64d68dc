//! A rehearsal's clock: kitesim's, which leaps to the next moment for which somebody waits, so that a year passes in
//! minutes. For loopback rehearsals only, and for one account.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use crate::ports::{Call, Clock, FORM, Http, Soon};

/// A clock that stands still while the keeper does anything, and leaps while he waits. Others only [follow](Follower) it: time
/// that two could make leap would pass for one while the other is at work.
pub struct LeapClock<'a> {
    control: Origin,
    http: &'a dyn Http,
    now: Cell<Timestamp>,
    start: Timestamp,
    /// Where the rehearsal ends.
    end: Timestamp,
    /// The followers that wait, by their moment.
    following: RefCell<BTreeMap<(Timestamp, u64), oneshot::Sender<()>>>,
    counted: Cell<u64>,
}

/// The same time, for whoever waits beside the keeper.
pub struct Follower<'a>(pub &'a LeapClock<'a>);

impl<'a> LeapClock<'a> {
    /// A clock that begins at `start`, and sets the one behind `control` to it at each leap. From `end` on it stands.
    pub fn new(control: Origin, http: &'a dyn Http, (start, end): (Timestamp, Timestamp)) -> LeapClock<'a> {
        let (following, counted) = (RefCell::default(), Cell::new(0));
        LeapClock { control, http, now: Cell::new(start), start, end, following, counted }
    }

    /// Leaps to a moment, and on the way to each that a follower waits for.
    async fn leap(&self, to: Timestamp) {
        // A leap over nothing tells the other side too where we are.
        loop {
            let first = self.following.borrow().keys().next().map(|(at, _)| *at);
            self.set(first.map_or(to, |at| at.min(to)).max(self.now.get())).await;
            if self.now.get() >= to {
                return;
            }
        }
    }

    async fn set(&self, to: Timestamp) {
        let url = Secret::new(self.control.join("/control"));
        let call = Call::post(url, FORM, Secret::new(format!("do=set&with={to}")));
        if let Err(fault) = self.http.send(call).await {
            tracing::warn!(why = fault.why, "the rehearsal's clock did not follow");
        }
        self.now.set(to);
        let mut following = self.following.borrow_mut();
        while let Some(first) = following.first_entry() {
            if first.key().0 > to && !first.get().is_closed() {
                break;
            }
            // Whoever does not wait any more need not know.
            let _ = first.remove().send(());
        }
    }

    fn follow(&self, at: Timestamp) -> Soon<'_, ()> {
        if self.now.get() >= at {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        self.counted.set(self.counted.get() + 1);
        self.following.borrow_mut().insert((at, self.counted.get()), wake);
        Box::pin(async move {
            let _ = woken.await;
        })
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
        Box::pin(self.leap(after(self.now.get(), ms)))
    }

    /// At the end nobody gets further. What was begun before it still comes to its own end: its pauses are leapt over.
    fn until(&self, at: Timestamp) -> Soon<'_, ()> {
        if self.now.get() >= self.end {
            return Box::pin(std::future::pending());
        }
        Box::pin(self.leap(at.clamp(self.now.get(), self.end)))
    }
}

impl Clock for Follower<'_> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn run_ms(&self) -> u64 {
        self.0.run_ms()
    }

    fn rest(&self, ms: u64) -> Soon<'_, ()> {
        self.0.follow(after(self.0.now(), ms))
    }

    fn until(&self, at: Timestamp) -> Soon<'_, ()> {
        self.0.follow(at)
    }
}

fn after(now: Timestamp, ms: u64) -> Timestamp {
    now + SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0))
}
