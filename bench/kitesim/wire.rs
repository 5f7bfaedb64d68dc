//! One kept-open connection that asks and reads whole replies, with as little work of its own as can be.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

/// A connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A reply; it lies in the connection's buffer until the next one.
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    head: &'a str,
    pub(crate) body: &'a str,
}

impl Wire {
    pub(crate) async fn to(address: &str) -> Outcome<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends one request and reads its reply.
    pub(crate) async fn ask(&mut self, request: &str) -> Outcome<Reply<'_>> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection ended in the middle of a reply".into());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?;
            let status = head.get(9..12).ok_or("no status line")?.parse()?;
            let length = header(head, "content-length").map_or(Ok(0), str::parse::<usize>)?;
            let whole = end + 4 + if status == 101 { 0 } else { length };
            if self.buffer.len() < whole {
                continue;
            }
            let head = std::str::from_utf8(&self.buffer[..end])?;
            return Ok(Reply { status, head, body: std::str::from_utf8(&self.buffer[end + 4..whole])? });
        }
    }
}

impl Reply<'_> {
    pub(crate) fn expect_status(&self, status: u16) -> Outcome<()> {
        if self.status == status {
            return Ok(());
        }
        Err(format!("status {} and not {status}: {}", self.status, self.body).into())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }

    /// The values of all cookies that it sets, as a request sends them back.
    pub(crate) fn cookies(&self) -> String {
        let set = self.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next());
        set.collect::<Vec<_>>().join("; ")
    }

    /// The text of a field of its JSON.
    pub(crate) fn text(&self, field: &str) -> Outcome<String> {
        let json: serde_json::Value = serde_json::from_str(self.body)?;
        let text = json["data"][field].as_str();
        Ok(text.ok_or_else(|| format!("no `{field}` in {}", self.body))?.to_owned())
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
