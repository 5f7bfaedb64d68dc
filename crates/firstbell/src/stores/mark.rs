//! The mark: a small file beside the state folder that says what was seen last, so that a state folder which was put
//! back from a backup shows. Restoring the folder does not restore the mark.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use firstbell_core::failure::{Failure, Part};
use serde::{Deserialize, Serialize};

use super::chain::Head;
use super::folder::{self, broken};
use super::seal::{Key, Purpose};

/// Of a mark that waits for the store to be sealed anew.
const NEXT: &str = "next";
/// A mark has one short line for each account.
const BYTES_MAX: u64 = 1 << 20;

/// What a mark says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    version: u32,
    /// Which store it belongs to.
    pub(super) store: String,
    /// Whether it knows every account that ever wrote to this store. Where it does not, one that it lacks may have
    /// submitted something that the store has lost.
    pub(super) whole: bool,
    accounts: BTreeMap<String, Seen>,
}

/// The newest event of an account.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    seq: i64,
    link: String,
}

/// What lies where the mark should be.
#[derive(Debug)]
pub(super) enum Found {
    /// A mark that this key made.
    Mark(Mark),
    /// No file.
    Nothing,
    /// A file that is no mark of this key.
    Stranger,
}

impl Mark {
    pub(super) fn new(store: String, whole: bool) -> Mark {
        Mark { version: 1, store, whole, accounts: BTreeMap::new() }
    }

    /// Place and link of an account's newest event that was seen; none where the mark does not know the account.
    pub(super) fn seen(&self, account: &str) -> Option<(i64, &str)> {
        self.accounts.get(account).map(|seen| (seen.seq, seen.link.as_str()))
    }

    pub(super) fn see(&mut self, account: &str, head: Head) {
        let seen = Seen { seq: head.seq, link: HEXLOWER.encode(&head.link) };
        self.accounts.insert(account.to_owned(), seen);
    }
}

/// The mark's file, held by this process alone.
#[derive(Debug)]
pub(super) struct MarkFile<'a> {
    path: &'a Path,
    _lock: File,
}

impl MarkFile<'_> {
    /// Waits for its turn. Fails where the mark could not be written, before anything depends on it.
    pub(super) fn hold(path: &Path) -> Result<MarkFile<'_>, Failure> {
        let lock = beside(path, "lock");
        let mut options = OpenOptions::new();
        let file = folder::open_private(&lock, options.create(true).truncate(false).write(true))
            .map_err(|e| cannot(&lock, &e))?;
        folder::take(&file).map_err(|e| cannot(&lock, &e))?;
        Ok(MarkFile { path, _lock: file })
    }

    /// Reads the mark. Where the store has its new key already and whoever sealed it anew has not come to the mark yet, or never
    /// will, the one that waits is put in its place. A file that cannot be opened is a failure and no finding: what it says is not
    /// known yet.
    pub(super) fn read(&self, key: &Key) -> Result<Found, Failure> {
        let found = self.read_at(self.path, key)?;
        if !matches!(found, Found::Stranger) {
            return Ok(found);
        }
        let waiting = self.read_at(&beside(self.path, NEXT), key)?;
        if !matches!(waiting, Found::Mark(_)) {
            return Ok(found);
        }
        self.settle(true)?;
        Ok(waiting)
    }

    fn read_at(&self, path: &Path, key: &Key) -> Result<Found, Failure> {
        let mut text = String::new();
        let file = match folder::open_private(path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(e) => return Err(cannot(self.path, &e)),
        };
        match file.take(BYTES_MAX).read_to_string(&mut text) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::InvalidData => return Ok(Found::Stranger),
            Err(e) => return Err(cannot(self.path, &e)),
        }
        let parse = || {
            let (body, tag) = text.strip_suffix('\n')?.split_once('\n')?;
            let tag = HEXLOWER.decode(tag.as_bytes()).ok()?;
            let ours = key.fits(Purpose::Mark, &[body.as_bytes()], &tag);
            serde_json::from_str::<Mark>(body).ok().filter(|mark| ours && mark.version == 1)
        };
        Ok(parse().map_or(Found::Stranger, Found::Mark))
    }

    /// Writes the mark, whole or not at all; when this returns it survives a power cut.
    pub(super) fn write(&self, key: &Key, mark: &Mark) -> Result<(), Failure> {
        self.write_at(self.path, key, mark)
    }

    /// Writes the mark that will take this one's place, should the store come to have this key.
    pub(super) fn prepare(&self, key: &Key, mark: &Mark) -> Result<(), Failure> {
        self.write_at(&beside(self.path, NEXT), key, mark)
    }

    /// Puts the prepared mark in its place, or away; where there is none, nothing is to be done.
    pub(super) fn settle(&self, is_wanted: bool) -> Result<(), Failure> {
        let next = beside(self.path, NEXT);
        let settled = if is_wanted { fs::rename(&next, self.path) } else { fs::remove_file(&next) };
        match settled {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(cannot(self.path, &e)),
            Ok(()) => folder::sync(self.folder()).map_err(|e| cannot(self.path, &e)),
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn write_at(&self, path: &Path, key: &Key, mark: &Mark) -> Result<(), Failure> {
        let body = serde_json::to_string(mark).expect("a mark holds nothing that JSON cannot say");
        let tag = HEXLOWER.encode(&key.tag(Purpose::Mark, &[body.as_bytes()]));
        let new = beside(path, "new");
        let write = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file = folder::open_private(&new, options.create(true).truncate(true).write(true))?;
            file.write_all(format!("{body}\n{tag}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            folder::sync(self.folder())
        };
        write().map_err(|e| cannot(self.path, &e))
    }
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    let why = format!("the mark {} cannot be kept: {error}", path.display());
    let cure = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "The disk is full: free some space, then try again."
        }
        _ => {
            "It shows when an old backup was put back, so firstbell does not log in without it. Give this user a folder \
             to write it in, outside the state folder: mark = \"/path\" in the configuration."
        }
    };
    broken(Part::Store, why, cure)
}

#[cfg(test)]
mod tests {
    use firstbell_core::secret::SecretBytes;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(SecretBytes::new(vec![byte; 32]))
    }

    #[test]
    fn a_mark_that_waits_takes_its_place_when_the_store_has_its_key() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let path = folder.path().join("state.mark");
        let file = MarkFile::hold(&path).unwrap();
        file.write(&key(1), &Mark::new("old".into(), true)).unwrap();
        file.prepare(&key(2), &Mark::new("new".into(), true)).unwrap();
        let is = |found: Found, store: &str| matches!(found, Found::Mark(mark) if mark.store == store);
        assert!(is(file.read(&key(1)).unwrap(), "old"), "until the store has another key");
        assert!(matches!(file.read(&key(3)).unwrap(), Found::Stranger));
        // Whoever rekeys was killed here, or has not come further yet.
        assert!(is(file.read(&key(2)).unwrap(), "new"));
        assert!(!beside(&path, NEXT).exists() && is(file.read(&key(2)).unwrap(), "new"));
        file.settle(true).unwrap();
        assert!(is(file.read(&key(2)).unwrap(), "new"), "the one who comes later finds nothing to do");
    }
}
