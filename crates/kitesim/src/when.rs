//! When a fault strikes beside the number of a call: between two moments, and with a probability drawn from a seed.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::clock;

/// The conditions of one fault; without any, it strikes always.
#[derive(Clone, Debug, Default)]
pub(crate) struct When {
    /// Not before it.
    pub(crate) from: Option<Bound>,
    /// Only before it.
    pub(crate) until: Option<Bound>,
    /// How often, from 0 to 1; nothing means always.
    pub(crate) probability: Option<f64>,
    /// The same seed strikes the same calls in every run.
    pub(crate) seed: u64,
}

/// One end of a span of the simulated time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// A moment.
    Moment(Timestamp),
    /// A time of every day in India.
    Daily(Time),
}

impl Bound {
    fn reached(self, now: Timestamp) -> bool {
        match self {
            Bound::Moment(at) => now >= at,
            Bound::Daily(time) => clock::in_india(now).time() >= time,
        }
    }
}

impl When {
    /// Whether the call of this number meets the conditions.
    pub(crate) fn met(&self, call: u64, now: Timestamp) -> bool {
        let begun = self.from.is_none_or(|from| from.reached(now));
        let over = self.until.is_some_and(|until| until.reached(now));
        let inside = match (self.from, self.until) {
            // From the evening until the morning: the night lies outside of neither.
            (Some(Bound::Daily(from)), Some(Bound::Daily(until))) if until <= from => begun || !over,
            _ => begun && !over,
        };
        inside && self.probability.is_none_or(|probability| drawn(self.seed, call) < probability)
    }
}

/// A number from 0 up to 1 for each seed and call: the SplitMix64 of Steele, Lea and Flood (2014).
fn drawn(seed: u64, call: u64) -> f64 {
    let mut mixed = seed.wrapping_add(call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let high = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
    f64::from(high) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_has_its_first_moment_and_not_its_last() {
        let when = When {
            from: Some(Bound::Moment(at("2026-10-05T08:30:00+05:30"))),
            until: Some(Bound::Moment(at("2026-10-05T08:31:00+05:30"))),
            ..When::default()
        };
        assert!(!when.met(1, at("2026-10-05T08:29:59+05:30")));
        assert!(when.met(1, at("2026-10-05T08:30:00+05:30")));
        assert!(!when.met(1, at("2026-10-05T08:31:00+05:30")));
    }

    #[test]
    fn a_span_of_the_day_may_pass_midnight() {
        let daily = |hour| Some(Bound::Daily(Time::constant(hour, 0, 0, 0)));
        let night = When { from: daily(23), until: daily(6), ..When::default() };
        let morning = When { from: daily(5), until: daily(8), ..When::default() };
        for (hour, in_night, in_morning) in [("01", true, false), ("05", true, true), ("12", false, false)] {
            let now = at(&format!("2026-10-05T{hour}:30:00+05:30"));
            assert_eq!((night.met(1, now), morning.met(1, now)), (in_night, in_morning), "{hour}");
        }
    }

    #[test]
    fn a_probability_is_kept_about_and_a_seed_exactly() {
        let when = |seed, probability| When { seed, probability: Some(probability), ..When::default() };
        let strikes = |when: When| (1..=10_000).filter(|call| when.met(*call, Timestamp::UNIX_EPOCH)).count();
        assert!((2_800..3_200).contains(&strikes(when(1, 0.3))), "{}", strikes(when(1, 0.3)));
        assert_eq!(strikes(when(7, 0.5)), strikes(when(7, 0.5)));
        assert_eq!((strikes(when(1, 0.0)), strikes(when(1, 1.0))), (0, 10_000));
        let pattern =
            |seed| (1..=64).map(|call| when(seed, 0.5).met(call, Timestamp::UNIX_EPOCH)).collect::<Vec<_>>();
        assert_ne!(pattern(1), pattern(2));
    }
}
