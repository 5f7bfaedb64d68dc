//! The ticker asked by hand: every mode, the numbers of connections and instruments, its end, and a day in a second.

use serde_json::{Value, json};

use crate::orders::Trader;
use crate::support::{Ask, Browser, Line, Reply, get, refusal, started};

/// One open connection of somebody with a token.
pub(crate) struct Socket(Line);

impl Socket {
    fn handshake(trader: &Trader) -> Ask {
        let (api_key, token) = (trader.sim.credential("api_key"), trader.access_token());
        Socket::shaken(get(&format!("/?api_key={api_key}&access_token={token}")))
    }

    /// A request for a WebSocket.
    fn shaken(ask: Ask) -> Ask {
        ask.header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// The reply to a handshake that must not go well.
    pub(crate) fn refused(trader: &Trader) -> Reply {
        trader.sim.ask(Socket::handshake(trader))
    }

    pub(crate) fn open(trader: &Trader) -> Socket {
        let mut line = Line::to(trader.sim.site());
        let reply = line.ask(&Socket::handshake(trader)).expect("Kite replies");
        assert_eq!(reply.status, 101, "{}", reply.text());
        Socket(line)
    }

    /// Sends a text message with a mask of zeros (RFC 6455, section 5.2).
    pub(crate) fn say(&mut self, order: &Value) {
        let text = order.to_string();
        let mut frame = vec![0x81, 0x80 | 127];
        frame.extend((text.len() as u64).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.raw(&frame).expect("it is sent");
    }

    /// The next message: its kind, and what it carries.
    fn hear(&mut self) -> (u8, Vec<u8>) {
        let head = self.0.bytes(2).expect("the ticker talks");
        let length = match head[1] {
            126 => usize::from(u16::from_be_bytes(
                self.0.bytes(2).expect("a length").try_into().expect("two bytes"),
            )),
            127 => {
                let bytes = self.0.bytes(8).expect("a length").try_into().expect("eight bytes");
                usize::try_from(u64::from_be_bytes(bytes)).expect("it fits")
            }
            short => usize::from(short),
        };
        (head[0] & 0x0f, self.0.bytes(length).expect("it is whole"))
    }

    /// The next text message, whatever ticks come before it.
    fn hear_text(&mut self) -> Value {
        loop {
            let (kind, bytes) = self.hear();
            if kind == 1 {
                return serde_json::from_slice(&bytes).expect("it is JSON");
            }
        }
    }

    /// The packets of the first frame that meets a condition.
    pub(crate) fn packets(&mut self, good: impl Fn(&[Vec<u8>]) -> bool) -> Vec<Vec<u8>> {
        for _frame in 0..1_000 {
            let (kind, bytes) = self.hear();
            let packets = if kind == 2 { split(&bytes) } else { Vec::new() };
            if good(&packets) {
                return packets;
            }
        }
        panic!("no such frame came")
    }
}

fn split(frame: &[u8]) -> Vec<Vec<u8>> {
    let short = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    let mut packets = Vec::new();
    let mut at = 2;
    for _packet in 0..if frame.len() < 2 { 0 } else { short(0) } {
        let length = short(at);
        packets.push(frame[at + 2..at + 2 + length].to_vec());
        at += 2 + length;
    }
    packets
}

fn word(packet: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"))
}

#[test]
fn row_29_every_mode_has_its_packets() {
    let trader = Trader::under(&json!({"rate_limits": "off"}));
    let mut socket = Socket::open(&trader);
    assert_eq!(socket.hear(), (2, vec![0]));
    for (mode, share, index, currency) in [("ltp", 8, 8, 8), ("quote", 44, 28, 44), ("full", 184, 32, 184)] {
        socket.say(&json!({"a": "mode", "v": [mode, [408_065, 256_265, 1_103_363]]}));
        let lengths = |packets: &[Vec<u8>]| packets.iter().map(Vec::len).collect::<Vec<_>>();
        // By token: the index, the share, the currency.
        let packets = socket.packets(|packets| lengths(packets) == [index, share, currency]);
        assert_eq!([0, 1, 2].map(|n: usize| word(&packets[n], 0)), [256_265, 408_065, 1_103_363]);
        let last =
            |name: &str| trader.data(get(&format!("/quote/ltp?i={name}")))[name]["last_price"].as_f64();
        assert_eq!(Some(f64::from(word(&packets[1], 4)) / 100.0), last("NSE:INFY"));
        assert_eq!(Some(f64::from(word(&packets[2], 4)) / 10_000_000.0), last("CDS:USDINR26OCTFUT"));
    }
    socket.say(&json!({"a": "unsubscribe", "v": [408_065, 1_103_363]}));
    socket.packets(|packets| packets.len() == 1);
    socket.say(&json!({"a": "subscribe", "v": [408_065]}));
    socket.packets(|packets| packets.len() == 2 && packets[1].len() == 44);
    socket.say(&json!({"a": "dance"}));
    assert_eq!(socket.hear_text(), json!({"type": "error", "data": "invalid message"}));
}

#[test]
fn row_29_a_connection_takes_three_thousand_instruments_and_a_key_three_connections() {
    let trader = Trader::under(&json!({"invented_shares": 3_001}));
    let tokens: Vec<u32> = (1..=3_001_u32).map(|number| (900_001 + number) << 8 | 1).collect();
    let mut socket = Socket::open(&trader);
    socket.say(&json!({"a": "mode", "v": ["full", tokens]}));
    assert_eq!(socket.hear_text(), json!({"type": "error", "data": "too many instruments"}));
    let packets = socket.packets(|packets| packets.len() > 1);
    assert!(packets.len() == 3_000 && packets.iter().all(|packet| packet.len() == 184));
    let others = [Socket::open(&trader), Socket::open(&trader)];
    refusal(&Socket::refused(&trader), 429, "NetworkException");
    drop(others);
    // The seats are free again when the ends of the connections have been seen.
    let freed = (0..10_000).any(|_try| Socket::refused(&trader).status == 101);
    assert!(freed);
    trader.sim.lever("/faults", &json!({"settings": {"ticker_connections": 0}}));
    refusal(&Socket::refused(&trader), 429, "NetworkException");
}

#[test]
fn row_29_a_connection_ends_with_its_token() {
    let trader = Trader::under(&json!({}));
    let mut socket = Socket::open(&trader);
    trader.sim.lever("/clock", &json!({"set": "2026-10-06T06:00:00+05:30"}));
    let end = (0..100).map(|_message| socket.hear()).find(|(kind, _)| *kind == 8);
    assert_eq!(end, Some((8, vec![0x03, 0xe8])));
    refusal(&Socket::refused(&trader), 403, "TokenException");
}

#[test]
fn row_36_the_website_s_ticker_takes_the_enctoken() {
    let trader = Trader::under(&json!({}));
    let mut browser = Browser::signed_in(&trader.sim);
    let enctoken = browser.cookies["enctoken"].clone();
    browser.cookies.clear();
    let ask = |enctoken: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("api_key", "kitefront")
            .append_pair("user_id", trader.sim.credential("user_id"))
            .append_pair("enctoken", enctoken)
            .append_pair("user-agent", "kite3-web")
            .finish();
        Socket::shaken(get(&format!("/?{query}")))
    };
    assert_eq!(trader.sim.ask(ask(&enctoken)).status, 101);
    refusal(&trader.sim.ask(ask("wrong")), 403, "TokenException");
    trader.sim.lever("/event", &json!({"event": "master-logout"}));
    refusal(&trader.sim.ask(ask(&enctoken)), 403, "TokenException");
}

#[test]
fn row_29_a_drop_is_without_farewell() {
    let trader = Trader::under(&json!({}));
    let mut socket = Socket::open(&trader);
    assert_eq!(socket.hear(), (2, vec![0]));
    trader.sim.lever("/event", &json!({"event": "ticker-drop"}));
    let rest = socket.0.rest().unwrap_or_default();
    assert!(!rest.contains(&0x88), "{rest:?}");
    Socket::open(&trader);
}

#[test]
fn row_20_a_trading_day_passes_in_a_second() {
    let trader = Trader::under(&json!({"rate_limits": "off"}));
    trader.sim.lever("/clock", &json!({"set": "2026-10-05T09:14:59+05:30"}));
    let last = trader.data(get("/quote/ltp?i=NSE:INFY"))["NSE:INFY"]["last_price"].as_f64().expect("a price");
    let mut orders = Vec::new();
    for (side, factor) in [("BUY", 0.9999), ("SELL", 1.0001)] {
        let price = format!("{:.1}", last * factor);
        let fields = [
            ("tradingsymbol", "INFY"),
            ("transaction_type", side),
            ("price", price.as_str()),
            ("product", "MIS"),
        ];
        orders.push(trader.ordered("regular", &fields));
    }
    let mut socket = Socket::open(&trader);
    socket.say(&json!({"a": "mode", "v": ["full", [408_065]]}));
    let start = started();
    trader.sim.lever("/clock", &json!({"speed": 22_500, "freeze": false}));
    let mut seconds = Vec::new();
    let mut told = Vec::new();
    let close = 1_791_194_400;
    while seconds.last().is_none_or(|second| *second < close) {
        let (kind, bytes) = socket.hear();
        match kind {
            1 => told.push(serde_json::from_slice::<Value>(&bytes).expect("JSON")["data"]["status"].clone()),
            2 if bytes.len() > 1 => seconds.push(word(&split(&bytes)[0], 60)),
            _ => {}
        }
    }
    let passed = start.elapsed();
    trader.sim.lever("/clock", &json!({"speed": 1, "freeze": true}));
    assert!(passed.as_secs_f64() < 10.0, "{passed:?}");
    assert!(seconds.len() > 10 && seconds.is_sorted(), "{seconds:?}");
    assert!(told.contains(&json!("COMPLETE")), "{told:?}");
    let filled = orders.iter().filter_map(|order_id| {
        let history = trader.data(get(&format!("/orders/{order_id}")));
        let last = history.as_array()?.last()?.clone();
        (last["status"] == "COMPLETE").then(|| last["exchange_timestamp"].as_str().expect("text").to_owned())
    });
    let filled: Vec<String> = filled.collect();
    assert!(!filled.is_empty());
    // Each was filled when its price came by, within the trading day.
    for moment in filled {
        assert!(("2026-10-05 09:15:00".."2026-10-05 15:30:01").contains(&moment.as_str()), "{moment}");
    }
}
