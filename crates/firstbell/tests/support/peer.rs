//! The protocol between a keeper and a worker as a test speaks it, byte for byte: from either side.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::plan::PageKind;
use serde_json::{Value, json};

/// One end of the line, and everything that came in on it.
pub struct Peer {
    stream: UnixStream,
    pub heard: Vec<Value>,
}

impl Peer {
    pub fn new(stream: UnixStream) -> Peer {
        Peer { stream, heard: Vec::new() }
    }

    /// The next message; none where the other side is gone.
    pub fn hear(&mut self) -> Option<Value> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; u32::from_le_bytes(head).try_into().unwrap()];
        self.stream.read_exact(&mut body).ok()?;
        let message: Value = serde_json::from_slice(&body).unwrap();
        self.heard.push(message.clone());
        Some(message)
    }

    /// Whether it could be said: whoever is refused has been hung up on.
    pub fn say(&mut self, message: &Value) -> bool {
        let body = message.to_string();
        let head = u32::try_from(body.len()).unwrap().to_le_bytes();
        self.raw(&[&head, body.as_bytes()].concat()).is_ok()
    }

    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says it, and gives what comes back.
    pub fn ask(&mut self, message: &Value) -> Option<Value> {
        if self.say(message) { self.hear() } else { None }
    }
}

/// A report, as a worker gives it.
pub fn report(number: &Value, report: &Value) -> Value {
    json!({ "number": number, "report": report })
}

/// The login page as a worker would see it at this origin.
pub fn login_page(origin: &str) -> Value {
    let kite = Kite::live();
    let mut counts = vec![0; kite.plan().marks.len()];
    let page = kite.plan().pages.iter().find(|page| page.kind == PageKind::Credentials).unwrap();
    page.has.iter().for_each(|mark| counts[*mark] = 1);
    json!({ "saw": { "page": { "origin": origin, "counts": counts, "answer": null, "date": null, "rest": "quiet",
                                "busy": false } } })
}

/// An order to start the headless Chromium of this machine for a login at a loopback address.
pub fn begin(origin: &str) -> Value {
    let chrome =
        json!({ "binary": null, "user": null, "memory_mb": null, "arguments": [], "headful": false });
    let job = json!({ "make": { "chrome": chrome }, "plan": Kite::plan_text(), "origin": origin });
    json!({ "number": 1, "order": { "begin": job } })
}

/// An order to type into the user's and the password's fields.
pub fn fill(number: u64) -> Value {
    let kite = Kite::live();
    let mark = |id: &str| kite.plan().marks.iter().position(|mark| mark.id == id).unwrap();
    let form = json!({ "step": "credentials", "marks": [mark("user"), mark("password")], "submit": "enter", "wait_ms": 5000 });
    json!({ "number": number, "order": { "perform": { "fill": form } } })
}
