//! Requests that wait to be released, so that tests can look at the world in the middle of a call.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::faults::Place;

/// The waiting room.
#[derive(Debug)]
pub(crate) struct Held {
    waiting: Mutex<Vec<(u64, Place)>>,
    changed: watch::Sender<u64>,
    released: watch::Sender<u64>,
}

impl Held {
    /// An empty waiting room.
    pub(crate) fn new() -> Held {
        Held { waiting: Mutex::default(), changed: watch::Sender::new(0), released: watch::Sender::new(0) }
    }

    /// Waits for the next release. A request whose client goes away leaves the room by itself.
    pub(crate) async fn wait(&self, place: Place) {
        let mut released = self.released.subscribe();
        let _seat = Seat::take(self, place);
        // The sender lives as long as this room does, so the only thing that ends this is a release.
        let _ended = released.changed().await;
    }

    /// Lets every waiting request go on.
    pub(crate) fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    /// The places at which requests wait, oldest first.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.seats().iter().map(|(_, place)| *place).collect()
    }

    /// Waits until a request is held at a place; false when the time is over first.
    pub(crate) async fn until(&self, place: Place, patience: Duration) -> bool {
        let mut changed = self.changed.subscribe();
        let seen = changed.wait_for(|_count| self.places().contains(&place));
        matches!(timeout(patience, seen).await, Ok(Ok(_)))
    }

    fn seats(&self) -> MutexGuard<'_, Vec<(u64, Place)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Seat<'a> {
    room: &'a Held,
    number: u64,
}

impl Seat<'_> {
    fn take(room: &Held, place: Place) -> Seat<'_> {
        let number = room.seats().last().map_or(0, |(last, _)| last + 1);
        room.seats().push((number, place));
        room.changed.send_modify(|count| *count += 1);
        Seat { room, number }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.room.seats().retain(|(number, _)| *number != self.number);
        self.room.changed.send_modify(|count| *count += 1);
    }
}
