//! Numbers that look like chance and come from a seed: the same seed gives the same life.

/// A stream of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64) -> Chance {
        Chance(seed ^ 0x5bd1_e995_9e37_79b9)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Whether something that happens so many times in a thousand happens.
    pub(super) fn happens(&mut self, in_thousand: u64) -> bool {
        self.draw() % 1_000 < in_thousand
    }

    /// A number of the range, its end left out.
    pub(super) fn from(&mut self, range: std::ops::Range<i64>) -> i64 {
        let width = range.end.abs_diff(range.start).max(1);
        range.start + i64::try_from(self.draw() % width).expect("no range is wider than half of all numbers")
    }
}
