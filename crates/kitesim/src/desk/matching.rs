//! Waiting orders meet the price: they trigger, fill, expire, and bring forth the legs that hang on them.

use jiff::Timestamp;
use serde_json::json;

use super::book::reach_exchange;
use super::{Desk, Order, Wish};
use crate::clock;
use crate::market::{self, Instrument, later, paise, stamp};
use crate::settings::Fills;

/// A fill may enter a further leg, which may fill at once; this many rounds cover the longest iceberg.
const MOST_ROUNDS: usize = 12;

impl Desk {
    /// Lets every waiting order meet the price of a moment. Orders are matched at any hour, so that a rehearsal need
    /// not wait for the opening bell; only after-market orders wait for it.
    pub(super) fn meet_prices(&mut self, now: Timestamp) {
        for _round in 0..MOST_ROUNDS {
            let mut filled = Vec::new();
            for index in 0..self.orders.len() {
                if self.meets(index, now) {
                    filled.push(index);
                }
            }
            if filled.is_empty() {
                return;
            }
            for index in filled {
                self.fill(index, now);
            }
        }
    }

    /// Moves one order on; true when it fills.
    fn meets(&mut self, index: usize, now: Timestamp) -> bool {
        let market = &self.market;
        let today = clock::in_india(now).date();
        let order = &mut self.orders[index];
        if !order.waits() || order.filled_in == Some(now.as_second()) {
            return false;
        }
        if order.status == "AMO REQ RECEIVED" {
            if now < market.calendar.opens_after(order.placed) {
                return false;
            }
            reach_exchange(order, now);
        }
        let Some(one) = market::by_token(order.instrument_token, today) else {
            return false;
        };
        let last = market.last_price(&one, now);
        if order.status == "TRIGGER PENDING" {
            let reached =
                if order.buys() { last >= order.trigger_price } else { last <= order.trigger_price };
            if !reached {
                return expires(order, now);
            }
            order.step("OPEN");
        }
        // A stop order without a price of its own is filled as a market order.
        let any_price = matches!(order.order_type.as_str(), "MARKET" | "SL-M") || order.price <= 0.0;
        let good = if order.buys() { last <= order.price } else { last >= order.price };
        if any_price || good {
            return true;
        }
        expires(order, now)
    }

    fn fill(&mut self, index: usize, now: Timestamp) {
        let today = clock::in_india(now).date();
        let Some(one) = market::by_token(self.orders[index].instrument_token, today) else {
            return;
        };
        let last = self.market.last_price(&one, now);
        let trade_number = self.next_number();
        let fills = self.fills;
        let order = &mut self.orders[index];
        let quantity = taken(order.pending_quantity, one.lot, fills);
        let before = order.average_price * order.filled_quantity as f64;
        order.filled_quantity += quantity;
        order.pending_quantity -= quantity;
        order.average_price = paise((before + last * quantity as f64) / order.filled_quantity.max(1) as f64);
        if order.filled_quantity == quantity {
            order.average_price = last;
        }
        order.filled_in = Some(now.as_second());
        order.exchange_timestamp = Some(stamp(now));
        order.exchange_update_timestamp = Some(stamp(now));
        let whole = order.pending_quantity == 0;
        order.step(if whole { "COMPLETE" } else { "OPEN" });
        if !whole && order.validity == "IOC" {
            expire(order);
        }
        let done = order.clone();
        let clock_time = stamp(now);
        self.trades.push(json!({
            "trade_id": format!("{}", 10_000_000 + trade_number), "order_id": done.order_id,
            "exchange": done.exchange, "tradingsymbol": done.tradingsymbol,
            "instrument_token": done.instrument_token, "product": done.product, "average_price": last,
            "quantity": quantity, "exchange_order_id": done.exchange_order_id,
            "transaction_type": done.transaction_type, "fill_timestamp": clock_time,
            "order_timestamp": clock_time.get(11..).unwrap_or_default(), "exchange_timestamp": clock_time,
        }));
        self.book_trade(&done, &one, (quantity, last));
        if whole {
            self.bring_forth(&done, &one, now);
        }
    }

    /// What a filled order leads to: the leg of a cover order, or the next leg of an iceberg.
    fn bring_forth(&mut self, done: &Order, one: &Instrument, now: Timestamp) {
        if done.variety == "co" && done.parent_order_id.is_none() {
            let leg = Wish {
                side: if done.buys() { "SELL" } else { "BUY" }.to_owned(),
                kind: "SL-M".to_owned(),
                price: 0.0,
                ..wish_of(done)
            };
            self.enter(&leg, one, Some(done.order_id.clone()), now);
        }
        let iceberg = done.meta.get("iceberg").cloned().unwrap_or_default();
        let left = iceberg["remaining_quantity"].as_i64().unwrap_or(0);
        if done.variety == "iceberg" && left > 0 {
            let leg_quantity = iceberg["leg_quantity"].as_i64().unwrap_or(left);
            let leg = Wish { quantity: left, leg_quantity, ..wish_of(done) };
            let order_id = self.enter(&leg, one, None, now);
            if let Some(order) = self.orders.iter_mut().find(|order| order.order_id == order_id) {
                let number = iceberg["leg"].as_i64().unwrap_or(1) + 1;
                order.meta.insert(
                    "iceberg".to_owned(),
                    json!({
                        "leg": number, "legs": iceberg["legs"], "leg_quantity": order.quantity,
                        "total_quantity": iceberg["total_quantity"],
                        "remaining_quantity": left - order.quantity,
                    }),
                );
            }
        }
    }
}

/// An order that is good for a moment or for some minutes only ends unfilled. Never true: it does not fill.
fn expires(order: &mut Order, now: Timestamp) -> bool {
    let over = match order.validity.as_str() {
        "IOC" => true,
        "TTL" => now >= later(order.placed, order.validity_ttl * 60),
        _ => false,
    };
    if over {
        expire(order);
    }
    false
}

fn expire(order: &mut Order) {
    order.cancelled_quantity = order.pending_quantity;
    order.pending_quantity = 0;
    order.step("CANCELLED");
}

/// How much of what is left the market takes at once.
fn taken(left: i64, lot: i64, fills: Fills) -> i64 {
    match fills {
        Fills::Whole => left,
        Fills::Partial => {
            let lots = left / lot.max(1);
            if lots > 1 { (lots / 2) * lot } else { left }
        }
    }
}

fn wish_of(order: &Order) -> Wish {
    Wish {
        variety: order.variety.clone(),
        exchange: order.exchange.clone(),
        symbol: order.tradingsymbol.clone(),
        side: order.transaction_type.clone(),
        kind: order.order_type.clone(),
        product: order.product.clone(),
        quantity: order.quantity,
        price: order.price,
        trigger_price: order.trigger_price,
        disclosed: order.disclosed_quantity,
        validity: order.validity.clone(),
        ttl: order.validity_ttl,
        tag: order.tag.clone(),
        protection: Some(order.market_protection),
        legs: order.meta.get("iceberg").and_then(|iceberg| iceberg["legs"].as_i64()).unwrap_or(0),
        leg_quantity: 0,
        autoslice: false,
    }
}
