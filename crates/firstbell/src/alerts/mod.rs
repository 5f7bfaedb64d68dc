//! How a person is told: the shelf of channels.

mod bot;
mod command;
mod desktop;
mod discord;
mod email;
mod gateway;
mod kind;
mod msg91;
mod ntfy;
mod provider;
mod request;
mod slack;
mod smtp;
mod telegram;
mod template;
mod text;
mod twilio;
mod webhook;

use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::notice::Severity;

pub use bot::{Bot, Deaf, Heard, Spoken};
pub use kind::Outside;
use kind::{Keys, Kind, Read, Sources};

use crate::ports::{Channel, ChannelFault, Message, Receipt, Soon, Vault};
use crate::secrets::{Source, Wanted};
use crate::written::Section;

/// How long one message may take on a channel; the port promises 15 s.
pub const TIME: Duration = Duration::from_secs(12);

/// How long a look whether somebody is there may take.
const LOOK: Duration = Duration::from_secs(6);

/// All kinds: the name in the configuration, what reads the table, and the keys that it knows. One line a channel.
const KINDS: [(&str, Read, &[&str]); 11] = [
    ("telegram", telegram::read, telegram::KEYS),
    ("email", email::read, email::KEYS),
    ("twilio", twilio::read, twilio::KEYS),
    ("msg91", msg91::read, msg91::KEYS),
    ("http", gateway::read, gateway::KEYS),
    ("webhook", webhook::read, webhook::KEYS),
    ("slack", slack::read, slack::KEYS),
    ("discord", discord::read, discord::KEYS),
    ("ntfy", ntfy::read, ntfy::KEYS),
    ("desktop", desktop::read, desktop::KEYS),
    ("command", command::read, command::KEYS),
];

/// One channel as it is configured.
#[derive(Debug)]
pub struct ChannelConfig {
    /// Its name.
    pub name: String,
    /// Its kind, as the configuration calls it.
    pub kind: &'static str,
    /// The least severity that it gets.
    pub severity: Severity,
    /// Its secrets by name, and where each comes from.
    pub secrets: Vec<(String, Source)>,
    way: Box<dyn Kind>,
    /// What the vault knows the owner of its secrets by. Accounts are known by capital letters and digits.
    owner: String,
}

impl ChannelConfig {
    /// Reads one `[channel.NAME]`.
    pub fn read(name: String, mut section: Section<'_>) -> Option<ChannelConfig> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
            section.fault("a channel's name has 1 to 32 of a-z, 0-9, - and _");
        }
        let severity = section.parsed("severity", |text| {
            let found = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
            found.ok_or_else(|| "is not known; known: information, warning, critical".to_owned())
        });
        let names = || KINDS.map(|(name, ..)| name).join(", ");
        let kind = section.parsed("kind", |kind| {
            let found = KINDS.iter().find(|(name, ..)| *name == kind);
            found.ok_or_else(|| format!("is not known; known kinds: {}", names()))
        });
        if !section.asked("kind") {
            section.fault(&format!("kind is missing; known kinds: {}", names()));
        }
        let (kind, read, keys) = kind?;
        let mut sources = Sources::default();
        let way = read(&mut section, &mut sources);
        section.end(&[&["kind", "severity"], *keys].concat());
        let severity = severity.unwrap_or(Severity::Information);
        let owner = format!("channel-{name}");
        Some(ChannelConfig { name, kind, severity, secrets: sources.found, way: way?, owner })
    }

    /// One of its secrets: where the vault has it, and how it is stored.
    pub fn wanted<'a>(&'a self, secret: &'a str) -> Wanted<'a> {
        let store = format!("firstbell secrets set --channel {} {secret}", self.name);
        Wanted { owner: &self.owner, name: secret, store }
    }

    /// Whether its secrets are there and somebody answers where it leads. Nothing is said to him.
    pub async fn is_reachable(&self, vault: &dyn Vault, outside: Outside<'_>) -> bool {
        let Ok(keys) = self.keys(vault) else { return false };
        let far = self.way.far(&keys);
        tokio::time::timeout(LOOK, far.answers(&outside)).await.unwrap_or(false)
    }

    /// The channel itself, with its secrets in memory: to be opened for what is sent now, and then dropped.
    ///
    /// # Errors
    /// Where one of its secrets cannot be had.
    pub fn open<'a>(
        &'a self,
        vault: &dyn Vault,
        outside: Outside<'a>,
    ) -> Result<Box<dyn Channel + 'a>, Failure> {
        Ok(Box::new(Opened { config: self, keys: self.keys(vault)?, outside }))
    }

    /// Whether what a paired person writes to it is read.
    pub fn takes_commands(&self) -> bool {
        self.way.listens().is_some()
    }

    /// Its bot with the token in memory, where it takes commands.
    ///
    /// # Errors
    /// Where the token cannot be had.
    pub fn bot<'a>(&self, vault: &dyn Vault, outside: Outside<'a>) -> Result<Option<Bot<'a>>, Failure> {
        let Some(server) = self.way.listens() else { return Ok(None) };
        Ok(Some(Bot::new(server.clone(), self.keys(vault)?.of("token").clone(), outside)))
    }

    fn keys(&self, vault: &dyn Vault) -> Result<Keys, Failure> {
        let fetch =
            |(name, source): &(String, Source)| Ok((name.clone(), source.take(&self.wanted(name), vault)?));
        Ok(Keys(self.secrets.iter().map(fetch).collect::<Result<_, Failure>>()?))
    }
}

/// A channel of any kind, and the one clock over it.
struct Opened<'a> {
    config: &'a ChannelConfig,
    keys: Keys,
    outside: Outside<'a>,
}

impl Channel for Opened<'_> {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn send<'a>(&'a self, message: &'a Message) -> Soon<'a, Result<Receipt, ChannelFault>> {
        Box::pin(async move {
            let sending = self.config.way.send(message, &self.keys, &self.outside);
            match tokio::time::timeout(self.outside.time, sending).await {
                Ok(outcome) => outcome,
                Err(_) => Err(ChannelFault {
                    why: format!("it was not over within {} s", self.outside.time.as_secs_f32()),
                    cure: "See whether the provider and the network are well.".into(),
                    wait_s: None,
                    again: true,
                }),
            }
        })
    }
}
