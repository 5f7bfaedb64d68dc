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
use firstbell_core::outbox::{Quiet, Route};
use jiff::civil::Time;

pub use bot::{Bot, Deaf, Heard, Spoken};
pub use kind::Outside;
use kind::{Keys, Kind, Read, Sources};

use crate::censor;
use crate::ports::{Channel, ChannelFault, Message, Receipt, Soon, Vault};
use crate::secrets::{Source, Wanted};
use crate::written::Section;

/// How long one message may take on a channel; the port promises 15 s.
pub const TIME: Duration = Duration::from_secs(12);

/// A message that is tried again is sent this often, with this pause.
const TRIES: usize = 3;
const PAUSE_S: u32 = 20;
const PAUSE_MAX_S: u32 = 600;

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
    /// What it gets, and when.
    pub route: Route,
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
        let order = section.number("order", 1);
        if order.is_some_and(|order| order > 99) {
            section.fault("order is at most 99");
        }
        let quiet = section.parsed("quiet", read_quiet);
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
        section.end(&[&["kind", "severity", "order", "quiet"], *keys].concat());
        let route = Route {
            name: name.clone(),
            severity: severity.unwrap_or(Severity::Information),
            order: order.map_or(1, |order| u8::try_from(order).unwrap_or(u8::MAX)),
            quiet,
        };
        let owner = format!("channel-{name}");
        Some(ChannelConfig { name, kind, route, secrets: sources.found, way: way?, owner })
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

    /// Sends one message; its secrets are in memory for it only.
    ///
    /// # Errors
    /// Why the channel did not take it; a secret that is missing is such a fault too.
    pub async fn deliver(
        &self,
        vault: &dyn Vault,
        outside: Outside<'_>,
        message: &Message,
    ) -> Result<Receipt, ChannelFault> {
        let open = self.open(vault, outside);
        // The last gate: what repeats a secret is not said, and that something was to be said is.
        let [title, body] = [&message.title, &message.body].map(|text| censor::passed(text).into_owned());
        let message = &Message { title, body, ..message.clone() };
        match open {
            Ok(open) => open.send(message).await,
            Err(failure) => Err(ChannelFault {
                why: failure.to_string(),
                cure: failure.cure(),
                wait_s: None,
                again: false,
                partly: false,
            }),
        }
    }

    /// The same, tried a few times where the channel says that it may be; what it asks for itself is waited for, up to ten
    /// minutes.
    ///
    /// # Errors
    /// The last fault.
    pub async fn deliver_patiently(
        &self,
        vault: &dyn Vault,
        outside: Outside<'_>,
        message: &Message,
    ) -> Result<Receipt, ChannelFault> {
        let mut tries = 1;
        loop {
            match self.deliver(vault, outside, message).await {
                Err(fault) if fault.again && tries < TRIES => {
                    let pause_s = fault.wait_s.unwrap_or(0).clamp(PAUSE_S, PAUSE_MAX_S);
                    outside.clock.rest(u64::from(pause_s) * 1_000).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
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

/// Hours such as "22:00-07:00".
fn read_quiet(text: &str) -> Result<Quiet, String> {
    let time = |text: &str| (text.len() == 5).then(|| Time::strptime("%H:%M", text).ok()).flatten();
    let hours = text.split_once('-').and_then(|(from, until)| Some((time(from)?, time(until)?)));
    match hours.filter(|(from, until)| from != until) {
        Some((from, until)) => Ok(Quiet { from, until }),
        None => Err("must be hours in India such as \"22:00-07:00\"".into()),
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
                    partly: false,
                }),
            }
        })
    }
}
