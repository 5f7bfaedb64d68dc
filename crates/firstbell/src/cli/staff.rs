//! Who answers at the daemon's socket: all keepers of the process.

use firstbell_core::failure::Failure;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::Notify;

use super::order;
use crate::hands::Hands;
use crate::keeper::Face;
use crate::serve::{Desk, Order};

/// A keeper that is this late with its next look hangs. A login may take minutes.
const LATE: SignedDuration = SignedDuration::from_mins(20);

/// The keepers, seen from outside.
pub(super) struct Staff<'a> {
    pub(super) hands: &'a [Hands<'a>],
    pub(super) faces: &'a [Face],
    /// Rung when an order came: whoever said it may have changed the keys too.
    pub(super) bell: &'a Notify,
}

impl Staff<'_> {
    /// All accounts as they stand.
    pub(super) fn accounts(&self) -> Vec<Value> {
        self.faces.iter().filter_map(|face| Some(face.shown()?.words)).collect()
    }
}

impl Desk for Staff<'_> {
    fn order(&self, account: &str, order: Order) -> Option<Result<(), Failure>> {
        let place = self.hands.iter().position(|hands| hands.account.name == account)?;
        let hands = &self.hands[place];
        let done = order::carry_out(order, (hands.stores.turns(), &hands.account.app), || hands.attest());
        self.faces[place].nudge();
        self.bell.notify_one();
        Some(done)
    }

    fn is_alive(&self) -> bool {
        self.hands.iter().zip(self.faces).all(|(hands, face)| {
            // What is caught up was due long before anybody could look.
            let due = face.shown().map(|shown| shown.decision.at.max(shown.at));
            due.is_none_or(|due| hands.clock.now().duration_since(due) < LATE)
        })
    }
}
