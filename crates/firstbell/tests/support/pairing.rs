//! A `firstbell alerts pair` that waits for its code, and homes whose channel is a bot.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::bot::Bot;
use crate::scanner::{Find, Scanner};
use crate::support::{Ended, Home, Sim, ended};

/// The person whose phone is paired.
pub const OWNER: i64 = 7_000_000_001;
/// Somebody else.
pub const STRANGER: i64 = 7_000_000_002;

/// Adds the bot's channel to a configuration, and its token to the vault.
pub fn add_bot(home: &Home, bot: &Bot) {
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{text}\n{}", bot.table("phone"))).unwrap();
    let stored = home.run_with(&["secrets", "set", "--channel", "phone", "token"], &bot.token);
    assert_eq!(stored.code, 0, "{stored:?}");
}

/// A pairing that waits.
pub struct Asking {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub code: String,
    said: String,
}

impl Asking {
    pub fn begin(home: &Home) -> Asking {
        let mut command = home.command(&["alerts", "pair", "phone", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut asking = Asking { child, stderr, code: String::new(), said: String::new() };
        asking.until("Send this code to the bot");
        let is_code = |line: &str| line.len() == 14 && line.split('-').all(|group| group.len() == 4);
        while !is_code(&asking.code) {
            asking.code = asking.line().trim().to_owned();
        }
        asking
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended: {}", self.said);
        self.said.push_str(&line);
        line
    }

    /// The next line that has this.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    pub fn end(mut self) -> Ended {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let said = std::mem::take(&mut self.said);
        let mut stdout = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        ended(Output { status, stdout, stderr: said.into_bytes() })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pairs the owner's phone.
pub fn pair(home: &Home, bot: &Bot) {
    let asking = Asking::begin(home);
    bot.says(OWNER, &asking.code);
    let ended = asking.end();
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// What must be seen nowhere.
pub fn canaries(sim: &Sim, bot: &Bot) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.add("bot token", &bot.token);
    scanner.add("password", &sim.account.password);
    scanner.add("api secret", &sim.account.api_secret);
    scanner.add_seed("seed", &sim.account.totp_seed);
    scanner
}

/// Neither what was said, nor what the bot was sent, nor any file of the home has one.
pub fn nothing_shows(scanner: &Scanner, home: &Home, bot: &Bot, said: &[&str]) {
    let mut finds: BTreeSet<Find> = scanner.search("the chat", bot.raw().as_bytes());
    for text in said {
        finds.extend(scanner.search("what was said", text.as_bytes()));
    }
    finds.extend(scanner.search_tree(home.dir.path()));
    assert!(finds.is_empty(), "{finds:#?}");
}
