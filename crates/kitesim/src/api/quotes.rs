//! Instruments, quotes and candles (Kite Connect docs, /market-quotes and /historical).

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::call::Call;
use crate::clock;
use crate::envelope::{self, Kind};
use crate::market::{self, Instrument, Interval, Range};

/// Kite Connect docs, /market-quotes: how many instruments one call may name.
const MOST_QUOTES: usize = 500;
const MOST_PRICES: usize = 1_000;

/// A table in exactly this type: an official client compares it as a whole.
pub(super) fn table(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/csv")], text).into_response()
}

/// `GET /instruments`.
pub(super) async fn instruments(call: Call) -> Response {
    table(market::csv(None, clock::in_india(call.now).date(), invented(&call)))
}

/// `GET /instruments/{exchange}`.
pub(super) async fn instruments_of(call: Call) -> Response {
    let today = clock::in_india(call.now).date();
    let exchange = call.part("exchange");
    if !market::everything(today, 0).iter().any(|one| one.exchange == exchange) {
        return envelope::refusal(Kind::Input, "Invalid `exchange`.");
    }
    table(market::csv(Some(exchange), today, invented(&call)))
}

/// `GET /quote`.
pub(super) async fn quote(call: Call) -> Response {
    let market = call.market();
    asked(&call, MOST_QUOTES, |one| market.quote(one, call.now))
}

/// `GET /quote/ohlc`.
pub(super) async fn ohlc(call: Call) -> Response {
    let market = call.market();
    asked(&call, MOST_PRICES, |one| {
        json!({
            "instrument_token": one.token, "last_price": market.last_price(one, call.now),
            "ohlc": market.ohlc(one, call.now),
        })
    })
}

/// `GET /quote/ltp`.
pub(super) async fn ltp(call: Call) -> Response {
    let market = call.market();
    asked(
        &call,
        MOST_PRICES,
        |one| json!({"instrument_token": one.token, "last_price": market.last_price(one, call.now)}),
    )
}

/// `GET /instruments/trigger_range/{transaction_type}`.
pub(super) async fn trigger_range(call: Call) -> Response {
    let market = call.market();
    let near = match call.part("side").to_ascii_uppercase().as_str() {
        "BUY" => [0.945, 0.995],
        "SELL" => [1.005, 1.055],
        _ => return envelope::refusal(Kind::Input, "Invalid `transaction_type`."),
    };
    asked(&call, MOST_QUOTES, |one| {
        let [lower, upper] = near.map(|factor| market::paise(market.last_price(one, call.now) * factor));
        json!({"instrument_token": one.token, "lower": lower, "upper": upper})
    })
}

/// `GET /instruments/historical/{instrument_token}/{interval}`.
pub(super) async fn candles(call: Call) -> Response {
    let today = clock::in_india(call.now).date();
    let bad = |message: &str| envelope::refusal(Kind::Input, message);
    let one = call.part("token").parse().ok().and_then(|token| market::by_token(token, today));
    let Some(one) = one else { return bad("invalid token") };
    let Some(interval) = Interval::named(call.part("interval")) else { return bad("invalid interval") };
    let (Some(from), Some(to)) = (call.query.filled("from"), call.query.filled("to")) else {
        return bad("invalid from date");
    };
    let Some(range) = Range::read(from, to) else { return bad("invalid from date") };
    let minutes = match interval {
        Interval::Minutes(minutes) => Some(minutes),
        Interval::Day => None,
    };
    let days = call.settings(|settings| settings.candle_limits).days(minutes);
    if range.exceeds(days) {
        return bad(&format!("interval exceeds max limit: {days} days"));
    }
    let mut candles = call.market().candles(&one, interval, range, call.now);
    if call.query.first("oi") != Some("1") {
        candles.iter_mut().for_each(|candle| candle.truncate(6));
    }
    envelope::success(json!({"candles": candles}))
}

fn invented(call: &Call) -> u32 {
    call.settings(|settings| settings.invented_shares)
}

/// What is told of each instrument that the call names by `EXCHANGE:SYMBOL` or by token; unknown ones are left out.
fn asked(call: &Call, most: usize, tell: impl Fn(&Instrument) -> Value) -> Response {
    let names: Vec<&str> = call.query.every("i").filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return envelope::missing("i");
    }
    if names.len() > most {
        return envelope::refusal(Kind::Input, &format!("Maximum {most} instruments are allowed."));
    }
    let today = clock::in_india(call.now).date();
    let mut data = Map::new();
    for name in names {
        let by_token = || name.parse().ok().and_then(|token| market::by_token(token, today));
        let by_name =
            name.split_once(':').and_then(|(exchange, symbol)| market::by_name(exchange, symbol, today));
        if let Some(one) = by_name.or_else(by_token) {
            data.insert(name.to_owned(), tell(&one));
        }
    }
    envelope::success(Value::Object(data))
}
