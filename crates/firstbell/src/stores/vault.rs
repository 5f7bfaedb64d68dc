//! The vault of a machine: one age file, which its owner can open too; old or new at any moment, with a copy of itself beside it.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::{Secret, SecretBytes};

use super::contents::Contents;
use super::folder::{self, broken, cannot};
use super::identity;
use super::kept::no_chance;
use super::key;
use super::place::Place;
use crate::age::{self, Fault, Identity};
use crate::ports::Vault;

pub(super) const FILE: &str = "vault.age";
pub(super) const PREVIOUS: &str = "vault.previous.age";
const DAMAGED: &str = "vault.damaged.age";
/// Thousands of secrets.
const BYTES_MAX: u64 = 4 << 20;
/// Two files that end in so many of the same bytes were one: each writing seals anew, under another key.
const TAIL_BYTES: usize = 32;
const CURE: &str = "Put vault.age and the identity that opens it back from a backup. If there is none, move vault.age, \
    vault.previous.age, store.db and store.previous.db away, log in by hand once, and store the secrets anew.";

/// The file, and what opens it.
#[derive(Debug)]
pub(super) struct VaultFile {
    place: Place,
    /// The first one is ours; more of them open what was written for them.
    identities: RefCell<Vec<Identity>>,
}

/// Held while the vault is made or changed: by one process at a time.
#[derive(Debug)]
struct VaultLock {
    _file: File,
}

impl VaultFile {
    /// Opens the vault; makes one around the key of an earlier version, or, where there is no store yet, around a new one.
    pub(super) fn open(place: &Place, fresh: bool) -> Result<(VaultFile, Contents), Failure> {
        let (path, previous) = (place.folder.join(FILE), place.folder.join(PREVIOUS));
        let is_there = || path.symlink_metadata().is_ok() || previous.symlink_metadata().is_ok();
        if is_there() {
            let vault = VaultFile::of(place, false)?;
            let contents = vault.read()?;
            return Ok((vault, contents));
        }
        let lock = VaultLock::hold(&place.folder)?;
        // Another process may have been here first.
        if is_there() {
            drop(lock);
            return VaultFile::open(place, false);
        }
        // A key without a store beside it sealed nothing here: it may be what this machine opens a shared store with.
        let contents = match key::read_old(&place.folder)? {
            _ if fresh => Contents::fresh().map_err(|e| no_chance(&e))?,
            Some(key) => Contents::of(&key),
            None => {
                let why = format!(
                    "the vault {} is gone, and the store beside it is sealed with a key in it",
                    path.display()
                );
                return Err(broken(Part::Key, why, CURE));
            }
        };
        let vault = VaultFile::of(place, true)?;
        vault.write(&contents)?;
        Ok((vault, contents))
    }

    fn of(place: &Place, fresh: bool) -> Result<VaultFile, Failure> {
        let identities = RefCell::new(identity::open(place, fresh)?);
        Ok(VaultFile { place: place.clone(), identities })
    }

    fn path(&self) -> PathBuf {
        self.place.folder.join(FILE)
    }

    /// What is in it; in its copy, where it is damaged or gone and the copy is whole.
    pub(super) fn read(&self) -> Result<Contents, Failure> {
        match self.look(FILE)? {
            Ok(contents) => Ok(contents),
            Err(_) => {
                let _lock = VaultLock::hold(&self.place.folder)?;
                self.healed()
            }
        }
    }

    /// As [`VaultFile::read`], by whoever holds the lock.
    fn healed(&self) -> Result<Contents, Failure> {
        let fault = match self.look(FILE)? {
            Ok(contents) => return Ok(contents),
            Err(fault) => fault,
        };
        let path = self.path();
        let Ok(contents) = self.look(PREVIOUS)? else {
            let why = match fault {
                Some(Fault::NotOurs) => format!("the identity does not open {}", path.display()),
                Some(fault) => format!("the vault {} does not open: {fault}", path.display()),
                None => format!("the vault {} is gone", path.display()),
            };
            return Err(broken(Part::Key, why, CURE));
        };
        if fault == Some(Fault::NotOurs) && !self.are_one()? {
            return Err(self.foreign());
        }
        if fault.is_some() {
            fs::rename(&path, self.place.folder.join(DAMAGED))
                .map_err(|e| cannot(&path, "be moved aside", &e))?;
        }
        self.write(&contents)?;
        tracing::warn!(
            "the vault was damaged or gone, and its copy took its place; what was damaged lies beside it"
        );
        Ok(contents)
    }

    /// Whether vault and copy were one file, of which the first was harmed where it says who opens it: a key that does not fit and
    /// a harmed line of the head look alike.
    fn are_one(&self) -> Result<bool, Failure> {
        let (vault, copy) =
            (self.bytes(FILE)?.unwrap_or_default(), self.bytes(PREVIOUS)?.unwrap_or_default());
        let same = vault.iter().rev().zip(copy.iter().rev()).take_while(|(a, b)| a == b).count();
        Ok(same >= TAIL_BYTES)
    }

    /// It may be the vault that somebody wants, with a key that he forgot to bring: it is not ours to move away.
    fn foreign(&self) -> Failure {
        let (path, previous) = (self.path(), self.place.folder.join(PREVIOUS));
        let own = self.identities.borrow().first().map(|own| own.recipient().to_string());
        broken(
            Part::Key,
            format!(
                "{} is somebody else's file: it was not written for the identity that is in use, {}; nothing was moved",
                path.display(),
                own.unwrap_or_default()
            ),
            &format!(
                "If it is the vault that you want, such as one from a backup, put the identity that opens it in place too (identity.txt \
                 in the state folder, or what [vault] names). If it is not, move it away: {} opens, and takes its place at the next \
                 command.",
                previous.display()
            ),
        )
    }

    /// What an interrupted change left to be done: its copy may still have what was forgotten. Only for a vault that opened, and
    /// whose store opened with it.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        if self.bytes(FILE)? == self.bytes(PREVIOUS)? {
            return Ok(());
        }
        let _lock = VaultLock::hold(&self.place.folder)?;
        self.copied()
    }

    /// As [`VaultFile::finish`], by whoever holds the lock.
    fn copied(&self) -> Result<(), Failure> {
        match self.bytes(FILE)? {
            Some(bytes) if self.bytes(PREVIOUS)?.as_ref() != Some(&bytes) && self.look(FILE)?.is_ok() => {
                self.replace(&self.place.folder.join(PREVIOUS), &bytes)
            }
            _ => Ok(()),
        }
    }

    /// One of the two files, where it is there.
    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.place.folder.join(name);
        let file = match folder::open_private(&path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(cannot(&path, "be used", &e)),
        };
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|e| cannot(&path, "be read", &e))?;
        Ok(Some(bytes))
    }

    /// What is in one of the two files; no fault where it is not there.
    fn look(&self, name: &str) -> Result<Result<Contents, Option<Fault>>, Failure> {
        let Some(bytes) = self.bytes(name)? else { return Ok(Err(None)) };
        let mut opened = age::open(&bytes, &self.identities.borrow());
        if opened.as_ref().err() == Some(&Fault::NotOurs) {
            // Somebody may have changed the identity while we lived.
            *self.identities.borrow_mut() = identity::open(&self.place, false)?;
            opened = age::open(&bytes, &self.identities.borrow());
        }
        let foreign = Some(Fault::Form("was not written by this firstbell, or by a newer one"));
        Ok(opened.map_err(Some).and_then(|plain| Contents::read(&plain).ok_or(foreign)))
    }

    /// Whether the identity is in the state folder, and so ours to change.
    pub(super) fn has_own_identity(&self) -> bool {
        self.place.identity.is_none()
    }

    /// Whether a new identity was to take an old one's place, and the old one is still there.
    pub(super) fn has_old_identity(&self) -> Result<bool, Failure> {
        Ok(self.has_own_identity() && identity::is_under_way(&self.place.folder)?)
    }

    /// A new identity comes before those that are there; what is written from now on is for it.
    pub(super) fn add_identity(&self) -> Result<(), Failure> {
        let new = Identity::random();
        let mut identities = self.identities.borrow_mut();
        identities.insert(0, new);
        identity::replace(&self.place.folder, &identities, true)
    }

    /// The new one goes again: nothing was sealed for it alone, and a copy of the old one that its owner has stays good.
    pub(super) fn take_back_identity(&self) -> Result<(), Failure> {
        let mut identities = self.identities.borrow_mut();
        if identities.len() > 1 {
            identities.remove(0);
        }
        identity::replace(&self.place.folder, &identities, false)
    }

    /// The one before it goes. The vault must have been written for the first one by now.
    pub(super) fn drop_old_identity(&self) -> Result<(), Failure> {
        let mut identities = self.identities.borrow_mut();
        if identities.len() > 1 {
            identities.remove(1);
        }
        identity::replace(&self.place.folder, &identities, false)
    }

    /// Changes it, where `change` says that it changed anything.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Contents) -> Result<(T, bool), Failure>,
    ) -> Result<T, Failure> {
        let _lock = VaultLock::hold(&self.place.folder)?;
        let mut contents = self.healed()?;
        let (given, changed) = change(&mut contents)?;
        match changed {
            true => self.write(&contents)?,
            // What was forgotten already may have been forgotten by halves.
            false => self.copied()?,
        }
        Ok(given)
    }

    /// The same for other eyes: an age file of all that is in it.
    pub(super) fn sealed(&self, seal: &dyn Fn(&SecretBytes) -> Vec<u8>) -> Result<Vec<u8>, Failure> {
        Ok(seal(&self.read()?.write()))
    }

    fn write(&self, contents: &Contents) -> Result<(), Failure> {
        // Whoever lives has the old identity in memory until it sees that there is another one.
        let known = if contents.is_rekeying() { usize::MAX } else { 1 };
        let own: Vec<_> = self.identities.borrow().iter().take(known).map(Identity::recipient).collect();
        let to: Vec<_> = own.into_iter().chain(self.place.recipients.iter().cloned()).collect();
        let sealed = age::seal(&contents.write(), &to);
        // The copy second: it never has what the vault has not yet, and what is forgotten is gone from both.
        for name in [FILE, PREVIOUS] {
            self.replace(&self.place.folder.join(name), &sealed)?;
        }
        Ok(())
    }

    /// Old or new, whole, at any moment; when this returns it survives a power cut.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let new = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file = folder::open_private(&new, options.create(true).truncate(true).write(true))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            folder::sync(&self.place.folder)
        };
        write().map_err(|e| cannot(path, "be written", &e))
    }
}

impl VaultLock {
    fn hold(state: &Path) -> Result<VaultLock, Failure> {
        let path = state.join("vault.lock");
        let mut options = OpenOptions::new();
        let file = folder::open_private(&path, options.create(true).truncate(false).write(true))
            .map_err(|e| cannot(&path, "be opened", &e))?;
        folder::take(&file).map_err(|e| cannot(&path, "be locked", &e))?;
        Ok(VaultLock { _file: file })
    }
}

impl Vault for VaultFile {
    fn keep(&self, account: &str, name: &str, secret: &Secret) -> Result<(), Failure> {
        self.change(|contents| {
            contents.keep(account, name, secret);
            Ok(((), true))
        })
    }

    fn fetch(&self, account: &str, name: &str) -> Result<Option<Secret>, Failure> {
        Ok(self.read()?.secret(account, name).cloned())
    }

    fn forget(&self, account: &str, name: &str) -> Result<bool, Failure> {
        self.change(|contents| {
            let was = contents.forget(account, name);
            Ok((was, was))
        })
    }
}
