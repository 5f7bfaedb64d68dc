//! How the store is opened: whole, of this key and in the newest form, or not at all; the previous generation heals a
//! damaged one.

use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;

use super::folder::{self, broken};
use super::kept::no_chance;
use super::place::Place;
use super::previous::{self, FilesLock};
use super::schema;
use super::seal::Key;
use super::sqlite::{DAMAGED_CURE, FILE, Sqlite, fault};
use crate::clock::MachineClock;
use crate::ports::Clock;

/// Another process's transaction takes a millisecond; waiting longer than this means that something is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sealed at the first start; a key that opens it is the store's key.
pub(super) const PROBE: &str = "this store belongs to this key";
pub(super) const PROBE_PLACE: &str = "meta/probe";

/// Why a file could not be opened as a store.
enum Closed {
    /// What is in it is not whole; nothing of it may be believed.
    Damaged(Failure),
    Other(Failure),
}

impl Sqlite {
    /// Opens the store; makes one where there is none yet, and puts the previous generation in the place of one that is
    /// damaged or gone.
    pub(super) fn open(place: &Place, key: &Key) -> Result<Sqlite, Failure> {
        let path = place.folder.join(FILE);
        if !path.exists() {
            return Sqlite::first(place, key, &path);
        }
        match Sqlite::at(place, key, &path) {
            Ok(store) => Ok(store),
            Err(Closed::Other(failure)) => Err(failure),
            Err(Closed::Damaged(_)) => {
                let lock = FilesLock::hold(&place.folder)?;
                // Another process may have been here first.
                match Sqlite::at(place, key, &path) {
                    Ok(store) => Ok(store),
                    Err(Closed::Other(failure)) => Err(failure),
                    Err(Closed::Damaged(failure)) => Sqlite::again(place, key, &lock, failure),
                }
            }
        }
    }

    /// There is no store file: the first start, or one that was lost or is being replaced.
    fn first(place: &Place, key: &Key, path: &Path) -> Result<Sqlite, Failure> {
        let lock = FilesLock::hold(&place.folder)?;
        if !path.exists() && place.folder.join(previous::FILE).exists() {
            let gone = broken(Part::Store, format!("the store {} is gone", path.display()), DAMAGED_CURE);
            return Sqlite::again(place, key, &lock, gone);
        }
        if !path.exists() {
            lock.move_aside(path, MachineClock::start().now())?;
        }
        Sqlite::at(place, key, path).map_err(Closed::failure)
    }

    /// The previous generation, if it is whole and of this key; else what is wrong with the store.
    fn again(place: &Place, key: &Key, lock: &FilesLock, failure: Failure) -> Result<Sqlite, Failure> {
        let (path, previous) = (place.folder.join(FILE), place.folder.join(previous::FILE));
        if !is_whole(&previous, key) {
            return Err(failure);
        }
        lock.put_back(&path, MachineClock::start().now())?;
        tracing::warn!(
            %failure,
            "the store was damaged or gone, and its previous generation took its place; what was damaged lies beside it"
        );
        let store = Sqlite::at(place, key, &path).map_err(Closed::failure)?;
        Ok(Sqlite { healed: true, ..store })
    }

    fn at(place: &Place, key: &Key, path: &Path) -> Result<Sqlite, Closed> {
        // SQLite gives its journal the mode of the main file, so that one is made by us, for us alone.
        folder::touch_private(path).map_err(|e| Closed::Other(folder::cannot(path, "be opened", &e)))?;
        let closed = |e: rusqlite::Error| Closed::of(path, &e);
        let db = Connection::open(path).map_err(closed)?;
        db.busy_timeout(PATIENCE).map_err(closed)?;
        db.execute_batch("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;").map_err(closed)?;
        let word: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(closed)?;
        let damaged = |why: &str| {
            Closed::Damaged(broken(Part::Store, format!("the store {} {why}", path.display()), DAMAGED_CURE))
        };
        if word != "ok" {
            return Err(damaged("is damaged"));
        }
        let previous = place.folder.join(previous::FILE);
        if schema::form(&db).map_err(closed)? == 0 && previous.exists() {
            return Err(damaged("is empty"));
        }
        // Not before: this writes.
        db.execute_batch("PRAGMA journal_mode = WAL;").map_err(closed)?;
        let (path, folder) = (path.to_owned(), place.folder.clone());
        let store = Sqlite { db, path, folder, healed: false };
        store.prepare(key)?;
        Ok(store)
    }

    /// Brings the tables to the newest form. Several processes may come here at once; the first one that gets the write
    /// lock does the work, and each step is whole or not at all.
    fn prepare(&self, key: &Key) -> Result<(), Closed> {
        let closed = |e: rusqlite::Error| Closed::of(&self.path, &e);
        if schema::form(&self.db).map_err(closed)? < schema::FORM {
            let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).map_err(closed)?;
            let mut id = [0; 16];
            getrandom::fill(&mut id).map_err(|e| Closed::Other(no_chance(&e)))?;
            let id = HEXLOWER.encode(&id);
            match schema::form(&tx).map_err(closed)? {
                0 => {
                    schema::make(&tx, &id).map_err(closed)?;
                    let probe = key.seal(PROBE_PLACE, &Secret::new(PROBE.into()));
                    let probe = probe.map_err(|e| Closed::Other(no_chance(&e)))?;
                    tx.execute("INSERT INTO meta VALUES ('probe', ?1)", [probe]).map_err(closed)?;
                }
                1 => {
                    // Links of another key would be worth nothing.
                    self.check_key(&tx, key)?;
                    schema::chain_up(&tx, key, &id).map_err(closed)?;
                }
                _ => {}
            }
            tx.commit().map_err(closed)?;
        }
        match schema::form(&self.db).map_err(closed)? {
            schema::FORM => self.check_key(&self.db, key),
            v => {
                let why = format!("{} was written by a newer firstbell (form {v})", self.path.display());
                let cure = "Install that version, or move the file away and begin anew.";
                Err(Closed::Other(broken(Part::Store, why, cure)))
            }
        }
    }

    fn check_key(&self, db: &Connection, key: &Key) -> Result<(), Closed> {
        let sql = "SELECT value FROM meta WHERE name = 'probe'";
        let sealed: Vec<u8> =
            db.query_row(sql, [], |row| row.get(0)).map_err(|e| Closed::of(&self.path, &e))?;
        key.open(PROBE_PLACE, &sealed).map(drop).map_err(|_| {
            let why = format!("the key in the vault does not open {}", self.path.display());
            let cure = "Put back the vault.age that belongs to this store; both are in the state folder.";
            Closed::Other(broken(Part::Key, why, cure))
        })
    }
}

impl Closed {
    fn of(path: &Path, error: &rusqlite::Error) -> Closed {
        let failure = fault(path, error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Closed::Damaged(failure),
            _ => Closed::Other(failure),
        }
    }

    fn failure(self) -> Failure {
        match self {
            Closed::Damaged(failure) | Closed::Other(failure) => failure,
        }
    }
}

/// Whether a file is a whole store of this key. Looks only.
fn is_whole(path: &Path, key: &Key) -> bool {
    let look = || -> rusqlite::Result<bool> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let word: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        let sql = "SELECT value FROM meta WHERE name = 'probe'";
        let sealed: Vec<u8> = db.query_row(sql, [], |row| row.get(0))?;
        let form = schema::form(&db)?;
        Ok(word == "ok" && (1..=schema::FORM).contains(&form) && key.open(PROBE_PLACE, &sealed).is_ok())
    };
    look().unwrap_or(false)
}
