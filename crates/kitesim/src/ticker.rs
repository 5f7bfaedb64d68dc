//! The ticker: prices in Kite's binary form and order updates as text, over a WebSocket (Kite Connect docs, /websocket).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::clock;
use crate::envelope::{self, Kind};
use crate::fields::Fields;
use crate::frames::{self, Kind as Frame};
use crate::market::{Instrument, Market, everything};
use crate::world::World;

/// How often a connection looks for order updates and for the death of its token.
const LOOK: Duration = Duration::from_millis(200);
/// Every so many looks, that is once a second, ticks or a heartbeat are sent.
const LOOKS_A_TICK: u32 = 5;
/// Kite Connect docs, WebSocket: how many instruments one connection takes.
const MOST_INSTRUMENTS: usize = 3_000;
/// A client that talks faster than it is heard waits.
const MOST_UNHEARD: usize = 16;

/// How much is told of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Ltp,
    Quote,
    Full,
}

/// One open connection.
struct Line {
    world: Arc<World>,
    api_key: String,
    access_token: String,
    wanted: BTreeMap<u32, Mode>,
    steps: BTreeMap<String, usize>,
}

/// Takes requests for a WebSocket at the root, where the real ticker stands; everything else goes on.
pub(crate) async fn doorway(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let upgrade = request.headers().get(header::UPGRADE);
    let asks = upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !asks || request.uri().path() != "/" {
        return next.run(request).await;
    }
    let query = Fields::decode(request.uri().query().unwrap_or_default().as_bytes());
    let field = |name: &str| query.first(name).unwrap_or_default().to_owned();
    let (wanted, steps) = (BTreeMap::new(), BTreeMap::new());
    let (api_key, access_token) = (field("api_key"), field("access_token"));
    let mut line = Line { world, api_key, access_token, wanted, steps };
    if !line.lives() {
        return envelope::refusal(Kind::Token, "Authentication failed.");
    }
    let Ok(seat) = Arc::clone(&line.world.tickers).try_acquire_owned() else {
        return envelope::refusal_with(StatusCode::TOO_MANY_REQUESTS, Kind::Network, "Too many requests");
    };
    let Some(accept) = frames::accept(request.headers()) else {
        return envelope::refusal(Kind::Input, "Not a WebSocket handshake of version 13.");
    };
    // What happened before the connection is no news.
    line.news();
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            line.serve(upgraded).await;
        }
        drop(seat);
    });
    let headers = [
        (header::CONNECTION, "Upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

impl Line {
    /// Sends and listens until either side ends it.
    async fn serve(mut self, upgraded: Upgraded) {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
        let (heard, mut hears) = mpsc::channel(MOST_UNHEARD);
        // Apart, for a read that is broken off in the middle of a frame loses its beginning.
        let reader = tokio::spawn(async move {
            while let Some(message) = frames::read(&mut from).await {
                if heard.send(message).await.is_err() {
                    return;
                }
            }
        });
        let mut look = tokio::time::interval(LOOK);
        let mut looks = 0_u32;
        'open: loop {
            let messages = tokio::select! {
                message = hears.recv() => match message {
                    Some((Frame::Text, text)) => self.obey(&text).into_iter().collect(),
                    Some((Frame::Ping, bytes)) => vec![(Frame::Pong, bytes)],
                    Some((Frame::Close, _)) | None => break 'open,
                    Some(_) => Vec::new(),
                },
                _ = look.tick() => {
                    if !self.lives() {
                        break 'open;
                    }
                    let tick = looks.is_multiple_of(LOOKS_A_TICK);
                    looks = looks.wrapping_add(1);
                    let news = self.news().into_iter().map(|order| told("order", &order));
                    news.chain(tick.then(|| (Frame::Binary, self.ticks()))).collect()
                }
            };
            for (kind, bytes) in messages {
                if frames::write(&mut to, kind, &bytes).await.is_err() {
                    break 'open;
                }
            }
        }
        reader.abort();
        // 1000, a normal end; whether the farewell arrives does not matter.
        let _gone = frames::write(&mut to, Frame::Close, &1_000_u16.to_be_bytes()).await;
    }

    fn lives(&self) -> bool {
        let truth = self.world.lock();
        let now = truth.clock.now();
        truth.rules.opens_ticker(&self.api_key, &self.access_token, now)
    }

    /// The orders that changed since the last look.
    fn news(&mut self) -> Vec<Value> {
        let mut truth = self.world.lock();
        let (now, market) = (truth.clock.now(), Market { seed: truth.rules.settings.seed });
        truth.desk.settle(market, now);
        truth.desk.changes(&mut self.steps)
    }

    /// Does what a text message asks for; gives a complaint when it cannot.
    fn obey(&mut self, text: &[u8]) -> Option<(Frame, Vec<u8>)> {
        let complaint = |text: &str| Some(told("error", &json!(text)));
        let order: Value = serde_json::from_slice(text).unwrap_or_default();
        let tokens = |list: &Value| -> Vec<u32> {
            let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(|token| u32::try_from(token.as_u64()?).ok()).collect()
        };
        let value = &order["v"];
        let (mode, list) = match order["a"].as_str() {
            Some("subscribe") => (Mode::Quote, tokens(value)),
            Some("unsubscribe") => {
                for token in tokens(value) {
                    self.wanted.remove(&token);
                }
                return None;
            }
            Some("mode") => {
                let mode = match value[0].as_str() {
                    Some("ltp") => Mode::Ltp,
                    Some("quote") => Mode::Quote,
                    Some("full") => Mode::Full,
                    _ => return complaint("invalid mode"),
                };
                (mode, tokens(&value[1]))
            }
            _ => return complaint("invalid message"),
        };
        for token in list {
            if self.wanted.len() >= MOST_INSTRUMENTS && !self.wanted.contains_key(&token) {
                return complaint("too many instruments");
            }
            self.wanted.insert(token, mode);
        }
        None
    }

    /// One frame with a packet for each instrument, or the heartbeat of one byte when there is none.
    fn ticks(&self) -> Vec<u8> {
        let truth = self.world.lock();
        let (now, market) = (truth.clock.now(), Market { seed: truth.rules.settings.seed });
        drop(truth);
        let all = everything(clock::in_india(now).date());
        let known = all.iter().filter_map(|one| Some((one, *self.wanted.get(&one.token)?)));
        let packets: Vec<Vec<u8>> = known.map(|(one, mode)| packet(market, one, mode, now)).collect();
        if packets.is_empty() {
            return vec![0];
        }
        let mut frame = short(packets.len()).to_vec();
        for packet in packets {
            frame.extend(short(packet.len()));
            frame.extend(packet);
        }
        frame
    }
}

/// A text message of a type.
fn told(kind: &str, data: &Value) -> (Frame, Vec<u8>) {
    (Frame::Text, json!({"type": kind, "data": data}).to_string().into_bytes())
}

/// One instrument; all numbers are big-endian, prices in parts of a rupee.
fn packet(market: Market, one: &Instrument, mode: Mode, now: Timestamp) -> Vec<u8> {
    let quote = market.quote(one, now);
    let parts = match one.exchange {
        "CDS" => 10_000_000.0,
        "BCD" => 10_000.0,
        _ => 100.0,
    };
    let price = |value: &Value| (value.as_f64().unwrap_or(0.0) * parts).round() as i32;
    let count = |value: &Value| i32::try_from(value.as_i64().unwrap_or(0)).unwrap_or(i32::MAX);
    let bar = &quote["ohlc"];
    let [open, high, low, close] = ["open", "high", "low", "close"].map(|name| price(&bar[name]));
    let last = price(&quote["last_price"]);
    let moment = i32::try_from(now.as_second()).unwrap_or(i32::MAX);
    let mut words = vec![one.token.cast_signed(), last];
    if mode != Mode::Ltp && !one.tradable() {
        words.extend([high, low, open, close, last.saturating_sub(close)]);
        if mode == Mode::Full {
            words.push(moment);
        }
    } else if mode != Mode::Ltp {
        words.push(count(&quote["last_quantity"]));
        words.push(price(&quote["average_price"]));
        words.extend(["volume", "buy_quantity", "sell_quantity"].map(|name| count(&quote[name])));
        words.extend([open, high, low, close]);
    }
    let deep = mode == Mode::Full && one.tradable();
    if deep {
        words.push(moment);
        words.extend(["oi", "oi_day_high", "oi_day_low"].map(|name| count(&quote[name])));
        words.push(moment);
    }
    let mut bytes: Vec<u8> = words.into_iter().flat_map(i32::to_be_bytes).collect();
    let sides = ["buy", "sell"].map(|side| quote["depth"][side].as_array().cloned().unwrap_or_default());
    for row in sides.iter().flatten().filter(|_| deep) {
        bytes.extend(count(&row["quantity"]).to_be_bytes());
        bytes.extend(price(&row["price"]).to_be_bytes());
        bytes.extend(short(usize::try_from(count(&row["orders"])).unwrap_or(0)));
        bytes.extend([0, 0]);
    }
    bytes
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn packets_have_the_lengths_that_clients_tell_them_by() {
        let now: Timestamp = "2026-10-05T12:00:00+05:30".parse().unwrap();
        let all = everything(date(2026, 10, 5));
        let length = |token: u32, mode: Mode| {
            let one = all.iter().find(|one| one.token == token).unwrap();
            packet(Market { seed: 1 }, one, mode, now).len()
        };
        for (mode, share, index) in [(Mode::Ltp, 8, 8), (Mode::Quote, 44, 28), (Mode::Full, 184, 32)] {
            assert_eq!((length(408_065, mode), length(256_265, mode)), (share, index));
        }
    }
}
