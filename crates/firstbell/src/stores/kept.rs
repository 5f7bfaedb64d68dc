//! The store, whatever database it is in: chained events, and tokens and secrets that are sealed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use firstbell_core::budget::Fingerprint;
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use firstbell_core::state::State;
use firstbell_core::token::Token;
use jiff::{SignedDuration, Timestamp};

use super::attest::{Weight, weight};
use super::chain::{Fault, Head};
use super::folder::broken;
use super::mark::MarkFile;
use super::opening::PROBE_PLACE;
use super::place::Place;
use super::seal::Key;
use super::sql::{Aim, Lost, Sql, Transaction, Value, values};
use super::vault::VaultFile;
use crate::ports::{Flaw, Store, TokenChange, Vault, Verified};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A store in a database.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) db: Box<dyn Sql>,
    key: RefCell<Arc<Key>>,
    /// Where the store is this machine's own; several that share one have the vault in it.
    pub(super) file: Option<VaultFile>,
    pub(super) place: Place,
    /// This machine's name, where several share the store.
    pub(super) node: Option<String>,
    /// What histories came to when they were last looked at: a keeper looks often, and only the newest events are news. What
    /// is about to be gone on with is proven anew from its snapshot on.
    pub(super) folded: RefCell<BTreeMap<String, (State, Head)>>,
}

impl Kept {
    pub(super) fn new(db: Box<dyn Sql>, key: Arc<Key>, place: &Place, node: Option<String>) -> Kept {
        let key = RefCell::new(key);
        Kept { db, key, file: None, place: place.clone(), node, folded: RefCell::default() }
    }

    pub(super) fn key(&self) -> Arc<Key> {
        Arc::clone(&self.key.borrow())
    }

    /// Begins a transaction, with the key that the store has now.
    pub(super) fn begin(&self, aim: Aim<'_>) -> Result<Transaction<'_>, Failure> {
        let tx = Transaction::begin(&*self.db, aim)?;
        if let Some(file) = &self.file {
            self.follow_key(file)?;
        }
        Ok(tx)
    }

    /// Somebody may have sealed the store anew while this process lives.
    fn follow_key(&self, file: &VaultFile) -> Result<(), Failure> {
        let probe = self.meta("probe")?.unwrap_or_default();
        let opens = |key: &Key| key.open(PROBE_PLACE, &probe).is_ok();
        if opens(&self.key()) {
            return Ok(());
        }
        let (key, next) = file.read()?.keys();
        let found = [Some(key), next].into_iter().flatten().find(opens).ok_or_else(|| {
            let why = format!("the key in the vault does not open {} any more", self.db.name());
            broken(Part::Key, why, "Put back the vault.age that belongs to this store.")
        })?;
        *self.key.borrow_mut() = Arc::new(found);
        self.folded.borrow_mut().clear();
        Ok(())
    }

    pub(super) fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        self.key().fingerprint(name, secret)
    }

    fn looking(&self) -> Result<Transaction<'_>, Failure> {
        self.begin(Aim::Look)
    }

    pub(super) fn seal(&self, place: &str, secret: &Secret) -> Result<Vec<u8>, Failure> {
        self.key().seal(place, secret).map_err(|e| no_chance(&e))
    }

    pub(super) fn open_sealed(&self, place: &str, sealed: &[u8]) -> Result<Secret, Failure> {
        self.key().open(place, sealed).map_err(|_| {
            let why = format!("{place} in {} is damaged or was moved there", self.db.name());
            broken(Part::Store, why, "Store the secret anew (firstbell secrets set), or log in again.")
        })
    }

    fn prune(&self, account: &str, file: &MarkFile<'_>, before: Timestamp) -> Result<(), Failure> {
        let tx = self.begin(Aim::Append { account, spends: false })?;
        // What the mark points at must stay, or else the mark would fit nothing.
        if let Some(limit) = self.known(file, account)? {
            let pruned = self.chain(account).prune(before, limit);
            pruned.map_err(|fault| self.broken(account, fault))?;
        }
        tx.commit().map_err(Lost::failure)
    }

    fn tidy_is_due(&self, now: Timestamp) -> Result<bool, Failure> {
        let _tx = self.looking()?;
        let last = self.meta("tidied")?.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
        let last = last.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(last.is_none_or(|last| now < last || now.duration_since(last) >= DAY))
    }

    fn accounts(&self) -> Result<Vec<String>, Failure> {
        let _tx = self.looking()?;
        let rows = self.db.rows("SELECT DISTINCT account FROM event", &[])?;
        rows.into_iter().map(|mut row| row.text(0)).collect()
    }

    pub(super) fn broken(&self, account: &str, fault: Fault) -> Failure {
        match fault {
            Fault::Failed(failure) => failure,
            Fault::Broken { seq, why } => {
                let why = format!("event {seq} of {account} in {} {why}", self.db.name());
                broken(Part::Store, why, self.db.broken_cure())
            }
        }
    }
}

/// Whether something leaves this machine after the event, or what left it is forgotten.
fn spends(event: &Event) -> bool {
    matches!(event, Event::Intent { .. } | Event::Exchanging | Event::Unlocked)
}

impl Store for Kept {
    fn record(
        &self,
        account: &str,
        events: &[(Timestamp, Event)],
        change: TokenChange<'_>,
    ) -> Result<(), Failure> {
        let spends = events.iter().any(|(_, event)| spends(event));
        let tx = self.begin(Aim::Append { account, spends })?;
        let head = self.chain(account).append(events).map_err(|fault| self.broken(account, fault))?;
        self.change(account, &change)?;
        self.settled(tx.commit(), account, (!events.is_empty()).then_some(head))?;
        let marked = match events.iter().map(|(_, event)| weight(event)).max() {
            None | Some(Weight::None) => Ok(()),
            Some(Weight::Some) => self.mark_up(account).or_else(|failure| {
                tracing::warn!(%failure, "the mark stays behind the store");
                Ok(())
            }),
            Some(Weight::All) => self.mark_up(account),
        };
        if matches!(change, TokenChange::Promote) {
            self.db.keep_copy();
        }
        marked?;
        if spends { self.db.in_time() } else { Ok(()) }
    }

    fn state(&self, account: &str) -> Result<State, Failure> {
        let _tx = self.looking()?;
        let before = self.folded.borrow_mut().remove(account);
        let folded = self.chain(account).state_since(before);
        let folded = folded.map_err(|fault| self.broken(account, fault))?;
        self.folded.borrow_mut().insert(account.to_owned(), folded.clone());
        Ok(folded.0)
    }

    fn attest(&self, account: &str, at: Timestamp) -> Result<State, Failure> {
        self.attested(account, at)
    }

    fn history(&self, account: &str) -> Result<Vec<(Timestamp, Event)>, Failure> {
        let _tx = self.looking()?;
        let mut history = Vec::new();
        let followed = self.chain(account).follow(&mut |at, event| history.push((at, event)));
        followed.map(|_| history).map_err(|fault| self.broken(account, fault))
    }

    fn verify(&self, account: &str) -> Result<Verified, Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let _tx = self.looking()?;
        let mut found = Verified::default();
        let followed = self.chain(account).follow(&mut |at, _| {
            found.events += 1;
            found.from = found.from.or(Some(at));
            found.until = Some(at);
        });
        match followed {
            Ok((pruned, _)) => found.pruned = pruned.unsigned_abs(),
            Err(Fault::Broken { seq, why }) => found.flaw = Some(Flaw { seq: seq.unsigned_abs(), why }),
            Err(Fault::Failed(failure)) => return Err(failure),
        }
        if found.flaw.is_none() {
            found.flaw = self.cut(&file, account)?;
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
        for account in self.accounts()? {
            self.prune(&account, &file, before)?;
        }
        let tx = self.begin(Aim::Write)?;
        self.set_meta("tidied", now.as_millisecond().to_string().as_bytes())?;
        tx.commit().map_err(Lost::failure)
    }

    fn current(&self, account: &str) -> Result<Option<Token>, Failure> {
        let _tx = self.looking()?;
        self.token(account, "current")
    }

    fn pending(&self, account: &str) -> Result<Option<Token>, Failure> {
        let _tx = self.looking()?;
        self.token(account, "pending")
    }
}

impl Vault for Kept {
    fn keep(&self, account: &str, name: &str, secret: &Secret) -> Result<(), Failure> {
        let sealed = self.seal(&secret_place(account, name), secret)?;
        let tx = self.begin(Aim::Write)?;
        let sql = "INSERT INTO secret VALUES (?1, ?2, ?3) ON CONFLICT (account, name)
            DO UPDATE SET sealed = excluded.sealed";
        self.db.run(sql, values![account, name, sealed.as_slice()])?;
        tx.commit().map_err(Lost::failure)?;
        self.db.keep_copy();
        Ok(())
    }

    fn fetch(&self, account: &str, name: &str) -> Result<Option<Secret>, Failure> {
        let sql = "SELECT sealed FROM secret WHERE account = ?1 AND name = ?2";
        let _tx = self.looking()?;
        let row = self.db.rows(sql, values![account, name])?.pop();
        let sealed = row.map(|mut row| row.bytes(0)).transpose()?;
        sealed.map(|sealed| self.open_sealed(&secret_place(account, name), &sealed)).transpose()
    }

    fn forget(&self, account: &str, name: &str) -> Result<bool, Failure> {
        let sql = "DELETE FROM secret WHERE account = ?1 AND name = ?2";
        let tx = self.begin(Aim::Write)?;
        let was = self.db.run(sql, values![account, name])? > 0;
        tx.commit().map_err(Lost::failure)?;
        self.db.forget_copy()?;
        self.db.keep_copy();
        Ok(was)
    }
}

pub(super) fn secret_place(account: &str, name: &str) -> String {
    format!("secret/{account}/{name}")
}

pub(super) fn no_chance(error: &getrandom::Error) -> Failure {
    broken(Part::Store, format!("the system gives no random bytes: {error}"), "Try again in a minute.")
}
