//! A firstbell that waits for a person's login, and what follows an address to it as a browser does.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Account, Ended, Home, Sim};

/// A port that is free, below those that the system gives away by itself.
pub fn port() -> u16 {
    loop {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).unwrap();
        let port = 15_000 + u16::from_be_bytes(bytes) % 15_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A simulator that sends browsers back to this address, and a home that knows the API secret only.
pub fn stage(redirect: &str) -> (Sim, Home) {
    let sim = Sim::start_with(Account::new(), &["--redirect", redirect]);
    let home = Home::bare(&sim);
    let stored = home.run_with(&["secrets", "set", "api_secret"], &sim.account.api_secret);
    assert_eq!(stored.code, 0, "{stored:?}");
    (sim, home)
}

pub fn loopback() -> (Sim, Home) {
    stage(&format!("http://127.0.0.1:{}/back", port()))
}

pub fn exchanges(sim: &Sim) -> usize {
    sim.seen()["exchanges"].as_array().unwrap().len()
}

pub fn generation(home: &Home) -> u64 {
    home.token().map_or(0, |token| token["generation"].as_u64().unwrap())
}

/// A firstbell that waits for a person.
pub struct Waiting {
    pub child: Child,
    stderr: BufReader<ChildStderr>,
    pub said: String,
    pub link: String,
}

impl Waiting {
    pub fn begin(home: &Home, more: &[&str]) -> Waiting {
        let mut command = home.command(&["login", "--assisted", "--json"]);
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut waiting = Waiting { child, stderr, said: String::new(), link: String::new() };
        waiting.next_link();
        waiting
    }

    pub fn next_link(&mut self) {
        self.link = self.until("/connect/login?").trim().to_owned();
    }

    /// The next line that has this.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {text:?}: {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn nonce(&self) -> String {
        self.link.split_once("state%3D").unwrap().1.to_owned()
    }

    pub fn paste(&mut self, address: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{address}").unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn end(mut self) -> Ended {
        let mut stdout = String::new();
        self.stderr.read_to_string(&mut self.said).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ended { code, stdout, stderr: std::mem::take(&mut self.said) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Follows an address to the listener: status, head and page. None where nobody listens.
pub fn follow(address: &str, host: Option<&str>) -> Option<(u16, String, String)> {
    let url: url::Url = address.parse().unwrap();
    let there = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&there).ok()?;
    let target = &address[address.find(&there).unwrap() + there.len()..];
    let host = host.unwrap_or(&there);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, page) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{address}: {reply:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if status == 303 {
        assert!(head.contains("cache-control: no-store") && !page.contains("request_token"), "{reply}");
        let target = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
        return follow(&format!("http://{there}{target}"), Some(host));
    }
    Some((status, head.to_lowercase(), page.to_owned()))
}
