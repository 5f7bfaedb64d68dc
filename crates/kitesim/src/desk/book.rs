//! Placing, changing, cancelling and reading orders.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::order::number;
use super::{Desk, MOST_ORDERS_A_DAY, No, Order, Wish, required};
use crate::clock;
use crate::market::{self, Instrument, stamp};

/// Zerodha's forum: about 25 changes of one order.
const MOST_MODIFICATIONS: u32 = 25;
/// Zerodha's forum, March 2026: autoslice makes at most ten.
const MOST_SLICES: i64 = 10;

impl Desk {
    /// Places an order; `protected` demands market protection. Gives what the reply's data is.
    pub(crate) fn place(&mut self, wish: &Wish, protected: bool, now: Timestamp) -> Result<Value, No> {
        let today = clock::in_india(now).date();
        let one = market::by_name(&wish.exchange, &wish.symbol, today);
        let missing = "The instrument you are placing an order for has either expired or does not exist.";
        let one = one.ok_or_else(|| No::Input(missing.to_owned()))?;
        wish.check(&one, protected)?;
        if wish.autoslice {
            return self.place_slices(wish, &one, now);
        }
        let single = if wish.variety == "iceberg" { wish.leg_quantity } else { wish.quantity };
        if single > one.freeze {
            return Err(No::Input(format!("Quantity exceeds the freeze quantity of {}.", one.freeze)));
        }
        self.room_for(1)?;
        let order_id = self.enter(wish, &one, None, now);
        self.meet_prices(now);
        Ok(json!({"order_id": order_id}))
    }

    /// The first slice gives the reply its order id, the others are its children.
    fn place_slices(&mut self, wish: &Wish, one: &Instrument, now: Timestamp) -> Result<Value, No> {
        let slices = wish.quantity.div_euclid(one.freeze) + i64::from(wish.quantity % one.freeze != 0);
        if slices > MOST_SLICES {
            return Err(No::Input(format!("Autoslice makes at most {MOST_SLICES} orders.")));
        }
        self.room_for(usize::try_from(slices).unwrap_or(usize::MAX))?;
        let mut left = wish.quantity;
        let mut first: Option<String> = None;
        let mut children = Vec::new();
        while left > 0 {
            let slice = Wish { quantity: left.min(one.freeze), ..wish.clone() };
            left -= slice.quantity;
            match (self.shortfall(&slice, one, now), &first) {
                (Some(message), None) => return Err(No::Margin(message)),
                (Some(message), Some(_)) => children.push(json!({"error": {
                    "code": 400, "error_type": "MarginException", "message": message, "data": null,
                }})),
                (None, None) => first = Some(self.enter(&slice, one, None, now)),
                (None, Some(parent)) => {
                    let parent = Some(parent.clone());
                    children.push(json!({"order_id": self.enter(&slice, one, parent, now)}));
                }
            }
            self.meet_prices(now);
        }
        Ok(json!({"order_id": first, "children": children}))
    }

    /// Changes an order that waits.
    pub(crate) fn modify<'a>(
        &mut self,
        order_id: &str,
        field: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Result<Value, No> {
        let order = self.waiting(order_id)?;
        if order.modifications >= MOST_MODIFICATIONS {
            return Err(No::Order("Maximum allowed order modifications exceeded.".to_owned()));
        }
        let mut changed = order.clone();
        let sent = |name: &str| field(name).filter(|text| !text.is_empty());
        if let Some(quantity) = sent("quantity") {
            changed.quantity = number(quantity, "quantity")?;
        }
        if let Some(price) = sent("price") {
            changed.price = number(price, "price")?;
        }
        if let Some(trigger_price) = sent("trigger_price") {
            changed.trigger_price = number(trigger_price, "trigger_price")?;
        }
        if let Some(kind) = sent("order_type") {
            changed.order_type = kind.to_owned();
        }
        if let Some(validity) = sent("validity") {
            changed.validity = validity.to_owned();
        }
        if let Some(protection) = sent("market_protection") {
            changed.market_protection = number(protection, "market_protection")?;
        }
        let known = matches!(changed.order_type.as_str(), "MARKET" | "LIMIT" | "SL" | "SL-M");
        let one = market::by_token(changed.instrument_token, clock::in_india(now).date());
        let taken = one.is_some_and(|one| changed.quantity % one.lot == 0 && changed.quantity <= one.freeze);
        let sane = |price: f64| price.is_finite() && price >= 0.0;
        if changed.quantity <= changed.filled_quantity
            || !taken
            || !known
            || !sane(changed.price)
            || !sane(changed.trigger_price)
        {
            return Err(No::Input(
                "Invalid `quantity`, `price`, `trigger_price` or `order_type`.".to_owned(),
            ));
        }
        changed.pending_quantity = changed.quantity - changed.filled_quantity;
        changed.modifications += 1;
        changed.modified = true;
        changed.exchange_update_timestamp = Some(stamp(now));
        let status = changed.status;
        if status != "AMO REQ RECEIVED" {
            for passing in ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED"] {
                changed.step(passing);
            }
        }
        changed.step(status);
        *order = changed;
        self.meet_prices(now);
        Ok(json!({"order_id": order_id}))
    }

    /// Cancels an order that waits; the leg of a cover order leaves at the market price instead.
    pub(crate) fn cancel(&mut self, order_id: &str, now: Timestamp) -> Result<Value, No> {
        // Exiting a cover order by its parent means its leg.
        let leg = self.orders.iter().find(|order| {
            order.variety == "co" && order.parent_order_id.as_deref() == Some(order_id) && order.waits()
        });
        let target = leg.map_or(order_id.to_owned(), |leg| leg.order_id.clone());
        let order = self.waiting(&target)?;
        if order.variety == "co" && order.parent_order_id.is_some() {
            order.order_type = "MARKET".to_owned();
            order.step("OPEN");
            self.meet_prices(now);
            return Ok(json!({"order_id": order_id}));
        }
        order.cancelled_quantity = order.pending_quantity;
        order.pending_quantity = 0;
        order.exchange_update_timestamp = Some(stamp(now));
        let status = if order.variety == "amo" { "CANCELLED AMO" } else { "CANCELLED" };
        order.step(status);
        Ok(json!({"order_id": order_id}))
    }

    /// The orders that took a step since somebody last looked; `seen` counts the steps of each.
    pub(crate) fn changes(&self, seen: &mut BTreeMap<String, usize>) -> Vec<Value> {
        seen.retain(|order_id, _| self.orders.iter().any(|order| order.order_id == *order_id));
        let mut list = Vec::new();
        for order in &self.orders {
            let steps = seen.entry(order.order_id.clone()).or_default();
            if *steps < order.history.len() {
                *steps = order.history.len();
                let mut fields = json!(order);
                fields["user_id"] = json!(order.placed_by);
                fields["unfilled_quantity"] = json!(order.pending_quantity);
                list.push(fields);
            }
        }
        list
    }

    /// Every step that orders took since somebody last looked, and whether more was filled in it; `seen` counts the steps
    /// of each.
    pub(crate) fn new_steps(&self, seen: &mut BTreeMap<String, usize>) -> Vec<(Value, bool)> {
        let mut list = Vec::new();
        for order in &self.orders {
            let steps = seen.entry(order.order_id.clone()).or_default();
            for index in *steps..order.history.len() {
                let filled =
                    |index: usize| order.history.get(index).map(|step| step["filled_quantity"].as_i64());
                let grew = index > 0 && filled(index) != filled(index - 1);
                let mut fields = order.history[index].clone();
                fields["user_id"] = json!(order.placed_by);
                fields["unfilled_quantity"] = fields["pending_quantity"].clone();
                fields["guid"] = json!(order.guid);
                fields["meta"] = json!(order.meta);
                list.push((fields, grew));
            }
            *steps = order.history.len();
        }
        if seen.len() > self.orders.len() {
            seen.retain(|order_id, _| self.orders.iter().any(|order| order.order_id == *order_id));
        }
        list
    }

    /// The orders of the day, oldest first.
    pub(crate) fn orders(&self) -> Value {
        json!(self.orders)
    }

    /// Every step of one order.
    pub(crate) fn history(&self, order_id: &str) -> Result<Value, No> {
        let order = self.orders.iter().find(|order| order.order_id == order_id);
        order.map(|order| json!(order.history)).ok_or(No::Missing("order_id"))
    }

    /// The trades of the day, or of one order.
    pub(crate) fn trades(&self, order_id: Option<&str>) -> Result<Value, No> {
        if let Some(order_id) = order_id
            && !self.orders.iter().any(|order| order.order_id == order_id)
        {
            return Err(No::Missing("order_id"));
        }
        let asked = |trade: &&Value| order_id.is_none_or(|order_id| trade["order_id"] == order_id);
        Ok(json!(self.trades.iter().filter(asked).collect::<Vec<_>>()))
    }

    fn waiting(&mut self, order_id: &str) -> Result<&mut Order, No> {
        let order = self.orders.iter_mut().find(|order| order.order_id == order_id);
        let order = order.ok_or(No::Missing("order_id"))?;
        if order.waits() {
            return Ok(order);
        }
        Err(No::Order("Order cannot be changed: it has been executed, cancelled or rejected.".to_owned()))
    }

    fn room_for(&self, more: usize) -> Result<(), No> {
        if self.orders.len().saturating_add(more) <= MOST_ORDERS_A_DAY {
            return Ok(());
        }
        Err(No::Order("Maximum allowed order requests exceeded.".to_owned()))
    }

    /// What is to be said when the money does not suffice.
    fn shortfall(&self, wish: &Wish, one: &Instrument, now: Timestamp) -> Option<String> {
        let price = if wish.price > 0.0 { wish.price } else { self.market().last_price(one, now) };
        let required = required(one, &wish.product, wish.quantity, price);
        let free = self.free_cash();
        let message = || {
            format!("Insufficient funds. Required margin is {required:.2} but available margin is {free:.2}.")
        };
        (wish.side == "BUY" && required > free).then(message)
    }

    /// Enters an order in the book and gives its id.
    pub(super) fn enter(
        &mut self,
        wish: &Wish,
        one: &Instrument,
        parent: Option<String>,
        now: Timestamp,
    ) -> String {
        let rejection = self.shortfall(wish, one, now).or_else(|| self.short_of_shares(wish));
        let iceberg = wish.variety == "iceberg";
        let quantity = if iceberg { wish.leg_quantity.min(wish.quantity) } else { wish.quantity };
        let number = self.next_number();
        let day = clock::in_india(now).strftime("%y%m%d").to_string();
        let meta = json!({"iceberg": {
            "leg": 1, "legs": wish.legs, "leg_quantity": quantity, "total_quantity": wish.quantity,
            "remaining_quantity": wish.quantity - quantity,
        }});
        let mut order = Order {
            placed_by: self.user_id.clone(),
            order_id: format!("{day}{number:09}"),
            exchange_order_id: None,
            parent_order_id: parent,
            status: "",
            status_message: None,
            status_message_raw: None,
            order_timestamp: stamp(now),
            exchange_update_timestamp: None,
            exchange_timestamp: None,
            variety: wish.variety.clone(),
            modified: false,
            exchange: wish.exchange.clone(),
            tradingsymbol: wish.symbol.clone(),
            instrument_token: one.token,
            order_type: wish.kind.clone(),
            transaction_type: wish.side.clone(),
            validity: wish.validity.clone(),
            validity_ttl: wish.ttl,
            product: if wish.variety == "co" { "CO".to_owned() } else { wish.product.clone() },
            quantity,
            disclosed_quantity: wish.disclosed,
            price: wish.price,
            trigger_price: wish.trigger_price,
            average_price: 0.0,
            filled_quantity: 0,
            pending_quantity: quantity,
            cancelled_quantity: 0,
            market_protection: wish.protection.unwrap_or(0.0),
            meta: if iceberg { meta.as_object().cloned().unwrap_or_default() } else { Map::new() },
            tag: wish.tag.clone(),
            tags: wish.tag.iter().cloned().collect(),
            guid: format!("{number}X"),
            placed: now,
            filled_in: None,
            modifications: 0,
            history: Vec::new(),
        };
        order.step("PUT ORDER REQ RECEIVED");
        order.step("VALIDATION PENDING");
        if let Some(message) = rejection {
            order.pending_quantity = 0;
            order.status_message_raw = Some(format!("RMS: {message}"));
            order.status_message = Some(message);
            order.step("REJECTED");
        } else if order.variety == "amo" {
            order.step("AMO REQ RECEIVED");
        } else {
            reach_exchange(&mut order, now);
        }
        let order_id = order.order_id.clone();
        self.orders.push(order);
        order_id
    }
}

/// The order is at the exchange now.
pub(super) fn reach_exchange(order: &mut Order, now: Timestamp) {
    let number = order.order_id.get(6..).unwrap_or_default();
    order.exchange_order_id = Some(format!("1100000{number}"));
    order.exchange_timestamp = Some(stamp(now));
    order.exchange_update_timestamp = Some(stamp(now));
    order.step("OPEN PENDING");
    let waits = matches!(order.order_type.as_str(), "SL" | "SL-M");
    order.step(if waits { "TRIGGER PENDING" } else { "OPEN" });
}
