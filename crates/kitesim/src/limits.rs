//! How many calls of each kind are taken in one second and minute of the simulated calendar; while that stands still, of
//! the host's, for a client that waits a second is in its right.

use jiff::Timestamp;

/// A kind of call with a limit of its own (Kite Connect docs, /exceptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// `/quote` and what is below it.
    Quote,
    /// Historical candles.
    Candles,
    /// Placing, changing and cancelling orders.
    Orders,
    /// Everything else.
    Other,
}

/// Kite Connect forum, 2026: 400 orders a minute.
const ORDERS_A_MINUTE: u32 = 400;

/// The counts of the present second and minute.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    second: Window,
    counts: [u32; 4],
    minute: Window,
    orders: u32,
}

/// A second or a minute.
#[derive(Debug, Default)]
struct Window {
    number: i64,
    began_ms: i64,
}

impl Window {
    /// Whether another one begins; `still_ms` is the host's time while the simulated clock stands still.
    fn turns(&mut self, number: i64, length_ms: i64, still_ms: Option<i64>) -> bool {
        let over = still_ms.is_some_and(|ms| ms.saturating_sub(self.began_ms) >= length_ms);
        let turns = over || number != self.number;
        if turns {
            *self = Window { number, began_ms: still_ms.unwrap_or_default() };
        }
        turns
    }
}

impl Limits {
    /// Counts a call; false when it is one too many. A refused call costs nothing more.
    #[must_use]
    pub(crate) fn takes(&mut self, bucket: Bucket, now: Timestamp, still_ms: Option<i64>) -> bool {
        let second = now.as_second();
        if self.second.turns(second, 1_000, still_ms) {
            self.counts = [0; 4];
        }
        if self.minute.turns(second.div_euclid(60), 60_000, still_ms) {
            self.orders = 0;
        }
        let (index, most) = match bucket {
            Bucket::Quote => (0, 1),
            Bucket::Candles => (1, 3),
            Bucket::Orders => (2, 10),
            Bucket::Other => (3, 10),
        };
        let orders = bucket == Bucket::Orders;
        if self.counts[index] >= most || (orders && self.orders >= ORDERS_A_MINUTE) {
            return false;
        }
        self.counts[index] += 1;
        self.orders += u32::from(orders);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_second_has_new_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut limits = Limits::default();
        assert!(limits.takes(Bucket::Quote, at(100), None));
        assert!(!limits.takes(Bucket::Quote, at(100), None));
        assert!(limits.takes(Bucket::Candles, at(100), None));
        assert!(limits.takes(Bucket::Quote, at(101), None));
        let taken = (0..60_i64)
            .flat_map(|second| [second; 10])
            .filter(|second| limits.takes(Bucket::Orders, at(6_000 + second), None));
        assert_eq!(taken.count(), 400);
    }

    #[test]
    fn a_second_that_stands_still_ends_with_the_host_s() {
        let at = Timestamp::from_second(100).unwrap();
        let mut limits = Limits::default();
        let mut takes = |ms| limits.takes(Bucket::Quote, at, Some(ms));
        assert_eq!([5_000, 5_001, 5_999, 6_000, 6_001].map(&mut takes), [true, false, false, true, false]);
    }
}
