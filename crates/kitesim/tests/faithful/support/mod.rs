//! What every test needs: a running simulation, and a client that keeps cookies.

pub(crate) mod browser;
pub(crate) mod driver;
pub(crate) mod http;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) use browser::Browser;
pub(crate) use http::{Ask, Line, Reply, delete, get, post, put};

/// Monday, 5 October 2026, half past eight in India.
pub(crate) const MORNING: &str = "2026-10-05T08:30:00+05:30";
pub(crate) const MORNING_S: i64 = 1_791_169_200;

/// A running simulation; it ends with the test, for its stdin closes.
pub(crate) struct Sim {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) announced: Value,
    pub(crate) account: Value,
}

impl Sim {
    /// A simulation whose clock stands still on a Monday morning.
    pub(crate) fn start() -> Sim {
        let sim = Sim::with(&["--clock", MORNING], None);
        sim.lever("/clock", &json!({"freeze": true, "set": MORNING}));
        sim
    }

    /// The same, with a scenario.
    pub(crate) fn under(scenario: &Value) -> Sim {
        let sim = Sim::start();
        sim.lever("/faults", scenario);
        sim
    }

    /// A simulation with arguments, and with an account that it reads from its stdin.
    pub(crate) fn with(arguments: &[&str], account: Option<&Value>) -> Sim {
        let mut command = program();
        command.args(["serve", "--with-parent"]).args(arguments);
        if account.is_some() {
            command.args(["--account", "-"]);
        }
        let mut child = command.stderr(Stdio::null()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        if let Some(account) = account {
            writeln!(stdin, "{account}").expect("the account is written");
        }
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("the announcement is read");
        let announced: Value = serde_json::from_str(&line).expect("the announcement is JSON");
        let account = account.cloned().unwrap_or_else(|| announced["account"].clone());
        Sim { child, stdin: Some(stdin), announced, account }
    }

    /// `host:port` of the pretended Kite.
    pub(crate) fn site(&self) -> &str {
        self.host("site")
    }

    /// `host:port` of one announced address.
    pub(crate) fn host(&self, name: &str) -> &str {
        let url = self.announced[name].as_str().expect("it is announced");
        let rest = url.strip_prefix("http://").expect("it is plain http");
        rest.split('/').next().expect("it has a host")
    }

    pub(crate) fn credential(&self, name: &str) -> &str {
        self.account[name].as_str().expect("the account has it")
    }

    pub(crate) fn ask(&self, ask: Ask) -> Reply {
        Line::to(self.site()).ask(&ask).expect("Kite replies")
    }

    /// A call of the inspection, which must go well.
    pub(crate) fn inspect(&self, ask: Ask) -> Value {
        let reply = Line::to(self.host("inspect")).ask(&ask).expect("the inspection replies");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    pub(crate) fn lever(&self, path: &str, order: &Value) -> Value {
        self.inspect(post(path).json(order))
    }

    pub(crate) fn seen(&self) -> Value {
        self.inspect(get("/seen"))
    }

    /// The simulated moment in seconds.
    pub(crate) fn now_s(&self) -> i64 {
        let now = self.seen()["now"].as_str().expect("it is text").parse::<jiff::Timestamp>();
        now.expect("it is a moment").as_second()
    }

    /// The code of the present step, or of one some steps away.
    pub(crate) fn code(&self, steps_away: i64) -> String {
        browser::code_at(self.credential("totp_seed"), self.now_s().div_euclid(30) + steps_away)
    }

    /// An exchange with the right checksum.
    pub(crate) fn exchange(&self, request_token: &str) -> Reply {
        self.ask(self.exchange_ask(request_token))
    }

    pub(crate) fn exchange_ask(&self, request_token: &str) -> Ask {
        let api_key = self.credential("api_key");
        let text = format!("{api_key}{request_token}{}", self.credential("api_secret"));
        let checksum = data_encoding::HEXLOWER.encode(&Sha256::digest(text));
        let fields = [("api_key", api_key), ("request_token", request_token), ("checksum", &checksum)];
        post("/session/token").form(&fields)
    }

    /// A whole login and exchange; gives the access token.
    pub(crate) fn access_token(&self) -> String {
        let reply = self.exchange(&Browser::signed_in(self).grant());
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["data"]["access_token"].as_str().expect("it is text").to_owned()
    }

    pub(crate) fn profile(&self, access_token: &str) -> Reply {
        let line = format!("token {}:{access_token}", self.credential("api_key"));
        self.ask(get("/user/profile").header("Authorization", &line))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes stdin and gives the exit code.
    pub(crate) fn leave(&mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.ended()
    }

    /// Waits for the end and gives the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().expect("the program ends").code()
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().expect("the program can be asked").is_none()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing left to end.
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}

/// A run that is expected to end by itself: its exit code and what it wrote to stderr.
pub(crate) fn refused(arguments: &[&str], stdin: &str) -> (Option<i32>, String) {
    let mut command = program();
    let mut child =
        command.arg("serve").args(arguments).stderr(Stdio::piped()).spawn().expect("the program starts");
    // It may refuse before it reads.
    let _unread = child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes());
    let mut told = String::new();
    child.stderr.take().expect("stderr is piped").read_to_string(&mut told).expect("stderr is text");
    (child.wait().expect("the program ends").code(), told)
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kitesim"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Asserts an error in Kite's envelope; gives its message.
pub(crate) fn refusal(reply: &Reply, status: u16, error_type: &str) -> String {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let envelope = reply.json();
    assert_eq!(envelope["status"], "error");
    assert_eq!(envelope["data"], Value::Null);
    assert_eq!(envelope["error_type"], error_type);
    assert_eq!(envelope.as_object().map(serde_json::Map::len), Some(4));
    envelope["message"].as_str().expect("a message is text").to_owned()
}

/// The host's time, for what a test promises about it.
#[expect(clippy::disallowed_methods, reason = "the host's time is what such a test is about")]
pub(crate) fn started() -> std::time::Instant {
    std::time::Instant::now()
}
