//! Postbacks to a URL on this machine, with the checksum that clients verify, and orders that fill in parts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::orders::Trader;
use crate::support::{Line, delete, get, post, put};

/// A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that waits for postbacks, and says yes to each.
struct Receiver {
    url: String,
    letters: mpsc::Receiver<Value>,
}

impl Receiver {
    fn open() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/postback?app=mine", listener.local_addr().expect("it has an address"));
        let (tell, letters) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if tell.send(taken(stream.expect("a postback comes"))).is_err() {
                    return;
                }
            }
        });
        Receiver { url, letters }
    }

    /// The next postback.
    fn hear(&self) -> Value {
        self.letters.recv_timeout(PATIENCE).expect("a postback comes")
    }
}

/// Reads one postback, and answers it.
fn taken(stream: TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /postback?app=mine http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("the body is whole");
    let reply = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
    reader.get_mut().write_all(reply).expect("it is answered");
    serde_json::from_slice(&body).expect("it is JSON")
}

fn quantities(letter: &Value) -> [i64; 3] {
    ["filled_quantity", "pending_quantity", "cancelled_quantity"]
        .map(|name| letter[name].as_i64().expect("a number"))
}

#[test]
fn postbacks_tell_what_becomes_of_an_order() {
    let receiver = Receiver::open();
    let trader = Trader::under(&json!({"rate_limits": "off", "postback": receiver.url}));
    let order_id = trader.ordered("regular", &[("price", "1000"), ("tag", "mine")]);
    trader.data(put(&format!("/orders/regular/{order_id}")).form(&[("quantity", "2")]));
    let changed = receiver.hear();
    assert_eq!((&changed["status"], &changed["quantity"]), (&json!("UPDATE"), &json!(2)));
    trader.data(delete(&format!("/orders/regular/{order_id}")));
    let ended = receiver.hear();
    assert_eq!(
        (&ended["status"], &ended["order_id"], &ended["tag"]),
        (&json!("CANCELLED"), &json!(order_id), &json!("mine"))
    );
    assert_eq!(quantities(&ended), [0, 0, 2]);
    for letter in [&changed, &ended] {
        let text = |name: &str| letter[name].as_str().expect("it is text").to_owned();
        let proof = text("order_id") + &text("order_timestamp") + trader.sim.credential("api_secret");
        assert_eq!(text("checksum"), HEXLOWER.encode(&Sha256::digest(proof)));
        assert_eq!(
            (text("user_id"), text("placed_by")),
            (text("placed_by"), trader.sim.credential("user_id").to_owned())
        );
        for name in ["app_id", "guid", "meta", "unfilled_quantity", "exchange_order_id", "instrument_token"] {
            assert!(!letter[name].is_null(), "{name}");
        }
    }
    let market = [("order_type", "MARKET"), ("market_protection", "-1")];
    let filled = trader.ordered("regular", &market);
    let done = receiver.hear();
    assert_eq!((&done["status"], &done["order_id"]), (&json!("COMPLETE"), &json!(filled)));
    let refused = trader.ordered("regular", &[market[0], market[1], ("quantity", "99999")]);
    let letter = receiver.hear();
    assert_eq!((&letter["status"], &letter["order_id"]), (&json!("REJECTED"), &json!(refused)));
    assert!(letter["status_message"].as_str().is_some_and(|text| text.contains("Insufficient funds")));
    // What was posted is on record once the answer has come.
    let recorded =
        (0..10_000).any(|_look| trader.sim.seen()["postbacks"].as_array().map(Vec::len) == Some(4));
    assert!(recorded, "{}", trader.sim.seen()["postbacks"]);
    assert_eq!(trader.sim.seen()["postbacks"][0]["answer"], 204);
}

#[test]
fn postbacks_never_leave_the_machine() {
    let trader = Trader::under(&json!({}));
    for url in
        ["http://example.com/", "https://127.0.0.1/", "http://192.168.1.10:80/", "ftp://127.0.0.1/", "here"]
    {
        let order = post("/faults").json(&json!({"settings": {"postback": url}}));
        let reply = Line::to(trader.sim.host("inspect")).ask(&order).expect("the inspection replies");
        assert_eq!(reply.status, 400, "{url}");
        assert!(
            reply.text().contains("settings.postback: must be an http URL with a loopback address"),
            "{url}"
        );
    }
}

#[test]
fn row_27_orders_may_fill_in_parts() {
    let receiver = Receiver::open();
    let trader = Trader::under(&json!({"rate_limits": "off", "fills": "partial", "postback": receiver.url}));
    let fields = [("order_type", "MARKET"), ("market_protection", "-1"), ("quantity", "8")];
    let order_id = trader.ordered("regular", &fields);
    let of = |order_id: &str| {
        let history = trader.data(get(&format!("/orders/{order_id}")));
        history.as_array().and_then(|steps| steps.last().cloned()).expect("it has steps")
    };
    assert_eq!((quantities(&of(&order_id)), of(&order_id)["status"].clone()), ([4, 4, 0], json!("OPEN")));
    // Within one second there is no second fill.
    assert_eq!(quantities(&of(&order_id)), [4, 4, 0]);
    for (expected, status) in [([6, 2, 0], "OPEN"), ([7, 1, 0], "OPEN"), ([8, 0, 0], "COMPLETE")] {
        trader.sim.lever("/clock", &json!({"advance_s": 1}));
        assert_eq!((quantities(&of(&order_id)), of(&order_id)["status"].clone()), (expected, json!(status)));
    }
    let posted = [0; 4].map(|_| receiver.hear()["status"].clone());
    assert_eq!(posted, ["UPDATE", "UPDATE", "UPDATE", "COMPLETE"]);
    let trades = trader.data(get(&format!("/orders/{order_id}/trades")));
    let sum: i64 =
        trades.as_array().expect("a list").iter().filter_map(|trade| trade["quantity"].as_i64()).sum();
    assert_eq!((trades.as_array().map(Vec::len), sum), (Some(4), 8));
    assert_eq!(trader.data(get("/portfolio/positions"))["net"][0]["quantity"], 8);
    // A part that is filled stays, whatever becomes of the rest.
    let cut = trader.ordered("regular", &[fields[0], fields[1], ("quantity", "6")]);
    trader.data(delete(&format!("/orders/regular/{cut}")));
    assert_eq!((quantities(&of(&cut)), of(&cut)["status"].clone()), ([3, 0, 3], json!("CANCELLED")));
    let once = trader.ordered("regular", &[fields[0], fields[1], ("quantity", "4"), ("validity", "IOC")]);
    assert_eq!((quantities(&of(&once)), of(&once)["status"].clone()), ([2, 0, 2], json!("CANCELLED")));
    assert_eq!(trader.data(get("/portfolio/positions"))["net"][0]["quantity"], 8 + 3 + 2);
}
