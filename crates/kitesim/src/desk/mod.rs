//! The pretended trading desk of the one account: its orders, trades, positions, holdings, triggers, alerts and funds.

mod alerts;
mod book;
mod charges;
mod funds;
mod matching;
mod order;
mod portfolio;
mod triggers;

pub(crate) use charges::{basket, margin_of, note_of, required};
pub(crate) use funds::{fund_holdings, funds_csv};
pub(crate) use order::{Order, Wish};
pub(crate) use portfolio::Conversion;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::clock;
use crate::market::Market;
use crate::settings::Fills;
use alerts::Alert;
use portfolio::{Holding, Position};
use triggers::Trigger;

/// Why the desk refuses, in the terms of Kite's error types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum No {
    /// A parameter is bad.
    Input(String),
    /// An order is not in a state for this, or is not there.
    Order(String),
    /// The money does not suffice.
    Margin(String),
    /// There is no such thing.
    Missing(&'static str),
}

/// More than this many orders a day are refused (Kite Connect forum, 2026: 5,000 a day).
pub(crate) const MOST_ORDERS_A_DAY: usize = 5_000;
/// A rehearsal has a handful of triggers, alerts or funds; a flood must not fill the memory.
const MOST_ENTRIES: usize = 1_000;

/// How often an order or trigger is looked at, over all of them, while the clock jumps: some tenths of a second.
const MOST_LOOKS: usize = 100_000;

/// Everything that an account has at its broker.
#[derive(Default)]
pub(crate) struct Desk {
    /// Whose desk it is.
    user_id: String,
    market: Market,
    fills: Fills,
    day: Option<Date>,
    /// Up to when it was brought.
    settled: Option<Timestamp>,
    number: u64,
    orders: Vec<Order>,
    trades: Vec<Value>,
    positions: Vec<Position>,
    holdings: Vec<Holding>,
    triggers: Vec<Trigger>,
    alerts: Vec<Alert>,
    fund_orders: Vec<Value>,
    plans: Vec<Value>,
}

impl Desk {
    /// The desk of a user on his first day, with a few shares in his holdings.
    pub(crate) fn opened(user_id: &str) -> Desk {
        Desk { user_id: user_id.to_owned(), holdings: portfolio::first_holdings(), ..Desk::default() }
    }

    /// Whose desk it is.
    pub(crate) fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The market that it trades on.
    pub(crate) fn market(&self) -> &Market {
        &self.market
    }

    /// Brings everything up to a moment, minute by minute of trade while something waits: whoever jumps over a day finds
    /// its orders filled when their price came by.
    pub(crate) fn settle(&mut self, market: Market, fills: Fills, now: Timestamp) {
        (self.market, self.fills) = (market, fills);
        let waiting = self.orders.iter().filter(|order| order.waits()).count() + self.active_triggers();
        if let (Some(before), 1..) = (self.settled, waiting) {
            // Many orders are looked at less often, so that no call takes long.
            let every_s = i64::try_from(60 * (1 + waiting / 50)).unwrap_or(i64::MAX);
            let most = (MOST_LOOKS / waiting).clamp(20, 5_000);
            for moment in self.market.calendar.moments((before, now), every_s, most) {
                self.step(moment);
            }
        }
        self.step(now);
        self.settled = Some(now);
    }

    /// One moment: a new day begins, triggers fire, waiting orders meet the price.
    fn step(&mut self, now: Timestamp) {
        let today = clock::in_india(now).date();
        if self.day.is_some_and(|day| day < today) {
            self.begin_day();
        }
        self.day = Some(today);
        self.fire_triggers(now);
        self.meet_prices(now);
    }

    /// The next number; every name that the desk gives follows from it, so that every run agrees.
    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A name in the form of a UUID.
    fn next_uuid(&mut self) -> String {
        let number = self.next_number();
        let low = crate::market::drawn(self.market().seed, &format!("uuid {number}"), 1 << 48);
        format!("00000000-0000-4000-8000-{low:012x}")
    }
}
