//! Postbacks: what becomes of an order is posted to the URL that the app registered (Kite Connect docs, /postbacks).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, header};
use data_encoding::HEXLOWER;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use url::{Host, Url};

use crate::world::World;

/// How often it is looked whether an order took a step.
const LOOK: Duration = Duration::from_millis(20);
/// How long the receiver may take. Whether the real one tries again is not on public record, so this one does not.
const PATIENCE: Duration = Duration::from_secs(5);
/// Any number would do; the real one numbers its apps.
const APP_ID: u32 = 1;

/// Posts what there is to post, for ever, one after the other.
pub(crate) async fn post_all(world: Arc<World>) {
    let mut seen = BTreeMap::new();
    loop {
        sleep(LOOK).await;
        let (url, letters) = news(&world, &mut seen);
        let Some(url) = url else { continue };
        for letter in letters {
            let answer = timeout(PATIENCE, delivered(&url, letter.to_string())).await.ok().flatten();
            let mut truth = world.lock();
            let now = truth.clock.now();
            let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
            truth.seen.posted(now, text("order_id"), text("status"), answer);
        }
    }
}

/// Where to post to, and what. Steps that nobody wants to hear of are forgotten.
fn news(world: &World, seen: &mut BTreeMap<String, usize>) -> (Option<Url>, Vec<Value>) {
    let mut truth = world.lock();
    let url = truth.rules.settings.postback.clone();
    if url.is_some() {
        let now = truth.clock.now();
        truth.settled_desk(now);
    }
    let steps = truth.desk.new_steps(seen);
    let secret = &truth.rules.account.api_secret;
    let letters = steps.into_iter().filter_map(|(step, grew)| letter(step, grew, secret)).collect();
    (url, letters)
}

/// One postback, when the step is of a kind that is posted: the end of an order, a change of it, a part of its fill.
fn letter(mut step: Value, grew: bool, secret: &str) -> Option<Value> {
    let status = match step["status"].as_str()? {
        "COMPLETE" => "COMPLETE",
        "REJECTED" => "REJECTED",
        "CANCELLED" | "CANCELLED AMO" => "CANCELLED",
        "MODIFIED" => "UPDATE",
        "OPEN" if grew => "UPDATE",
        _ => return None,
    };
    let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let checksum = Sha256::digest(text("order_id") + &text("order_timestamp") + secret);
    step["status"] = json!(status);
    step["app_id"] = json!(APP_ID);
    step["checksum"] = json!(HEXLOWER.encode(&checksum));
    Some(step)
}

/// Posts one letter; gives the receiver's status, or nothing when there was no answer.
async fn delivered(url: &Url, letter: String) -> Option<u16> {
    let port = url.port_or_known_default()?;
    let stream = match url.host()? {
        Host::Ipv4(address) => TcpStream::connect((address, port)).await,
        Host::Ipv6(address) => TcpStream::connect((address, port)).await,
        // No resolver is asked: it could lead elsewhere.
        Host::Domain(_) => TcpStream::connect(("127.0.0.1", port)).await,
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream.ok()?)).await.ok()?;
    tokio::spawn(connection);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let request = Request::post(target)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-simulated-by", "kitesim")
        .body(Full::new(Bytes::from(letter)))
        .ok()?;
    let response = sender.send_request(request).await.ok()?;
    Some(response.status().as_u16())
}
