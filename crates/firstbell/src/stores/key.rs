//! The key file: 32 random bytes of which everything sealed in a shared database depends. Of a store on this machine, the key is in
//! the vault; earlier versions had it here.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::SecretBytes;
use zeroize::Zeroizing;

use super::folder::{self, broken};
use super::seal::Key;

pub(super) const FILE: &str = "key";
const LEN: usize = 32;

/// Reads the key; makes one where neither a key nor a store is there yet.
pub(super) fn open(state: &Path, fresh: bool) -> Result<Key, Failure> {
    let path = state.join(FILE);
    match folder::open_private(&path, OpenOptions::new().read(true)) {
        Ok(file) => read(&path, file),
        Err(e) if e.kind() == ErrorKind::NotFound && fresh => make(state, &path),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(broken(
            Part::Key,
            format!("the key file {} is gone, and the store is sealed with it", path.display()),
            "Put the key file back from your backup, or copy it from another node.",
        )),
        Err(e) => Err(unusable(&path, &e)),
    }
}

/// The key file of a version that kept no vault beside its store, if it is there.
pub(super) fn read_old(state: &Path) -> Result<Option<SecretBytes>, Failure> {
    let path = state.join(FILE);
    match folder::open_private(&path, OpenOptions::new().read(true)) {
        Ok(file) => read_bytes(&path, file).map(Some),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unusable(&path, &e)),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    let why = format!("the key file {} cannot be used: {error}", path.display());
    broken(Part::Key, why, "It must be a plain file of yours with mode 600: chmod 600 it.")
}

fn read(path: &Path, file: File) -> Result<Key, Failure> {
    read_bytes(path, file).map(Key::new)
}

fn read_bytes(path: &Path, mut file: File) -> Result<SecretBytes, Failure> {
    // One byte more than a key has, so that a longer file shows; the buffer never grows and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LEN + 1));
    let cannot = |e: std::io::Error| folder::cannot(path, "be read", &e);
    (&mut file).take(LEN as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() != LEN {
        let why = format!("the key file {} has {} bytes, not {LEN}", path.display(), bytes.len());
        return Err(broken(Part::Key, why, "Put the key file back from your backup."));
    }
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

fn make(state: &Path, path: &Path) -> Result<Key, Failure> {
    let mut bytes = vec![0; LEN];
    getrandom::fill(&mut bytes).map_err(|e| {
        broken(
            Part::Key,
            format!("the system gives no random bytes: {e}"),
            "Try again when the machine has started.",
        )
    })?;
    let key = SecretBytes::new(bytes);
    // Written whole beside it and then linked to its name: a key file is there with all its bytes, or not at all.
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file =
            folder::open_private(&beside, OpenOptions::new().write(true).create(true).truncate(true))?;
        file.write_all(key.expose())?;
        file.sync_all()?;
        std::fs::hard_link(&beside, path)?;
        File::open(state)?.sync_all()
    };
    let written = write();
    let _ = std::fs::remove_file(&beside);
    match written {
        Ok(()) => Ok(Key::new(key)),
        // Another process made it in the same moment: its key is the one.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => open(state, false),
        Err(e) => Err(folder::cannot(path, "be written", &e)),
    }
}
