//! The other side of the daemon's socket: how a command asks the daemon, where one is running.

use std::path::Path;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::{path_of, wire};

/// A daemon that is well answers in a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
/// A thousand accounts fit.
const BYTES_MAX: usize = 4 * 1024 * 1024;

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
    let Ok(stream) = UnixStream::connect(path_of(state_dir)).await else { return Ok(None) };
    let broken = |why: &str| Failure::Broken {
        part: Part::Store,
        why: format!("the running firstbell does not answer: {why}"),
        cure: "See its log (journalctl -u firstbell), or restart it.".into(),
    };
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, wire::NAME)
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
    let (status, body) = tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(|_| broken("no answer in time"))?
        .map_err(|e| broken(&e.to_string()))?;
    let body = body.map_err(|_| broken("the answer broke off"))?;
    let body = serde_json::from_slice(&body).map_err(|_| broken("the answer is not JSON"))?;
    Ok(Some((status, body)))
}
