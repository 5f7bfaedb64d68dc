//! What the tests share: a kitesim of their own, a firstbell in a home of its own, and the simulator's word for what
//! arrived.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

pub mod engines;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The drivers that every bad morning is tried with.
pub const DRIVERS: [&str; 2] = ["chrome", "http"];

/// Letters and digits that no other test has.
pub fn marker(len: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect()
}

/// A TOTP seed of Kite's form.
pub fn seed() -> String {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).unwrap();
    data_encoding::BASE32.encode(&bytes)
}

/// The credentials of one test.
#[derive(Clone)]
pub struct Account {
    pub user_id: String,
    pub password: String,
    pub totp_seed: String,
    pub api_key: String,
    pub api_secret: String,
}

impl Account {
    pub fn new() -> Account {
        Account {
            user_id: "AB1234".into(),
            password: format!("pW-{}", marker(24)),
            totp_seed: seed(),
            api_key: marker(16).to_lowercase(),
            api_secret: marker(32).to_lowercase(),
        }
    }

    /// As kitesim reads it.
    pub fn json(&self) -> Value {
        json!({ "user_id": self.user_id, "password": self.password, "totp_seed": self.totp_seed,
                "api_key": self.api_key, "api_secret": self.api_secret })
    }
}

/// A running kitesim. Ends with the test, however that ends: it watches its standard input.
pub struct Sim {
    child: Child,
    pub account: Account,
    pub site: String,
    pub api: String,
    pub inspect: String,
    pub redirect: String,
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sim {
    pub fn start() -> Sim {
        Sim::start_with(Account::new(), &[])
    }

    pub fn start_with(account: Account, arguments: &[&str]) -> Sim {
        let path = Path::new(env!("CARGO_BIN_EXE_firstbell")).with_file_name("kitesim");
        assert!(
            path.exists(),
            "{} is missing; run make test, or cargo build --workspace first",
            path.display()
        );
        let mut child = Command::new(path)
            .args(["serve", "--with-parent", "--account", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{}", account.json()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("kitesim said {line:?}: {e}"));
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        let (site, api, inspect, redirect) = (text("site"), text("api"), text("inspect"), text("redirect"));
        let sim = Sim { child, account, site, api, inspect, redirect };
        // Kite ends tokens once a day and counts calls by the second; no test may depend on when it runs.
        #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
        let half_a_day_s = (jiff::Timestamp::now().as_second() + 19_800 + 43_200) % 86_400;
        let flush = format!("{:02}:{:02}", half_a_day_s / 3600, half_a_day_s / 60 % 60);
        sim.settings(&json!({ "flush": flush, "rate_limits": "off" }));
        sim
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What arrived.
    pub fn seen(&self) -> Value {
        request("GET", &self.inspect, "/seen", None).1
    }

    /// Pulls a lever of the inspection port.
    pub fn post(&self, path: &str, body: &Value) {
        let (status, reply) = request("POST", &self.inspect, path, Some(body));
        assert_eq!(status, 200, "{path}: {reply}");
    }

    /// Sets one fault, in the place of those before.
    pub fn fault(&self, fault: &Value) {
        self.post("/faults", &json!({ "fault": [fault] }));
    }

    pub fn settings(&self, settings: &Value) {
        self.post("/faults", &json!({ "settings": settings }));
    }

    pub fn no_faults(&self) {
        request("DELETE", &self.inspect, "/faults", None);
    }

    /// Waits until a request is held there.
    pub fn wait_held(&self, at: &str) {
        let (status, reply) =
            request("GET", &self.inspect, &format!("/held?wait={at}&timeout_ms=60000"), None);
        assert!(status == 200 && reply["held"].as_array().is_some_and(|h| !h.is_empty()), "{at}: {reply}");
    }

    pub fn passwords(&self) -> u64 {
        self.seen()["password_submissions"].as_u64().unwrap()
    }

    pub fn codes(&self) -> u64 {
        self.seen()["code_submissions"].as_u64().unwrap()
    }
}

/// One HTTP request without a library of ours in between.
pub fn request(method: &str, origin: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let (status, _, body) = request_with(method, origin, path, body, "");
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// The same with further header lines, each ended by CR LF; gives status, head and body.
pub fn request_with(
    method: &str,
    origin: &str,
    path: &str,
    body: Option<&Value>,
    head: &str,
) -> (u16, String, String) {
    let host = origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}");
    if !body.is_empty() {
        write!(text, "Content-Type: application/json\r\n").unwrap();
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}

/// A home with a configuration that points at a kitesim.
pub struct Home {
    pub dir: TempDir,
}

/// How a firstbell ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

impl Home {
    /// A home whose vault holds the simulator's own credentials.
    pub fn new(sim: &Sim) -> Home {
        let home = Home::bare(sim);
        home.store_secrets(&sim.account);
        home
    }

    /// A home without secrets.
    pub fn bare(sim: &Sim) -> Home {
        let home = Home { dir: tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap() };
        home.configure(sim, "");
        home
    }

    /// Writes the configuration, with further lines in the account's table.
    pub fn configure(&self, sim: &Sim, more: &str) {
        let account = &sim.account;
        let text = format!(
            "[rehearsal]\nsite = \"{}\"\napi = \"{}\"\n\n[account.main]\nuser_id = \"{}\"\napi_key = \"{}\"\n\
             redirect_url = \"{}\"\n{more}\n",
            sim.site, sim.api, account.user_id, account.api_key, sim.redirect
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// Writes lines before all others: the engine and its table.
    pub fn prepend(&self, lines: &str) {
        let rest = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), format!("{lines}\n{rest}")).unwrap();
    }

    /// Has the broker end tokens hours away from now: one that is issued while it may is in doubt.
    pub fn quiet_hours(&self) {
        #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
        let hour = (jiff::Timestamp::now().as_second() + 19_800) % 86_400 / 3600;
        let from = if hour < 12 { 20 } else { 3 };
        let text = std::fs::read_to_string(self.config()).unwrap();
        let table = format!("[schedule]\ntokens_end_from_h = {from}\ntokens_end_until_h = {}\n", from + 1);
        std::fs::write(self.config(), format!("{text}\n{table}")).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn store_secrets(&self, account: &Account) {
        for (name, value) in [
            ("password", &account.password),
            ("totp_seed", &account.totp_seed),
            ("api_secret", &account.api_secret),
        ] {
            let ended = self.run_with(&["secrets", "set", name], value);
            assert_eq!(ended.code, 0, "{ended:?}");
        }
    }

    /// A firstbell of this home, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstbell"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("FIRSTBELL_CONFIG", self.config())
            .env("FIRSTBELL_STATE_DIR", self.state())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().unwrap())
    }

    /// With text on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that refuses its arguments ends without reading.
        if let Err(e) = child.stdin.take().unwrap().write_all(input.as_bytes()) {
            assert_eq!(e.kind(), std::io::ErrorKind::BrokenPipe, "{e}");
        }
        ended(child.wait_with_output().unwrap())
    }

    pub fn login(&self, driver: &str) -> Ended {
        self.run(&["login", "--driver", driver, "--json"])
    }

    pub fn status(&self) -> Value {
        let ended = self.run(&["status", "--json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.json()["accounts"][0].clone()
    }

    /// The stored token, as JSON, if one is served.
    pub fn token(&self) -> Option<Value> {
        let ended = self.run(&["token", "--json"]);
        (ended.code == 0).then(|| ended.json())
    }
}

pub fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Makes a file readable for its owner only.
pub fn private(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
