//! Properties of the running program: whatever is asked of the API, the inspection or the ticker, there is an answer.
//! A handler that panicked would end its connection without one.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::{Value, json};

use crate::orders::Trader;
use crate::support::{Ask, Line, delete, get, post, put};
use crate::ticker::Socket;

/// The same cases in every run.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// A value as it may stand in a form or a query: usual ones, absurd ones, and noise.
fn value() -> impl Strategy<Value = String> {
    let usual = prop::sample::select(vec![
        "NSE",
        "NFO",
        "INFY",
        "NIFTY26OCTFUT",
        "BUY",
        "SELL",
        "LIMIT",
        "MARKET",
        "SL-M",
        "MIS",
        "CNC",
        "regular",
        "1",
        "0",
        "-1",
        "75",
        "1500.5",
        "9223372036854775807",
        "1e308",
        "NaN",
        "-0.0",
        "DAY",
        "IOC",
        "TTL",
        "true",
        "single",
        "two-leg",
        "2026-10-05",
        "9999-12-31 23:59:59",
        "-9999-01-01",
        "256265",
        "4294967295",
        "NSE:INFY",
        "NSE:SIM0001",
        r#"{"exchange":"NSE","tradingsymbol":"INFY","trigger_values":[1],"last_price":1}"#,
        r#"[{"transaction_type":"BUY","quantity":1,"price":1e308,"order_type":"LIMIT","product":"CNC"}]"#,
    ]);
    prop_oneof![4 => usual.prop_map(str::to_owned), 1 => ".{0,30}"]
}

fn fields() -> impl Strategy<Value = Pairs> {
    let name = prop::sample::select(vec![
        "exchange",
        "tradingsymbol",
        "transaction_type",
        "order_type",
        "product",
        "quantity",
        "price",
        "trigger_price",
        "validity",
        "validity_ttl",
        "market_protection",
        "iceberg_legs",
        "iceberg_quantity",
        "autoslice",
        "tag",
        "type",
        "condition",
        "orders",
        "i",
        "from",
        "to",
        "oi",
        "mode",
        "amount",
        "instalments",
        "frequency",
        "name",
        "uuid",
        "operator",
        "rhs_constant",
        "basket",
        "old_product",
        "new_product",
        "position_type",
        "disclosed_quantity",
    ]);
    prop::collection::vec((name.prop_map(str::to_owned), value()), 0..14)
}

fn path() -> impl Strategy<Value = String> {
    let paths = prop::sample::select(vec![
        "/orders/regular",
        "/orders/co",
        "/orders/iceberg",
        "/orders/regular/1",
        "/orders/1",
        "/orders/1/trades",
        "/trades",
        "/portfolio/positions",
        "/portfolio/holdings",
        "/margins/orders",
        "/margins/basket",
        "/charges/orders",
        "/quote",
        "/quote/ohlc",
        "/quote/ltp",
        "/instruments",
        "/instruments/NSE",
        "/instruments/historical/256265/minute",
        "/instruments/historical/408065/day",
        "/instruments/trigger_range/BUY",
        "/gtt/triggers",
        "/gtt/triggers/1",
        "/alerts",
        "/alerts/x",
        "/mf/orders",
        "/mf/orders/x",
        "/mf/sips",
        "/mf/sips/x",
        "/user/margins/equity",
        "/session/token",
        "/user/profile",
        "/api/login",
        "/api/twofa",
        "/connect/login",
        "/connect/finish",
        "/%ff/%00",
    ]);
    paths.prop_map(str::to_owned)
}

type Pairs = Vec<(String, String)>;

fn ask((method, path, query, form, body): (u8, String, Pairs, Pairs, Option<Value>)) -> Ask {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
    let target = format!("{path}?{query}");
    let ask = match method {
        0 => get(&target),
        1 => post(&target),
        2 => put(&target),
        _ => delete(&target),
    };
    match body {
        Some(body) => ask.json(&body),
        None => {
            ask.form(&form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
        }
    }
}

/// JSON in the shapes of margins and of inspection orders, with odd values in them.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        value().prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "exchange",
        "tradingsymbol",
        "quantity",
        "price",
        "product",
        "transaction_type",
        "average_price",
        "settings",
        "fault",
        "clock",
        "set",
        "advance_s",
        "speed",
        "event",
        "password",
        "a",
        "v",
    ]);
    leaf.prop_recursive(3, 20, 6, move |inner| {
        let pair = (name.clone().prop_map(str::to_owned), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            prop::collection::vec(pair, 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn whatever_is_asked_of_the_api_gets_a_reply() {
    let trader = Trader::under(&json!({"rate_limits": "off", "flush_mode": "never", "fills": "partial"}));
    let line = RefCell::new(Line::to(trader.sim.site()));
    let asks = (0..4_u8, path(), fields(), fields(), prop::option::weighted(0.3, body())).prop_map(ask);
    let outcome = runner(1_200).run(&(asks, 0..90_i64), |(ask, seconds)| {
        // Days go by, so that orders meet prices and books are emptied.
        if seconds == 0 {
            trader.sim.lever("/clock", &json!({"advance_s": 3_600}));
        }
        let ask = ask.header("Authorization", &trader.line());
        let reply = line.borrow_mut().ask(&ask).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(reply.status != 500, "{}", reply.text());
        Ok(())
    });
    outcome.expect("every call is answered");
}

#[test]
fn whatever_is_ordered_of_the_inspection_gets_a_reply() {
    let sim = crate::support::Sim::start();
    let line = RefCell::new(Line::to(sim.host("inspect")));
    let path = prop::sample::select(vec![
        "/clock",
        "/faults",
        "/event",
        "/control",
        "/held?wait=login&timeout_ms=0",
        "/seen",
    ]);
    let outcome = runner(600).run(&(path, body()), |(path, body)| {
        let get_or_post = if path.starts_with("/held") || path == "/seen" { get(path) } else { post(path) };
        let reply = line
            .borrow_mut()
            .ask(&get_or_post.json(&body))
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(reply.status < 500 || reply.status == 504, "{path} {body}: {}", reply.text());
        Ok(())
    });
    outcome.expect("every order is answered");
    assert_eq!(sim.ask(get("/forgot")).status, 200);
}

#[test]
fn whatever_the_ticker_is_told_it_goes_on() {
    let trader = Trader::under(&json!({}));
    let socket = RefCell::new(Socket::open(&trader));
    let orders = prop_oneof![
        body(),
        (prop::sample::select(vec!["subscribe", "unsubscribe", "mode"]), body())
            .prop_map(|(verb, value)| json!({"a": verb, "v": value})),
        (prop::sample::select(vec!["ltp", "quote", "full", "x"]), prop::collection::vec(any::<u64>(), 0..5))
            .prop_map(|(mode, tokens)| json!({"a": "mode", "v": [mode, tokens]})),
    ];
    let outcome = runner(400).run(&orders, |order| {
        socket.borrow_mut().say(&order);
        Ok(())
    });
    outcome.expect("everything is said");
    // The last word is heard, so all before it were.
    socket.borrow_mut().say(&json!({"a": "mode", "v": ["full", [408_065]]}));
    socket.borrow_mut().packets(|packets| packets.iter().any(|packet| packet.len() == 184));
}
