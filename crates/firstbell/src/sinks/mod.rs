//! Where a fresh token goes: the shelf of sinks.

mod endpoint;
mod file;
mod hook;
mod kind;
mod kubernetes;
mod postgres;
mod redis;
mod resp;
mod vault;

use std::time::Duration;

use firstbell_core::failure::{Failure, Part};

use self::kind::{Fault, Kind, Table, Tools};
pub use self::kind::{Handed, TIME};
use crate::ports::{Delivery, Reach, Sink, Soon, Vault};
use crate::secrets::{Source, Wanted};
use crate::written::Section;

/// A sink that failed is tried again after a second, then after twice as long, up to this, unless its owner wants less.
const RETRY_S: u64 = 60;

type Read = fn(&mut Table<'_, '_>) -> Option<Box<dyn Kind>>;

/// All kinds: the name in the configuration, what reads the table, and the keys that it knows. One line a sink.
const KINDS: [(&str, Read, &[&str]); 7] = [
    ("file", file::read, file::KEYS),
    ("redis", redis::read, redis::KEYS),
    ("postgres", postgres::read, postgres::KEYS),
    ("http", endpoint::read, endpoint::KEYS),
    ("vault", vault::read, vault::KEYS),
    ("kubernetes", kubernetes::read, kubernetes::KEYS),
    ("hook", hook::read, hook::KEYS),
];

/// One sink as it is configured.
#[derive(Debug)]
pub struct SinkConfig {
    /// Its name: the owner's, or its kind and its place.
    pub name: String,
    /// Its kind, as the configuration calls it.
    pub kind: &'static str,
    /// Its secrets by name, and where each comes from.
    pub secrets: Vec<(String, Source)>,
    /// The longest pause between two tries.
    pub retry: Duration,
    way: Box<dyn Kind>,
    /// What the vault knows the owner of its secrets by. Accounts are known there by capital letters and digits.
    owner: String,
    /// The name on the command line, with its account's.
    called: String,
}

impl SinkConfig {
    /// Reads one `[[account.NAME.sink]]` of this account.
    pub fn read(account: &str, mut section: Section<'_>) -> Option<SinkConfig> {
        let names = || KINDS.map(|(name, ..)| name).join(", ");
        let kind = section.parsed("kind", |kind| {
            let found = KINDS.iter().find(|(name, ..)| *name == kind);
            found.ok_or_else(|| format!("is not known; known kinds: {}", names()))
        });
        if !section.asked("kind") {
            section.fault(&format!("kind is missing; known kinds: {}", names()));
        }
        // What else is wrong with it is said all the same.
        let (kind, read, keys) = kind.unwrap_or(&KINDS[0]);
        let name = section.parsed("name", |text| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            match (1..=32).contains(&text.len()) && text.chars().all(plain) {
                true => Ok(text.to_owned()),
                false => Err("must have 1 to 32 of a-z, 0-9, - and _".to_owned()),
            }
        });
        let retry_s = section.number("retry_s", 1).unwrap_or(RETRY_S);
        if retry_s > 3600 {
            section.fault("retry_s is at most 3600: a sink that is back must not wait for longer");
        }
        let mut table = Table { section: &mut section, account, secrets: Vec::new() };
        let way = read(&mut table);
        let secrets = table.secrets;
        if name.is_none() && secrets.iter().any(|(_, source)| *source == Source::Vault) {
            section.fault("a sink with a secret in the vault needs a name, by which the secret is stored");
        }
        section.end(&[&["kind", "name", "retry_s"], *keys].concat());
        let way = way?;
        let name = name.unwrap_or_else(|| format!("{kind} {}", way.place()));
        let (owner, called) = (format!("sink-{account}/{name}"), format!("{account}/{name}"));
        Some(SinkConfig { name, kind, secrets, retry: Duration::from_secs(retry_s), way, owner, called })
    }

    /// One of its secrets: where the vault has it, and how it is stored.
    pub fn wanted<'a>(&'a self, secret: &'a str) -> Wanted<'a> {
        let store = format!("firstbell secrets set --sink {} {secret}", self.called);
        Wanted { owner: &self.owner, name: secret, store }
    }

    /// Where it writes, for people.
    pub fn place(&self) -> String {
        format!("{} {}", self.kind, self.way.place())
    }

    /// The file that it leaves, where it leaves one on this machine.
    pub fn handed(&self) -> Option<Handed> {
        self.way.handed()
    }

    /// Whether the token stays there, so that it is worth looking whether it still does.
    pub fn is_kept(&self) -> bool {
        self.way.is_kept()
    }

    /// The sink itself, with its secrets in memory: to be opened for one piece of work, and then dropped.
    ///
    /// # Errors
    /// Where one of its secrets cannot be had.
    pub fn open<'a>(&'a self, vault: &dyn Vault, reach: Reach<'a>) -> Result<Box<dyn Sink + 'a>, Failure> {
        let one = |(name, source): &(String, Source)| {
            source.take(&self.wanted(name), vault).map(|secret| (name.clone(), secret))
        };
        let keys =
            self.secrets.iter().map(one).collect::<Result<_, _>>().map_err(|f| self.broken(f.into()))?;
        Ok(Box::new(Opened { config: self, tools: Tools { keys, http: reach.http, clock: reach.clock } }))
    }

    /// Looks whether a write will succeed. Over within 10 s.
    ///
    /// # Errors
    /// [`Failure::Broken`] with what to do.
    pub async fn check(&self, vault: &dyn Vault, reach: Reach<'_>) -> Result<(), Failure> {
        let sink = self.open(vault, reach)?;
        tokio::time::timeout(TIME, sink.check()).await.unwrap_or_else(|_| Err(self.late()))
    }

    /// Writes the token. Over within 10 s.
    ///
    /// # Errors
    /// As above.
    pub async fn deliver(
        &self,
        vault: &dyn Vault,
        reach: Reach<'_>,
        delivery: &Delivery<'_>,
    ) -> Result<(), Failure> {
        let sink = self.open(vault, reach)?;
        tokio::time::timeout(TIME, sink.deliver(delivery)).await.unwrap_or_else(|_| Err(self.late()))
    }

    fn late(&self) -> Failure {
        let why = format!("did not come to an end within {} s", TIME.as_secs());
        self.broken(Fault::new(why, kind::REACH))
    }

    fn broken(&self, Fault { why, cure }: Fault) -> Failure {
        Failure::Broken { part: Part::Sink, why: format!("the sink {}: {why}", self.name), cure }
    }
}

struct Opened<'a> {
    config: &'a SinkConfig,
    tools: Tools<'a>,
}

impl Sink for Opened<'_> {
    fn check(&self) -> Soon<'_, Result<(), Failure>> {
        Box::pin(async {
            let done = self.config.way.check(&self.tools).await;
            done.map_err(|fault| self.config.broken(fault))
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>) -> Soon<'a, Result<(), Failure>> {
        Box::pin(async {
            let done = self.config.way.deliver(delivery, &self.tools).await;
            done.map_err(|fault| self.config.broken(fault))
        })
    }
}
