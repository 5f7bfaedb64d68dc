//! Where events, tokens and sealed secrets are kept: the shelf of stores.

mod attest;
mod chain;
mod contents;
mod folder;
mod identity;
mod kept;
mod key;
mod mark;
mod node;
mod opening;
mod place;
mod postgres;
mod previous;
mod proof;
mod rekey;
mod schema;
mod seal;
mod sql;
mod sqlite;
mod takeover;
mod tokens;
mod turns;
mod vault;

use std::path::Path;
use std::sync::Arc;

use firstbell_core::budget::Fingerprint;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::{Secret, SecretBytes};

pub use folder::{FolderLease, Held, LoginLock, hold, lock_login, try_lease, try_lock_login};
pub use identity::{SealedIdentity, make_sealed_identity};
pub(crate) use place::KEEP_DAYS_MIN;
pub use place::{Opener, Place};
pub use postgres::Server;
pub use rekey::Rekeyed;
pub use turns::{Heir, Lease, Turn, Turns};

use contents::Contents;
use kept::Kept;
use postgres::{Candidate, Fences};
use seal::Key;
use sqlite::Sqlite;
use vault::VaultFile;

use crate::ports::{Store, Vault};

/// The opened store, its vault, and the key's way to tell credentials apart.
#[derive(Debug)]
pub struct Stores {
    kept: Kept,
    healed: bool,
    turns: Turns,
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
        let folder = self.folder.clone();
        if let Some(server) = &self.server {
            let (server, fences) = (Arc::new(server.clone()), Fences::default());
            let (database, key) = postgres::open(self, &server, &fences)?;
            let kept = Kept::new(Box::new(database), key, self, Some(node::name(&self.folder)?));
            return Ok(Stores {
                kept,
                healed: false,
                turns: Turns { folder, shared: Some((server, fences)) },
            });
        }
        let fresh = ![sqlite::FILE, previous::FILE].iter().any(|file| self.folder.join(file).exists());
        let (file, contents) = VaultFile::open(self, fresh)?;
        let (key, sqlite) = match keyed(self, &contents) {
            // Between our looks at vault and store somebody may have given both new keys: the vault of now tells.
            Err(Failure::Broken { part: Part::Key, .. }) => keyed(self, &file.read()?)?,
            opened => opened?,
        };
        drop(contents);
        let healed = sqlite.healed;
        let mut kept = Kept::new(Box::new(sqlite), key, self, None);
        kept.file = Some(file);
        takeover::finish(&kept)?;
        rekey::go_on(&kept)?;
        if let Some(Err(failure)) = kept.file.as_ref().map(VaultFile::finish) {
            // No reason to go without a token on a full disk.
            tracing::warn!(%failure, "a change of the vault was interrupted: what was removed may still be in its copy");
        }
        Ok(Stores { kept, healed, turns: Turns { folder, shared: None } })
    }

    /// A process that wants to be the one which keeps the accounts of this store. A machine whose key does not open it is
    /// none.
    ///
    /// # Errors
    /// As [`Place::open`], where the store is shared.
    pub fn heir(&self, name: &'static str) -> Result<Heir, Failure> {
        let (folder, fences) = (self.folder.clone(), Fences::default());
        let row = match &self.server {
            Some(server) => {
                self.open()?;
                Some(Candidate::new(&Arc::new(server.clone()), name.to_owned()))
            }
            None => None,
        };
        Ok(Heir { folder, name, row, fences })
    }
}

/// The database, with whichever of the vault's keys is its own.
fn keyed(place: &Place, contents: &Contents) -> Result<(Arc<Key>, Sqlite), Failure> {
    let (key, next) = contents.keys();
    match (Sqlite::open(place, &key), next) {
        (Err(Failure::Broken { part: Part::Key, .. }), Some(next)) => {
            let sqlite = Sqlite::open(place, &next)?;
            Ok((Arc::new(next), sqlite))
        }
        (opened, _) => Ok((Arc::new(key), opened?)),
    }
}

impl Stores {
    /// Events and tokens.
    pub fn store(&self) -> &dyn Store {
        &self.kept
    }

    /// Sealed secrets.
    pub fn vault(&self) -> &dyn Vault {
        match &self.kept.file {
            Some(file) => file,
            None => &self.kept,
        }
    }

    /// Proves that today's key, as it lies on this machine now, still opens the store.
    ///
    /// # Errors
    /// Where it does not: this process goes on, and the next one would not.
    pub fn proves_key(&self) -> Result<(), Failure> {
        self.kept.proves_key()
    }

    /// Gives store and vault new keys, under living processes. The fingerprints of credentials stay.
    ///
    /// # Errors
    /// Where the store is shared, not whole, or is just being given new keys; everything is as it was then.
    pub fn rekey(&self) -> Result<Rekeyed, Failure> {
        rekey::rekey(&self.kept)
    }

    /// All that is in the vault, as an age file for other eyes; none where machines share the store, and the vault is in it.
    ///
    /// # Errors
    /// Where the vault does not open.
    pub fn export(&self, seal: &dyn Fn(&SecretBytes) -> Vec<u8>) -> Result<Option<Vec<u8>>, Failure> {
        self.kept.file.as_ref().map(|file| file.sealed(seal)).transpose()
    }

    /// The way to an account's turn. Where machines share the store, nothing is spent without it.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Whether other machines write to it too.
    pub fn is_shared(&self) -> bool {
        self.turns.shared.is_some()
    }

    /// Nothing is written any more once this lease is somebody else's.
    pub fn under(&self, lease: &Lease) {
        if let (Some((_, fences)), Some(row)) = (&self.turns.shared, &lease.row) {
            row.fence(fences);
        }
    }

    /// Whether the store was damaged or gone and its previous generation took its place, just now.
    pub fn healed(&self) -> bool {
        self.healed
    }

    /// What tells this value of a credential from another one, without telling the value to whoever lacks the key.
    pub fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        self.kept.fingerprint(name, secret)
    }
}
