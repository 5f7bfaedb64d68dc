//! GTT triggers: orders that wait for a price, over days (Kite Connect docs, /gtt).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Desk, MOST_ENTRIES, No, Wish};
use crate::clock;
use crate::market::{self, Instrument, later, stamp};

/// Kite Connect docs, /gtt: a trigger lives for a year.
const LIFE_S: i64 = 365 * 86_400;

/// One trigger with its orders.
pub(super) struct Trigger {
    id: u64,
    two_legs: bool,
    status: &'static str,
    created: Timestamp,
    updated: Timestamp,
    last_price: f64,
    values: Vec<f64>,
    token: u32,
    exchange: String,
    symbol: String,
    orders: Vec<Value>,
}

impl Desk {
    /// Sets a trigger, or changes the one with this id.
    pub(crate) fn set_trigger(
        &mut self,
        id: Option<u64>,
        sent: &[&str; 3],
        now: Timestamp,
    ) -> Result<Value, No> {
        let mut trigger = read(sent, now)?;
        match id {
            Some(id) => {
                let own = self.triggers.iter_mut().find(|own| own.id == id && own.status == "active");
                let own = own.ok_or(No::Missing("trigger_id"))?;
                trigger.id = id;
                trigger.created = own.created;
                *own = trigger;
                Ok(json!({"trigger_id": id}))
            }
            None => {
                if self.triggers.len() >= MOST_ENTRIES {
                    return Err(No::Input("Maximum allowed triggers exceeded.".to_owned()));
                }
                trigger.id = 100_000 + self.next_number();
                let id = trigger.id;
                self.triggers.push(trigger);
                Ok(json!({"trigger_id": id}))
            }
        }
    }

    /// Every trigger that was not deleted.
    pub(crate) fn triggers(&self) -> Value {
        json!(self.triggers.iter().map(|own| self.trigger_fields(own)).collect::<Vec<_>>())
    }

    /// One trigger.
    pub(crate) fn trigger(&self, id: u64) -> Result<Value, No> {
        let own = self.triggers.iter().find(|own| own.id == id);
        own.map(|own| self.trigger_fields(own)).ok_or(No::Missing("trigger_id"))
    }

    /// Deletes a trigger.
    pub(crate) fn drop_trigger(&mut self, id: u64) -> Result<Value, No> {
        let before = self.triggers.len();
        self.triggers.retain(|own| own.id != id);
        if self.triggers.len() == before {
            return Err(No::Missing("trigger_id"));
        }
        Ok(json!({"trigger_id": id}))
    }

    /// How many triggers wait for their price.
    pub(super) fn active_triggers(&self) -> usize {
        self.triggers.iter().filter(|own| own.status == "active").count()
    }

    /// Places the order of every trigger whose price is reached.
    pub(super) fn fire_triggers(&mut self, now: Timestamp) {
        let today = clock::in_india(now).date();
        for index in 0..self.triggers.len() {
            let own = &self.triggers[index];
            let Some(one) = market::by_token(own.token, today).filter(|_| own.status == "active") else {
                continue;
            };
            let last = self.market().last_price(&one, now);
            let reached =
                |value: &f64| if *value >= own.last_price { last >= *value } else { last <= *value };
            let Some(leg) = own.values.iter().position(reached) else {
                if now >= later(own.created, LIFE_S) {
                    self.triggers[index].status = "expired";
                }
                continue;
            };
            let Some(wish) = own.orders.get(leg).and_then(|order| wish_of(order, &one)) else {
                continue;
            };
            let order_id = self.enter(&wish, &one, None, now);
            let own = &mut self.triggers[index];
            own.status = "triggered";
            own.updated = now;
            own.orders[leg]["result"] = json!({
                "account_id": self.user_id, "exchange": one.exchange, "tradingsymbol": one.symbol,
                "validity": "DAY", "product": wish.product, "order_type": wish.kind,
                "transaction_type": wish.side, "quantity": wish.quantity, "price": wish.price, "meta": "{}",
                "timestamp": stamp(now), "triggered_at": last,
                "order_result": {"status": "success", "order_id": order_id, "rejection_reason": ""},
            });
        }
    }

    fn trigger_fields(&self, own: &Trigger) -> Value {
        json!({
            "id": own.id, "user_id": self.user_id, "parent_trigger": null,
            "type": if own.two_legs { "two-leg" } else { "single" }, "created_at": stamp(own.created),
            "updated_at": stamp(own.updated), "expires_at": stamp(later(own.created, LIFE_S)), "status": own.status,
            "condition": {
                "exchange": own.exchange, "last_price": own.last_price, "tradingsymbol": own.symbol,
                "trigger_values": own.values, "instrument_token": own.token,
            },
            "orders": own.orders, "meta": {},
        })
    }
}

/// Reads type, condition and orders; the last two are JSON inside a form.
fn read(sent: &[&str; 3], now: Timestamp) -> Result<Trigger, No> {
    let bad = |name: &str| No::Input(format!("Invalid `{name}`."));
    let [kind, condition, orders] = sent;
    let two_legs = match *kind {
        "single" => false,
        "two-leg" => true,
        _ => return Err(bad("type")),
    };
    let condition: Value = serde_json::from_str(condition).map_err(|_error| bad("condition"))?;
    let orders: Vec<Value> = serde_json::from_str(orders).map_err(|_error| bad("orders"))?;
    let text = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    let (exchange, symbol) = (text("exchange"), text("tradingsymbol"));
    let today = clock::in_india(now).date();
    let one = market::by_name(&exchange, &symbol, today).filter(Instrument::tradable);
    let one = one.ok_or_else(|| bad("tradingsymbol"))?;
    let values = condition["trigger_values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let values: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    let legs = if two_legs { 2 } else { 1 };
    if values.len() != legs {
        return Err(bad("trigger_values"));
    }
    if orders.len() != legs || !orders.iter().all(|order| wish_of(order, &one).is_some()) {
        return Err(bad("orders"));
    }
    let last_price = condition["last_price"].as_f64().ok_or_else(|| bad("last_price"))?;
    let orders = orders.iter().map(|order| {
        json!({
            "exchange": exchange, "tradingsymbol": symbol, "product": order["product"],
            "order_type": order["order_type"], "transaction_type": order["transaction_type"],
            "quantity": order["quantity"], "price": order["price"], "result": null,
        })
    });
    let orders = orders.collect();
    let (created, updated) = (now, now);
    let status = "active";
    let token = one.token;
    Ok(Trigger {
        id: 0,
        two_legs,
        status,
        created,
        updated,
        last_price,
        values,
        token,
        exchange,
        symbol,
        orders,
    })
}

fn wish_of(order: &Value, one: &Instrument) -> Option<Wish> {
    let text = |name: &str| order[name].as_str().map(str::to_owned);
    let number = |name: &str| order[name].as_f64().filter(|number| number.is_finite());
    let quantity = order["quantity"].as_i64().filter(|quantity| (1..=one.freeze).contains(quantity))?;
    let fields = [
        ("exchange", one.exchange.to_owned()),
        ("tradingsymbol", one.symbol.clone()),
        ("transaction_type", text("transaction_type")?),
        ("order_type", text("order_type")?),
        ("product", text("product")?),
        ("quantity", quantity.to_string()),
        ("price", number("price")?.to_string()),
        ("market_protection", "-1".to_owned()),
    ];
    let wish = Wish::read("regular", |name| {
        fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    });
    wish.ok().filter(|wish| wish.check(one, true).is_ok())
}
