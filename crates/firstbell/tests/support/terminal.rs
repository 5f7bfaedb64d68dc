//! firstbell at a terminal of its own, as `script` makes one; how that terminal is left shows at the end.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::support::Home;

/// A question that is not shown by then is not shown at all.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Terminal {
    script: Child,
    screen: Receiver<Vec<u8>>,
    pub shown: String,
    /// How much of it was waited for already.
    read_to: usize,
}

impl Terminal {
    /// Runs a command of firstbell's.
    pub fn run(home: &Home, command: &str) -> Terminal {
        Terminal::run_with(home, command, &[])
    }

    /// The same, with these variables over the usual ones.
    pub fn run_with(home: &Home, command: &str, with: &[(&str, &str)]) -> Terminal {
        let login = home.command(&[]);
        let mut script = Command::new("script");
        // The shell outlives an interrupt of what it runs, and tells how the terminal was left.
        let line = format!("trap : INT; '{}' {command}; stty -a", login.get_program().display());
        script.args(["-qfc", &line, "/dev/null"]).env_clear();
        script.envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.envs(with.iter().copied());
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = script.stdout.take().unwrap();
        let (sends, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Some(count) = pipe.read(&mut bytes).ok().filter(|count| *count > 0) {
                if sends.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { script, screen, shown: String::new(), read_to: 0 }
    }

    pub fn id(&self) -> u32 {
        self.script.id()
    }

    /// Reads until this is shown.
    pub fn until(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read(), "nobody was asked: {}", self.shown);
        }
    }

    /// Reads until this is shown behind what was waited for before, and gives all that came until then.
    pub fn next(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown[self.read_to..].find(text) {
                let from = self.read_to;
                self.read_to += at + text.len();
                return self.shown[from..self.read_to].to_owned();
            }
            assert!(self.read(), "{text:?} was not shown: {}", self.shown);
        }
    }

    /// Waits for a question, and answers it key by key.
    pub fn answers(&mut self, question: &str, answer: &str) -> String {
        let before = self.next(question);
        for key in answer.bytes().chain([b'\n']) {
            self.presses(key);
        }
        before
    }

    /// One key.
    pub fn presses(&mut self, key: u8) {
        let keys = self.script.stdin.as_mut().unwrap();
        keys.write_all(&[key]).unwrap();
        keys.flush().unwrap();
    }

    pub fn types(&mut self, line: &str) {
        writeln!(self.script.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// All that was shown to the end, where the terminal shows again what is typed.
    pub fn end(mut self) -> String {
        while self.read() {}
        drop(self.script.stdin.take());
        self.script.wait().unwrap();
        let modes = self.shown.split_once("isig").unwrap_or_else(|| panic!("no modes: {}", self.shown)).1;
        assert!(modes.split_whitespace().any(|mode| mode == "echo"), "{}", self.shown);
        self.shown
    }

    /// All that was shown to the end, however that came.
    pub fn rest(mut self) -> String {
        while self.read() {}
        drop(self.script.stdin.take());
        self.script.wait().unwrap();
        self.shown
    }

    fn read(&mut self) -> bool {
        match self.screen.recv_timeout(PATIENCE) {
            Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more is shown: {}", self.shown),
        }
        true
    }
}
