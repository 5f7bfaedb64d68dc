//! The little of classic WebDriver that is needed: a session begun and ended, over HTTP on a link that we chose.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tower_service::Service;
use url::Url;

use super::super::bidi::Link;

/// A TCP and TLS connection must stand within this.
const CONNECT: Duration = Duration::from_secs(8);
/// No reply to these commands comes near this.
const BODY_BYTES: usize = 1024 * 1024;

/// A session that was begun.
pub(super) struct Begun {
    pub(super) id: String,
    /// Where its BiDi socket is.
    pub(super) socket: Url,
    /// The port at which a Chromium speaks DevTools, where the server says it.
    pub(super) devtools: Option<u16>,
}

/// Begins a session.
pub(super) async fn begin(
    link: Box<dyn Link>,
    server: &str,
    path: &str,
    wanted: Value,
) -> Result<Begun, String> {
    let value = ask(link, server, ("POST", &format!("{path}/session")), Some(wanted)).await?;
    let id = value["sessionId"].as_str().ok_or("it named no session")?.to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || !id.chars().all(plain) {
        return Err("it named its session oddly".into());
    }
    let socket = value["capabilities"]["webSocketUrl"].as_str().and_then(|url| Url::parse(url).ok());
    let socket = socket.ok_or(
        "it offers no WebDriver BiDi, without which firstbell cannot keep a password from being sent twice",
    )?;
    let devtools = value["capabilities"]["goog:chromeOptions"]["debuggerAddress"].as_str();
    let devtools = devtools.and_then(|address| address.rsplit_once(':')?.1.parse().ok());
    Ok(Begun { id, socket, devtools })
}

/// One command; gives the `value` of its reply.
pub(super) async fn ask(
    link: Box<dyn Link>,
    server: &str,
    (method, path): (&str, &str),
    body: Option<Value>,
) -> Result<Value, String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(link)).await.map_err(|_| "it does not speak HTTP".to_owned())?;
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, server)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|_| "its address cannot be asked".to_owned())?;
    // Ends with the connection, whichever side closes it.
    tokio::spawn(connection);
    let reply = sender.send_request(request).await.map_err(|_| "it broke the connection".to_owned())?;
    let whole = Limited::new(reply.into_body(), BODY_BYTES).collect().await;
    let bytes = whole.map_err(|_| "its answer broke off or is too large".to_owned())?.to_bytes();
    let mut reply: Value = serde_json::from_slice(&bytes).map_err(|_| "it answered no JSON".to_owned())?;
    let value = reply["value"].take();
    match value["error"].as_str() {
        // Its message may repeat what was asked; its error is one of a known list.
        Some(error) => Err(format!("{error}{}", hint(value["message"].as_str().unwrap_or_default()))),
        None => Ok(value),
    }
}

fn hint(message: &str) -> &'static str {
    if message.contains("only supports") || message.contains("version") {
        " (server and browser are of different versions)"
    } else if message.contains("binary") || message.contains("cannot find") {
        " (it found no browser)"
    } else if message.contains("sandbox") {
        " (the browser's sandbox is off on this system)"
    } else {
        ""
    }
}

/// Host and port, as HTTP names them.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A connection to somebody else's server, over TLS with the roots that are compiled in where its address says so.
pub(super) async fn reach(url: &Url) -> Result<Box<dyn Link>, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let mut connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let uri = url.as_str().parse().map_err(|_| "its address cannot be reached".to_owned())?;
    let stream = tokio::time::timeout(CONNECT, connector.call(uri)).await;
    let stream = stream.map_err(|_| "no connection in time".to_owned())?;
    stream.map(|s| Box::new(TokioIo::new(s)) as Box<dyn Link>).map_err(|_| "no connection to it".to_owned())
}
