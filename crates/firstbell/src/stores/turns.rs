//! Who may log an account in, and who keeps the accounts: one process on this machine by the kernel's word, and one machine of all
//! by the database's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};

use super::folder::{self, FolderLease, LoginLock, broken};
use super::postgres::{Candidate, Fences, Held, Server, turn_of};

/// Another machine's login takes seconds.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The way to an account's turn, for any thread.
#[derive(Clone, Debug)]
pub struct Turns {
    pub(super) folder: PathBuf,
    pub(super) shared: Option<(Arc<Server>, Fences)>,
}

/// Held while an account logs in: nobody else does so, on no machine.
#[derive(Debug)]
pub struct Turn {
    _row: Option<Held>,
    _lock: LoginLock,
}

impl Turns {
    /// Keeps everybody else from logging this account in while the result lives; none where somebody does so now.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the lock file cannot be opened, or the database not be asked.
    pub fn try_take(&self, account: &str) -> Result<Option<Turn>, Failure> {
        let Some(lock) = folder::try_lock_login(&self.folder, account)? else { return Ok(None) };
        let Some((server, fences)) = &self.shared else { return Ok(Some(Turn { _row: None, _lock: lock })) };
        let row = Candidate::new(server, turn_of(account)).try_take(fences)?;
        Ok(row.map(|row| Turn { _row: Some(row), _lock: lock }))
    }

    /// The same, but waits; to be called on a thread that may block.
    ///
    /// # Errors
    /// As above.
    pub fn take(&self, account: &str) -> Result<Turn, Failure> {
        let lock = folder::lock_login(&self.folder, account)?;
        let Some((server, fences)) = &self.shared else { return Ok(Turn { _row: None, _lock: lock }) };
        let mut candidate = Candidate::new(server, turn_of(account));
        loop {
            if let Some(row) = candidate.try_take(fences)? {
                return Ok(Turn { _row: Some(row), _lock: lock });
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the database tells nobody that a row's time is over"
            )]
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// For the owner's word that an account is well: a login that is under way has a submission out, and its verdict must not
    /// be forgotten before it comes.
    ///
    /// # Errors
    /// [`Failure::Broken`] while a login is under way.
    pub fn unlocking(&self, account: &str) -> Result<Turn, Failure> {
        self.try_take(account)?.ok_or_else(|| {
            let why = "a login of this account is under way".to_owned();
            broken(Part::Store, why, "Wait for its end, then run firstbell unlock again.")
        })
    }
}

/// A process that wants to keep the accounts.
#[derive(Debug)]
pub struct Heir {
    pub(super) folder: PathBuf,
    pub(super) name: &'static str,
    pub(super) row: Option<Candidate>,
    pub(super) fences: Fences,
}

/// Held by the one process of all machines that keeps the accounts.
#[derive(Debug)]
pub struct Lease {
    pub(super) row: Option<Held>,
    _file: FolderLease,
}

impl Heir {
    /// Makes this process the keeper while the result lives; none where another process is.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the lock file cannot be opened, or the database not be asked.
    pub fn try_lease(&mut self) -> Result<Option<Lease>, Failure> {
        let Some(file) = folder::try_lease(&self.folder, self.name)? else { return Ok(None) };
        let Some(candidate) = &mut self.row else { return Ok(Some(Lease { row: None, _file: file })) };
        Ok(candidate.try_take(&self.fences)?.map(|row| Lease { row: Some(row), _file: file }))
    }
}

impl Lease {
    /// Ends when another machine took it over, because this one did not renew it in time. Never where there is one machine.
    pub async fn lost(&self) {
        match &self.row {
            Some(row) => row.lost().await,
            None => std::future::pending().await,
        }
    }
}
