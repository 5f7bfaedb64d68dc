//! The other side of the daemon's socket: how a command asks the daemon, where one is running.

use std::path::Path;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixStream;

use super::door::path_of;
use super::wire;

/// A daemon that is well answers in a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
/// A daemon that reads its configuration anew sends everybody away for a moment: so often, and so long, it is asked again.
const LEAVING_TRIES: u32 = 10;
const LEAVING_PAUSE: Duration = Duration::from_millis(200);
/// A thousand accounts fit.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the daemon says when it is asked for a token.
#[derive(Debug)]
pub enum Answer {
    /// This one.
    Card(Card),
    /// The time is over, and none is newer.
    NothingNewer,
    /// None is handed out.
    Withheld {
        /// Why, as a sentence.
        error: String,
        /// What to do.
        cure: String,
        /// When to ask again.
        retry_after_s: Option<u64>,
    },
}

/// A token with all that belongs to it.
#[derive(Debug)]
pub struct Card {
    /// The account.
    pub account: String,
    /// The client id.
    pub user_id: String,
    /// The token, as far as a program needs it.
    pub token: Token,
}

#[derive(Deserialize)]
struct Written {
    account: String,
    user_id: String,
    api_key: String,
    access_token: String,
    generation: u64,
    issued: Timestamp,
    trusted_until: Timestamp,
}

/// Asks the daemon of a state folder for an account's token; with `wait` for one of a greater generation, for as long as
/// `timeout_s`. None where no daemon runs, or where it does not keep that account.
///
/// # Errors
/// [`Failure::Broken`] where one is there and does not answer as it should.
pub async fn token(
    state_dir: &Path,
    account: &str,
    wait: Option<u64>,
    timeout_s: u16,
) -> Result<Option<Answer>, Failure> {
    let (path, patience) = match wait {
        None => (format!("/v1/accounts/{account}/token"), PATIENCE),
        Some(generation) => (
            format!("/v1/accounts/{account}/token?wait={generation}&timeout_s={timeout_s}"),
            PATIENCE + Duration::from_secs(timeout_s.into()),
        ),
    };
    let mut tries = LEAVING_TRIES;
    let (status, body) = loop {
        let Some((status, body)) = exchange(state_dir, "GET", (&path, patience)).await? else {
            return Ok(None);
        };
        tries -= 1;
        if tries == 0 || status != 503 || !is_leaving(&body) {
            break (status, body);
        }
        tokio::time::sleep(LEAVING_PAUSE).await;
    };
    let answer = match status {
        200 => read(&body).map(Answer::Card).ok_or_else(|| broken("the card cannot be read"))?,
        204 => Answer::NothingNewer,
        404 => return Ok(None),
        _ => {
            let said: Value = serde_json::from_slice(&body).map_err(|_| broken("the answer is not JSON"))?;
            let text = |key: &str| said[key].as_str().unwrap_or("no reason given").to_owned();
            let retry_after_s = said["retry_after_s"].as_u64();
            Answer::Withheld { error: text("error"), cure: text("cure"), retry_after_s }
        }
    };
    Ok(Some(answer))
}

/// Whether the one who answered goes, and another one comes in a moment.
fn is_leaving(body: &[u8]) -> bool {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    said.is_some_and(|said| said["code"] == "unavailable")
}

fn read(body: &[u8]) -> Option<Card> {
    let card: Written = serde_json::from_slice(body).ok()?;
    let access = Access::parse(Secret::new(card.access_token))?;
    let until = card.trusted_until;
    let life = Life { issued: card.issued, trusted_until: until, suspect_from: until, dead_from: until };
    let token = Token { access, api_key: card.api_key, generation: card.generation, life };
    Some(Card { account: card.account, user_id: card.user_id, token })
}

/// The number of the process that made the socket, by the kernel's word.
pub async fn process(state_dir: &Path) -> Option<u32> {
    let stream = UnixStream::connect(path_of(state_dir)).await.ok()?;
    u32::try_from(stream.peer_cred().ok()?.pid()?).ok()
}

/// Asks the daemon of a state folder: status and body. None where no daemon runs.
///
/// # Errors
/// [`Failure::Broken`] where one is there and does not answer.
pub async fn ask(state_dir: &Path, method: &str, path: &str) -> Result<Option<(u16, Value)>, Failure> {
    let Some((status, body)) = exchange(state_dir, method, (path, PATIENCE)).await? else { return Ok(None) };
    let body = serde_json::from_slice(&body).map_err(|_| broken("the answer is not JSON"))?;
    Ok(Some((status, body)))
}

async fn exchange(
    state_dir: &Path,
    method: &str,
    (path, patience): (&str, Duration),
) -> Result<Option<(u16, Bytes)>, Failure> {
    let Ok(stream) = UnixStream::connect(path_of(state_dir)).await else { return Ok(None) };
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, wire::NAME)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| broken(&e.to_string()))?;
    let exchange = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let asked = async {
            let reply = sender.send_request(request).await?;
            let status = reply.status().as_u16();
            let body = Limited::new(reply.into_body(), BYTES_MAX).collect().await;
            Ok::<_, hyper::Error>((status, body.map(|body| body.to_bytes())))
        };
        let (asked, _over) = tokio::join!(asked, connection);
        asked
    };
    let (status, body) = tokio::time::timeout(patience, exchange)
        .await
        .map_err(|_| broken("no answer in time"))?
        .map_err(|e| broken(&e.to_string()))?;
    let body = body.map_err(|_| broken("the answer broke off"))?;
    Ok(Some((status, body)))
}

fn broken(why: &str) -> Failure {
    Failure::Broken {
        part: Part::Store,
        why: format!("the running firstbell does not answer: {why}"),
        cure: "See its log (journalctl -u firstbell), or restart it.".into(),
    }
}
