//! What a bot's chat stands between: a provider that says what an input says, a clock that stands, and a desk that notes.

use std::cell::{Cell, RefCell};

use firstbell::alerts::ChannelConfig;
use firstbell::chat::{Command, Office};
use firstbell::halt::Halt;
use firstbell::ports::{Call, Clock, Http, Received, Soon, WireFault};
use firstbell::written::{Faults, Section};
use firstbell_core::secret::SecretBytes;
use jiff::Timestamp;
use serde_json::Value;

/// The time of day, seconds.
pub const NOW: i64 = 1_800_000_000;
/// The chat that is paired, and the person in it.
pub const PAIRED: i64 = 5;

/// The channel of the bot.
pub fn channel() -> ChannelConfig {
    let text = "kind = \"telegram\"\nchat_id = \"5\"\ncommands = true\n";
    let section = Section::root(text, Faults::new("c.toml", text));
    ChannelConfig::read("phone".into(), section).expect("the constant is a channel")
}

/// Stands still, but for what is waited.
#[derive(Debug, Default)]
pub struct Still(Cell<u64>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).expect("in 2027")
    }

    fn run_ms(&self) -> u64 {
        self.0.get() / 1_000
    }

    fn rest(&self, ms: u64) -> Soon<'_, ()> {
        self.0.set(self.0.get() + ms.min(1_000));
        Box::pin(async {})
    }

    fn until(&self, _at: Timestamp) -> Soon<'_, ()> {
        Box::pin(async {})
    }
}

/// Notes what it is asked and told.
#[derive(Debug, Default)]
pub struct Desk {
    /// The commands that it was given.
    pub obeyed: RefCell<Vec<Command>>,
    /// What belongs into the log.
    pub log: RefCell<String>,
}

impl Office for Desk {
    fn obey(&self, command: &Command) -> String {
        self.obeyed.borrow_mut().push(command.clone());
        "done".into()
    }

    fn note(&self, _channel: &str, what: &str) {
        self.log.borrow_mut().push_str(what);
    }

    fn fault(&self, _channel: &str, why: &str) {
        self.log.borrow_mut().push_str(why);
    }
}

/// Answers each look for updates with the next body, and ends the reading after the last one.
#[derive(Debug)]
pub struct Provider<'a> {
    bodies: RefCell<std::slice::Iter<'a, String>>,
    leave: &'a Halt,
    /// Method and body of all else that it was asked.
    pub said: RefCell<Vec<(String, Value)>>,
}

impl<'a> Provider<'a> {
    /// With these bodies.
    pub fn new(bodies: &'a [String], leave: &'a Halt) -> Provider<'a> {
        Provider { bodies: RefCell::new(bodies.iter()), leave, said: RefCell::default() }
    }

    fn answer(&self, call: &Call) -> (u16, String) {
        let (_, method) = call.url.expose().rsplit_once('/').expect("an address has a path");
        if method != "getUpdates" {
            let body = call.body.as_ref().map_or("", |(_, body)| body.expose());
            self.said.borrow_mut().push((method.into(), serde_json::from_str(body).unwrap_or_default()));
            return (200, "{\"ok\":true}".into());
        }
        match self.bodies.borrow_mut().next() {
            Some(body) if body.is_empty() => (409, "{}".into()),
            Some(body) => (200, body.clone()),
            None => {
                self.leave.ask();
                (200, "{\"ok\":true,\"result\":[]}".into())
            }
        }
    }
}

impl Http for Provider<'_> {
    fn send(&self, call: Call) -> Soon<'_, Result<Received, WireFault>> {
        let (status, body) = self.answer(&call);
        let (media, body) = ("application/json".into(), SecretBytes::new(body.into_bytes()));
        let (location, cookies, date, retry_after_s) = (None, Vec::new(), None, None);
        let received = Received { status, media, location, cookies, date, retry_after_s, body };
        Box::pin(async { Ok(received) })
    }
}
