//! Margins and charges of orders, by simple rates: near enough in size, and in the fields of the real replies.

use serde_json::{Value, json};

use crate::market::Instrument;

/// What share of its value a derivative binds, and an intraday share. Real rates change daily.
const DERIVATIVE: f64 = 0.15;
const INTRADAY: f64 = 0.2;

/// The money that an order binds.
pub(crate) fn required(one: &Instrument, product: &str, quantity: i64, price: f64) -> f64 {
    let value = price * quantity as f64;
    match (one.derivative(), product) {
        (true, _) => value * DERIVATIVE,
        (false, "MIS" | "CO") => value * INTRADAY,
        (false, _) => value,
    }
}

/// The margin of one order (Kite Connect docs, /margins).
pub(crate) fn margin_of(one: &Instrument, product: &str, order: (&str, i64), price: f64) -> Value {
    let (side, quantity) = order;
    let total = required(one, product, quantity, price);
    let (span, exposure, var) =
        if one.derivative() { (total * 0.8, total * 0.2, 0.0) } else { (0.0, 0.0, total) };
    let leverage = if total > 0.0 { (price * quantity as f64 / total).round() } else { 0.0 };
    json!({
        "type": if one.exchange == "MCX" { "commodity" } else { "equity" }, "tradingsymbol": one.symbol,
        "exchange": one.exchange, "span": span, "exposure": exposure, "option_premium": 0, "additional": 0,
        "bo": 0, "cash": 0, "var": var, "pnl": {"realised": 0, "unrealised": 0}, "leverage": leverage,
        "charges": charges(one, product, side, price * quantity as f64), "total": total,
    })
}

/// One order of a virtual contract note (Kite Connect docs, /charges).
pub(crate) fn note_of(one: &Instrument, order: &Value) -> Value {
    let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    let quantity = order["quantity"].as_f64().unwrap_or(0.0);
    let price = order["average_price"].as_f64().unwrap_or(0.0);
    json!({
        "transaction_type": text("transaction_type"), "tradingsymbol": one.symbol, "exchange": one.exchange,
        "variety": text("variety"), "product": text("product"), "order_type": text("order_type"),
        "quantity": quantity, "price": price,
        "charges": charges(one, &text("product"), &text("transaction_type"), price * quantity),
    })
}

/// The margin of a basket before or after its parts offset each other; no offset is worked out here.
pub(crate) fn basket(list: &[Value]) -> Value {
    let sum = |name: &str| list.iter().filter_map(|one| one[name].as_f64()).sum::<f64>();
    let zero = json!({
        "transaction_tax": 0, "transaction_tax_type": "", "exchange_turnover_charge": 0,
        "sebi_turnover_charge": 0, "brokerage": 0, "stamp_duty": 0,
        "gst": {"igst": 0, "cgst": 0, "sgst": 0, "total": 0}, "total": 0,
    });
    let side = json!({
        "type": "", "tradingsymbol": "", "exchange": "", "span": sum("span"), "exposure": sum("exposure"),
        "option_premium": 0, "additional": 0, "bo": 0, "cash": 0, "var": sum("var"),
        "pnl": {"realised": 0, "unrealised": 0}, "leverage": 0, "charges": zero, "total": sum("total"),
    });
    let charged = list.iter().filter_map(|one| one["charges"]["total"].as_f64()).sum::<f64>();
    let mut charges = zero;
    charges["total"] = json!(charged);
    json!({"initial": side, "final": side, "orders": list, "charges": charges})
}

fn charges(one: &Instrument, product: &str, side: &str, value: f64) -> Value {
    let delivery = !one.derivative() && product == "CNC";
    let tax = if delivery {
        value * 0.001
    } else if side == "SELL" {
        value * 0.000_25
    } else {
        0.0
    };
    let brokerage = if delivery { 0.0 } else { (value * 0.0003).min(20.0) };
    let (turnover, sebi) = (value * 0.000_03, value * 0.000_001);
    let stamp = if side == "BUY" { value * 0.000_03 } else { 0.0 };
    let gst = (brokerage + turnover + sebi) * 0.18;
    json!({
        "transaction_tax": tax, "transaction_tax_type": if one.exchange == "MCX" { "ctt" } else { "stt" },
        "exchange_turnover_charge": turnover, "sebi_turnover_charge": sebi, "brokerage": brokerage,
        "stamp_duty": stamp, "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": tax + turnover + sebi + brokerage + stamp + gst,
    })
}
