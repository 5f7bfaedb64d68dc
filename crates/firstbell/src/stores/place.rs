//! Where a store and its mark are, and how long its events stay.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::postgres::Server;
use crate::age::Recipient;

/// For how long events stay in full: a year, and what is asked about it afterwards.
const KEEP_DAYS: u32 = 400;
/// Shorter, and nobody could look back at a month.
pub(crate) const KEEP_DAYS_MIN: u64 = 30;

/// Asks whoever keeps the identity for it, each time anew: he may have another one by then, or none.
#[derive(Clone)]
pub struct Opener {
    ask: Arc<dyn Fn() -> Result<Secret, Failure> + Send + Sync>,
    prove: Arc<dyn Fn() -> Result<(), Failure> + Send + Sync>,
}

impl Opener {
    /// One that asks so.
    pub fn new(ask: impl Fn() -> Result<Secret, Failure> + Send + Sync + 'static) -> Opener {
        Opener { ask: Arc::new(ask), prove: Arc::new(|| Ok(())) }
    }

    /// The same for one that remembers what it was told: `prove` says whether it would be told so again, without asking anybody.
    #[must_use]
    pub fn proven_by(self, prove: impl Fn() -> Result<(), Failure> + Send + Sync + 'static) -> Opener {
        Opener { prove: Arc::new(prove), ..self }
    }

    pub(super) fn ask(&self) -> Result<Secret, Failure> {
        (self.ask)()
    }

    pub(super) fn prove(&self) -> Result<(), Failure> {
        (self.prove)()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener(…)")
    }
}

/// The place of one store.
#[derive(Clone, Debug)]
pub struct Place {
    /// The state folder: store, vault and locks.
    pub folder: PathBuf,
    /// The mark: what was seen last. Outside the state folder, so that restoring the folder does not restore the mark.
    pub mark: PathBuf,
    /// Events that are older than this many days are pruned; what they amount to stays.
    pub keep_days: u32,
    /// The identity that opens the vault, where its owner keeps it elsewhere than in the state folder.
    pub identity: Option<Opener>,
    /// Who can open the vault beside us.
    pub recipients: Vec<Recipient>,
    /// Where several machines share one store: its server. The key, the mark and the locks of this machine stay where they are.
    pub server: Option<Server>,
}

impl Place {
    /// The usual place beside this state folder.
    pub fn of(folder: &Path) -> Place {
        let mut mark = folder.as_os_str().to_owned();
        mark.push(".mark");
        Place {
            folder: folder.to_owned(),
            mark: mark.into(),
            keep_days: KEEP_DAYS,
            identity: None,
            recipients: Vec::new(),
            server: None,
        }
    }
}
