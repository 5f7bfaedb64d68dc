//! Whether a history is the newest one that was seen on this machine: the store, held against the mark.

use data_encoding::HEXLOWER;
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::state::State;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::chain::Chain;
use super::folder::broken;
use super::mark::{Found, Mark, MarkFile};
use super::sqlite::SqliteStore;
use crate::ports::Flaw;

/// How much depends on the mark's knowing of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Nothing: it spends nothing.
    None,
    /// A backup without it would be noticed by an earlier one.
    Some,
    /// What comes after it must not happen before the mark knows it.
    All,
}

pub(super) fn weight(event: &Event) -> Weight {
    match event {
        Event::Intent { .. } | Event::Unlocked | Event::Restored => Weight::All,
        Event::Began { .. } | Event::Exchanging | Event::Issued { .. } => Weight::None,
        Event::Dropped { .. } | Event::Failed { .. } => Weight::None,
        // Of the rest, one that changes the budget must be known, and the others do no harm.
        _ => Weight::Some,
    }
}

/// A mark for this store, and whether an account's history goes on from where the mark saw it.
struct Look {
    mark: Mark,
    fits: bool,
}

impl SqliteStore {
    /// Proves the chain from the newest snapshot on, and that no later event of it was ever seen here. Where one was, or
    /// nobody knows, the history begins anew with [`Event::Restored`]. Leaves an up-to-date mark.
    pub(super) fn attested(&self, account: &str, at: Timestamp) -> Result<State, Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let tx = self.begin()?;
        let chain = self.chain(&tx, account);
        let (mut state, mut head) = chain.state().map_err(|fault| self.broken(account, fault))?;
        let Look { mut mark, fits } = self.look(&file, &tx, account)?;
        if !fits {
            tracing::warn!(account, mark = %self.place.mark.display(), "the history is not the newest one that was seen here");
            head = chain.append(&[(at, Event::Restored)]).map_err(|fault| self.broken(account, fault))?;
            state.take(at, &Event::Restored);
        }
        tx.commit().map_err(|e| self.fault(&e))?;
        mark.see(account, head);
        self.write_mark(&file, &mark)?;
        Ok(state)
    }

    /// Writes down that these events were seen, after they were written.
    pub(super) fn mark_up(&self, account: &str) -> Result<(), Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let Look { mut mark, fits } = self.look(&file, &self.db, account)?;
        if !fits {
            let why = format!("the mark {} knows another history of {account}", self.place.mark.display());
            return Err(broken(Part::Store, why, "Run firstbell login again."));
        }
        mark.see(account, self.chain(&self.db, account).head().map_err(|e| self.fault(&e))?);
        self.write_mark(&file, &mark)
    }

    /// The place up to which the mark knows the history; none where the two do not fit.
    pub(super) fn known(
        &self,
        file: &MarkFile<'_>,
        db: &Connection,
        account: &str,
    ) -> Result<Option<i64>, Failure> {
        let Look { mark, fits } = self.look(file, db, account)?;
        Ok(fits.then(|| mark.seen(account).map_or(0, |(seq, _)| seq)))
    }

    /// What the mark knows and the history does not have.
    pub(super) fn cut(
        &self,
        file: &MarkFile<'_>,
        db: &Connection,
        account: &str,
    ) -> Result<Option<Flaw>, Failure> {
        let Look { mark, fits } = self.look(file, db, account)?;
        let end = self.chain(db, account).head().map_err(|e| self.fault(&e))?.seq;
        let (seq, why) = match mark.seen(account) {
            Some((seq, _)) if seq > end => (end + 1, "was seen here once, and is cut off"),
            Some((seq, _)) => (seq, "is not the one that was seen here"),
            None => (end + 1, "may be cut off: there is no mark that knows this history"),
        };
        Ok((!fits).then(|| Flaw { seq: seq.unsigned_abs(), why }))
    }

    fn look(&self, file: &MarkFile<'_>, db: &Connection, account: &str) -> Result<Look, Failure> {
        let id = String::from_utf8_lossy(&self.meta(db, "id")?.unwrap_or_default()).into_owned();
        Ok(match file.read(&self.key)? {
            Found::Mark(mark) if mark.store == id => {
                let fits = match mark.seen(account) {
                    None => mark.whole,
                    Some((seq, link)) => {
                        let ours = self.chain(db, account).link_at(seq).map_err(|e| self.fault(&e))?;
                        ours.is_some_and(|ours| HEXLOWER.encode(&ours) == link)
                    }
                };
                Look { mark, fits }
            }
            // A store that is new, or of the time before there were marks.
            Found::Nothing if self.meta(db, "unmarked")?.is_some() => {
                Look { mark: Mark::new(id, true), fits: true }
            }
            Found::Nothing | Found::Mark(_) | Found::Stranger => {
                Look { mark: Mark::new(id, false), fits: false }
            }
        })
    }

    fn write_mark(&self, file: &MarkFile<'_>, mark: &Mark) -> Result<(), Failure> {
        file.write(&self.key, mark)?;
        if self.meta(&self.db, "unmarked")?.is_some() {
            let sql = "DELETE FROM meta WHERE name = 'unmarked'";
            self.db.execute(sql, []).map_err(|e| self.fault(&e))?;
        }
        Ok(())
    }

    pub(super) fn meta(&self, db: &Connection, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        db.query_row(sql, [name], |row| row.get(0)).optional().map_err(|e| self.fault(&e))
    }

    /// The chain of an account.
    pub(super) fn chain<'a>(&'a self, db: &'a Connection, account: &'a str) -> Chain<'a> {
        Chain { db, key: &self.key, account }
    }
}
