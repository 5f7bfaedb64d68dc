//! The ready scenarios: every wire fault of the catalogue has one that is named after it, and each does what it says.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::orders::Trader;
use crate::support::driver::Driver;
use crate::support::{Browser, Line, MORNING, Sim, get, post, refusal};
use crate::ticker::Socket;

/// The faults of the catalogue that are of the wire. The others are of the host: its resolver, route, proxy, browser
/// or typed-in seed.
const WIRE: [u32; 50] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 47, 48, 49, 50, 51, 52, 53, 54, 55, 57, 58, 61, 62, 63, 64, 65, 66, 67, 68,
];
/// The rest of them, from the token's life on.
const LATER: [u32; 5] = [69, 70, 71, 72, 73];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("there are scenarios");
    let name =
        |path: PathBuf| path.file_stem().and_then(|stem| stem.to_str()).expect("it has a name").to_owned();
    entries.map(|entry| name(entry.expect("it is there").path())).collect()
}

/// A frozen simulation under a ready scenario.
fn under(name: &str) -> Sim {
    let path = folder().join(format!("{name}.toml"));
    let sim = Sim::with(&["--clock", MORNING, "--faults", path.to_str().expect("its path is text")], None);
    sim.lever("/clock", &json!({"freeze": true}));
    sim
}

#[test]
fn every_wire_fault_has_a_scenario_of_its_name() {
    let names = names();
    for number in WIRE.into_iter().chain(LATER) {
        let start = format!("f{number:02}-");
        assert!(names.iter().any(|name| name.starts_with(&start)), "no scenario for {start}");
    }
}

#[test]
fn every_scenario_starts_and_says_what_it_rehearses() {
    for name in names() {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).expect("it is text");
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("# ") && first.ends_with('.'), "{name}: {first}");
        assert_eq!(under(&name).ask(get("/forgot")).status, 200, "{name}");
    }
}

#[test]
fn f03_a_network_s_sign_in_page_stands_in_the_way() {
    let sim = under("f03-captive-portal");
    let reply = Browser::new(&sim).connect_login("");
    assert_eq!((reply.status, reply.location()), (302, "http://portal.invalid/sign-in"));
    assert_eq!(sim.seen()["login_pages"], 0);
}

#[test]
fn f32_f34_the_redirect_may_lead_to_nobody_and_elsewhere() {
    for (name, target) in [("f32-redirect-unreachable", "/back"), ("f34-other-redirect", "/elsewhere")] {
        let sim = under(name);
        let reply = Browser::signed_in(&sim).last_hop();
        assert!(
            reply.location().starts_with(&format!("http://127.0.0.1:1{target}?")),
            "{}",
            reply.location()
        );
    }
}

#[test]
fn f33_f35_a_login_may_end_without_a_token_or_with_a_foreign_one() {
    let sim = under("f33-no-grant");
    let reply = Browser::signed_in(&sim).last_hop();
    assert_eq!(reply.location_field("status").as_deref(), Some("cancelled"));
    assert_eq!(reply.location_field("request_token"), None);
    let sim = under("f35-foreign-grant");
    let mut browser = Browser::signed_in(&sim);
    let foreign = browser.grant();
    refusal(&sim.exchange(&foreign), 403, "TokenException");
    assert_eq!(sim.exchange(&browser.grant()).status, 200);
}

#[test]
fn f50_a_code_of_another_clock_is_refused() {
    let sim = Sim::start();
    let mut browser = Browser::new(&sim);
    let own_code = sim.code(0);
    sim.lever("/faults", &json!({"clock": {"advance_s": 90}, "settings": {"totp_window": 1}}));
    let request_id = browser.request_id();
    refusal(&browser.code(&request_id, &own_code), 403, "TwoFAException");
    let ready = under("f50-clock-ahead").now_s() - Sim::with(&["--clock", MORNING], None).now_s();
    assert!((85..=95).contains(&ready), "{ready}");
}

#[test]
fn f51_f54_f55_f58_codes_are_refused_in_several_ways() {
    for (name, again) in
        [("f51-wrong-code", 200), ("f54-code-used-elsewhere", 200), ("f58-new-authenticator", 403)]
    {
        let sim = under(name);
        let mut browser = Browser::new(&sim);
        assert_eq!(browser.log_in().status, 403, "{name}");
        assert_eq!(browser.log_in().status, again, "{name}");
    }
    let sim = under("f55-unknown-text");
    assert_eq!(
        refusal(&Browser::new(&sim).log_in(), 403, "UserException"),
        "Your session needs another look."
    );
}

#[test]
fn f62_f63_f64_exchanges_end_badly() {
    let sim = under("f62-wrong-checksum");
    assert_eq!(
        refusal(&sim.exchange(&Browser::signed_in(&sim).grant()), 403, "TokenException"),
        "Invalid `checksum`."
    );
    let sim = under("f63-grant-refused");
    let grant = Browser::signed_in(&sim).grant();
    assert_eq!(refusal(&sim.exchange(&grant), 403, "TokenException"), "Token is invalid or has expired.");
    let sim = under("f64-exchange-lost");
    let mut browser = Browser::signed_in(&sim);
    let grant = browser.grant();
    assert!(Line::to(sim.site()).ask(&sim.exchange_ask(&grant)).is_err());
    assert_eq!(sim.seen()["live_tokens"], 1);
    refusal(&sim.exchange(&grant), 403, "TokenException");
    assert_eq!(sim.exchange(&browser.grant()).status, 200);
}

#[test]
fn f67_f69_f73_tokens_die_in_the_morning_in_mid_day_or_never() {
    let sim = under("f67-flush-inside");
    sim.lever("/clock", &json!({"set": "2026-10-05T06:40:00+05:30"}));
    let token = sim.access_token();
    sim.lever("/clock", &json!({"set": "2026-10-05T07:50:00+05:30"}));
    refusal(&sim.profile(&token), 403, "TokenException");
    let sim = under("f69-tokens-killed");
    let token = sim.access_token();
    assert_eq!([0, 1, 2, 3].map(|_look| sim.profile(&token).status), [200, 200, 403, 403]);
    let sim = under("f73-never-flushed");
    let token = sim.access_token();
    sim.lever("/clock", &json!({"advance_s": 3 * 86_400}));
    assert_eq!(sim.profile(&token).status, 200);
}

#[test]
fn f70_f71_f72_a_good_token_may_be_refused_in_parts() {
    let trader = Trader::on(under("f70-ticker-refused"));
    assert_eq!(Socket::refused(&trader).status, 403);
    assert_eq!(trader.ask(get("/quote?i=NSE:INFY")).status, 200);
    let trader = Trader::on(under("f71-subscription-over"));
    refusal(&trader.ask(get("/quote?i=NSE:INFY")), 403, "PermissionException");
    assert_eq!(trader.ask(get("/orders")).status, 200);
    let trader = Trader::on(under("f72-address-not-registered"));
    refusal(&trader.order("regular", &[("price", "1000")]), 403, "PermissionException");
    assert_eq!(trader.ask(get("/orders")).status, 200);
}

#[test]
fn every_call_of_the_api_can_fail() {
    let trader = Trader::under(&json!({"rate_limits": "off"}));
    let candles = "/instruments/historical/256265/day?from=2026-09-01&to=2026-10-01";
    let places = [
        ("orders", "/orders/regular"),
        ("quotes", "/quote?i=NSE:INFY"),
        ("candles", candles),
        ("api", "/orders"),
    ];
    for (place, path) in places {
        let body = r#"{"status":"error","message":"no","data":null,"error_type":"DataException"}"#;
        let fault = json!({"at": place, "do": "status", "status": 504, "body": body, "call": 1});
        trader.sim.lever("/faults", &json!({"fault": [fault]}));
        let ask = || if place == "orders" { post(path).form(&[]) } else { get(path) };
        refusal(&trader.ask(ask()), 504, "DataException");
        assert_ne!(trader.ask(ask()).status, 504, "{place}");
    }
    // An order whose reply is lost has been placed.
    trader.sim.lever("/faults", &json!({"fault": [{"at": "orders", "do": "reset-after", "call": 1}]}));
    let fields = [
        ("exchange", "NSE"),
        ("tradingsymbol", "INFY"),
        ("transaction_type", "BUY"),
        ("order_type", "LIMIT"),
        ("product", "CNC"),
        ("quantity", "1"),
        ("price", "1000"),
    ];
    let lost = post("/orders/regular").form(&fields).header("Authorization", &trader.line());
    assert!(Line::to(trader.sim.site()).ask(&lost).is_err());
    assert_eq!(trader.data(get("/orders")).as_array().map(Vec::len), Some(1));
}

#[test]
fn f23_fields_forget_a_character_once() {
    let sim = under("f23-lost-characters");
    let driver = Driver::start();
    driver.open_connect(&sim);
    let field = driver.css("#userid");
    driver.keys(&field, "AB1234");
    assert_eq!(driver.run("return document.querySelector('#userid').value"), "AB234");
    driver.clear(&field);
    driver.keys(&field, "AB1234");
    assert_eq!(driver.run("return document.querySelector('#userid').value"), "AB1234");
}

#[test]
fn f47_a_script_of_somebody_else_reaches_out() {
    let sim = under("f47-stranger-script");
    let driver = Driver::start();
    driver.open_connect(&sim);
    driver.keys(&driver.css("#userid"), "A");
    let reached =
        "performance.getEntriesByType('resource').some((one) => one.name.includes('stranger.invalid'))";
    driver.until(reached);
    let told: Value = driver.run("return performance.getEntriesByType('resource').map((one) => one.name)");
    assert!(!told.to_string().contains("=A\""), "{told}");
}
