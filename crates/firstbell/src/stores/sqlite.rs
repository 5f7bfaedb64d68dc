//! The default store: one SQLite file, durable at each commit, with sealed tokens and secrets in it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use firstbell_core::budget::Fingerprint;
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};

use super::folder::{self, broken};
use super::seal::Key;
use crate::ports::{Store, TokenChange, Vault};
use crate::record;

pub(super) const FILE: &str = "store.db";
/// Another process's transaction takes a millisecond; waiting longer than this means that something is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sealed at the first start; a key that opens it is the store's key.
const PROBE: &str = "this store belongs to this key";
const SCHEMA: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE event (account TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, version INTEGER NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (account, seq)) STRICT;
    CREATE TABLE token (account TEXT NOT NULL, slot TEXT NOT NULL, api_key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        issued_ms INTEGER NOT NULL, trusted_until_ms INTEGER NOT NULL, suspect_from_ms INTEGER NOT NULL,
        dead_from_ms INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (account, slot)) STRICT;
    CREATE TABLE secret (account TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (account, name)) STRICT;
    PRAGMA user_version = 1;";

/// A store in one file, `store.db`, of the state folder.
#[derive(Debug)]
pub struct SqliteStore {
    db: Connection,
    key: Key,
    path: PathBuf,
}

impl SqliteStore {
    pub(super) fn open(state: &Path, key: Key) -> Result<SqliteStore, Failure> {
        let path = state.join(FILE);
        // SQLite gives its journal the mode of the main file, so that one is made by us, for us alone.
        folder::open_private(&path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .map_err(|e| folder::cannot(&path, "be opened", &e))?;
        let store = |e: rusqlite::Error| fault(&path, &e);
        let db = Connection::open(&path).map_err(store)?;
        db.busy_timeout(PATIENCE).map_err(store)?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;",
        )
        .map_err(store)?;
        let sqlite = SqliteStore { db, key, path: path.clone() };
        sqlite.prepare()?;
        Ok(sqlite)
    }

    pub(super) fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        self.key.fingerprint(name, secret)
    }

    fn prepare(&self) -> Result<(), Failure> {
        let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        if version(&self.db).map_err(|e| self.fault(&e))? == 0 {
            let tx = self.begin()?;
            // Several processes may come here at once; the first one that gets the write lock makes the tables.
            if version(&tx).map_err(|e| self.fault(&e))? == 0 {
                tx.execute_batch(SCHEMA).map_err(|e| self.fault(&e))?;
                let probe = self.seal("meta/probe", &Secret::new(PROBE.into()))?;
                tx.execute("INSERT INTO meta VALUES ('probe', ?1)", [probe]).map_err(|e| self.fault(&e))?;
            }
            tx.commit().map_err(|e| self.fault(&e))?;
        }
        match version(&self.db).map_err(|e| self.fault(&e))? {
            1 => self.check_key(),
            v => {
                let why = format!("{} was written by a newer firstbell (form {v})", self.path.display());
                Err(broken(Part::Store, why, "Install that version, or move the file away and begin anew."))
            }
        }
    }

    fn check_key(&self) -> Result<(), Failure> {
        let sealed: Vec<u8> = self
            .db
            .query_row("SELECT value FROM meta WHERE name = 'probe'", [], |row| row.get(0))
            .map_err(|e| self.fault(&e))?;
        self.key.open("meta/probe", &sealed).map(drop).map_err(|_| {
            let why = format!("the key file does not open {}", self.path.display());
            broken(
                Part::Key,
                why,
                "Put back the key file that belongs to this store; both are in the state folder.",
            )
        })
    }

    fn begin(&self) -> Result<Transaction<'_>, Failure> {
        Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).map_err(|e| self.fault(&e))
    }

    fn seal(&self, place: &str, secret: &Secret) -> Result<Vec<u8>, Failure> {
        self.key.seal(place, secret).map_err(|e| {
            broken(Part::Store, format!("the system gives no random bytes: {e}"), "Try again in a minute.")
        })
    }

    fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<Secret, Failure> {
        self.key.open(place, sealed).map_err(|_| {
            let why = format!("{place} in {} is damaged or was moved there", self.path.display());
            broken(Part::Store, why, "Store the secret anew (firstbell secrets set), or log in again.")
        })
    }

    fn token(&self, account: &str, slot: &str) -> Result<Option<Token>, Failure> {
        let query =
            "SELECT generation, issued_ms, trusted_until_ms, suspect_from_ms, dead_from_ms, sealed, api_key
            FROM token WHERE account = ?1 AND slot = ?2";
        let row = self
            .db
            .query_row(query, [account, slot], |row| {
                let numbers: [i64; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
                Ok((numbers, row.get::<_, Vec<u8>>(5)?, row.get::<_, String>(6)?))
            })
            .optional()
            .map_err(|e| self.fault(&e))?;
        let Some((numbers, sealed, api_key)) = row else { return Ok(None) };
        let damaged = || {
            let why = format!("the token of {account} in {} is damaged", self.path.display());
            broken(Part::Store, why, "Log in again: firstbell login.")
        };
        let [generation, times @ ..] = numbers;
        let generation = u64::try_from(generation).map_err(|_| damaged())?;
        let life = life_of(times).ok_or_else(damaged)?;
        let secret = self.open_sealed(&token_place(account, &api_key, generation, &life), &sealed)?;
        let access = Access::parse(secret).ok_or_else(damaged)?;
        Ok(Some(Token { access, api_key, generation, life }))
    }

    fn change(&self, tx: &Transaction<'_>, account: &str, change: &TokenChange<'_>) -> Result<(), Failure> {
        let run = |sql: &str| tx.execute(sql, [account]).map_err(|e| self.fault(&e));
        match change {
            TokenChange::Keep => {}
            TokenChange::Pend(token) => {
                let sealed = self.seal(
                    &token_place(account, &token.api_key, token.generation, &token.life),
                    token.access.secret(),
                )?;
                let life = &token.life;
                let row = params![
                    account,
                    token.api_key,
                    i64::try_from(token.generation).expect("generations are counted one by one"),
                    life.issued.as_millisecond(),
                    life.trusted_until.as_millisecond(),
                    life.suspect_from.as_millisecond(),
                    life.dead_from.as_millisecond(),
                    sealed
                ];
                let sql = "INSERT OR REPLACE INTO token VALUES (?1, 'pending', ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                tx.execute(sql, row).map_err(|e| self.fault(&e))?;
            }
            TokenChange::Promote => {
                run("DELETE FROM token WHERE account = ?1 AND slot = 'current'")?;
                let moved = run("UPDATE token SET slot = 'current' WHERE account = ?1 AND slot = 'pending'")?;
                // The caller's transaction is dropped with this error, and the current token stays.
                if moved != 1 {
                    let why = "another process changed the token in this moment".into();
                    return Err(broken(Part::Store, why, "Run firstbell login again."));
                }
            }
            TokenChange::Drop => drop(run("DELETE FROM token WHERE account = ?1 AND slot = 'pending'")?),
        }
        Ok(())
    }

    fn fault(&self, error: &rusqlite::Error) -> Failure {
        fault(&self.path, error)
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
        for (at, event) in events {
            let sql = "INSERT INTO event VALUES
                (?1, (SELECT coalesce(max(seq), 0) + 1 FROM event WHERE account = ?1), ?2, ?3, ?4)";
            tx.execute(sql, params![account, at.as_millisecond(), record::VERSION, record::write(event)])
                .map_err(|e| self.fault(&e))?;
        }
        self.change(&tx, account, &change)?;
        tx.commit().map_err(|e| self.fault(&e))
    }

    fn history(&self, account: &str) -> Result<Vec<(Timestamp, Event)>, Failure> {
        let damaged = |seq: i64| {
            let why = format!("event {seq} of {account} in {} cannot be read", self.path.display());
            let cure = "It may be of a newer firstbell, or damaged. Put the state folder back from a backup; firstbell \
                        will not log in on a history that it cannot read.";
            broken(Part::Store, why, cure)
        };
        let sql = "SELECT seq, at_ms, version, body FROM event WHERE account = ?1 ORDER BY seq";
        let mut query = self.db.prepare(sql).map_err(|e| self.fault(&e))?;
        let mut rows = query.query([account]).map_err(|e| self.fault(&e))?;
        let mut history = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.fault(&e))? {
            let read = || -> rusqlite::Result<(i64, i64, u32, String)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            };
            let (seq, at_ms, version, body) = read().map_err(|e| self.fault(&e))?;
            let at = Timestamp::from_millisecond(at_ms).map_err(|_| damaged(seq))?;
            let event = record::read(&body).ok().filter(|_| version == record::VERSION);
            // A hole in the numbers is a history that somebody cut: what was spent there is not known.
            if seq != i64::try_from(history.len()).unwrap_or(i64::MAX) + 1 {
                return Err(damaged(seq));
            }
            history.push((at, event.ok_or_else(|| damaged(seq))?));
        }
        Ok(history)
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
        self.db.execute(sql, params![account, name, sealed]).map(drop).map_err(|e| self.fault(&e))
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
        self.db.execute(sql, [account, name]).map(|rows| rows > 0).map_err(|e| self.fault(&e))
    }
}

/// A token is bound to account, app, generation and all its times: nobody lengthens a life by editing the row.
fn token_place(account: &str, api_key: &str, generation: u64, life: &Life) -> String {
    let ms =
        [life.issued, life.trusted_until, life.suspect_from, life.dead_from].map(Timestamp::as_millisecond);
    format!("token/{account}/{api_key}/{generation}/{ms:?}")
}

fn secret_place(account: &str, name: &str) -> String {
    format!("secret/{account}/{name}")
}

fn life_of(times_ms: [i64; 4]) -> Option<Life> {
    let at = |ms| Timestamp::from_millisecond(ms).ok();
    let [issued, trusted_until, suspect_from, dead_from] = times_ms;
    Some(Life {
        issued: at(issued)?,
        trusted_until: at(trusted_until)?,
        suspect_from: at(suspect_from)?,
        dead_from: at(dead_from)?,
    })
}

fn fault(path: &Path, error: &rusqlite::Error) -> Failure {
    let cure = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "The disk is full: free some space, then try again.",
        Some(ErrorCode::ReadOnly) => {
            "The file system or the file is read-only: check the drive and the file's mode."
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "Another process holds the store; try again."
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "The file is damaged: put it back from a backup. firstbell does not log in without its history; if there \
             is no backup, log in by hand once, then move store.db away and store the secrets anew."
        }
        _ => "Check the drive and the state folder.",
    };
    broken(Part::Store, format!("the store {} failed: {error}", path.display()), cure)
}
