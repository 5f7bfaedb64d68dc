//! The default store: one SQLite file, durable at each commit, with chained events and sealed tokens and secrets in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use firstbell_core::budget::Fingerprint;
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use firstbell_core::state::State;
use firstbell_core::token::Token;

use super::attest::{Weight, weight};
use super::chain::{Fault, Head};
use super::folder::broken;
use super::mark::MarkFile;
use super::place::Place;
use super::previous::FilesLock;
use super::seal::Key;
use crate::ports::{Flaw, Store, TokenChange, Vault, Verified};

pub(super) const FILE: &str = "store.db";
pub(super) const DAMAGED_CURE: &str = "The file is damaged: put it back from a backup. firstbell does not log in without \
    its history; if there is no backup, log in by hand once, then move store.db and store.previous.db away and store the \
    secrets anew.";
const BROKEN_CURE: &str = "firstbell does not log in on a history that is not whole, but a stored token may still be asked \
    for. Put the state folder back from a backup. If there is none, log in by hand once, then move store.db and \
    store.previous.db away and store the secrets anew.";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A store in one file, `store.db`, of the state folder.
#[derive(Debug)]
pub struct SqliteStore {
    pub(super) db: Connection,
    pub(super) key: Arc<Key>,
    pub(super) path: PathBuf,
    pub(super) place: Place,
    /// What histories came to when they were last looked at: a keeper looks often, and only the newest events are news. What
    /// is about to be gone on with is proven anew from its snapshot on.
    pub(super) folded: RefCell<BTreeMap<String, (State, Head)>>,
    /// Whether the previous generation had to take the store's place just now.
    pub(super) healed: bool,
}

impl SqliteStore {
    pub(super) fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        self.key.fingerprint(name, secret)
    }

    pub(super) fn begin(&self) -> Result<Transaction<'_>, Failure> {
        Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).map_err(|e| self.fault(&e))
    }

    /// Several questions about one moment.
    fn looking(&self) -> Result<Transaction<'_>, Failure> {
        Transaction::new_unchecked(&self.db, TransactionBehavior::Deferred).map_err(|e| self.fault(&e))
    }

    pub(super) fn seal(&self, place: &str, secret: &Secret) -> Result<Vec<u8>, Failure> {
        self.key.seal(place, secret).map_err(|e| no_chance(&e))
    }

    pub(super) fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<Secret, Failure> {
        self.key.open(place, sealed).map_err(|_| {
            let why = format!("{place} in {} is damaged or was moved there", self.path.display());
            broken(Part::Store, why, "Store the secret anew (firstbell secrets set), or log in again.")
        })
    }

    /// Keeps a copy of the whole store, from which a damaged one is healed. What was promised is kept without it.
    fn keep_previous(&self) {
        let copy = |into: &Path| {
            self.db.execute("VACUUM INTO ?1", [into.to_string_lossy()]).map(drop).map_err(|e| self.fault(&e))
        };
        let kept = FilesLock::hold(&self.place.folder).and_then(|lock| lock.keep(copy));
        if let Err(failure) = kept {
            tracing::warn!(%failure, "the store has no fresh copy beside it");
        }
    }

    fn prune(&self, account: &str, file: &MarkFile<'_>, before: Timestamp) -> Result<(), Failure> {
        let tx = self.begin()?;
        // What the mark points at must stay, or else the mark would fit nothing.
        if let Some(limit) = self.known(file, &tx, account)? {
            let pruned = self.chain(&tx, account).prune(before, limit);
            pruned.map_err(|fault| self.broken(account, fault))?;
        }
        tx.commit().map_err(|e| self.fault(&e))
    }

    fn tidy_is_due(&self, now: Timestamp) -> Result<bool, Failure> {
        let last = self.meta(&self.db, "tidied")?.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
        let last = last.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(last.is_none_or(|last| now < last || now.duration_since(last) >= DAY))
    }

    fn accounts(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.db.prepare("SELECT DISTINCT account FROM event")?;
        query.query_map([], |row| row.get(0))?.collect()
    }

    pub(super) fn fault(&self, error: &rusqlite::Error) -> Failure {
        fault(&self.path, error)
    }

    pub(super) fn broken(&self, account: &str, fault: Fault) -> Failure {
        match fault {
            Fault::Sql(e) => self.fault(&e),
            Fault::Broken { seq, why } => {
                let why = format!("event {seq} of {account} in {} {why}", self.path.display());
                broken(Part::Store, why, BROKEN_CURE)
            }
        }
    }
}

impl Store for SqliteStore {
    fn record(
        &self,
        account: &str,
        events: &[(Timestamp, Event)],
        change: TokenChange<'_>,
    ) -> Result<(), Failure> {
        let tx = self.begin()?;
        self.chain(&tx, account).append(events).map_err(|fault| self.broken(account, fault))?;
        self.change(&tx, account, &change)?;
        tx.commit().map_err(|e| self.fault(&e))?;
        let marked = match events.iter().map(|(_, event)| weight(event)).max() {
            None | Some(Weight::None) => Ok(()),
            Some(Weight::Some) => self.mark_up(account).or_else(|failure| {
                tracing::warn!(%failure, "the mark stays behind the store");
                Ok(())
            }),
            Some(Weight::All) => self.mark_up(account),
        };
        if matches!(change, TokenChange::Promote) {
            self.keep_previous();
        }
        marked
    }

    fn state(&self, account: &str) -> Result<State, Failure> {
        let tx = self.looking()?;
        let before = self.folded.borrow_mut().remove(account);
        let folded = self.chain(&tx, account).state_since(before);
        let folded = folded.map_err(|fault| self.broken(account, fault))?;
        self.folded.borrow_mut().insert(account.to_owned(), folded.clone());
        Ok(folded.0)
    }

    fn attest(&self, account: &str, at: Timestamp) -> Result<State, Failure> {
        self.attested(account, at)
    }

    fn history(&self, account: &str) -> Result<Vec<(Timestamp, Event)>, Failure> {
        let tx = self.looking()?;
        let mut history = Vec::new();
        let followed = self.chain(&tx, account).follow(&mut |at, event| history.push((at, event)));
        followed.map(|_| history).map_err(|fault| self.broken(account, fault))
    }

    fn verify(&self, account: &str) -> Result<Verified, Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let tx = self.looking()?;
        let mut found = Verified::default();
        let followed = self.chain(&tx, account).follow(&mut |at, _| {
            found.events += 1;
            found.from = found.from.or(Some(at));
            found.until = Some(at);
        });
        match followed {
            Ok((pruned, _)) => found.pruned = pruned.unsigned_abs(),
            Err(Fault::Broken { seq, why }) => found.flaw = Some(Flaw { seq: seq.unsigned_abs(), why }),
            Err(Fault::Sql(e)) => return Err(self.fault(&e)),
        }
        if found.flaw.is_none() {
            found.flaw = self.cut(&file, &tx, account)?;
        }
        Ok(found)
    }

    fn tidy(&self, now: Timestamp) -> Result<(), Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        if !self.tidy_is_due(now)? {
            return Ok(());
        }
        let before = now.checked_sub(DAY * i32::try_from(self.place.keep_days).unwrap_or(i32::MAX));
        let Ok(before) = before else { return Ok(()) };
        for account in self.accounts().map_err(|e| self.fault(&e))? {
            self.prune(&account, &file, before)?;
        }
        let sql = "INSERT OR REPLACE INTO meta VALUES ('tidied', CAST(?1 AS BLOB))";
        self.db.execute(sql, [now.as_millisecond().to_string()]).map(drop).map_err(|e| self.fault(&e))
    }

    fn current(&self, account: &str) -> Result<Option<Token>, Failure> {
        self.token(account, "current")
    }

    fn pending(&self, account: &str) -> Result<Option<Token>, Failure> {
        self.token(account, "pending")
    }
}

impl Vault for SqliteStore {
    fn keep(&self, account: &str, name: &str, secret: &Secret) -> Result<(), Failure> {
        let sealed = self.seal(&secret_place(account, name), secret)?;
        let sql = "INSERT OR REPLACE INTO secret VALUES (?1, ?2, ?3)";
        self.db.execute(sql, params![account, name, sealed]).map_err(|e| self.fault(&e))?;
        self.keep_previous();
        Ok(())
    }

    fn fetch(&self, account: &str, name: &str) -> Result<Option<Secret>, Failure> {
        let sql = "SELECT sealed FROM secret WHERE account = ?1 AND name = ?2";
        let sealed: Option<Vec<u8>> = self
            .db
            .query_row(sql, [account, name], |row| row.get(0))
            .optional()
            .map_err(|e| self.fault(&e))?;
        sealed.map(|sealed| self.open_sealed(&secret_place(account, name), &sealed)).transpose()
    }

    fn forget(&self, account: &str, name: &str) -> Result<bool, Failure> {
        let sql = "DELETE FROM secret WHERE account = ?1 AND name = ?2";
        let was = self.db.execute(sql, [account, name]).map(|rows| rows > 0).map_err(|e| self.fault(&e))?;
        // What is forgotten must not come back with the copy.
        FilesLock::hold(&self.place.folder)?.forget()?;
        self.keep_previous();
        Ok(was)
    }
}

fn secret_place(account: &str, name: &str) -> String {
    format!("secret/{account}/{name}")
}

pub(super) fn no_chance(error: &getrandom::Error) -> Failure {
    broken(Part::Store, format!("the system gives no random bytes: {error}"), "Try again in a minute.")
}

pub(super) fn fault(path: &Path, error: &rusqlite::Error) -> Failure {
    let cure = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "The disk is full: free some space, then try again.",
        Some(ErrorCode::ReadOnly) => {
            "The file system or the file is read-only: check the drive and the file's mode."
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "Another process holds the store; try again."
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DAMAGED_CURE,
        _ => "Check the drive and the state folder.",
    };
    broken(Part::Store, format!("the store {} failed: {error}", path.display()), cure)
}
