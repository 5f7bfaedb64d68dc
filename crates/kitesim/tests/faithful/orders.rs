//! The order machine and what follows from it: book, trades, positions, holdings, margins.

use serde_json::{Value, json};

use crate::support::{Ask, Reply, Sim, delete, get, post, put, refusal};

/// Somebody with a token.
pub(crate) struct Trader {
    pub(crate) sim: Sim,
    line: String,
}

impl Trader {
    pub(crate) fn under(settings: &Value) -> Trader {
        let sim = Sim::under(&json!({"settings": settings}));
        Trader::on(sim)
    }

    pub(crate) fn on(sim: Sim) -> Trader {
        let line = format!("token {}:{}", sim.credential("api_key"), sim.access_token());
        Trader { sim, line }
    }

    /// What the `Authorization` header says.
    pub(crate) fn line(&self) -> String {
        self.line.clone()
    }

    pub(crate) fn access_token(&self) -> &str {
        self.line.rsplit_once(':').expect("key and token").1
    }

    pub(crate) fn ask(&self, ask: Ask) -> Reply {
        self.sim.ask(ask.header("Authorization", &self.line))
    }

    pub(crate) fn data(&self, ask: Ask) -> Value {
        let reply = self.ask(ask);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["data"].clone()
    }

    pub(crate) fn order(&self, variety: &str, more: &[(&str, &str)]) -> Reply {
        let mut fields = more.to_vec();
        let usual = [
            ("exchange", "NSE"),
            ("tradingsymbol", "RELIANCE"),
            ("transaction_type", "BUY"),
            ("order_type", "LIMIT"),
            ("product", "MIS"),
            ("quantity", "1"),
        ];
        fields.extend(usual.into_iter().filter(|(name, _)| !more.iter().any(|(own, _)| own == name)));
        self.ask(post(&format!("/orders/{variety}")).form(&fields))
    }

    pub(crate) fn ordered(&self, variety: &str, more: &[(&str, &str)]) -> String {
        let reply = self.order(variety, more);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["data"]["order_id"].as_str().expect("it has an id").to_owned()
    }

    /// The steps of an order, by status.
    fn steps(&self, order_id: &str) -> Vec<String> {
        let history = self.data(get(&format!("/orders/{order_id}")));
        let list = history.as_array().expect("a history is a list").clone();
        list.iter().map(|step| step["status"].as_str().expect("a status is text").to_owned()).collect()
    }

    fn status(&self, order_id: &str) -> String {
        self.steps(order_id).pop().expect("an order has steps")
    }
}

/// Calls that do not count.
fn unhurried() -> Trader {
    Trader::under(&json!({"rate_limits": "off"}))
}

const MARKET: [(&str, &str); 2] = [("order_type", "MARKET"), ("market_protection", "-1")];

#[test]
fn row_27_an_order_is_placed_changed_and_cancelled() {
    let trader = unhurried();
    let order_id = trader.ordered("regular", &[("price", "1000"), ("tag", "mine")]);
    let path = format!("/orders/regular/{order_id}");
    assert_eq!(
        trader.steps(&order_id),
        ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]
    );
    trader.data(put(&path).form(&[("quantity", "2"), ("price", "1001.5")]));
    let order = trader.data(get("/orders"))[0].clone();
    assert_eq!((&order["quantity"], &order["price"]), (&json!(2), &json!(1001.5)));
    assert_eq!((&order["modified"], &order["tag"]), (&json!(true), &json!("mine")));
    let margins = trader.data(get("/user/margins/equity"));
    assert_eq!(margins["utilised"]["debits"], json!(400.6));
    trader.data(delete(&path));
    assert_eq!(trader.status(&order_id), "CANCELLED");
    refusal(&trader.ask(delete(&path)), 400, "OrderException");
    refusal(&trader.ask(put("/orders/regular/none").form(&[])), 404, "GeneralException");
    assert_eq!(trader.data(get("/user/margins/equity"))["utilised"]["debits"], json!(0.0));
}

#[test]
fn row_27_fills_reach_trades_positions_and_the_next_day_s_holdings() {
    let trader = unhurried();
    let order_id = trader.ordered("regular", &[MARKET[0], MARKET[1], ("product", "CNC"), ("quantity", "3")]);
    assert_eq!(trader.status(&order_id), "COMPLETE");
    assert_eq!(trader.data(get("/trades"))[0]["order_id"], json!(order_id));
    assert_eq!(trader.data(get(&format!("/orders/{order_id}/trades"))).as_array().map(Vec::len), Some(1));
    let position = trader.data(get("/portfolio/positions"))["net"][0].clone();
    assert_eq!((&position["quantity"], &position["product"]), (&json!(3), &json!("CNC")));
    let change = [
        ("exchange", "NSE"),
        ("tradingsymbol", "RELIANCE"),
        ("transaction_type", "BUY"),
        ("position_type", "day"),
        ("quantity", "1"),
        ("old_product", "CNC"),
        ("new_product", "MIS"),
    ];
    assert_eq!(trader.data(put("/portfolio/positions").form(&change)), json!(true));
    let net = trader.data(get("/portfolio/positions"))["net"].clone();
    assert_eq!((&net[0]["quantity"], &net[1]["quantity"]), (&json!(2), &json!(1)));
    let before = trader.data(get("/portfolio/holdings")).as_array().map(Vec::len);
    trader.sim.lever("/clock", &json!({"set": "2026-10-06T08:30:00+05:30"}));
    let trader = Trader::on(trader.sim);
    assert_eq!(trader.data(get("/orders")), json!([]));
    let held = trader.data(get("/portfolio/holdings"));
    assert_eq!(held.as_array().map(Vec::len), before.map(|count| count + 1));
    assert_eq!((&held[3]["tradingsymbol"], &held[3]["t1_quantity"]), (&json!("RELIANCE"), &json!(2)));
    assert!(trader.data(get("/portfolio/holdings/summary"))["invested_amount"].is_number());
    assert_eq!(trader.data(get("/portfolio/holdings/compact"))[3]["t1_quantity"], json!(2));
    assert!(trader.data(post("/portfolio/holdings/authorise"))["request_id"].is_string());
}

#[test]
fn row_27_a_cover_order_has_a_leg_and_an_exit() {
    let trader = unhurried();
    let order_id = trader.ordered("co", &[MARKET[0], MARKET[1], ("trigger_price", "1000")]);
    let leg = trader.data(get("/orders"))[1].clone();
    assert_eq!((&leg["parent_order_id"], &leg["status"]), (&json!(order_id), &json!("TRIGGER PENDING")));
    assert_eq!((&leg["product"], &leg["variety"]), (&json!("CO"), &json!("co")));
    trader.data(delete(&format!("/orders/co/{order_id}")));
    assert_eq!(trader.status(leg["order_id"].as_str().expect("it has an id")), "COMPLETE");
    assert_eq!(trader.data(get("/portfolio/positions"))["net"][0]["quantity"], json!(0));
}

#[test]
fn row_27_after_market_orders_wait_for_the_bell() {
    let trader = unhurried();
    let first = trader.ordered("amo", &MARKET);
    let second = trader.ordered("amo", &[("price", "1000")]);
    assert_eq!(trader.status(&first), "AMO REQ RECEIVED");
    trader.data(put(&format!("/orders/amo/{second}")).form(&[("price", "1001")]));
    trader.data(delete(&format!("/orders/amo/{second}")));
    assert_eq!(trader.status(&second), "CANCELLED AMO");
    trader.sim.lever("/clock", &json!({"set": "2026-10-05T09:15:00+05:30"}));
    assert_eq!(trader.status(&first), "COMPLETE");
}

#[test]
fn row_27_icebergs_and_slices_come_in_parts() {
    let trader = unhurried();
    let legs = [("iceberg_legs", "3"), ("iceberg_quantity", "4"), ("quantity", "10")];
    trader.ordered("iceberg", &[MARKET[0], MARKET[1], legs[0], legs[1], legs[2]]);
    let orders = trader.data(get("/orders"));
    let quantities: Vec<&Value> =
        orders.as_array().expect("a list").iter().map(|one| &one["quantity"]).collect();
    assert_eq!(quantities, [&json!(4), &json!(4), &json!(2)]);
    assert_eq!(orders[2]["meta"]["iceberg"]["remaining_quantity"], json!(0));
    let many = [("tradingsymbol", "ITC"), ("price", "24"), ("product", "CNC"), ("quantity", "450000")];
    refusal(&trader.order("regular", &many), 400, "InputException");
    let sliced = [many[0], ("price", "3"), many[2], many[3], ("autoslice", "true")];
    let data = trader.order("regular", &sliced).json()["data"].clone();
    assert!(data["order_id"].is_string() && data["children"][0]["order_id"].is_string());
    assert_eq!(data["children"][2]["error"]["error_type"], "MarginException", "{data}");
    assert_eq!(data["children"][2]["error"]["code"], json!(400));
    refusal(
        &trader.order("regular", &[many[0], ("price", "1"), ("quantity", "1000001"), sliced[4]]),
        400,
        "InputException",
    );
}

#[test]
fn row_27_what_the_exchange_would_not_take_is_refused() {
    let trader = unhurried();
    let bad: [&[(&str, &str)]; 9] = [
        &[("order_type", "MARKET")],
        &[("order_type", "MARKET"), ("market_protection", "0")],
        &[("order_type", "SL-M"), ("trigger_price", "900")],
        &[("price", "0")],
        &[("price", "NaN")],
        &[("quantity", "-1")],
        &[("tradingsymbol", "NIFTY 50"), ("price", "1")],
        &[("exchange", "MCX"), ("tradingsymbol", "GOLDPETAL26OCTFUT"), ("price", "1"), ("validity", "IOC")],
        &[("price", "1"), ("tag", "a tag that is far too long")],
    ];
    for fields in bad {
        refusal(&trader.order("regular", fields), 400, "InputException");
    }
    refusal(&trader.order("other", &[("price", "1")]), 400, "InputException");
    let poor = trader.ordered("regular", &[("price", "90000"), ("product", "CNC"), ("quantity", "100")]);
    assert_eq!(trader.status(&poor), "REJECTED");
    let short =
        trader.ordered("regular", &[("price", "1"), ("product", "CNC"), ("transaction_type", "SELL")]);
    assert_eq!(trader.status(&short), "REJECTED");
    let now_or_never = trader.ordered("regular", &[("price", "1"), ("validity", "IOC")]);
    assert_eq!(trader.status(&now_or_never), "CANCELLED");
    trader.sim.lever("/faults", &json!({"settings": {"market_protection": "off"}}));
    assert_eq!(trader.order("regular", &[("order_type", "MARKET")]).status, 200);
}

#[test]
fn row_27_a_trigger_fires_when_its_price_is_reached() {
    let trader = unhurried();
    let form = |value: f64| {
        let condition = json!({"exchange": "NSE", "tradingsymbol": "INFY", "trigger_values": [value], "last_price": 1500});
        let leg = json!({
            "transaction_type": "BUY", "order_type": "LIMIT", "product": "CNC", "quantity": 1, "price": 9000,
        });
        [
            ("type", "single".to_owned()),
            ("condition", condition.to_string()),
            ("orders", json!([leg]).to_string()),
        ]
    };
    let set = |value: f64| {
        let fields = form(value);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
        trader.data(post("/gtt/triggers").form(&fields))["trigger_id"].clone()
    };
    let (far, near, hit) = (set(1.0), set(1_499_999.0), set(1_500.05));
    let status = |id: &Value| trader.data(get(&format!("/gtt/triggers/{id}")))["status"].clone();
    assert_eq!(status(&far), "active");
    trader.data(delete(&format!("/gtt/triggers/{near}")));
    refusal(&trader.ask(get(&format!("/gtt/triggers/{near}"))), 404, "GeneralException");
    // The price of this seed's day passes the value at some minute of it, or has passed it already.
    let minutes = (15..60).map(|minute| format!("2026-10-05T09:{minute}:00+05:30"));
    let fired = minutes.into_iter().any(|moment| {
        trader.sim.lever("/clock", &json!({"set": moment}));
        status(&hit) == "triggered"
    });
    assert!(fired);
    assert!(trader.data(get("/orders")).as_array().is_some_and(|list| list.len() == 1));
    refusal(&trader.ask(post("/gtt/triggers").form(&[("type", "single")])), 400, "InputException");
}

#[test]
fn row_27_alerts_are_kept() {
    let trader = unhurried();
    let fields = [
        ("name", "high"),
        ("type", "simple"),
        ("lhs_exchange", "INDICES"),
        ("lhs_tradingsymbol", "NIFTY 50"),
        ("lhs_attribute", "LastTradedPrice"),
        ("operator", ">="),
        ("rhs_type", "constant"),
        ("rhs_constant", "27000"),
    ];
    let made = trader.data(post("/alerts").form(&fields));
    let path = format!("/alerts/{}", made["uuid"].as_str().expect("it has a name"));
    assert_eq!(trader.data(get("/alerts")), json!([made]));
    let mut changed = fields.to_vec();
    changed[7].1 = "27500";
    assert_eq!(trader.data(put(&path).form(&changed))["rhs_constant"], json!(27500.0));
    assert_eq!(trader.data(get(&path))["rhs_constant"], json!(27500.0));
    assert_eq!(trader.data(get(&format!("{path}/history"))), json!([]));
    let uuid = path.replace("/alerts/", "");
    assert_eq!(trader.data(delete(&format!("/alerts?uuid={uuid}"))), Value::Null);
    assert_eq!(trader.data(get("/alerts")), json!([]));
    refusal(&trader.ask(post("/alerts").form(&fields[1..])), 400, "InputException");
}

#[test]
fn row_24_hostile_numbers_get_an_answer() {
    let trader = unhurried();
    let most = i64::MAX.to_string();
    let values = [most.as_str(), "-1", "NaN", "inf", "1e308", "", "\u{1f980}", "0x10", "null", "[]"];
    let names =
        ["quantity", "price", "trigger_price", "iceberg_legs", "iceberg_quantity", "validity_ttl", "amount"];
    let waiting = trader.ordered("regular", &[("price", "1000")]);
    for year in ["2026", "9999"] {
        for value in values {
            for name in names {
                for variety in ["regular", "amo", "co", "iceberg"] {
                    trader.order(
                        variety,
                        &[(name, value), ("autoslice", "true"), MARKET[1], ("validity", "TTL")],
                    );
                    trader.order(variety, &[(name, value), MARKET[0], MARKET[1]]);
                }
                let form = [(name, value), ("tradingsymbol", "INF000K01AA1"), ("transaction_type", "BUY")];
                for call in [
                    put(&format!("/orders/regular/{waiting}")),
                    put("/portfolio/positions"),
                    post("/mf/orders"),
                    post("/mf/sips"),
                    post("/gtt/triggers"),
                    post("/alerts"),
                ] {
                    assert!(trader.ask(call.form(&form)).status < 500);
                }
            }
            let path = format!("/instruments/historical/256265/day?from={year}-12-01&to={value}");
            assert!(trader.ask(get(&path.replace('\u{1f980}', "x"))).status < 500);
            for path in ["/margins/orders", "/margins/basket", "/charges/orders"] {
                let body =
                    json!([{"exchange": "NSE", "tradingsymbol": "INFY", "quantity": value, "price": 1e308}]);
                assert!(trader.ask(post(path).json(&body)).status < 500);
                assert!(trader.ask(post(path).body(value.into())).status < 500);
            }
        }
        trader.sim.lever("/clock", &json!({"set": "9999-12-30T21:00:00Z"}));
        for path in ["/quote?i=NSE:INFY", "/portfolio/holdings", "/orders", "/instruments"] {
            assert!(trader.ask(get(path)).status < 500, "{path}");
        }
    }
    let trader = Trader::on(trader.sim);
    assert_eq!(trader.ask(get("/portfolio/positions")).status, 200);
}
