//! Reads a token as trading programs do, over and over, from each place that it is told of: prints one JSON object.
//!
//! `read --seconds 2 --rounds 5 NAME=KIND:PLACE …`, where KIND is `http-unix`, `http-tcp` (with the key in FIRSTBELL_KEY), `redis` or
//! `file`. Every client is a thread with a connection of its own, and asks again when it has its answer.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the host's time")]

mod publish;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// What may go wrong: a sentence for whoever ran it.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many clients at one time.
const CLIENTS: [usize; 2] = [1, 32];

fn main() -> ExitCode {
    match measure(std::env::args().skip(1).filter(|argument| argument != "--bench")) {
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench/read: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(arguments: impl Iterator<Item = String>) -> Outcome<Value> {
    let (mut seconds, mut rounds, mut places) = (2.0, 5_u32, Vec::new());
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().ok_or("seconds?")?.parse()?,
            "--rounds" => rounds = arguments.next().ok_or("rounds?")?.parse()?,
            place => places.push(Place::read(place)?),
        }
    }
    if places.is_empty() {
        return publish::measure();
    }
    let stretch = Duration::from_secs_f64(seconds);
    let mut taken: Vec<Vec<Taken>> = CLIENTS.iter().map(|_| vec![Taken::default(); places.len()]).collect();
    for round in 0..rounds {
        for (clients, row) in CLIENTS.iter().zip(&mut taken) {
            for turn in 0..places.len() {
                // Each round begins with another one, and the first warms up.
                let place = (turn + round as usize) % places.len();
                let one = places[place].stretch(*clients, stretch)?;
                if round > 0 || rounds == 1 {
                    row[place].add(one);
                }
            }
        }
    }
    let mut report = Map::new();
    for (at, place) in places.iter().enumerate() {
        let rows = CLIENTS.iter().zip(&mut taken);
        let rows: Map<String, Value> = rows.map(|(n, row)| (n.to_string(), row[at].report())).collect();
        report.insert(place.name.clone(), Value::Object(rows));
    }
    Ok(Value::Object(report))
}

/// What was read in one or more stretches.
#[derive(Clone, Default)]
struct Taken {
    micros: Vec<f32>,
    seconds: f64,
}

impl Taken {
    fn add(&mut self, mut other: Taken) {
        self.micros.append(&mut other.micros);
        self.seconds += other.seconds;
    }

    fn report(&mut self) -> Value {
        self.micros.sort_by(f32::total_cmp);
        let count = self.micros.len();
        let at = |share: f64| {
            let place = ((count as f64 * share) as usize).min(count.saturating_sub(1));
            self.micros.get(place).copied().unwrap_or(f32::NAN)
        };
        let round = |number: f64| (number * 10.0).round() / 10.0;
        json!({ "reads": count, "a_second": (count as f64 / self.seconds).round(),
                "p50_us": round(at(0.50).into()), "p99_us": round(at(0.99).into()) })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    HttpUnix,
    HttpTcp,
    Redis,
    File,
}

/// Where a token is read.
struct Place {
    name: String,
    kind: Kind,
    place: String,
}

impl Place {
    fn read(text: &str) -> Outcome<Place> {
        let (name, rest) = text.split_once('=').ok_or("NAME=KIND:PLACE")?;
        let (kind, place) = rest.split_once(':').ok_or("KIND:PLACE")?;
        let kind = match kind {
            "http-unix" => Kind::HttpUnix,
            "http-tcp" => Kind::HttpTcp,
            "redis" => Kind::Redis,
            "file" => Kind::File,
            other => return Err(format!("{other} is no kind").into()),
        };
        Ok(Place { name: name.to_owned(), kind, place: place.to_owned() })
    }

    /// So many clients at one time, for so long.
    fn stretch(&self, clients: usize, stretch: Duration) -> Outcome<Taken> {
        let mut connections = (0..clients).map(|_| self.connect()).collect::<Outcome<Vec<_>>>()?;
        let barrier = Barrier::new(clients);
        let began = Instant::now();
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = connections
                .iter_mut()
                .map(|client| {
                    scope.spawn(|| {
                        barrier.wait();
                        client.read_for(stretch)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a client does not panic"))
                .collect::<Vec<_>>()
        });
        let mut taken = Taken { micros: Vec::new(), seconds: began.elapsed().as_secs_f64() };
        for one in all {
            taken.micros.append(&mut one?);
        }
        Ok(taken)
    }

    fn connect(&self) -> Outcome<Client> {
        let get = |host: &str, more: &str| {
            format!("GET /v1/accounts/main/token HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").into_bytes()
        };
        let key = || std::env::var("FIRSTBELL_KEY").map(|key| format!("Authorization: Bearer {key}\r\n"));
        Ok(match self.kind {
            Kind::HttpUnix => {
                Client::Wire(Wire::new(UnixStream::connect(&self.place)?, get("firstbell", ""), length_http))
            }
            Kind::HttpTcp => {
                let stream = TcpStream::connect(&self.place)?;
                stream.set_nodelay(true)?;
                Client::Wire(Wire::new(stream, get(&self.place, &key()?), length_http))
            }
            Kind::Redis => {
                let ask = b"*2\r\n$3\r\nGET\r\n$5\r\ntoken\r\n".to_vec();
                Client::Wire(Wire::new(UnixStream::connect(&self.place)?, ask, length_redis))
            }
            Kind::File => Client::File(self.place.clone()),
        })
    }
}

enum Client {
    Wire(Wire),
    File(String),
}

impl Client {
    /// How long each read took, in microseconds.
    fn read_for(&mut self, stretch: Duration) -> Outcome<Vec<f32>> {
        let mut micros = Vec::with_capacity(200_000);
        let end = Instant::now() + stretch;
        loop {
            let began = Instant::now();
            if began >= end {
                return Ok(micros);
            }
            match self {
                Client::Wire(wire) => wire.ask()?,
                Client::File(path) => {
                    if !has_token(&std::fs::read(&*path)?) {
                        return Err(format!("{path} has no token").into());
                    }
                }
            }
            micros.push(began.elapsed().as_secs_f32() * 1e6);
        }
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection, and how long an answer on it is.
struct Wire {
    stream: Box<dyn Stream>,
    ask: Vec<u8>,
    length: fn(&[u8]) -> Outcome<Option<usize>>,
    held: Vec<u8>,
}

impl Wire {
    fn new(stream: impl Stream + 'static, ask: Vec<u8>, length: fn(&[u8]) -> Outcome<Option<usize>>) -> Wire {
        Wire { stream: Box::new(stream), ask, length, held: Vec::with_capacity(4096) }
    }

    fn ask(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.ask)?;
        self.held.clear();
        let mut chunk = [0; 4096];
        loop {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err("the other side hung up".into());
            }
            self.held.extend_from_slice(&chunk[..count]);
            match (self.length)(&self.held)? {
                Some(length) if self.held.len() >= length => break,
                _ => {}
            }
        }
        if has_token(&self.held) { Ok(()) } else { Err("an answer without a token".into()) }
    }
}

fn has_token(answer: &[u8]) -> bool {
    answer.len() > 32
}

/// The length of a whole HTTP answer, when its head is there; anything but 200 is a fault.
fn length_http(held: &[u8]) -> Outcome<Option<usize>> {
    let Some(head) = held.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    if !held.starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(held).into());
    }
    let text = String::from_utf8_lossy(&held[..head]).to_ascii_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    Ok(Some(head + 4 + length.ok_or("an answer without a length")?.trim().parse::<usize>()?))
}

/// The length of a whole answer of Redis: `$34`, the value, and a line's end.
fn length_redis(held: &[u8]) -> Outcome<Option<usize>> {
    let Some(line) = held.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let length = std::str::from_utf8(&held[..line])?.strip_prefix('$').ok_or("no value in Redis")?;
    Ok(Some(line + 2 + length.parse::<usize>()? + 2))
}
