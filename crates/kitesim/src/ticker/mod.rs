//! The ticker: prices in Kite's binary form and order updates as text, over a WebSocket (Kite Connect docs, /websocket).

mod board;

pub(crate) use board::Board;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::envelope::{self, Kind};
use crate::faults::Place;
use crate::fields::Fields;
use crate::frames::{self, Kind as Frame};
use crate::mishap;
use crate::world::World;
use board::Mode;

/// How often a connection looks for order updates and for the death of its token, while the clock runs as usual.
const LOOK_MS: u64 = 200;
/// A clock that is faster brings more looks, until this often.
const SHORTEST_LOOK_MS: u64 = 4;
/// Every so many looks, that is once a simulated second or as often as can be, ticks or a heartbeat are sent.
const LOOKS_A_TICK: u32 = 5;
/// Kite Connect docs, WebSocket: how many instruments one connection takes.
const MOST_INSTRUMENTS: usize = 3_000;
/// A client that talks faster than it is heard waits.
const MOST_UNHEARD: usize = 16;

/// One open connection.
struct Line {
    world: Arc<World>,
    board: Board,
    cuts: watch::Receiver<u64>,
    pass: Pass,
    wanted: BTreeMap<u32, Mode>,
    steps: BTreeMap<String, usize>,
}

/// What opens a connection.
enum Pass {
    /// A program's key and token.
    Token { api_key: String, access_token: String },
    /// The website's own token (web tickers of public scripts: `api_key=kitefront`).
    Web { enctoken: String },
}

/// A seat among the connections that the app may have.
struct Seat(Arc<World>);

impl Seat {
    fn take(world: &Arc<World>) -> Option<Seat> {
        let mut truth = world.lock();
        let free = truth.tickers < truth.rules.settings.ticker_connections;
        truth.tickers += u32::from(free);
        free.then(|| Seat(Arc::clone(world)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut truth = self.0.lock();
        truth.tickers = truth.tickers.saturating_sub(1);
    }
}

/// Takes requests for a WebSocket at the root, where the real ticker stands; everything else goes on.
pub(crate) async fn doorway(
    State((world, board)): State<(Arc<World>, Board)>,
    request: Request,
    next: Next,
) -> Response {
    let upgrade = request.headers().get(header::UPGRADE);
    let asks = upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !asks || request.uri().path() != "/" {
        return next.run(request).await;
    }
    mishap::under(&world, Place::Ticker, |_strike| open(&world, board, request)).await
}

fn open(world: &Arc<World>, board: Board, request: Request) -> Response {
    let query = Fields::decode(request.uri().query().unwrap_or_default().as_bytes());
    let field = |name: &str| query.first(name).unwrap_or_default().to_owned();
    let mut line = Line {
        world: Arc::clone(world),
        board,
        cuts: world.cuts.subscribe(),
        pass: match query.filled("enctoken") {
            Some(enctoken) => Pass::Web { enctoken: enctoken.to_owned() },
            None => Pass::Token { api_key: field("api_key"), access_token: field("access_token") },
        },
        wanted: BTreeMap::new(),
        steps: BTreeMap::new(),
    };
    if !line.lives() {
        return envelope::refusal(Kind::Token, "Authentication failed.");
    }
    let Some(seat) = Seat::take(world) else {
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
        let mut look = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut looks = 0_u32;
        let polite = 'open: loop {
            let messages = tokio::select! {
                message = hears.recv() => match message {
                    Some((Frame::Text, text)) => self.obey(&text).into_iter().collect(),
                    Some((Frame::Ping, bytes)) => vec![(Frame::Pong, bytes)],
                    Some((Frame::Close, _)) | None => break 'open true,
                    Some(_) => Vec::new(),
                },
                _ = self.cuts.changed() => break 'open false,
                () = look.as_mut() => {
                    if !self.lives() {
                        break 'open true;
                    }
                    look.set(tokio::time::sleep(self.pause()));
                    let tick = looks.is_multiple_of(LOOKS_A_TICK);
                    looks = looks.wrapping_add(1);
                    let news = self.news().into_iter().map(|order| told("order", &order));
                    news.chain(tick.then(|| (Frame::Binary, self.ticks()))).collect()
                }
            };
            for (kind, bytes) in messages {
                if frames::write(&mut to, kind, &bytes).await.is_err() {
                    break 'open true;
                }
            }
        };
        reader.abort();
        if polite {
            // 1000, a normal end; whether the farewell arrives does not matter.
            let _gone = frames::write(&mut to, Frame::Close, &1_000_u16.to_be_bytes()).await;
        }
    }

    fn lives(&self) -> bool {
        let truth = self.world.lock();
        let now = truth.clock.now();
        match &self.pass {
            Pass::Token { api_key, access_token } => truth.rules.opens_ticker(api_key, access_token, now),
            Pass::Web { enctoken } => truth.rules.opens_web(enctoken, now),
        }
    }

    /// How long until the next look.
    fn pause(&self) -> Duration {
        let speed = u64::from(self.world.lock().clock.speed()).max(1);
        Duration::from_millis((LOOK_MS / speed).max(SHORTEST_LOOK_MS))
    }

    /// The orders that changed since the last look.
    fn news(&mut self) -> Vec<Value> {
        let mut truth = self.world.lock();
        let now = truth.clock.now();
        truth.settled_desk(now).changes(&mut self.steps)
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

    fn ticks(&self) -> Vec<u8> {
        let (market, now) = {
            let truth = self.world.lock();
            (truth.market(), truth.clock.now())
        };
        self.board.frame(&market, &self.wanted, now)
    }
}

/// A text message of a type.
fn told(kind: &str, data: &Value) -> (Frame, Vec<u8>) {
    (Frame::Text, json!({"type": kind, "data": data}).to_string().into_bytes())
}
