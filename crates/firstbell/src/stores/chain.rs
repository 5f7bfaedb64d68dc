//! The chain of events: each carries a keyed hash over itself and the one before it, so that no event can be changed,
//! taken out, put in or moved; and the snapshots that stand for the events before them.

use std::sync::Arc;

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::state::State;
use jiff::Timestamp;

use super::seal::{Key, Purpose, Tag};
use super::sql::{Sql, Value, values};
use crate::record;

/// Before the first event.
pub(super) const GENESIS: Tag = [0; 32];
/// A snapshot is written when this many events came: opening a history folds fewer than twice as many.
const SNAPSHOT_EVERY: i64 = 256;

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) link: Tag,
}

const START: Head = Head { seq: 0, link: GENESIS };

/// Why a history could not be followed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database's own word.
    Failed(Failure),
    /// The chain breaks at this event.
    Broken { seq: i64, why: &'static str },
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Failed(failure)
    }
}

/// The chain of one account. Whoever asks more than one thing does so inside one transaction.
#[derive(Clone, Debug)]
pub(super) struct Chain<'a> {
    pub(super) db: &'a dyn Sql,
    pub(super) key: Arc<Key>,
    pub(super) account: &'a str,
}

/// The link of an event: over the link before it, the account, and all that the row says.
pub(super) fn link(key: &Key, before: &Tag, account: &str, event: (i64, i64, u32, &str)) -> Tag {
    key.tag(Purpose::Link, &parts(before, account, &numbers(event), event.3))
}

pub(super) fn numbers((seq, at_ms, version, _): (i64, i64, u32, &str)) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&seq.to_be_bytes());
    bytes[8..16].copy_from_slice(&at_ms.to_be_bytes());
    bytes[16..].copy_from_slice(&version.to_be_bytes());
    bytes
}

pub(super) fn parts<'a>(
    before: &'a Tag,
    account: &'a str,
    numbers: &'a [u8],
    body: &'a str,
) -> [&'a [u8]; 4] {
    [before, account.as_bytes(), numbers, body.as_bytes()]
}

impl Chain<'_> {
    /// Where the chain ends, as the rows say.
    pub(super) fn head(&self) -> Result<Head, Failure> {
        let newest = |table: &str| -> Result<Head, Failure> {
            let sql = format!("SELECT seq, link FROM {table} WHERE account = ?1 ORDER BY seq DESC LIMIT 1");
            let row = self.db.rows(&sql, values![self.account])?.pop();
            row.map_or(Ok(START), |mut row| Ok(Head { seq: row.number(0)?, link: row.tag(1)? }))
        };
        // A snapshot beyond the last event stands for events that are gone.
        let (event, snapshot) = (newest("event")?, newest("snapshot")?);
        Ok(if snapshot.seq > event.seq { snapshot } else { event })
    }

    /// The link at this place, if it is still there.
    pub(super) fn link_at(&self, seq: i64) -> Result<Option<Tag>, Failure> {
        if seq == 0 {
            return Ok(Some(GENESIS));
        }
        let sql = "SELECT link FROM event WHERE account = ?1 AND seq = ?2
            UNION ALL SELECT link FROM snapshot WHERE account = ?1 AND seq = ?2 LIMIT 1";
        self.db.rows(sql, values![self.account, seq])?.pop().map(|mut row| row.tag(0)).transpose()
    }

    /// Appends events, and a snapshot where enough of them came. To be called in a transaction.
    pub(super) fn append(&self, events: &[(Timestamp, Event)]) -> Result<Head, Fault> {
        let mut head = self.head()?;
        let before = head.seq;
        for (at, event) in events {
            let (seq, at_ms, body) = (head.seq + 1, at.as_millisecond(), record::write(event));
            let link = link(&self.key, &head.link, self.account, (seq, at_ms, record::VERSION, &body));
            let row = values![self.account, seq, at_ms, record::VERSION, body, link];
            self.db.run("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?;
            head = Head { seq, link };
        }
        if head.seq / SNAPSHOT_EVERY > before / SNAPSHOT_EVERY {
            let (state, head) = self.state()?;
            self.keep(&state, head)?;
            // The one that stands for events which are gone stays, and so does the newest.
            let sql = "DELETE FROM snapshot WHERE account = ?1 AND seq < ?2
                AND seq >= (SELECT min(seq) FROM event WHERE account = ?1)";
            self.db.run(sql, values![self.account, head.seq])?;
        }
        Ok(head)
    }

    /// What the history amounts to: the newest snapshot, and the events after it.
    pub(super) fn state(&self) -> Result<(State, Head), Fault> {
        self.state_until(i64::MAX)
    }

    fn state_until(&self, until: i64) -> Result<(State, Head), Fault> {
        let base = self.snapshot(until, record::SNAPSHOT_VERSION)?.unwrap_or_default();
        self.state_from(base, until)
    }

    fn state_from(&self, (mut state, from): (State, Head), until: i64) -> Result<(State, Head), Fault> {
        let head = self.walk(from, until, &mut |_, at, event| state.take(at, &event))?;
        Ok((state, head))
    }

    /// The same as [`Chain::state`] for whoever folded this history before: only what came since is read, where the chain
    /// still holds the place that it had come to.
    pub(super) fn state_since(&self, before: Option<(State, Head)>) -> Result<(State, Head), Fault> {
        match before {
            Some((state, head)) if self.link_at(head.seq)? == Some(head.link) => {
                self.state_from((state, head), i64::MAX)
            }
            _ => self.state(),
        }
    }

    /// Every event that is still there, oldest first, with each snapshot on the way compared.
    pub(super) fn follow(&self, take: &mut dyn FnMut(Timestamp, Event)) -> Result<(i64, Head), Fault> {
        let first = self.number("SELECT min(seq) FROM event WHERE account = ?1", values![self.account])?;
        let start = first.map_or(i64::MAX, |first| first - 1);
        let base = if start > 0 { self.snapshot(start, record::SNAPSHOT_VERSION)? } else { None };
        let (mut state, from) = base.unwrap_or_default();
        // One that was moved before the first event is none of ours either.
        let mut kept = self.snapshots(if from.seq == 0 { i64::MIN } else { from.seq })?;
        let mut misfit = None;
        let head = self.walk(from, i64::MAX, &mut |seq, at, event| {
            state.take(at, &event);
            if let Some((_, text)) = kept.pop_if(|(at_seq, _)| *at_seq == seq) {
                let fits = text.as_deref() == Some(&record::write_state(&state));
                misfit = misfit.or((!fits).then_some(seq));
            }
            take(at, event);
        })?;
        if let Some(seq) = misfit.or(kept.last().map(|(seq, _)| *seq)) {
            return Err(Fault::Broken { seq, why: "is not what the snapshot after it stands for" });
        }
        Ok((from.seq, head))
    }

    /// Deletes the events that are older than this moment and not after `limit`, and leaves a snapshot in their place.
    /// To be called in a transaction.
    pub(super) fn prune(&self, before: Timestamp, limit: i64) -> Result<(), Fault> {
        let sql = "SELECT min(seq) FROM event WHERE account = ?1 AND at_ms >= ?2";
        let first = self.number(sql, values![self.account, before.as_millisecond()])?;
        let until = first.map_or(i64::MAX, |first| first - 1).min(limit);
        let sql = "SELECT count(*) FROM event WHERE account = ?1 AND seq <= ?2";
        if self.number(sql, values![self.account, until])? == Some(0) {
            return Ok(());
        }
        let (state, head) = self.state_until(until)?;
        self.keep(&state, head)?;
        let row = values![self.account, head.seq];
        self.db.run("DELETE FROM event WHERE account = ?1 AND seq <= ?2", row)?;
        self.db.run("DELETE FROM snapshot WHERE account = ?1 AND seq < ?2", row)?;
        Ok(())
    }

    /// The one number that a question has for an answer.
    fn number(&self, sql: &str, values: &[Value]) -> Result<Option<i64>, Failure> {
        self.db.rows(sql, values)?.first().map_or(Ok(None), |row| row.maybe_number(0))
    }

    fn keep(&self, state: &State, head: Head) -> Result<(), Failure> {
        let (body, version) = (record::write_state(state), record::SNAPSHOT_VERSION);
        let numbers = numbers((head.seq, 0, version, ""));
        let tag = self.key.tag(Purpose::Snapshot, &parts(&head.link, self.account, &numbers, &body));
        let row = values![self.account, head.seq, version, body, head.link, tag];
        let sql = "INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account, seq)
            DO UPDATE SET version = excluded.version, body = excluded.body, link = excluded.link, tag = excluded.tag";
        self.db.run(sql, row).map(drop)
    }

    /// The newest snapshot of this version, not after `until`.
    fn snapshot(&self, until: i64, version: u32) -> Result<Option<(State, Head)>, Fault> {
        let sql =
            "SELECT seq, body, link, tag FROM snapshot WHERE account = ?1 AND seq <= ?2 AND version = ?3
            ORDER BY seq DESC LIMIT 1";
        let row = self.db.rows(sql, values![self.account, until, version])?.pop();
        let Some(mut row) = row else { return Ok(None) };
        let (seq, body, link, tag) = (row.number(0)?, row.text(1)?, row.tag(2)?, row.tag(3)?);
        let numbers = numbers((seq, 0, version, ""));
        let ours = self.key.fits(Purpose::Snapshot, &parts(&link, self.account, &numbers, &body), &tag);
        let state = record::read_state(&body).ok().filter(|_| ours);
        let state =
            state.ok_or(Fault::Broken { seq, why: "has a snapshot that was changed or is damaged" })?;
        Ok(Some((state, Head { seq, link })))
    }

    /// Place and text of the snapshots after a place, the last one first; no text for one whose hash does not fit.
    fn snapshots(&self, after: i64) -> Result<Vec<(i64, Option<String>)>, Fault> {
        let sql =
            "SELECT seq FROM snapshot WHERE account = ?1 AND seq > ?2 AND version = ?3 ORDER BY seq DESC";
        let rows = self.db.rows(sql, values![self.account, after, record::SNAPSHOT_VERSION])?;
        let places = rows.iter().map(|row| row.number(0)).collect::<Result<Vec<_>, _>>()?;
        let text = |seq| match self.snapshot(seq, record::SNAPSHOT_VERSION) {
            Ok(found) => Ok((seq, found.map(|(state, _)| record::write_state(&state)))),
            Err(Fault::Broken { .. }) => Ok((seq, None)),
            Err(fault) => Err(fault),
        };
        places.into_iter().map(text).collect()
    }

    /// Reads the events after `from`, each with its link proven.
    fn walk(
        &self,
        from: Head,
        until: i64,
        take: &mut dyn FnMut(i64, Timestamp, Event),
    ) -> Result<Head, Fault> {
        let sql = "SELECT seq, at_ms, version, body, link FROM event
            WHERE account = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq";
        let mut head = from;
        for mut row in self.db.rows(sql, values![self.account, from.seq, until])? {
            let (seq, at_ms, body, link) = (row.number(0)?, row.number(1)?, row.text(3)?, row.bytes(4)?);
            // A version that does not fit was written by nobody.
            let version = u32::try_from(row.number(2)?).unwrap_or(u32::MAX);
            // A hole in the numbers is a history that somebody cut: what was spent there is not known.
            if seq != head.seq + 1 {
                return Err(Fault::Broken { seq: head.seq + 1, why: "is missing" });
            }
            let numbers = numbers((seq, at_ms, version, &body));
            if !self.key.fits(Purpose::Link, &parts(&head.link, self.account, &numbers, &body), &link) {
                return Err(Fault::Broken { seq, why: "is not as it was written, or not in its place" });
            }
            let unread = Fault::Broken { seq, why: "cannot be read: it may be of a newer firstbell" };
            let event = record::read(&body).ok().filter(|_| version == record::VERSION);
            let (Ok(at), Some(event)) = (Timestamp::from_millisecond(at_ms), event) else {
                return Err(unread);
            };
            take(seq, at, event);
            head = Head { seq, link: Tag::try_from(link).expect("a link that fits has its length") };
        }
        Ok(head)
    }
}

impl Default for Head {
    fn default() -> Head {
        START
    }
}
