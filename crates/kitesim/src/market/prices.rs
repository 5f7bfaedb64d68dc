//! Prices: a smooth random walk that depends on seed, instrument and moment alone, so that every run agrees.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::hours::{Calendar, day_start, later};
use super::instruments::Instrument;
use super::{paise, stamp};
use crate::clock;

/// Waves on top of each other: how long each is in seconds, and how far it moves the price.
const WAVES: [(i64, f64); 4] = [(1_209_600, 0.06), (86_400, 0.012), (3_600, 0.004), (60, 0.0008)];

/// The pretended market of one seed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Market {
    /// What all prices follow from.
    pub(crate) seed: u64,
    /// On which days it trades.
    pub(crate) calendar: Calendar,
}

/// What is known of an instrument at a moment, in rupees and pieces.
#[derive(Debug)]
pub(crate) struct Look {
    /// The moment whose prices are shown: the last closing bell while the market is closed.
    pub(crate) shown: Timestamp,
    pub(crate) last: f64,
    pub(crate) average: f64,
    pub(crate) volume: i64,
    /// What waits on either side.
    pub(crate) waiting: i64,
    pub(crate) interest: i64,
    /// Open, high, low, and the close of the day before.
    pub(crate) bar: [f64; 4],
    /// Buyers and sellers, best first: price, quantity, orders.
    pub(crate) depth: [[(f64, i64, i32); 5]; 2],
}

impl Market {
    /// The market of a seed, with the days on which it trades.
    pub(crate) fn new(seed: u64, calendar: Calendar) -> Market {
        Market { seed, calendar }
    }

    /// The price at a moment, whether or not the market trades then.
    pub(super) fn walk(&self, one: &Instrument, at: Timestamp) -> f64 {
        let second = at.as_second();
        let mut factor = 1.0;
        for (length_s, reach) in WAVES {
            let knot = second.div_euclid(length_s);
            let part = (second.rem_euclid(length_s)) as f64 / length_s as f64;
            let smooth = part * part * (3.0 - 2.0 * part);
            let (left, right) =
                (self.noise(one.token, length_s, knot), self.noise(one.token, length_s, knot + 1));
            factor += reach * (left + (right - left) * smooth);
        }
        to_tick(one.base * factor, one.tick)
    }

    /// The last price at a moment: while the market is closed, that of the last closing bell.
    pub(crate) fn last_price(&self, one: &Instrument, now: Timestamp) -> f64 {
        self.walk(one, self.calendar.close_before(now))
    }

    /// The closing price of the trading day before the one whose prices are shown.
    pub(crate) fn close_price(&self, one: &Instrument, now: Timestamp) -> f64 {
        let shown = clock::in_india(self.calendar.close_before(now)).date();
        let before = self.calendar.previous(shown);
        self.walk(one, self.calendar.close_before(later(day_start(before), 12 * 3_600)))
    }

    /// Open, high, low and close as quotes have them: the close is that of the day before.
    pub(crate) fn ohlc(&self, one: &Instrument, now: Timestamp) -> Value {
        let last = self.calendar.close_before(now);
        let start = day_start(clock::in_india(last).date());
        let [open, high, low, _] = self.bar(one, start, last);
        json!({"open": open, "high": high, "low": low, "close": self.close_price(one, now)})
    }

    /// Open, high, low and last price of a stretch of time.
    pub(super) fn bar(&self, one: &Instrument, start: Timestamp, end: Timestamp) -> [f64; 4] {
        let length_s = end.as_second().saturating_sub(start.as_second());
        // Six looks are enough to make a high and a low; nobody can see those that are missed.
        let looks = (0..=5).map(|look| self.walk(one, later(start, length_s * look / 5)));
        let prices: Vec<f64> = looks.collect();
        let high = prices.iter().copied().fold(f64::MIN, f64::max);
        let low = prices.iter().copied().fold(f64::MAX, f64::min);
        [prices[0], high, low, prices[5]]
    }

    /// How many were traded in a stretch of time.
    pub(super) fn volume(&self, one: &Instrument, start: Timestamp, length_s: i64) -> i64 {
        if !one.tradable() {
            return 0;
        }
        let busy = 1.5 + self.noise(one.token, 7, start.as_second());
        (busy * length_s as f64 * 20.0) as i64 * one.lot
    }

    /// How many contracts are open.
    pub(super) fn interest(&self, one: &Instrument, at: Timestamp) -> i64 {
        if !one.derivative() {
            return 0;
        }
        let level = 10.0 + self.noise(one.token, 11, at.as_second() / 3_600);
        (level * 10_000.0) as i64 * one.lot
    }

    /// What is known of an instrument at a moment, in numbers.
    pub(crate) fn look(&self, one: &Instrument, now: Timestamp) -> Look {
        let shown = self.calendar.close_before(now);
        let last = self.walk(one, shown);
        let start = day_start(clock::in_india(shown).date());
        let [open, high, low, _] = self.bar(one, start, shown);
        let depth = |side: f64| -> [(f64, i64, i32); 5] {
            std::array::from_fn(|index| {
                let row = i32::try_from(index + 1).unwrap_or(5);
                let price = to_tick(last + side * f64::from(row) * one.tick, one.tick);
                (price, i64::from(row) * 10 * one.lot, row)
            })
        };
        Look {
            shown,
            last,
            average: paise((last + self.walk(one, start)) / 2.0),
            volume: self.volume(one, start, shown.as_second() - start.as_second()),
            waiting: 150 * one.lot,
            interest: self.interest(one, shown),
            bar: [open, high, low, self.close_price(one, now)],
            depth: [depth(-1.0), depth(1.0)],
        }
    }

    /// A full quote (Kite Connect docs, /market-quotes).
    pub(crate) fn quote(&self, one: &Instrument, now: Timestamp) -> Value {
        let look = self.look(one, now);
        let [open, high, low, close] = look.bar;
        let depth = look.depth.map(|side| -> Vec<Value> {
            let rows = side.iter().filter(|_| one.tradable());
            rows.map(
                |(price, quantity, orders)| json!({"price": price, "quantity": quantity, "orders": orders}),
            )
            .collect()
        });
        json!({
            "instrument_token": one.token, "timestamp": stamp(now), "last_trade_time": stamp(look.shown),
            "last_price": look.last, "last_quantity": one.lot, "buy_quantity": look.waiting,
            "sell_quantity": look.waiting, "volume": look.volume, "average_price": look.average,
            "oi": look.interest, "oi_day_high": look.interest, "oi_day_low": look.interest, "net_change": 0,
            "lower_circuit_limit": to_tick(look.last * 0.9, one.tick),
            "upper_circuit_limit": to_tick(look.last * 1.1, one.tick),
            "ohlc": {"open": open, "high": high, "low": low, "close": close},
            "depth": {"buy": depth[0], "sell": depth[1]},
        })
    }

    /// A number from -1 to 1 that looks random and is always the same.
    fn noise(&self, token: u32, length_s: i64, knot: i64) -> f64 {
        // One round of SplitMix64's finalizer over each part; prices need no stronger randomness.
        let mixed = [u64::from(token), length_s.cast_unsigned(), knot.cast_unsigned()];
        let word = mixed.into_iter().fold(self.seed, |state, part| finalize(state ^ part));
        (word >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// A number below `limit` that depends on the seed and a text alone.
pub(crate) fn drawn(seed: u64, text: &str, limit: u64) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(text).finalize();
    let word = digest.iter().take(8).fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    word % limit.max(1)
}

fn finalize(state: u64) -> u64 {
    let mut word = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn to_tick(price: f64, tick: f64) -> f64 {
    let ticks = (price / tick).round().max(1.0);
    (ticks * tick * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::market::by_name;

    #[test]
    fn prices_follow_from_the_seed_alone() {
        let one = by_name("NSE", "INFY", date(2026, 10, 5)).unwrap();
        let noon: Timestamp = "2026-10-05T12:00:00+05:30".parse().unwrap();
        let (first, again, other) = (
            Market::new(1, Calendar::default()),
            Market::new(1, Calendar::default()),
            Market::new(2, Calendar::default()),
        );
        assert_eq!(first.quote(&one, noon), again.quote(&one, noon));
        assert_ne!(first.last_price(&one, noon), other.last_price(&one, noon));
        let price = first.last_price(&one, noon);
        assert!((1_350.0..1_650.0).contains(&price), "{price}");
        assert!((price / 0.05 - (price / 0.05).round()).abs() < 1e-6);
        let bar = first.ohlc(&one, noon);
        assert!(bar["high"].as_f64() >= bar["low"].as_f64());
    }
}
