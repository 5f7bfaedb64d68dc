//! A provider of messages of the test's own: it keeps what it was sent, and answers as the test says.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers: status, further header lines, body.
    Say(u16, String, String),
    /// Answers with this status, and all that it was sent.
    Echo(u16),
    /// Answers with these bytes.
    Raw(&'static [u8]),
    /// Reads, and never answers.
    Hang,
    /// Closes before it has read anything.
    CutBefore,
    /// Reads, and closes.
    CutAfter,
}

/// One request as it came.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    /// A header's value; there must be one at most.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found: Vec<_> = self.headers.iter().filter(|(own, _)| own == name).collect();
        assert!(found.len() <= 1, "{name} stands there {} times", found.len());
        found.first().map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body))
    }
}

pub struct Provider {
    pub url: String,
    asked: Receiver<Asked>,
}

impl Provider {
    /// One that does this with every request, for as long as the test runs.
    pub fn start(act: Act) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (act, tell) = (act.clone(), tell.clone());
                std::thread::spawn(move || serve(stream, &act, &tell));
            }
        });
        Provider { url, asked }
    }

    /// All that came so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.try_iter().collect()
    }

    /// The one request that came.
    pub fn only(&self) -> Asked {
        let mut all = self.asked();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn serve(stream: TcpStream, act: &Act, tell: &Sender<Asked>) -> Option<()> {
    if matches!(act, Act::CutBefore) {
        return None;
    }
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let pair = |line: &String| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    let headers: Vec<_> = lines[1..].iter().filter_map(pair).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, n)| n.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    let echo = format!("{lines:?}{body}");
    let _ = tell.send(Asked { method, path, headers, body });
    let mut stream = stream;
    match act {
        Act::Say(status, head, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\n{head}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .ok()?;
        }
        Act::Echo(status) => {
            let length = echo.len();
            write!(stream, "HTTP/1.1 {status} X\r\nx-echo: {}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{echo}", lines[0]).ok()?;
        }
        Act::Raw(bytes) => stream.write_all(bytes).ok()?,
        // Until the other side has had enough.
        Act::Hang => drop(reader.read_to_end(&mut Vec::new())),
        Act::CutBefore | Act::CutAfter => {}
    }
    Some(())
}
