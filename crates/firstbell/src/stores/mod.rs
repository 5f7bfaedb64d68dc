//! Where events, tokens and sealed secrets are kept: the shelf of stores.

mod attest;
mod chain;
mod folder;
mod key;
mod mark;
mod opening;
mod place;
mod previous;
mod schema;
mod seal;
mod sqlite;
mod tokens;

use std::path::Path;

use firstbell_core::budget::Fingerprint;
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

pub use folder::{Lease, LoginLock, lock_login, try_lease, try_lock_login, unlocking};
pub(crate) use place::KEEP_DAYS_MIN;
pub use place::Place;
pub use sqlite::SqliteStore;

use crate::ports::{Store, Vault};

/// The opened store, its vault, and the key's way to tell credentials apart.
#[derive(Debug)]
pub struct Stores {
    sqlite: SqliteStore,
}

/// Opens the store in this folder, with its mark in the usual place beside it.
///
/// # Errors
/// As [`Place::open`].
pub fn open(folder: &Path) -> Result<Stores, Failure> {
    Place::of(folder).open()
}

impl Place {
    /// Opens the store, and makes folder, key and store where there are none yet. A store that is damaged or gone is
    /// replaced by its previous generation, where there is a whole one; the damaged file stays beside it.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the folder, the key or the store is missing, damaged or open to others.
    pub fn open(&self) -> Result<Stores, Failure> {
        folder::prepare(&self.folder)?;
        let fresh = ![sqlite::FILE, previous::FILE].iter().any(|file| self.folder.join(file).exists());
        let key = key::open(&self.folder, fresh)?;
        Ok(Stores { sqlite: SqliteStore::open(self, key)? })
    }
}

impl Stores {
    /// Events and tokens.
    pub fn store(&self) -> &dyn Store {
        &self.sqlite
    }

    /// Sealed secrets.
    pub fn vault(&self) -> &dyn Vault {
        &self.sqlite
    }

    /// Whether the store was damaged or gone and its previous generation took its place, just now.
    pub fn healed(&self) -> bool {
        self.sqlite.healed
    }

    /// What tells this value of a credential from another one, without telling the value to whoever lacks the key.
    pub fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        self.sqlite.fingerprint(name, secret)
    }
}
