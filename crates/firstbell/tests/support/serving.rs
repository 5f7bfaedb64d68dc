//! The real serving thread over a board that the test writes to, and a client that speaks HTTP by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firstbell::board::{Offer, Row};
use firstbell::clock::MachineClock;
use firstbell::config::Api;
use firstbell::ports::Clock;
use firstbell::serve::{self, Desk, Errand, Key, Order, Premises, Ring, Scope, Server, Stock};
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// Who is always well, and does what he is told by doing nothing.
struct Idle;

impl Desk for Idle {
    fn order(&self, account: &str, _order: Order) -> Option<Result<(), Failure>> {
        (account == "main").then_some(Ok(()))
    }

    fn is_alive(&self) -> bool {
        true
    }
}

/// A serving thread. Ends with the test.
pub struct Serving {
    /// Where the socket is.
    pub folder: PathBuf,
    _own: Option<TempDir>,
    pub rows: Vec<Arc<Row>>,
    pub tcp: SocketAddr,
    ring: watch::Sender<Option<Arc<Ring>>>,
    server: Option<Server>,
    premises: Premises,
}

impl Serving {
    /// With these accounts, and this port of 127.0.0.1 for keys.
    pub fn start(accounts: &[&str]) -> Serving {
        let own = tempfile::Builder::new().prefix("fb-api-").tempdir().unwrap();
        let mut serving = Serving::start_in(own.path(), accounts);
        serving._own = Some(own);
        serving
    }

    /// In this folder.
    pub fn start_in(folder: &Path, accounts: &[&str]) -> Serving {
        let mut serving = Serving::new(folder, accounts);
        let errands = serving.begin();
        attend(errands);
        serving
    }

    /// Whose keepers never answer.
    pub fn deaf(accounts: &[&str]) -> Serving {
        let own = tempfile::Builder::new().prefix("fb-api-").tempdir().unwrap();
        let mut serving = Serving::new(own.path(), accounts);
        serving._own = Some(own);
        // Kept, and never looked at.
        std::mem::forget(serving.begin());
        serving
    }

    fn new(folder: &Path, accounts: &[&str]) -> Serving {
        let tcp = free_port();
        let mut premises = Premises::open(folder).unwrap();
        let faults = premises.adopt(&Api { listen: Some(tcp), ..Api::default() });
        assert!(faults.is_empty(), "{faults:?}");
        let rows: Vec<_> =
            accounts.iter().map(|name| Arc::new(Row::new(name, "key123key", "AB1234"))).collect();
        for row in &rows {
            row.tell(&json!({ "account": row.account, "served": "no", "next": {} }));
        }
        let ring = watch::Sender::new(Some(Arc::default()));
        Serving { folder: folder.to_owned(), _own: None, rows, tcp, ring, server: None, premises }
    }

    /// Ends the thread, as a change of the configuration does, and begins another one.
    pub fn again(&mut self) {
        self.server = None;
        attend(self.begin());
    }

    fn begin(&mut self) -> mpsc::Receiver<Errand> {
        let (rows, keys) = (self.rows.clone(), self.ring.subscribe());
        let stock = Stock { rows, users: Vec::new(), keys, tally: Arc::default() };
        let (server, errands) = self.premises.serve(stock).unwrap();
        self.server = Some(server);
        errands
    }

    /// A key of this name, and what its program shows.
    pub fn key(&self, name: &str, scope: Scope, account: Option<&str>) -> String {
        let (key, shown) = Key::new((name, scope), account, "2026-11-25T08:00:00+05:30".into()).unwrap();
        let mut keys = self.ring.borrow().as_ref().unwrap().keys.clone();
        keys.push(key);
        self.ring.send_replace(Some(Arc::new(Ring { keys })));
        shown.expose().to_owned()
    }

    /// Takes every key away.
    pub fn forget_keys(&self) {
        self.ring.send_replace(Some(Arc::default()));
    }

    /// The vault could not be read yet.
    pub fn no_ring(&self) {
        self.ring.send_replace(None);
    }

    /// Hands out this generation.
    pub fn post(&self, generation: u64) {
        self.rows[0].post(token(generation), MachineClock::start().now());
    }

    pub fn unix(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(self.folder.join("socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream: BufReader::new(stream), host: "firstbell".into() }
    }

    pub fn inet(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.tcp).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream: BufReader::new(stream), host: self.tcp.to_string() }
    }

    /// A number of the metrics, by its whole name; 0 where it is not there.
    pub fn number(&self, name: &str) -> f64 {
        let text = self.unix().get("/metrics", "").text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }
}

fn attend(errands: mpsc::Receiver<Errand>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(serve::attend(errands, &Idle));
    });
}

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The text of the token of a generation.
pub fn text(generation: u64) -> String {
    format!("t0ken{generation:027}")
}

pub fn token(generation: u64) -> Offer {
    let now = MachineClock::start().now();
    let until = now + SignedDuration::from_hours(1);
    let access = Access::parse(Secret::new(text(generation))).unwrap();
    let life = Life { issued: now, trusted_until: until, suspect_from: until, dead_from: until };
    Offer::Token(Arc::new(Token { access, api_key: "key123key".into(), generation, life }), until)
}

/// One connection.
pub struct Client<S> {
    pub stream: BufReader<S>,
    pub host: String,
}

/// One answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl<S: Read + Write> Client<S> {
    /// Asks, with further header lines, each ended by CR LF.
    pub fn get(&mut self, path: &str, lines: &str) -> Answer {
        self.send("GET", path, lines);
        self.read().unwrap()
    }

    pub fn send(&mut self, method: &str, path: &str, lines: &str) {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", self.host);
        self.stream.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// The next answer; an error where none comes.
    pub fn read(&mut self) -> std::io::Result<Answer> {
        let head = self.head()?;
        let answer =
            Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, text: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { text: String::from_utf8(body).unwrap(), ..answer })
    }

    /// The head of the next answer, in small letters where names are.
    pub fn head(&mut self) -> std::io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head.replace("\r\n", "\n"))
    }

    /// Begins to listen; an error where that is refused.
    pub fn listen(&mut self, path: &str, lines: &str) -> std::io::Result<()> {
        self.send("GET", path, &format!("{lines}Connection: close\r\n"));
        match self.head()?.contains(" 200 ") {
            true => Ok(()),
            false => Err(std::io::Error::other("refused")),
        }
    }

    /// The next event: its number, its name, its data. None at the end.
    pub fn event(&mut self) -> Option<(u64, String, Value)> {
        let (mut id, mut name) = (0, String::new());
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // The lines of chunks have neither a colon nor a field's name.
            match line.trim_end().split_once(": ") {
                Some(("id", number)) => id = number.parse().unwrap(),
                Some(("event", event)) => name = event.to_owned(),
                Some(("data", data)) => return Some((id, name, serde_json::from_str(data).unwrap())),
                _ => {}
            }
        }
    }
}
