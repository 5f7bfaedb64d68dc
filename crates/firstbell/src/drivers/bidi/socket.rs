//! Messages of WebDriver BiDi, and of DevTools, over a WebSocket: a command out, what became of it and what happened in.

use std::io;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// A message larger than this is no message of a login page.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A way to an engine's control port.
pub(in super::super) trait Link: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Link for T {}

/// One connection.
pub(in super::super) struct Socket {
    stream: WebSocketStream<Box<dyn Link>>,
    last_id: u64,
}

/// One message from the engine.
#[derive(Debug)]
pub(in super::super) enum Incoming {
    /// What became of a command: its result, or the protocol's name for what went wrong.
    Reply { id: u64, result: Result<Value, String> },
    /// Something happened.
    Event { method: String, params: Value },
}

impl Socket {
    /// Shakes hands at an address of the engine.
    pub(in super::super) async fn open(url: &str, link: Box<dyn Link>) -> io::Result<Socket> {
        let request = url.into_client_request().map_err(|e| io::Error::other(e.to_string()))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let (stream, _) = tokio_tungstenite::client_async_with_config(request, link, Some(config))
            .await
            .map_err(|e| io::Error::other(e.to_string()))?;
        Ok(Socket { stream, last_id: 0 })
    }

    /// Sends a command without waiting for what becomes of it; returns its number.
    pub(in super::super) async fn send(&mut self, method: &str, params: Value) -> io::Result<u64> {
        self.last_id += 1;
        let message = json!({ "id": self.last_id, "method": method, "params": params }).to_string();
        // The fault is not told in its own words: it might repeat the message.
        self.stream.send(Message::text(message)).await.map_err(|_| broken())?;
        Ok(self.last_id)
    }

    /// The next message. May be dropped and called again: nothing that arrived is lost.
    pub(in super::super) async fn next(&mut self) -> io::Result<Incoming> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return read(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(broken()),
                Some(Ok(_)) => {}
            }
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the browser ended")
}

fn read(text: &str) -> io::Result<Incoming> {
    let mut message: Value = serde_json::from_str(text)?;
    if let Some(method) = message["method"].as_str().map(str::to_owned) {
        return Ok(Incoming::Event { method, params: message["params"].take() });
    }
    let id = message["id"].as_u64().unwrap_or(0);
    let result = match message.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(message["error"].as_str().unwrap_or("unknown error").to_owned()),
    };
    Ok(Incoming::Reply { id, result })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_errors_and_events_are_told_apart() {
        let reply = read(r#"{"type":"success","id":3,"result":{"a":1}}"#).unwrap();
        assert!(matches!(reply, Incoming::Reply { id: 3, result: Ok(v) } if v["a"] == 1));
        let error = read(r#"{"type":"error","id":4,"error":"no such frame","message":"x"}"#).unwrap();
        assert!(matches!(error, Incoming::Reply { id: 4, result: Err(e) } if e == "no such frame"));
        let event = read(r#"{"type":"event","method":"script.message","params":{"b":2}}"#).unwrap();
        assert!(
            matches!(event, Incoming::Event { method, params } if method == "script.message" && params["b"] == 2)
        );
        let of_devtools = read(r#"{"method":"Fetch.requestPaused","params":{}}"#).unwrap();
        assert!(matches!(of_devtools, Incoming::Event { method, .. } if method == "Fetch.requestPaused"));
        let refused = read(r#"{"id":5,"error":{"code":-32601,"message":"x"}}"#).unwrap();
        assert!(matches!(refused, Incoming::Reply { id: 5, result: Err(e) } if e == "unknown error"));
        assert!(read("nonsense").is_err());
    }
}
