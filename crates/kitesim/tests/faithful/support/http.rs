//! A small blocking HTTP/1.1 client, so that no library's kindness hides what is on the wire.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

/// A test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// One reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One connection, kept alive.
pub(crate) struct Line {
    host: String,
    stream: BufReader<TcpStream>,
}

pub(crate) fn get(target: &str) -> Ask {
    Ask { method: "GET".into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
}

pub(crate) fn post(target: &str) -> Ask {
    Ask { method: "POST".into(), ..get(target) }
}

pub(crate) fn put(target: &str) -> Ask {
    Ask { method: "PUT".into(), ..get(target) }
}

pub(crate) fn delete(target: &str) -> Ask {
    Ask { method: "DELETE".into(), ..get(target) }
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Ask {
        self.body = Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn json(mut self, value: &Value) -> Ask {
        self.body = value.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    pub(crate) fn body(mut self, bytes: Vec<u8>) -> Ask {
        self.body = bytes;
        self
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut headers = self.headers.clone();
        if !headers.iter().any(|(name, _)| name == "Host") {
            headers.push(("Host".into(), host.into()));
        }
        headers.push(("Content-Length".into(), self.body.len().to_string()));
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

impl Line {
    pub(crate) fn to(host: &str) -> Line {
        let stream = TcpStream::connect(host).expect("the listener accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        stream.set_nodelay(true).expect("small writes can leave at once");
        Line { host: host.into(), stream: BufReader::new(stream) }
    }

    pub(crate) fn ask(&mut self, ask: &Ask) -> io::Result<Reply> {
        self.send(ask)?;
        self.reply()
    }

    pub(crate) fn send(&mut self, ask: &Ask) -> io::Result<()> {
        let bytes = ask.bytes(&self.host);
        self.raw(&bytes)
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// So many bytes of what comes, whatever they are.
    pub(crate) fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads whatever still comes, until the other side ends it.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Says that nothing more will be sent, and reads whatever still comes.
    pub(crate) fn finish(&mut self) -> io::Result<Vec<u8>> {
        self.stream.get_mut().shutdown(Shutdown::Write)?;
        self.rest()
    }

    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let start = self.text_line()?;
        let status = start.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {start:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.text_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").and_then(|length| length.parse().ok());
        reply.body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut reply.body)?;
        Ok(reply)
    }

    fn text_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The value that a cookie is set to.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.all("set-cookie").filter_map(|line| line.split(';').next()?.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).last()
    }

    /// The address of a redirect, which must be a 302.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 302, "{}", self.text());
        self.header("location").expect("a redirect says where")
    }

    /// One field of the query of a redirect.
    pub(crate) fn location_field(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.location()).expect("redirects are absolute");
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}
