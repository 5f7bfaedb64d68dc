//! DevTools messages over two pipes: JSON, each ended by a NUL byte.

use std::io;
use std::os::fd::OwnedFd;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use zeroize::Zeroizing;

/// A message larger than this is no message of a login page.
const MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Our ends of the pipes.
#[derive(Debug)]
pub(super) struct Pipe {
    write: Sender,
    read: Receiver,
    arrived: Zeroizing<Vec<u8>>,
    last_id: u64,
}

/// One message from the browser.
#[derive(Debug)]
pub(super) enum Incoming {
    /// What became of a command; none where it failed.
    Reply { id: u64, result: Option<Value> },
    /// Something happened.
    Event { method: String, params: Value },
}

impl Pipe {
    pub(super) fn new(write: OwnedFd, read: OwnedFd) -> io::Result<Pipe> {
        let (write, read) = (Sender::from_owned_fd(write)?, Receiver::from_owned_fd(read)?);
        Ok(Pipe { write, read, arrived: Zeroizing::new(Vec::with_capacity(64 * 1024)), last_id: 0 })
    }

    /// Sends a command without waiting for what becomes of it; returns its number.
    pub(super) async fn send(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> io::Result<u64> {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = Zeroizing::new(serde_json::to_vec(&message)?);
        bytes.push(0);
        self.write.write_all(&bytes).await?;
        Ok(self.last_id)
    }

    /// The next message. May be dropped and called again: nothing that arrived is lost.
    pub(super) async fn next(&mut self) -> io::Result<Incoming> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.arrived[searched..].iter().position(|b| *b == 0) {
                let end = searched + end;
                let message = read(&self.arrived[..end]);
                self.arrived.drain(..=end);
                return message;
            }
            searched = self.arrived.len();
            if searched > MESSAGE_BYTES {
                return Err(io::Error::other("a message without an end"));
            }
            if self.read.read_buf(&mut *self.arrived).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn read(bytes: &[u8]) -> io::Result<Incoming> {
    let mut message: Value = serde_json::from_slice(bytes)?;
    match message["id"].as_u64() {
        Some(id) => Ok(Incoming::Reply { id, result: message.get_mut("result").map(Value::take) }),
        None => {
            let method = message["method"].as_str().unwrap_or_default().to_owned();
            Ok(Incoming::Event { method, params: message["params"].take() })
        }
    }
}
