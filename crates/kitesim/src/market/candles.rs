//! Historical candles: the intervals, how far one request may reach, and the candles themselves.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Span, Timestamp};
use serde_json::{Value, json};

use super::hours::{DAY_S, day_start, india, later};
use super::{Instrument, Market};
use crate::clock;

/// How long one candle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interval {
    /// Parts of a day.
    Minutes(i64),
    /// A whole day.
    Day,
}

/// From when to when candles are asked for, on Indian clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) from: DateTime,
    pub(crate) to: DateTime,
}

impl Interval {
    /// Reads its name (Kite Connect docs, /historical); `hour` is an older name that an official suite still uses.
    pub(crate) fn named(name: &str) -> Option<Interval> {
        Some(match name {
            "minute" => Interval::Minutes(1),
            "3minute" => Interval::Minutes(3),
            "5minute" => Interval::Minutes(5),
            "10minute" => Interval::Minutes(10),
            "15minute" => Interval::Minutes(15),
            "30minute" => Interval::Minutes(30),
            "60minute" | "hour" => Interval::Minutes(60),
            "day" => Interval::Day,
            _ => return None,
        })
    }
}

impl Range {
    /// Reads both ends; `to` at midnight without a time means the whole of that day.
    pub(crate) fn read(from: &str, to: &str) -> Option<Range> {
        let (from, to_read) = (civil(from)?, civil(to)?);
        let whole_day = to.trim().len() == 10;
        let to = if whole_day { to_read.date().to_datetime(Time::constant(23, 59, 59, 0)) } else { to_read };
        Some(Range { from, to })
    }

    /// Whether it reaches over more than so many days.
    pub(crate) fn exceeds(self, days: i64) -> bool {
        self.to.duration_since(self.from) >= SignedDuration::from_hours(24 * (days + 1))
    }
}

fn civil(text: &str) -> Option<DateTime> {
    let text = text.trim().replace('+', " ");
    if let Ok(day) = text.parse::<Date>()
        && text.len() == 10
    {
        return Some(day.to_datetime(Time::midnight()));
    }
    DateTime::strptime("%Y-%m-%d %H:%M:%S", &text).ok()
}

impl Market {
    /// The candles of a range that have begun by now, oldest first.
    pub(crate) fn candles(
        &self,
        one: &Instrument,
        interval: Interval,
        range: Range,
        now: Timestamp,
    ) -> Vec<Vec<Value>> {
        let (from, to) = (india(range.from), india(range.to).min(now));
        let mut list = Vec::new();
        let mut day = range.from.date();
        while india(day.to_datetime(Time::midnight())) <= to {
            let starts = if self.calendar.trades_on(day) { starts(interval, day) } else { Vec::new() };
            for (label, start, length_s) in starts {
                if label >= from && start <= to {
                    list.push(self.candle(one, label, start, length_s));
                }
            }
            let Ok(next) = day.checked_add(Span::new().days(1)) else { break };
            day = next;
        }
        list
    }

    /// Time, open, high, low, close, volume and open interest.
    fn candle(&self, one: &Instrument, label: Timestamp, start: Timestamp, length_s: i64) -> Vec<Value> {
        let end = later(start, length_s - 1);
        let [open, high, low, close] = self.bar(one, start, end);
        let label = clock::in_india(label).strftime("%Y-%m-%dT%H:%M:%S+0530").to_string();
        let volume = self.volume(one, start, length_s);
        vec![
            json!(label),
            json!(open),
            json!(high),
            json!(low),
            json!(close),
            json!(volume),
            json!(self.interest(one, start)),
        ]
    }
}

/// How each candle of a day is labelled, when it starts, and how long it is in seconds.
fn starts(interval: Interval, day: Date) -> Vec<(Timestamp, Timestamp, i64)> {
    let open = day_start(day);
    match interval {
        Interval::Day => vec![(india(day.to_datetime(Time::midnight())), open, DAY_S)],
        Interval::Minutes(minutes) => {
            let length_s = minutes * 60;
            let begins = (0..DAY_S).step_by(usize::try_from(length_s).unwrap_or(60));
            let candle = |begin_s| {
                let start = later(open, begin_s);
                (start, start, length_s.min(DAY_S - begin_s))
            };
            begins.map(candle).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::market::{Calendar, by_token};

    #[test]
    fn a_trading_day_has_its_candles() {
        let one = by_token(256_265, date(2026, 10, 5)).unwrap();
        let market = Market::new(1, Calendar::default());
        let range = Range::read("2026-10-01", "2026-10-05").unwrap();
        let now: Timestamp = "2026-10-06T12:00:00+05:30".parse().unwrap();
        // Friday is a holiday.
        assert_eq!(market.candles(&one, Interval::Day, range, now).len(), 2);
        assert_eq!(market.candles(&one, Interval::Minutes(1), range, now).len(), 750);
        assert_eq!(market.candles(&one, Interval::Minutes(60), range, now).len(), 14);
        let noon: Timestamp = "2026-10-05T09:20:00+05:30".parse().unwrap();
        let today = Range::read("2026-10-05 09:15:00", "2026-10-05 15:30:00").unwrap();
        let candles = market.candles(&one, Interval::Minutes(5), today, noon);
        assert_eq!(candles.len(), 2);
        assert_eq!(candles[0][0], "2026-10-05T09:15:00+0530");
    }

    #[test]
    fn a_range_is_measured_in_days() {
        let range = |to: &str| Range::read("2026-01-01 00:00:00", to).unwrap();
        assert!(!range("2026-03-02 00:00:00").exceeds(60));
        assert!(range("2026-03-03 00:00:00").exceeds(60));
        assert!(Range::read("yesterday", "2026-01-01").is_none());
    }

    fn steady(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(steady(2_000))]

        /// Whatever can be read as a range is measured without overflow.
        #[test]
        fn no_range_ends_its_reader(from in "[0-9 :T+-]{0,20}", to in "-?[0-9]{1,4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?") {
            for (from, to) in [(&from, &to), (&to, &from), (&to, &to)] {
                if let Some(range) = Range::read(from, to) {
                    prop_assert!(!range.exceeds(2_000) || range.exceeds(60));
                }
            }
        }
    }
}
