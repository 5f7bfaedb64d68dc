//! firstbell at a terminal of its own, as `script` makes one; how that terminal is left shows at the end.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::Home;

pub struct Terminal {
    script: Child,
    screen: ChildStdout,
    pub shown: String,
}

impl Terminal {
    /// Runs a command of firstbell's.
    pub fn run(home: &Home, command: &str) -> Terminal {
        let login = home.command(&[]);
        let mut script = Command::new("script");
        let line = format!("'{}' {command}; stty -a", login.get_program().display());
        script.args(["-qfc", &line, "/dev/null"]).env_clear();
        script.envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let screen = script.stdout.take().unwrap();
        Terminal { script, screen, shown: String::new() }
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
        let mut bytes = [0; 4096];
        let count = self.screen.read(&mut bytes).unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }
}
