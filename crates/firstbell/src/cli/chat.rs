//! The paired chats: of the daemon, which answers their commands, and beside a command that waits for a person.

use std::convert::Infallible;

use futures_util::future::join_all;
use serde_json::Value;

use super::context::Context;
use super::journal::Lines;
use super::next;
use super::order;
use super::say;
use super::staff::Staff;
use super::status;
use crate::chat::{Awaited, Chat, Command, Hold, Office};
use crate::clock::MachineClock;
use crate::halt::Halt;
use crate::hands::Hands;
use crate::http::HyperHttp;
use crate::ports::Clock;
use crate::serve::{Desk, Order};
use crate::stores::Stores;

/// As many mornings fit one phone screen.
const MORNINGS: u16 = 3;

/// The daemon's answers.
pub(super) struct Counter<'a> {
    pub(super) context: &'a Context,
    pub(super) staff: &'a Staff<'a>,
    /// The time of mornings: in a rehearsal not the machine's.
    pub(super) clock: &'a dyn Clock,
    pub(super) lines: &'a Lines,
}

impl Counter<'_> {
    /// Listens to every bot that takes commands, until it is dropped.
    pub(super) async fn serve(&self, stores: &Stores, awaited: &Awaited) -> Infallible {
        let (clock, http, leave) = (MachineClock::start(), HyperHttp::unconnected(), Halt::new());
        let config = &self.context.config;
        let listening = config.channels.iter().filter(|channel| channel.takes_commands());
        let (clock, http, leave) = (&clock, &http, &leave);
        let keep = |channel| async move {
            let chat = Chat {
                channel,
                channels: &config.channels,
                stores,
                state_dir: &config.state_dir,
                http,
                clock,
                office: self,
                awaited,
            };
            chat.keep(None, leave).await;
        };
        join_all(listening.map(keep)).await;
        std::future::pending().await
    }

    fn status(&self) -> String {
        let accounts = self.staff.accounts();
        if accounts.is_empty() {
            return "firstbell has just begun: ask again in a moment.".into();
        }
        let one = |status: Value| {
            let name = status["account"].as_str().unwrap_or_default().to_owned();
            [vec![name], status::rows(&status)].concat().join("\n")
        };
        accounts.into_iter().map(one).collect::<Vec<_>>().join("\n\n")
    }

    fn next(&self) -> String {
        let now = self.clock.now();
        let one = |hands: &Hands<'_>| next::brief(self.context, (hands.account, hands.kite), now, MORNINGS);
        self.staff.hands.iter().map(one).collect::<Vec<_>>().join("\n\n")
    }

    fn pause(&self, named: Option<&str>) -> String {
        let all = || self.staff.hands.iter();
        let chosen: Vec<_> =
            all().filter(|hands| named.is_none_or(|named| hands.account.name == named)).collect();
        if chosen.is_empty() {
            let names: Vec<_> = all().map(|hands| hands.account.name.as_str()).collect();
            return format!("Nothing was paused: there is no such account. There are: {}.", names.join(", "));
        }
        let mut lines: Vec<_> = chosen.into_iter().map(|hands| self.pause_one(hands)).collect();
        lines.push("Only on the host it is resumed: firstbell resume.".into());
        lines.join("\n")
    }

    fn pause_one(&self, hands: &Hands<'_>) -> String {
        let name = &hands.account.name;
        // What the keeper has shown may be of before a resume.
        let paused = hands.look().is_ok_and(|ledger| ledger.state().paused);
        let done = if paused { None } else { self.staff.order(name, Order::Pause) };
        match done {
            None => format!("{name}: was paused already."),
            Some(Ok(())) => format!("{name}: paused: {}.", order::sentence(Order::Pause)),
            Some(Err(failure)) => format!("{name}: NOT paused: {failure}. {}", failure.cure()),
        }
    }
}

impl Office for Counter<'_> {
    fn obey(&self, command: &Command) -> String {
        match command {
            Command::Status => self.status(),
            Command::Next => self.next(),
            Command::Pause(named) => self.pause(named.as_deref()),
        }
    }

    fn note(&self, channel: &str, what: &str) {
        self.lines.line(MachineClock::start().now(), "chat", &format!("{channel}: {what}"));
    }

    fn fault(&self, channel: &str, why: &str) {
        self.lines.line(MachineClock::start().now(), "fault", &format!("the chat {channel}: {why}"));
    }
}

/// The answers of a command at the terminal: it keeps nothing, and so nobody is obeyed.
pub(super) struct Aside;

impl Office for Aside {
    fn obey(&self, _command: &Command) -> String {
        "firstbell run does not run on the host: nothing is kept, and commands are not obeyed.".into()
    }

    fn note(&self, channel: &str, what: &str) {
        say::error(&format!("  chat {channel}: {what}"));
    }

    fn fault(&self, channel: &str, why: &str) {
        say::error(&format!("note: the chat {channel}: {why}"));
    }
}

/// The paired chats that nobody else on this machine reads now: a login by hand can come back through them.
pub(super) fn free<'a>(
    context: &'a Context,
    hands: &Hands<'a>,
    awaited: &'a Awaited,
) -> Vec<(Chat<'a>, Hold)> {
    let config = &context.config;
    let mut found = Vec::new();
    for channel in config.channels.iter().filter(|channel| channel.takes_commands()) {
        let chat = Chat {
            channel,
            channels: &config.channels,
            stores: hands.stores,
            state_dir: &config.state_dir,
            http: hands.http,
            clock: hands.clock,
            office: &Aside,
            awaited,
        };
        let held = chat.paired().and_then(|paired| paired.map_or(Ok(None), |_| chat.hold().map(Some)));
        match held {
            Ok(None) => {}
            Ok(Some(Some(hold))) => found.push((chat, hold)),
            Ok(Some(None)) => say::error(&format!(
                "note: the chat {} is with the running firstbell: an address that is pasted there does not get here.",
                channel.name
            )),
            Err(failure) => Aside.fault(&channel.name, &format!("{failure}. {}", failure.cure())),
        }
    }
    found
}
