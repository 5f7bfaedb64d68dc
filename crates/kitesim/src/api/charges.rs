//! Margins and charges of orders that are not placed (Kite Connect docs, /margins); their bodies are JSON.

use axum::response::Response;
use serde_json::{Value, json};

use super::call::Call;
use crate::clock;
use crate::desk::{basket, margin_of, note_of};
use crate::envelope::{self, Kind};
use crate::market::{self, Instrument};

/// More than a basket of the website holds.
const MOST_ORDERS: usize = 200;

/// `POST /margins/orders`.
pub(super) async fn margins(call: Call) -> Response {
    each(&call, |list| {
        let compact = call.query.first("mode") == Some("compact");
        let list: Vec<Value> = list.iter().map(|(one, order)| margin(&call, one, order)).collect();
        let short = |one: &Value| {
            json!({
                "type": one["type"], "tradingsymbol": one["tradingsymbol"], "exchange": one["exchange"],
                "total": one["total"],
            })
        };
        if compact { list.iter().map(short).collect() } else { json!(list) }
    })
}

/// `POST /margins/basket`.
pub(super) async fn basket_margins(call: Call) -> Response {
    each(&call, |list| {
        let list: Vec<Value> = list.iter().map(|(one, order)| margin(&call, one, order)).collect();
        basket(&list)
    })
}

/// `POST /charges/orders`.
pub(super) async fn contract_note(call: Call) -> Response {
    each(&call, |list| list.iter().map(|(one, order)| note_of(one, order)).collect())
}

fn margin(call: &Call, one: &Instrument, order: &Value) -> Value {
    let price = order["price"].as_f64().filter(|price| *price > 0.0);
    let price = price.unwrap_or_else(|| call.market().last_price(one, call.now));
    let side = order["transaction_type"].as_str().unwrap_or_default();
    let quantity = order["quantity"].as_i64().unwrap_or(0);
    margin_of(one, order["product"].as_str().unwrap_or_default(), (side, quantity), price)
}

/// Reads the orders with their instruments, and answers for them all.
fn each(call: &Call, tell: impl FnOnce(&[(Instrument, Value)]) -> Value) -> Response {
    let Some(list) = call.list().filter(|list| !list.is_empty() && list.len() <= MOST_ORDERS) else {
        return envelope::refusal(Kind::Input, "Invalid JSON in the request body.");
    };
    let today = clock::in_india(call.now).date();
    let read = list.into_iter().map(|order| {
        let (exchange, symbol) = (order["exchange"].as_str()?, order["tradingsymbol"].as_str()?);
        Some((market::by_name(exchange, symbol, today)?, order))
    });
    match read.collect::<Option<Vec<_>>>() {
        Some(orders) => envelope::success(tell(&orders)),
        None => envelope::refusal(Kind::Input, "Invalid `tradingsymbol`."),
    }
}
