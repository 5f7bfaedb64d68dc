//! Channels of a test: opened from a configuration as it is written, with a vault in memory.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::time::Duration;

use firstbell::alerts::{ChannelConfig, Outside};
use firstbell::clock::MachineClock;
use firstbell::http::HyperHttp;
use firstbell::ports::{ChannelFault, Message, Receipt, Vault};
use firstbell::written::{Faults, Section};
use firstbell_core::failure::Failure;
use firstbell_core::notice::Severity;
use firstbell_core::secret::Secret;

/// Secrets by name, whoever owns them.
pub struct Held(pub Vec<(String, String)>);

impl Vault for Held {
    fn keep(&self, _: &str, _: &str, _: &Secret) -> Result<(), Failure> {
        unreachable!("a channel keeps no secret")
    }

    fn fetch(&self, owner: &str, name: &str) -> Result<Option<Secret>, Failure> {
        assert_eq!(owner, "channel-one");
        Ok(self.0.iter().find(|(own, _)| own == name).map(|(_, value)| Secret::new(value.clone())))
    }

    fn forget(&self, _: &str, _: &str) -> Result<bool, Failure> {
        unreachable!("a channel forgets no secret")
    }
}

/// Reads the lines of `[channel.one]`: the channel, or its faults.
pub fn read(lines: &str) -> Result<ChannelConfig, Vec<String>> {
    let text = format!("[channel.one]\n{lines}\n");
    let faults = Faults::new("c.toml", &text);
    let mut root = Section::root(&text, faults.clone());
    let (name, section) = root.named("channel").remove(0);
    let channel = ChannelConfig::read(name, section);
    let lines = faults.lines();
    if lines.is_empty() { Ok(channel.unwrap()) } else { Err(lines) }
}

/// Sends one message through a channel with these lines and secrets.
pub fn send(
    lines: &str,
    secrets: &[(String, String)],
    message: &Message,
    time: Duration,
) -> Result<Receipt, ChannelFault> {
    let channel = read(lines).unwrap();
    let (http, clock) = (HyperHttp::unconnected(), MachineClock::start());
    let outside = Outside { http: &http, clock: &clock, time };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let open = channel.open(&Held(secrets.to_vec()), outside).unwrap();
    runtime.block_on(open.send(message))
}

/// A message as firstbell writes them.
pub fn plain() -> Message {
    Message {
        severity: Severity::Critical,
        title: "main: no token, and the market opens in 44 minutes".into(),
        body: "Zerodha answers with 502 since 08:31. firstbell tries again at 08:33 and until 09:00.\nYou can log in by hand."
            .into(),
        incident: "main-2026-11-25".into(),
        over: false,
    }
}

/// A message in which everything is that a channel could take for more than text.
pub fn hostile() -> Message {
    let body = "**bold** _x_ `code` [a](https://evil.example) @everyone <@1> <!channel> <script>alert(1)</script> &amp; \\n\
        \u{0}\u{1b}[31m\u{202e}\r\n.\r\nQUIT\r\n{token} {title} 🙂 https://evil.example/x\n# Heading\n> quote\n- item ";
    Message {
        severity: Severity::Warning,
        title: "main\r\nX-Evil: 1\r\n\r\n<b>नमस्ते</b> @everyone =?UTF-8?B?eA==?= \u{2028}🙂".into(),
        body: body.to_owned() + &"x".repeat(10_000),
        incident: "in\"cident\n".into(),
        over: true,
    }
}
