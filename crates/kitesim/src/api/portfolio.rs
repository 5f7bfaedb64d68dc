//! `/portfolio` and the margins of the account (Kite Connect docs, /portfolio and /user).

use axum::response::Response;
use serde_json::{Value, json};

use super::call::Call;
use crate::chance;
use crate::desk::{Conversion, No};
use crate::market::paise;

/// `GET /user/margins`.
pub(super) async fn margins(call: Call) -> Response {
    call.desk(|desk| Ok(json!({"equity": desk.margins(false), "commodity": desk.margins(true)})))
}

/// `GET /user/margins/{segment}`.
pub(super) async fn segment_margins(call: Call) -> Response {
    call.desk(|desk| match call.part("segment") {
        "equity" => Ok(desk.margins(false)),
        "commodity" => Ok(desk.margins(true)),
        _ => Err(No::Input("Invalid `segment`.".to_owned())),
    })
}

/// `GET /portfolio/positions`.
pub(super) async fn positions(call: Call) -> Response {
    call.desk(|desk| Ok(desk.positions(call.now)))
}

/// `PUT /portfolio/positions`.
pub(super) async fn convert(call: Call) -> Response {
    let text = |name: &str| call.form.first(name).unwrap_or_default();
    let sent = Conversion {
        exchange: text("exchange"),
        symbol: text("tradingsymbol"),
        side: text("transaction_type"),
        quantity: text("quantity").parse().unwrap_or(0),
        old_product: text("old_product"),
        new_product: text("new_product"),
    };
    call.desk(|desk| desk.convert(&sent, call.now))
}

/// `GET /portfolio/holdings`.
pub(super) async fn holdings(call: Call) -> Response {
    call.desk(|desk| Ok(json!(desk.holdings(call.now))))
}

/// `GET /portfolio/holdings/compact`.
pub(super) async fn holdings_compact(call: Call) -> Response {
    let short = |one: &Value| {
        json!({
            "exchange": one["exchange"], "tradingsymbol": one["tradingsymbol"],
            "instrument_token": one["instrument_token"], "t1_quantity": one["t1_quantity"],
            "quantity": one["quantity"],
        })
    };
    call.desk(|desk| Ok(json!(desk.holdings(call.now).iter().map(short).collect::<Vec<_>>())))
}

/// `GET /portfolio/holdings/summary`.
pub(super) async fn holdings_summary(call: Call) -> Response {
    call.desk(|desk| {
        let list = desk.holdings(call.now);
        let sum = |name: &str| -> f64 {
            let value = |one: &Value| Some(one[name].as_f64()? * one["opening_quantity"].as_f64()?);
            list.iter().filter_map(value).sum()
        };
        let (invested, current, today) = (sum("average_price"), sum("last_price"), sum("day_change"));
        let share = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole * 100.0 };
        Ok(json!({
            "total_pnl": paise(current - invested), "total_pnl_percent": share(current - invested, invested),
            "today_pnl": paise(today), "today_pnl_percent": share(today, current - today),
            "invested_amount": paise(invested), "current_value": paise(current),
        }))
    })
}

/// `GET /portfolio/holdings/auctions`: the last holding, as if its delivery had failed.
pub(super) async fn auctions(call: Call) -> Response {
    call.desk(|desk| {
        let mut list = desk.holdings(call.now);
        list.drain(..list.len().saturating_sub(1));
        for one in &mut list {
            one["auction_number"] = json!("20");
        }
        Ok(json!(list))
    })
}

/// `POST /portfolio/holdings/authorise`.
pub(super) async fn authorise(call: Call) -> Response {
    call.desk(|_desk| Ok(json!({"request_id": chance::alphanumeric(32)})))
}
