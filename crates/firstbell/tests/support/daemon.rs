//! A running `firstbell run`: its process, its log, its socket, and the clock that a rehearsal leaps through.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use firstbell::clock::MachineClock;
use firstbell::ports::Clock;
use firstbell_core::token::{date_in_india, in_india};
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Account, Home, Sim, request};

/// For what must happen soon: long enough for a machine that does much else.
const SOON: Duration = Duration::from_secs(60);

/// A daemon. Ends with the test, however that ends.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    socket: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    pub fn start(home: &Home) -> Daemon {
        Daemon::spawn(home, home.command(&["run"]), "log")
    }

    /// Starts a command of this home; what it says goes to the end of files of this name.
    pub fn spawn(home: &Home, mut command: Command, name: &str) -> Daemon {
        let log = home.dir.path().join(name);
        let append = |path: &PathBuf| OpenOptions::new().create(true).append(true).open(path).unwrap();
        command.stdout(append(&log)).stderr(append(&log.with_extension("err")));
        let child = command.spawn().unwrap();
        Daemon { child, log, socket: home.state().join("socket") }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end: its exit code, and how long that took.
    pub fn end(mut self) -> (i32, Duration) {
        let began = now();
        self.signal(Signal::TERM);
        let code = self.wait();
        (code, began.elapsed())
    }

    /// Waits for its own end.
    pub fn wait(&mut self) -> i32 {
        until("the daemon ends", || self.child.try_wait().unwrap().ok_or("it lives".into()))
            .code()
            .unwrap_or(-1)
    }

    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn errors(&self) -> String {
        fs::read_to_string(self.log.with_extension("err")).unwrap_or_default()
    }

    pub fn wait_log(&self, text: &str) {
        until(text, || {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(format!("{log}{}", self.errors())) }
        });
    }

    /// Asks at the socket; none where nobody answers there.
    pub fn try_ask(&self, method: &str, path: &str) -> Option<(u16, Value)> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        let reply = talk(&mut stream, &head(method, path, "Host: firstbell\r\n"));
        let status = reply.split(' ').nth(1)?.parse().ok()?;
        let body = reply.split_once("\r\n\r\n")?.1;
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    pub fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        until(path, || {
            self.try_ask(method, path).ok_or_else(|| format!("no answer: {}{}", self.log(), self.errors()))
        })
    }

    /// How an account stands.
    pub fn account(&self, name: &str) -> Value {
        until(name, || {
            let (_, body) = self.ask("GET", "/v1/accounts");
            let all = body["accounts"].as_array().cloned().unwrap_or_default();
            all.into_iter().find(|a| a["account"] == name).ok_or(format!("not among {body}"))
        })
    }

    pub fn until_account(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        until(what, || {
            let account = self.account(name);
            if is(&account) {
                Ok(account)
            } else {
                Err(format!("{account}\n{}{}", self.log(), self.errors()))
            }
        })
    }
}

/// The head of a request.
pub fn head(method: &str, path: &str, lines: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")
}

/// Sends text and reads until the other side is done.
pub fn talk(stream: &mut UnixStream, text: &str) -> String {
    let mut reply = Vec::new();
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

/// Looks until it is so.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(why) => assert!(began.elapsed() < SOON, "{what}: {why}"),
        }
        std::thread::park_timeout(Duration::from_millis(4));
    }
}

#[expect(clippy::disallowed_methods, reason = "measures, and ends a wait that would have no end")]
pub fn now() -> Instant {
    Instant::now()
}

/// A simulator whose clock stands still at this moment until somebody leaps.
pub fn standing_sim(at: &str) -> Sim {
    let sim = Sim::start_with(Account::new(), &["--clock", at]);
    sim.settings(&json!({ "flush": "06:00" }));
    clock(&sim, &json!({ "freeze": true, "set": at }));
    sim
}

/// Orders something of the simulator's clock; gives what it shows.
pub fn clock(sim: &Sim, order: &Value) -> Timestamp {
    let (status, reply) = request("POST", &sim.inspect, "/clock", Some(order));
    assert_eq!(status, 200, "{reply}");
    reply["now"].as_str().unwrap().parse().unwrap()
}

/// Writes a configuration with the driver that needs no browser, further lines in the account's table, and tables after it.
pub fn configure(home: &Home, sim: &Sim, more: &str, tables: &str) {
    home.configure(sim, more);
    home.prepend("drivers = [\"http\"]");
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{text}\n{tables}\n")).unwrap();
}

/// The table that has the clock leap from what the simulator shows to another moment.
pub fn leap(sim: &Sim, to: Timestamp) -> String {
    let from = clock(sim, &json!({}));
    format!("[rehearsal.leap]\ncontrol = \"{}\"\nfrom = \"{from}\"\nto = \"{to}\"\n", sim.inspect)
}

/// Waits until the simulator's clock has got there.
pub fn wait_for(sim: &Sim, to: Timestamp, daemon: &mut Daemon) {
    until(&to.to_string(), || {
        assert!(daemon.lives(), "{}{}", daemon.log(), daemon.errors());
        let now = clock(sim, &json!({}));
        if now >= to { Ok(()) } else { Err(format!("{now}: {}{}", daemon.log(), daemon.errors())) }
    });
}

/// Writes a configuration by which a login is due at this moment of the machine's time, whatever day and hour it is.
pub fn configure_due(home: &Home, sim: &Sim, more: &str, tables: &str) {
    configure(home, sim, more, &format!("{}{tables}", hours()));
    open_today(home);
}

/// The same for a configuration that is written already.
pub fn due(home: &Home) {
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{text}\n{}", hours())).unwrap();
    open_today(home);
}

/// A login at any time of the day, and the broker's end of tokens hours away: one that is issued within it would be in doubt.
fn hours() -> String {
    let now = MachineClock::start().now();
    let noon = in_india(date_in_india(now), Time::constant(12, 0, 0, 0));
    let (from, until) = if now < noon { (20, 21) } else { (3, 4) };
    format!(
        "[schedule]\nlogin_at = \"00:00\"\ndeadline = \"23:59\"\nspread_s = 0\ntokens_end_from_h = {from}\n\
         tokens_end_until_h = {until}\n"
    )
}

fn open_today(home: &Home) {
    let today = date_in_india(MachineClock::start().now());
    let mut files = Vec::new();
    for day in [today, today.tomorrow().unwrap()] {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let kind = if weekend { "session" } else { "trades" };
        let file = home.dir.path().join(format!("calendar-{day}.toml"));
        let head = format!("form = 1\nexchange = \"nse\"\nyear = {}\nsources = [\"a test\"]\n", day.year());
        fs::write(&file, format!("{head}[[day]]\ndate = \"{day}\"\nname = \"Open\"\nkind = \"{kind}\"\n"))
            .unwrap();
        files.push(file);
    }
    home.prepend(&format!("calendar = {files:?}"));
}
