//! The switches of the API: data, plans, flushes, other logins, addresses, limits, the website's token, and replay.

use serde_json::{Value, json};

use crate::orders::Trader;
use crate::support::{Ask, Browser, MORNING, Sim, delete, get, post, put, refusal, started};

const NO_PERMISSION: &str = "Insufficient permission for that call.";
const CANDLES: &str = "/instruments/historical/256265/day?from=2026-09-01&to=2026-10-01";

fn trader(settings: &Value) -> Trader {
    let mut settings = settings.clone();
    settings["rate_limits"] = json!("off");
    Trader::under(&settings)
}

#[test]
fn row_24_every_call_needs_a_live_token() {
    let sim = Sim::start();
    let line = format!("token {}:wrong", sim.credential("api_key"));
    let calls = [
        get("/user/margins"),
        get("/user/profile/full"),
        get("/orders"),
        post("/orders/regular"),
        put("/orders/regular/1"),
        delete("/orders/regular/1"),
        get("/trades"),
        get("/portfolio/positions"),
        get("/portfolio/holdings"),
        get("/instruments"),
        get("/quote?i=NSE:INFY"),
        get(CANDLES),
        get("/gtt/triggers"),
        get("/alerts"),
        get("/mf/orders"),
        get("/mf/instruments"),
        post("/margins/orders"),
        post("/charges/orders"),
    ];
    sim.lever("/faults", &json!({"settings": {"rate_limits": "off"}}));
    for call in calls {
        refusal(&sim.ask(call.clone().header("Authorization", &line)), 403, "TokenException");
        refusal(&sim.ask(call), 400, "InputException");
    }
}

#[test]
fn row_25_tables_have_exactly_their_type() {
    let trader = trader(&json!({}));
    for path in ["/instruments", "/instruments/NSE", "/instruments/MCX", "/mf/instruments"] {
        let reply = trader.ask(get(path));
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/csv")), "{path}");
        let text = reply.text();
        let columns = text.lines().next().map(|line| line.split(',').count());
        assert!(text.lines().all(|line| Some(line.split(',').count()) == columns), "{path}");
    }
    refusal(&trader.ask(get("/instruments/NOWHERE")), 400, "InputException");
}

#[test]
fn row_27_quotes_follow_from_the_seed_and_take_several_names() {
    let quotes = |seed: u64| {
        let trader = trader(&json!({"seed": seed}));
        trader.sim.lever("/clock", &json!({"set": "2026-10-05T12:00:00+05:30"}));
        trader.data(get("/quote?i=NSE:INFY&i=NFO:NIFTY26OCTFUT&i=NSE:NOBODY&i=256265"))
    };
    let first = quotes(7);
    assert_eq!(first, quotes(7));
    assert_ne!(first["NSE:INFY"]["last_price"], quotes(8)["NSE:INFY"]["last_price"]);
    let names: Vec<&String> = first.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["256265", "NFO:NIFTY26OCTFUT", "NSE:INFY"]);
    let trader = trader(&json!({}));
    refusal(&trader.ask(get("/quote")), 400, "InputException");
    let many: String = (0..501).map(|number| format!("i={number}&")).collect();
    refusal(&trader.ask(get(&format!("/quote?{many}"))), 400, "InputException");
    assert_eq!(trader.ask(get(&format!("/quote/ltp?{many}"))).status, 200);
    for side in ["buy", "SELL"] {
        let path = format!("/instruments/trigger_range/{side}?i=NSE:INFY&transaction_type={side}");
        assert!(trader.data(get(&path))["NSE:INFY"]["upper"].is_number());
    }
}

#[test]
fn row_27_candles_reach_only_so_far() {
    let trader = trader(&json!({}));
    let ask = |interval: &str, to: &str| {
        trader.ask(get(&format!(
            "/instruments/historical/256265/{interval}?from=2026-01-01+00:00:00&to={to}+00:00:00"
        )))
    };
    assert_eq!(ask("minute", "2026-03-02").status, 200);
    let told = refusal(&ask("minute", "2026-03-03"), 400, "InputException");
    assert_eq!(told, "interval exceeds max limit: 60 days");
    trader.sim.lever("/faults", &json!({"settings": {"candle_limits": "suite"}}));
    let limits = [
        ("minute", "2026-01-31", "2026-02-01"),
        ("5minute", "2026-04-01", "2026-04-02"),
        ("30minute", "2026-06-30", "2026-07-01"),
        ("hour", "2027-01-01", "2027-01-02"),
        ("day", "2031-06-24", "2031-06-25"),
    ];
    for (interval, good, bad) in limits {
        assert_eq!(ask(interval, good).status, 200, "{interval}");
        refusal(&ask(interval, bad), 400, "InputException");
    }
    refusal(&ask("2days", "2026-01-02"), 400, "InputException");
    refusal(
        &trader.ask(get("/instruments/historical/1/day?from=2026-01-01&to=2026-01-02")),
        400,
        "InputException",
    );
}

#[test]
fn row_28_the_free_plan_has_no_data() {
    let trader = trader(&json!({"plan": "personal"}));
    for path in ["/quote?i=NSE:INFY", "/quote/ohlc?i=NSE:INFY", "/quote/ltp?i=NSE:INFY", CANDLES] {
        assert_eq!(refusal(&trader.ask(get(path)), 403, "PermissionException"), NO_PERMISSION);
    }
    for path in ["/user/profile", "/orders", "/gtt/triggers", "/portfolio/holdings", "/user/margins"] {
        assert_eq!(trader.ask(get(path)).status, 200, "{path}");
    }
    assert_eq!(trader.sim.seen()["live_tickers"], 0);
}

#[test]
fn row_30_a_progressive_morning_takes_part_after_part() {
    let trader = trader(&json!({"flush_mode": "progressive"}));
    let status = |time: &str| {
        trader.sim.lever("/clock", &json!({"set": format!("2026-10-06T{time}+05:30")}));
        ["/quote?i=NSE:INFY", CANDLES, "/user/profile"].map(|path| trader.ask(get(path)).status)
    };
    assert_eq!(status("05:19:59"), [200, 200, 200]);
    assert_eq!(status("05:20:00"), [403, 200, 200]);
    assert_eq!(refusal(&trader.ask(get("/quote?i=NSE:INFY")), 403, "PermissionException"), NO_PERMISSION);
    assert_eq!(status("05:33:00"), [403, 403, 200]);
    assert_eq!(trader.sim.seen()["live_tickers"], 0);
    assert_eq!(status("06:35:00"), [403, 403, 403]);
    refusal(&trader.ask(get("/user/margins")), 403, "TokenException");
}

#[test]
fn row_30_what_is_minted_inside_the_window_dies() {
    for (mode, minted, alive, dead) in
        [("progressive", "06:40:00", "07:49:59", "07:50:00"), ("window", "07:29:00", "07:29:59", "07:30:00")]
    {
        let sim = Sim::under(&json!({"settings": {"flush_mode": mode}}));
        sim.lever("/clock", &json!({"set": format!("2026-10-06T{minted}+05:30")}));
        let trader = Trader::on(sim);
        let status = |time: &str| {
            trader.sim.lever("/clock", &json!({"set": format!("2026-10-06T{time}+05:30")}));
            trader.ask(get("/user/profile")).status
        };
        assert_eq!((status(alive), status(dead)), (200, 403), "{mode}");
    }
    let trader = trader(&json!({"flush_mode": "midnight"}));
    trader.sim.lever("/clock", &json!({"set": "2026-10-06T00:00:00+05:30"}));
    refusal(&trader.ask(get("/orders")), 403, "TokenException");
}

#[test]
fn row_31_what_else_ends_a_token_is_a_setting() {
    let cases = [
        (json!({}), json!({"event": "master-logout"}), 0, 0),
        (json!({"master_logout": "none"}), json!({"event": "master-logout"}), 1, 1),
        (json!({}), json!({"event": "web-login"}), 1, 1),
        (json!({"web_login": "ws_only_403"}), json!({"event": "web-login"}), 1, 0),
        (json!({"web_login": "kill"}), json!({"event": "web-login"}), 0, 0),
        (json!({}), json!({"event": "password-reset", "password": "new"}), 0, 0),
        (json!({"password_reset": "none"}), json!({"event": "password-reset", "password": "new"}), 1, 1),
        (json!({}), json!({"event": "new-secret", "api_secret": "new"}), 1, 1),
        (json!({"new_secret": "kill"}), json!({"event": "new-secret", "api_secret": "new"}), 0, 0),
    ];
    for (settings, event, tokens, tickers) in cases {
        let trader = trader(&settings);
        trader.sim.lever("/event", &event);
        let seen = trader.sim.seen();
        assert_eq!(
            (&seen["live_tokens"], &seen["live_tickers"]),
            (&json!(tokens), &json!(tickers)),
            "{event}"
        );
        assert_eq!(trader.ask(get("/orders")).status == 200, tokens == 1, "{event}");
    }
    // A true login on the website does what the event does; a blocked account opens with a new password.
    let trader = trader(&json!({"web_login": "kill"}));
    Browser::signed_in(&trader.sim);
    refusal(&trader.ask(get("/orders")), 403, "TokenException");
}

#[test]
fn row_32_orders_come_from_registered_addresses_only() {
    let trader = trader(&json!({"static_ips": ["10.1.2.3"]}));
    let calls = [post("/orders/regular"), put("/orders/regular/1"), delete("/orders/regular/1")];
    for call in &calls {
        let told = refusal(&trader.ask(call.clone()), 403, "PermissionException");
        let start = "IP (127.0.0.1) is not allowed to place orders for this app. Update allowed IPs on the Kite developer console.";
        assert!(told.starts_with(start), "{told}");
    }
    trader.sim.lever("/faults", &json!({"settings": {"static_ips": []}}));
    for call in calls {
        let told = refusal(&trader.ask(call), 403, "PermissionException");
        assert_eq!(told, "No IPs configured for this app.");
    }
    for path in ["/orders", "/quote?i=NSE:INFY", "/user/profile", CANDLES] {
        assert_eq!(trader.ask(get(path)).status, 200, "{path}");
    }
}

#[test]
fn row_33_limits_count_by_the_calendar_second() {
    let trader = Trader::under(&json!({}));
    let tick = || {
        trader.sim.lever("/clock", &json!({"advance_s": 1}));
    };
    let order = post("/orders/regular").form(&[]);
    let kinds: [(Ask, usize); 4] =
        [(get("/quote/ltp?i=NSE:INFY"), 1), (get(CANDLES), 3), (order, 10), (get("/orders"), 10)];
    // How many calls of a kind were taken, and the status of one more.
    let count = |call: &Ask, most: usize| {
        let refused = (0..most + 1).map(|_call| trader.ask(call.clone()).status == 429);
        let first = refused.collect::<Vec<_>>().iter().position(|refused| *refused);
        let told = trader.ask(call.clone());
        (first, told)
    };
    for _second in 0..2 {
        // While the clock stands still, the host's second counts; a machine that was too slow for it is asked again.
        let quick = (0..20).find_map(|_try| {
            let start = started();
            tick();
            let counts: Vec<_> = kinds.iter().map(|(call, most)| (count(call, *most), *most)).collect();
            (start.elapsed().as_millis() < 900).then_some(counts)
        });
        for ((first, told), most) in quick.expect("the machine makes thirty calls in a second") {
            assert_eq!(first, Some(most));
            assert_eq!(refusal(&told, 429, "NetworkException"), "Too many requests");
        }
    }
    trader.sim.lever("/faults", &json!({"settings": {"rate_limits": "off"}}));
    assert_eq!(trader.ask(get("/orders")).status, 200);
}

/// A client that waits a second is let in again, also where the simulated clock stands still.
#[test]
fn row_33_a_second_that_stands_still_ends_with_the_host_s() {
    let trader = Trader::under(&json!({}));
    let now = trader.sim.seen()["now"].clone();
    let call = || trader.ask(get("/quote/ltp?i=NSE:INFY")).status;
    assert_eq!(call(), 200);
    let mut refused = 0;
    while call() == 429 {
        refused += 1;
        assert!(refused < 100_000);
    }
    assert!(refused > 0);
    assert_eq!(trader.sim.seen()["now"], now);
}

#[test]
fn row_36_the_enctoken_opens_the_website_s_api_and_no_other() {
    let sim = Sim::under(&json!({"settings": {"rate_limits": "off"}}));
    let browser = Browser::signed_in(&sim);
    let line = format!("enctoken {}", browser.cookies["enctoken"]);
    let ask = |ask: Ask| sim.ask(ask.header("Authorization", &line));
    for path in [
        "/oms/user/profile",
        "/oms/user/profile/full",
        "/oms/user/margins",
        "/oms/orders",
        "/oms/gtt/triggers",
    ] {
        assert_eq!(ask(get(path)).status, 200, "{path}");
        refusal(&ask(get(path).header("x-kite-userid", "ZZ9999")), 403, "TokenException");
        refusal(&ask(get(path).header("Cookie", "user_id=ZZ9999")), 403, "TokenException");
        refusal(&sim.ask(get(path).header("Authorization", "enctoken wrong")), 403, "TokenException");
        refusal(&sim.ask(get(path)), 403, "TokenException");
    }
    assert_eq!(ask(get("/oms/user/profile")).json()["data"]["user_id"], sim.account["user_id"]);
    let order = [
        ("exchange", "NSE"),
        ("tradingsymbol", "INFY"),
        ("transaction_type", "BUY"),
        ("order_type", "LIMIT"),
        ("product", "CNC"),
        ("quantity", "1"),
        ("price", "1000"),
    ];
    assert_eq!(ask(post("/oms/orders/regular").form(&order)).status, 200);
    for path in ["/user/profile", "/user/margins", "/orders", "/quote?i=NSE:INFY"] {
        refusal(&ask(get(path)), 403, "TokenException");
    }
    sim.lever("/flush", &json!({}));
    refusal(&ask(get("/oms/orders")), 403, "TokenException");
}

#[test]
fn row_26_row_27_replay_answers_anybody_and_keeps_nothing() {
    let sim = Sim::with(&["--replay", "--clock", MORNING], None);
    let data = |ask: Ask| {
        let reply = sim.ask(ask);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["data"].clone()
    };
    assert!(data(get("/user/margins/test?segment=test"))["net"].is_number());
    assert!(data(get("/quote"))["NSE:INFY"]["depth"].is_object());
    assert!(data(get("/quote/ltp?i=")).is_object());
    assert_eq!(data(get("/gtt/triggers/100?trigger_id=100"))["id"], json!(123));
    let candles =
        |token: u32| data(get(&format!("/instruments/historical/{token}/myinterval")))["candles"][0].clone();
    assert_eq!(
        (candles(123).as_array().map(Vec::len), candles(456).as_array().map(Vec::len)),
        (Some(6), Some(7))
    );
    let placed = data(post("/orders/test").form(&[("variety", "test")]));
    assert!(placed["children"][2]["error"]["error_type"].is_string());
    assert_eq!(data(delete("/session/token")), json!(true));
    assert!(data(post("/session/token"))["access_token"].is_string());
    assert_eq!(data(get("/alerts/x"))["uuid"], "550e8400-e29b-41d4-a716-446655440000");
    assert_eq!(data(get("/orders")), data(get("/orders")));
    assert_eq!(sim.ask(get("/instruments")).header("content-type"), Some("text/csv"));
    assert_eq!(
        sim.ask(get("/portfolio/holdings/summary")).json()["data"]["invested_amount"],
        json!(41_044.404_05)
    );
    sim.lever("/faults", &json!({"settings": {"replay": false}}));
    refusal(&sim.ask(get("/orders")), 400, "InputException");
}

#[test]
fn row_26_repeated_path_variables_do_not_matter() {
    let trader = trader(&json!({}));
    let order_id = trader.ordered("regular", &[("price", "1000")]);
    let history = trader.data(get(&format!("/orders/{order_id}?order_id={order_id}")));
    assert_eq!(history.as_array().map(Vec::len), Some(4));
    assert!(trader.data(get("/user/margins/equity?segment=equity"))["net"].is_number());
}
