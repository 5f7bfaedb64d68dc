//! What most commands need: the configuration, the account that is meant, the opened store, the broker.

use std::path::Path;

use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::Failure;
use firstbell_core::schedule::Schedule;
use sha2::{Digest, Sha256};

use super::exit::Exit;
use super::say;
use crate::alerts::ChannelConfig;
use crate::clock::MachineClock;
use crate::config::{self, Account, Config, ConfigFaults, Environment};
use crate::drivers::DriverConfig;
use crate::halt::Halt;
use crate::hands::Hands;
use crate::http::HyperHttp;
use crate::login::Progress;
use crate::sinks::SinkConfig;
use crate::stores::Stores;

/// The configuration and what stands around it.
pub(super) struct Context {
    pub(super) config: Config,
}

impl Context {
    pub(super) fn load(named: Option<&Path>, env: Environment) -> Result<Context, ConfigFaults> {
        let path = config::place(named, &env);
        Ok(Context { config: config::load(&path, &env)? })
    }

    /// The account that is meant: the named one, or the only one.
    pub(super) fn account(&self, named: Option<&str>) -> Result<&Account, Exit> {
        let names = || self.config.accounts.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ");
        match (named, self.config.accounts.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(Exit::usage(&format!("which account? There are: {}", names()))),
            (Some(name), all) => all
                .iter()
                .find(|a| a.name == name)
                .ok_or_else(|| Exit::usage(&format!("there is no account {name:?}. There are: {}", names()))),
        }
    }

    /// The channel of this name.
    pub(super) fn channel(&self, name: &str) -> Result<&ChannelConfig, Exit> {
        let names = || self.config.channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = self.config.channels.iter().find(|channel| channel.name == name);
        found.ok_or_else(|| Exit::usage(&format!("there is no channel {name:?}. There are: {}", names())))
    }

    /// The sink that is called `ACCOUNT/NAME`, and its account.
    pub(super) fn sink(&self, called: &str) -> Result<(&Account, &SinkConfig), Exit> {
        let all = || self.config.accounts.iter().flat_map(|a| a.sinks.iter().map(move |sink| (a, sink)));
        let name = |(account, sink): &(&Account, &SinkConfig)| format!("{}/{}", account.name, sink.name);
        let names = || all().map(|both| name(&both)).collect::<Vec<_>>().join(", ");
        let found = all().find(|both| name(both) == called);
        found.ok_or_else(|| Exit::usage(&format!("there is no sink {called:?}. There are: {}", names())))
    }

    pub(super) fn stores(&self) -> Result<Stores, Failure> {
        let stores = self.config.place()?.open()?;
        if stores.healed() {
            say::error(
                "firstbell: the store was damaged or gone; its copy of the last good moment took its place. What was \
                 damaged lies beside it.",
            );
        }
        Ok(stores)
    }

    pub(super) fn kite(&self) -> Kite {
        let kite = match &self.config.rehearsal {
            Some((site, api)) => {
                Kite::rehearsal(site.clone(), api.clone()).expect("checked when it was read")
            }
            None => Kite::live(),
        };
        let kite = match self.config.keeping.flush {
            Some(flush) => kite.with_flush(flush),
            None => kite,
        };
        match &self.config.plan {
            Some(plan) => kite.with_plan(&plan.text).expect("checked when it was read"),
            None => kite,
        }
    }
}

/// What an account is worked with by a command that keeps nothing.
pub(super) struct Tools<'a> {
    drivers: &'a DriverConfig,
    stores: Stores,
    pub(super) kite: Kite,
    pub(super) clock: MachineClock,
    http: HyperHttp,
}

impl Context {
    /// Everything around an account, with this opened store.
    pub(super) fn tools(&self, stores: Stores) -> Tools<'_> {
        let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
        Tools { drivers: &self.config.drivers, stores, kite: self.kite(), clock, http }
    }
}

impl<'a> Tools<'a> {
    /// One account with everything around it.
    pub(super) fn hands(
        &'a self,
        account: &'a Account,
        progress: &'a dyn Progress,
        halt: &'a Halt,
    ) -> Hands<'a> {
        Hands {
            account,
            kite: &self.kite,
            drivers: self.drivers,
            stores: &self.stores,
            clock: &self.clock,
            http: &self.http,
            progress,
            journal: None,
            halt,
        }
    }
}

/// The mornings of an account. Its share of the spread is its user's.
pub(super) fn schedule_of(config: &Config, account: &Account, kite: &Kite) -> Schedule {
    let digest = Sha256::digest(account.app.user().as_bytes());
    let seed = digest[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    Schedule {
        hours: config.keeping.hours.clone(),
        exchanges: account.exchanges.clone(),
        flush: kite.ground().flush,
        assisted: account.assisted,
        seed,
    }
}
