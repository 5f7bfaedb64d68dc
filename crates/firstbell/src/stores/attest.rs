//! Whether a history is the newest one that was seen on this machine: the store, held against the mark.

use data_encoding::HEXLOWER;
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::state::State;
use jiff::Timestamp;

use super::chain::{Chain, Head};
use super::folder::broken;
use super::kept::Kept;
use super::mark::{Found, Mark, MarkFile};
use super::sql::{Aim, Lost, Value, values};
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

impl Kept {
    /// Proves the chain from the newest snapshot on, and that no later event of it was ever seen here. Where one was, or
    /// nobody knows, the history begins anew with [`Event::Restored`]. Leaves an up-to-date mark.
    pub(super) fn attested(&self, account: &str, at: Timestamp) -> Result<State, Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let tx = self.begin(Aim::Append { account, spends: false })?;
        let chain = self.chain(account);
        let (mut state, mut head) = chain.state().map_err(|fault| self.broken(account, fault))?;
        let Look { mut mark, fits } = self.look(&file, account)?;
        if !fits {
            tracing::warn!(account, mark = %self.place.mark.display(), "the history is not the newest one that was seen here");
            head = chain.append(&[(at, Event::Restored)]).map_err(|fault| self.broken(account, fault))?;
            state.take(at, &Event::Restored);
        }
        self.settled(tx.commit(), account, Some(head))?;
        mark.see(account, head);
        self.write_mark(&file, &mark)?;
        Ok(state)
    }

    /// Writes down that these events were seen, after they were written.
    pub(super) fn mark_up(&self, account: &str) -> Result<(), Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let tx = self.begin(Aim::Look)?;
        let Look { mut mark, fits } = self.look(&file, account)?;
        if !fits {
            let why = format!("the mark {} knows another history of {account}", self.place.mark.display());
            return Err(broken(Part::Store, why, "Run firstbell login again."));
        }
        mark.see(account, self.chain(account).head()?);
        drop(tx);
        self.write_mark(&file, &mark)
    }

    /// The place up to which the mark knows the history; none where the two do not fit.
    pub(super) fn known(&self, file: &MarkFile<'_>, account: &str) -> Result<Option<i64>, Failure> {
        let Look { mark, fits } = self.look(file, account)?;
        Ok(fits.then(|| mark.seen(account).map_or(0, |(seq, _)| seq)))
    }

    /// What the mark knows and the history does not have.
    pub(super) fn cut(&self, file: &MarkFile<'_>, account: &str) -> Result<Option<Flaw>, Failure> {
        let Look { mark, fits } = self.look(file, account)?;
        let end = self.chain(account).head()?.seq;
        let (seq, why) = match mark.seen(account) {
            Some((seq, _)) if seq > end => (end + 1, "was seen here once, and is cut off"),
            Some((seq, _)) => (seq, "is not the one that was seen here"),
            None => (end + 1, "may be cut off: there is no mark that knows this history"),
        };
        Ok((!fits).then(|| Flaw { seq: seq.unsigned_abs(), why }))
    }

    fn look(&self, file: &MarkFile<'_>, account: &str) -> Result<Look, Failure> {
        let id = String::from_utf8_lossy(&self.meta("id")?.unwrap_or_default()).into_owned();
        Ok(match file.read(&self.key())? {
            Found::Mark(mark) if mark.store == id => {
                let fits = match mark.seen(account) {
                    None => mark.whole,
                    Some((seq, link)) => {
                        let ours = self.chain(account).link_at(seq)?;
                        ours.is_some_and(|ours| HEXLOWER.encode(&ours) == link)
                    }
                };
                Look { mark, fits }
            }
            Found::Nothing if self.is_unmarked()? => Look { mark: Mark::new(id, true), fits: true },
            Found::Nothing | Found::Mark(_) | Found::Stranger => {
                Look { mark: Mark::new(id, false), fits: false }
            }
        })
    }

    fn write_mark(&self, file: &MarkFile<'_>, mark: &Mark) -> Result<(), Failure> {
        file.write(&self.key(), mark)?;
        let tx = self.begin(Aim::Write)?;
        if !self.is_unmarked()? {
            return Ok(());
        }
        match &self.node {
            None => drop(self.db.run("DELETE FROM meta WHERE name = 'unmarked'", &[])?),
            Some(node) => self.set_meta(&marked(node), b"")?,
        }
        tx.commit().map_err(Lost::failure)
    }

    /// Whether no mark was ever written here: a store that is new, or of the time before there were marks; and where several
    /// machines share one, a machine that is new to it.
    fn is_unmarked(&self) -> Result<bool, Failure> {
        Ok(match &self.node {
            None => self.meta("unmarked")?.is_some(),
            Some(node) => self.meta(&marked(node))?.is_none(),
        })
    }

    /// Where nobody knows whether a transaction was written, the history tells: its last link is there or is not. The events
    /// are not written again.
    pub(super) fn settled(
        &self,
        outcome: Result<(), Lost>,
        account: &str,
        head: Option<Head>,
    ) -> Result<(), Failure> {
        let failure = match outcome {
            Ok(()) => return Ok(()),
            Err(Lost::Whole(failure)) => return Err(failure),
            Err(Lost::Unknown(failure)) => failure,
        };
        let Some(head) = head else { return Err(failure) };
        // Its turn comes when the transaction of before is over, one way or the other.
        let _tx = self.begin(Aim::Append { account, spends: false })?;
        match self.chain(account).link_at(head.seq)? {
            Some(link) if link == head.link => Ok(()),
            _ => Err(failure),
        }
    }

    pub(super) fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let row = self.db.rows("SELECT value FROM meta WHERE name = ?1", values![name])?.pop();
        row.map(|mut row| row.bytes(0)).transpose()
    }

    pub(super) fn set_meta(&self, name: &str, value: &[u8]) -> Result<(), Failure> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.db.run(sql, values![name, value]).map(drop)
    }

    /// The chain of an account.
    pub(super) fn chain<'a>(&'a self, account: &'a str) -> Chain<'a> {
        Chain { db: &*self.db, key: self.key(), account }
    }
}

fn marked(node: &str) -> String {
    format!("marked/{node}")
}
