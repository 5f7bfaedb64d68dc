//! What most commands need: the configuration, the account that is meant, the opened store, the broker.

use std::path::Path;

use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::schedule::{Hours, Schedule};
use firstbell_core::totp::Seed;
use firstbell_core::walk::{Codes, Credentials};
use sha2::{Digest, Sha256};

use super::exit::Exit;
use crate::codes::CodeConfig;
use crate::config::{self, Account, Config, ConfigFaults, Environment};
use crate::login::Keys;
use crate::secrets::{Name, Owner};
use crate::stores::{self, Stores};

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

    pub(super) fn stores(&self) -> Result<Stores, Failure> {
        stores::open(&self.config.state_dir)
    }

    pub(super) fn kite(&self) -> Kite {
        let kite = match &self.config.rehearsal {
            Some((site, api)) => {
                Kite::rehearsal(site.clone(), api.clone()).expect("checked when it was read")
            }
            None => Kite::live(),
        };
        match &self.config.plan {
            Some(plan) => kite.with_plan(plan).expect("checked when it was read"),
            None => kite,
        }
    }
}

/// The mornings of an account.
pub(super) fn schedule_of(account: &Account, broker: &Kite) -> Schedule {
    let digest = Sha256::digest(account.app.user().as_bytes());
    let seed = digest[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    Schedule {
        hours: Hours::default(),
        exchanges: account.exchanges.clone(),
        flush: broker.ground().flush,
        seed,
    }
}

/// Fetches what only a login may see.
pub(super) fn keys(account: &Account, stores: &Stores) -> Result<Keys, Failure> {
    let user = account.app.user();
    let owner = Owner { id: &user, name: &account.name };
    let fetch = |name: Name| {
        let (_, source) = &account.secrets[name as usize];
        source.fetch(owner, name, stores.vault())
    };
    let (password, api_secret) = (fetch(Name::Password)?, fetch(Name::ApiSecret)?);
    let (codes, which) = match &account.codes {
        CodeConfig::Seed => {
            let seed = Seed::parse(&fetch(Name::TotpSeed)?).map_err(|fault| Failure::Broken {
                part: Part::Secret,
                why: format!("the secret totp_seed cannot be used: {fault}"),
                cure: format!("Run firstbell secrets set totp_seed {}.", account.name),
            })?;
            let which = seed.canonical();
            (Codes::Seed(seed), which)
        }
        source => (Codes::Asked, source.canonical()),
    };
    Ok(Keys {
        password_mark: stores.fingerprint(Name::Password.as_str(), &password),
        seed_mark: stores.fingerprint(Name::TotpSeed.as_str(), &which),
        credentials: Credentials {
            user_id: firstbell_core::secret::Secret::new(account.app.user_id.clone()),
            password,
            codes,
        },
        api_secret,
    })
}
