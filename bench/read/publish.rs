//! How long it takes from the publishing of a token until the last of a hundred subscribers has it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use firstbell::board::{Offer, Row};
use firstbell::serve::{Premises, Stock};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Outcome;

const SUBSCRIBERS: usize = 100;
const GENERATIONS: u64 = 500;
/// Between two tokens, so that everybody waits again: in life it is a day.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn measure() -> Outcome<Value> {
    let folder = tempfile::tempdir()?;
    let row = Arc::new(Row::new("main", "benchkey12345678", "AB1234"));
    let (_keys, keys) = tokio::sync::watch::channel(None);
    let stock = Stock { rows: vec![Arc::clone(&row)], users: Vec::new(), keys, tally: Arc::default() };
    let premises = Premises::open(folder.path()).map_err(|failure| failure.to_string())?;
    let (_server, _errands) = premises.serve(stock).map_err(|failure| failure.to_string())?;
    let (told, heard) = channel();
    for _ in 0..SUBSCRIBERS {
        let stream = UnixStream::connect(folder.path().join("socket"))?;
        let told = told.clone();
        // Each ends when the server hangs up, or nobody listens to it any more.
        std::thread::spawn(move || subscribe(stream, &told));
    }
    let mut millis = Vec::new();
    for generation in 1..=GENERATIONS {
        std::thread::sleep(PAUSE);
        let offer = Offer::Token(Arc::new(token(generation)?), Timestamp::MAX);
        let began = Instant::now();
        row.post(offer, Timestamp::now());
        for _ in 0..SUBSCRIBERS {
            let (got, at) = heard.recv_timeout(Duration::from_secs(10))?;
            if got != generation {
                return Err(format!("generation {got} in the place of {generation}").into());
            }
            millis.push((generation, at.duration_since(began).as_secs_f64() * 1e3));
        }
    }
    let last =
        |generation| millis.iter().filter(|(g, _)| *g == generation).map(|(_, ms)| *ms).fold(0.0, f64::max);
    let mut lasts: Vec<f64> = (1..=GENERATIONS).map(last).collect();
    lasts.sort_by(f64::total_cmp);
    let at = |share: f64| (lasts[(lasts.len() as f64 * share) as usize] * 100.0).round() / 100.0;
    Ok(json!({ "subscribers": SUBSCRIBERS, "generations": GENERATIONS,
               "last_p50_ms": at(0.50), "last_p99_ms": at(0.99) }))
}

fn subscribe(mut stream: UnixStream, told: &Sender<(u64, Instant)>) {
    let (mut generation, mut held, mut chunk) = (0_u64, Vec::new(), [0; 4096]);
    loop {
        let ask = format!(
            "GET /v1/accounts/main/token?wait={generation}&timeout_s=60 HTTP/1.1\r\nHost: firstbell\r\n\r\n"
        );
        if stream.write_all(ask.as_bytes()).is_err() {
            return;
        }
        held.clear();
        while !matches!(super::length_http(&held), Ok(Some(length)) if held.len() >= length) {
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => held.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        }
        let at = Instant::now();
        let text = String::from_utf8_lossy(&held);
        let card: Value =
            text.split("\r\n\r\n").nth(1).and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
        generation = card["generation"].as_u64().unwrap_or(0);
        if told.send((generation, at)).is_err() {
            return;
        }
    }
}

fn token(generation: u64) -> Outcome<Token> {
    let text = format!("benchtoken{generation:022}");
    let access = Access::parse(Secret::new(text)).ok_or("no token")?;
    let (issued, end) = (Timestamp::now(), Timestamp::MAX);
    let life = Life { issued, trusted_until: end, suspect_from: end, dead_from: end };
    Ok(Token { access, api_key: "benchkey12345678".into(), generation, life })
}
