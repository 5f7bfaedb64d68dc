//! What most commands need: the configuration, the account that is meant, the opened store, the broker.

use std::path::Path;

use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::totp::Seed;
use firstbell_core::walk::{Codes, Credentials};

use super::exit::Exit;
use super::say;
use crate::codes::CodeConfig;
use crate::config::{self, Account, Config, ConfigFaults, Environment};
use crate::login::Keys;
use crate::secrets::{Name, Owner};
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

    pub(super) fn stores(&self) -> Result<Stores, Failure> {
        let stores = self.config.store.open()?;
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
        match &self.config.plan {
            Some(plan) => kite.with_plan(plan).expect("checked when it was read"),
            None => kite,
        }
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
