//! New keys for a store and its vault while others use them: everything is sealed anew in one transaction, and whoever lives sees
//! by the store's probe that it has another key. Killed anywhere, the next opener goes on or goes back.
//!
//! The order: a new identity beside the old one; the next key in the vault, for both; the store under it, with a mark that
//! waits; the mark in its place; the vault without the old key, for the new identity alone; the old identity gone.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use rustix::fs::{FlockOperation, flock};

use super::chain::{Chain, GENESIS, Head, link, numbers, parts};
use super::folder::{self, broken, cannot};
use super::kept::{Kept, no_chance};
use super::mark::{Found, Mark, MarkFile};
use super::opening::{PROBE, PROBE_PLACE};
use super::seal::{Key, Purpose, Tag};
use super::sql::{Aim, Lost, Value, values};
use super::tokens::{life_of, token_place};
use super::vault::VaultFile;

/// What has new keys.
#[derive(Clone, Copy, Debug)]
pub struct Rekeyed {
    /// Whether the vault has a new identity too: not where its owner keeps that elsewhere.
    pub identity: bool,
}

pub(super) fn rekey(kept: &Kept) -> Result<Rekeyed, Failure> {
    let Some(vault) = &kept.file else {
        let why = "the store is shared by several machines, and its key is a file of each of them".into();
        return Err(broken(Part::Key, why, "Rekeying is for a store of one machine."));
    };
    let Some(_lock) = hold(&kept.place.folder)? else {
        return Err(broken(
            Part::Key,
            "another process is rekeying this store".into(),
            "Wait until it is done.",
        ));
    };
    settle(kept, vault)?;
    let identity = vault.has_own_identity();
    if identity {
        vault.add_identity()?;
    }
    let begun = vault.change(|contents| {
        contents.begin_rekey().map_err(|e| no_chance(&e))?;
        Ok((contents.keys().1.expect("it was just made"), true))
    });
    if let Err(failure) = begun.and_then(|next| kept.seal_anew(&next)) {
        // Everything is as it was then, the identity first: until the vault is written again it is for both.
        if identity && !kept.has_key(vault.read()?.keys().1.as_ref())? {
            vault.take_back_identity()?;
        }
        // What else can be taken back is, now or by the next opener.
        settle(kept, vault)?;
        return Err(failure);
    }
    settle(kept, vault)?;
    Ok(Rekeyed { identity })
}

/// What a rekeying that was killed left; nothing where one lives.
pub(super) fn go_on(kept: &Kept) -> Result<(), Failure> {
    let Some(vault) = &kept.file else { return Ok(()) };
    if !vault.has_old_identity()? && !vault.read()?.is_rekeying() {
        return Ok(());
    }
    match hold(&kept.place.folder)? {
        Some(_lock) => settle(kept, vault),
        None => Ok(()),
    }
}

/// To its end, or back: whichever key the store has is the one.
fn settle(kept: &Kept, vault: &VaultFile) -> Result<(), Failure> {
    let contents = vault.read()?;
    if contents.is_rekeying() {
        let mark = MarkFile::hold(&kept.place.mark)?;
        let is_sealed = kept.has_key(contents.keys().1.as_ref())?;
        mark.settle(is_sealed)?;
        if is_sealed {
            // It is sealed with the old key.
            kept.db.forget_copy()?;
            kept.db.keep_copy();
        }
        vault.change(|contents| {
            contents.end_rekey(is_sealed);
            Ok(((), true))
        })?;
    }
    if vault.has_old_identity()? {
        // One that was broken off before it came to the vault left that to the old identity.
        vault.change(|_| Ok(((), true)))?;
        vault.drop_old_identity()?;
    }
    Ok(())
}

/// Keeps other processes from rekeying; none where one does so now.
fn hold(state: &Path) -> Result<Option<File>, Failure> {
    let path = state.join("rekey.lock");
    let mut options = OpenOptions::new();
    let file = folder::open_private(&path, options.create(true).truncate(false).write(true));
    let file = file.map_err(|e| cannot(&path, "be opened", &e))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(cannot(&path, "be locked", &e.into())),
    }
}

impl Kept {
    /// Whether this is the key that the store has now.
    fn has_key(&self, key: Option<&Key>) -> Result<bool, Failure> {
        let _tx = self.begin(Aim::Look)?;
        let probe = self.meta("probe")?.unwrap_or_default();
        Ok(key.is_some_and(|key| key.open(PROBE_PLACE, &probe).is_ok()))
    }

    /// All that hangs on the key, under another one: whole or not at all.
    fn seal_anew(&self, next: &Key) -> Result<(), Failure> {
        let file = MarkFile::hold(&self.place.mark)?;
        let tx = self.begin(Aim::Write)?;
        let old = self.key();
        let mark = file.read(&old)?;
        self.tokens_anew(&old, next)?;
        let sql = "SELECT account FROM event UNION SELECT account FROM snapshot";
        let mut heads = BTreeMap::new();
        for mut row in self.db.rows(sql, &[])? {
            let account = row.text(0)?;
            let seen = match &mark {
                Found::Mark(mark) => self.seen(mark, &account)?,
                Found::Nothing | Found::Stranger => None,
            };
            let chain = Chain { db: &*self.db, key: Arc::clone(&old), account: &account };
            // A history that is not whole must not come out of this as one that is.
            chain.follow(&mut |_, _| {}).map_err(|fault| self.broken(&account, fault))?;
            chain.anew(next)?;
            if let Some(seq) = seen {
                let link = chain.link_at(seq)?.expect("it was there before");
                heads.insert(account, Head { seq, link });
            }
        }
        let probe = next.seal(PROBE_PLACE, &Secret::new(PROBE.into())).map_err(|e| no_chance(&e))?;
        self.set_meta("probe", &probe)?;
        match mark {
            Found::Mark(mut mark) => {
                heads.iter().for_each(|(account, head)| mark.see(account, *head));
                file.prepare(next, &mark)?;
            }
            // What was worth nothing is worth nothing under another key.
            Found::Nothing | Found::Stranger => {}
        }
        tx.commit().map_err(Lost::failure)
    }

    /// The place of an account's history that the mark knows, where the two fit.
    fn seen(&self, mark: &Mark, account: &str) -> Result<Option<i64>, Failure> {
        let Some((seq, link)) = mark.seen(account) else { return Ok(None) };
        let ours = self.chain(account).link_at(seq)?;
        Ok(ours.is_some_and(|ours| data_encoding::HEXLOWER.encode(&ours) == link).then_some(seq))
    }

    fn tokens_anew(&self, old: &Key, next: &Key) -> Result<(), Failure> {
        let sql = "SELECT account, slot, api_key, generation, issued_ms, trusted_until_ms, suspect_from_ms, dead_from_ms, sealed
            FROM token";
        for mut row in self.db.rows(sql, &[])? {
            let (account, slot, api_key) = (row.text(0)?, row.text(1)?, row.text(2)?);
            let damaged = || {
                let why = format!("the token of {account} in {} is damaged", self.db.name());
                broken(Part::Store, why, "Log in again: firstbell login. Then rekey.")
            };
            let life = life_of([row.number(4)?, row.number(5)?, row.number(6)?, row.number(7)?])
                .ok_or_else(damaged)?;
            let generation = u64::try_from(row.number(3)?).map_err(|_| damaged())?;
            let place = token_place(&account, &api_key, generation, &life);
            let token = old.open(&place, &row.bytes(8)?).map_err(|_| damaged())?;
            let sealed = next.seal(&place, &token).map_err(|e| no_chance(&e))?;
            let sql = "UPDATE token SET sealed = ?3 WHERE account = ?1 AND slot = ?2";
            self.db.run(sql, values![account.as_str(), slot, sealed.as_slice()])?;
        }
        Ok(())
    }
}

impl Chain<'_> {
    /// Every link and every snapshot, under another key. The chain is whole, and the place before its first event stays what it is.
    fn anew(&self, next: &Key) -> Result<(), Failure> {
        let mut links = BTreeMap::<i64, Tag>::new();
        let sql = "SELECT seq, at_ms, version, body FROM event WHERE account = ?1 ORDER BY seq";
        for mut row in self.db.rows(sql, values![self.account])? {
            let (seq, at_ms, body) = (row.number(0)?, row.number(1)?, row.text(3)?);
            let version = u32::try_from(row.number(2)?).expect("the chain is whole");
            let before = match links.last_key_value() {
                Some((_, link)) => *link,
                None if seq == 1 => GENESIS,
                None => self.link_at(seq - 1)?.expect("the chain is whole"),
            };
            let link = link(next, &before, self.account, (seq, at_ms, version, &body));
            links.insert(seq, link);
            let sql = "UPDATE event SET link = ?3 WHERE account = ?1 AND seq = ?2";
            self.db.run(sql, values![self.account, seq, link])?;
        }
        let sql = "SELECT seq, version, body, link, tag FROM snapshot WHERE account = ?1";
        for mut row in self.db.rows(sql, values![self.account])? {
            let (seq, body, link, tag) = (row.number(0)?, row.text(2)?, row.tag(3)?, row.tag(4)?);
            let numbers = numbers((seq, 0, u32::try_from(row.number(1)?).unwrap_or(u32::MAX), ""));
            if !self.key.fits(Purpose::Snapshot, &parts(&link, self.account, &numbers, &body), &tag) {
                let why = format!("a snapshot of {} was changed or is damaged", self.account);
                return Err(broken(Part::Store, why, self.db.broken_cure()));
            }
            let link = links.get(&seq).copied().unwrap_or(link);
            let tag = next.tag(Purpose::Snapshot, &parts(&link, self.account, &numbers, &body));
            let sql = "UPDATE snapshot SET link = ?3, tag = ?4 WHERE account = ?1 AND seq = ?2";
            self.db.run(sql, values![self.account, seq, link, tag])?;
        }
        Ok(())
    }
}
