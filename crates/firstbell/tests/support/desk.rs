//! Sinks without a daemon: a table read as the configuration reads it, tokens made up, and what a sink is worked with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use firstbell::clock::MachineClock;
use firstbell::http::HyperHttp;
use firstbell::ports::{Clock, Delivery, Reach};
use firstbell::sinks::SinkConfig;
use firstbell::stores::{self, Stores};
use firstbell::written::{Faults, Section};
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use jiff::SignedDuration;

use crate::support::marker;

/// A token that was issued so many seconds ago.
pub fn token(generation: u64, ago_s: i64) -> Token {
    let access = Access::parse(Secret::new(marker(32))).unwrap();
    let issued = MachineClock::start().now() - SignedDuration::from_secs(ago_s);
    // Whatever the hour, they live.
    let over = issued + SignedDuration::from_hours(12);
    let life = Life { issued, trusted_until: over, suspect_from: over, dead_from: over };
    Token { access, api_key: "key".into(), generation, life }
}

/// Reads the table of a sink.
pub fn sink(text: &str) -> SinkConfig {
    let faults = Faults::new("c.toml", text);
    let sink = SinkConfig::read("a", Section::root(text, faults.clone()));
    assert_eq!(faults.lines(), [""; 0], "{text}");
    sink.unwrap()
}

/// What a sink of the account `a` is worked with.
pub struct Desk {
    stores: Stores,
    http: HyperHttp,
    clock: MachineClock,
    _folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let stores = stores::open(&folder.path().join("state")).unwrap();
        Desk { stores, http: HyperHttp::unconnected(), clock: MachineClock::start(), _folder: folder }
    }

    fn reach(&self) -> Reach<'_> {
        Reach { http: &self.http, clock: &self.clock }
    }

    pub async fn check(&self, sink: &SinkConfig) -> Result<(), Failure> {
        sink.check(self.stores.vault(), self.reach()).await
    }

    pub async fn deliver(&self, sink: &SinkConfig, token: &Token) -> Result<(), Failure> {
        let delivery = Delivery { account: "a", api_key: "key", user_id: "AB1234", token };
        sink.deliver(self.stores.vault(), self.reach(), &delivery).await
    }
}

/// Runs it to its end.
pub fn play<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
