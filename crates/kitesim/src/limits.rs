//! How many calls of each kind are taken in one second, minute and day of the simulated calendar.

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
    second: i64,
    counts: [u32; 4],
    minute: i64,
    orders: u32,
}

impl Limits {
    /// Counts a call; false when it is one too many. A refused call costs nothing more.
    #[must_use]
    pub(crate) fn takes(&mut self, bucket: Bucket, now: Timestamp) -> bool {
        let second = now.as_second();
        if second != self.second {
            (self.second, self.counts) = (second, [0; 4]);
        }
        let minute = second.div_euclid(60);
        if minute != self.minute {
            (self.minute, self.orders) = (minute, 0);
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
        assert!(limits.takes(Bucket::Quote, at(100)));
        assert!(!limits.takes(Bucket::Quote, at(100)));
        assert!(limits.takes(Bucket::Candles, at(100)));
        assert!(limits.takes(Bucket::Quote, at(101)));
        let taken = (0..60_i64)
            .flat_map(|second| [second; 10])
            .filter(|second| limits.takes(Bucket::Orders, at(6_000 + second)));
        assert_eq!(taken.count(), 400);
    }
}
