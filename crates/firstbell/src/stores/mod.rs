//! Where events, tokens and sealed secrets are kept: the shelf of stores.

mod folder;
mod key;
mod seal;
mod sqlite;

use std::path::Path;

use firstbell_core::budget::Fingerprint;
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

pub use folder::{LoginLock, lock_login, try_lock_login};
pub use sqlite::SqliteStore;

use crate::ports::{Store, Vault};

/// The opened store, its vault, and the key's way to tell credentials apart.
#[derive(Debug)]
pub struct Stores {
    sqlite: SqliteStore,
}

/// Opens the store in this folder, and makes folder, key and store where there are none yet.
///
/// # Errors
/// [`Failure::Broken`] where the folder, the key or the store is missing, damaged or open to others.
pub fn open(folder: &Path) -> Result<Stores, Failure> {
    folder::prepare(folder)?;
    let fresh = !folder.join(sqlite::FILE).exists();
    let key = key::open(folder, fresh)?;
    Ok(Stores { sqlite: SqliteStore::open(folder, key)? })
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

    /// What tells this value of a credential from another one, without telling the value to whoever lacks the key.
    pub fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        self.sqlite.fingerprint(name, secret)
    }
}
