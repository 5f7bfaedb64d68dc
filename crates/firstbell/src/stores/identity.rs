//! The identity that opens the vault: from where its owner keeps it, else a file in the state folder.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::{Secret, SecretBytes};
use zeroize::Zeroizing;

use super::folder::{self, broken};
use super::place::Place;
use crate::age::{self, Identity};
use crate::censor;

pub(super) const FILE: &str = "identity.txt";
/// The same under a passphrase, as `age -p` writes it.
const SEALED: &str = "identity.age";
/// The first line while a rekey is under way: without it, further identities are the owner's own, and stay.
const UNDER_WAY: &str = "# a rekey is under way: the first of these takes the place of the second\n";
/// A few identities with their comments.
const BYTES_MAX: u64 = 4096;
const GONE: &str = "Put the identity back from your backup. Without it the vault can be opened by its other recipients only \
    (vault.recipients), with age -d. If there are none, move vault.age, vault.previous.age, store.db and store.previous.db away \
    and store the secrets anew with firstbell secrets set.";

/// The identities, one at least; makes one where there is nothing yet that it should open.
pub(super) fn open(place: &Place, fresh: bool) -> Result<Vec<Identity>, Failure> {
    if let Some(opener) = &place.identity {
        return read(&opener.ask()?, "what [vault] names");
    }
    let path = place.folder.join(FILE);
    match folder::open_private(&path, OpenOptions::new().read(true)) {
        Ok(file) => read(&text(&path, file)?, &path.display().to_string()),
        Err(e) if e.kind() == ErrorKind::NotFound && fresh => {
            make(&place.folder, &path)?;
            open(place, false)
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let why =
                format!("the identity {} is gone, and the vault beside it opens with it", path.display());
            Err(broken(Part::Key, why, GONE))
        }
        Err(e) => Err(broken(
            Part::Key,
            format!("the identity {} cannot be used: {e}", path.display()),
            "It must be a plain file of yours with mode 600: chmod 600 it.",
        )),
    }
}

/// The identity's file under a passphrase, as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedIdentity(Vec<u8>);

impl SealedIdentity {
    /// Reads it.
    ///
    /// # Errors
    /// Where there is none, or it is open to others.
    pub fn read(state: &Path) -> Result<SealedIdentity, Failure> {
        let path = state.join(SEALED);
        let file = folder::open_private(&path, OpenOptions::new().read(true)).map_err(|e| {
            let cure = "Make it in the state folder: age -p -o identity.age identity.txt (or age-keygen | age -p > identity.age), then \
                chmod 600 identity.age.";
            unusable(state, &e.to_string(), cure)
        })?;
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|e| folder::cannot(&path, "be read", &e))?;
        Ok(SealedIdentity(bytes))
    }

    /// What is in it.
    ///
    /// # Errors
    /// Where this passphrase is not its own.
    pub fn open(&self, state: &Path, passphrase: &Secret) -> Result<Secret, Failure> {
        let opened = age::open_with_passphrase(&self.0, passphrase).map_err(|fault| {
            let why = fault.to_string().replace("this key", "this passphrase");
            unusable(state, &why, "Try again with the passphrase of this file.")
        })?;
        let text =
            std::str::from_utf8(opened.expose()).map_err(|_| unusable(state, "it holds no text", GONE))?;
        Ok(Secret::new(text.to_owned()))
    }

    /// Whether the same one lies there now: a living process knows what was in it, and would not notice before its next start.
    ///
    /// # Errors
    /// Where it is gone, open to others, or another one.
    pub fn is_still_there(&self, state: &Path) -> Result<(), Failure> {
        if SealedIdentity::read(state)? == *self {
            return Ok(());
        }
        let why = "it is not the one that was opened when firstbell started, and nobody knows whether it still opens the vault";
        let cure = "Put the identity.age of before back from a backup. If you gave it another passphrase, start firstbell anew to see that \
            it opens.";
        Err(unusable(state, why, cure))
    }
}

fn unusable(state: &Path, why: &str, cure: &str) -> Failure {
    let path = state.join(SEALED);
    broken(Part::Key, format!("the identity {} cannot be used: {why}", path.display()), cure)
}

/// A new identity under a passphrase, where the state folder has neither one nor a vault yet.
///
/// # Errors
/// Where it cannot be written.
pub fn make_sealed_identity(state: &Path, passphrase: &Secret) -> Result<(), Failure> {
    folder::prepare(state)?;
    let has = |name: &str| state.join(name).symlink_metadata().is_ok();
    if has(SEALED) || has(super::vault::FILE) || has(super::vault::PREVIOUS) {
        return Ok(());
    }
    let text = SecretBytes::new(Identity::random().text().expose().as_bytes().to_vec());
    let sealed = age::seal_with_passphrase(&text, passphrase);
    put(state, &state.join(SEALED), |file| file.write_all(&sealed))
}

/// Whether a new identity is taking an old one's place.
pub(super) fn is_under_way(state: &Path) -> Result<bool, Failure> {
    let path = state.join(FILE);
    match folder::open_private(&path, OpenOptions::new().read(true)) {
        Ok(file) => Ok(text(&path, file)?.expose().starts_with(UNDER_WAY)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(folder::cannot(&path, "be read", &e)),
    }
}

/// Puts these in the place of what is in the state folder, the first one being the one that counts; old or new at any moment.
/// With `under_way` the first is to take the second one's place.
pub(super) fn replace(state: &Path, identities: &[Identity], under_way: bool) -> Result<(), Failure> {
    let (path, new) = (state.join(FILE), state.join("identity.new"));
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = folder::open_private(&new, options.write(true).create(true).truncate(true))?;
        if under_way {
            file.write_all(UNDER_WAY.as_bytes())?;
        }
        identities.iter().try_for_each(|identity| write_one(&mut file, identity))?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        folder::sync(state)
    };
    write().map_err(|e| folder::cannot(&path, "be written", &e))
}

/// As `age-keygen` writes it.
fn write_one(file: &mut File, identity: &Identity) -> std::io::Result<()> {
    let head = format!("# what opens vault.age; made by firstbell\n# public key: {}\n", identity.recipient());
    file.write_all(head.as_bytes())?;
    file.write_all(identity.text().expose().as_bytes())?;
    file.write_all(b"\n")
}

fn text(path: &Path, file: File) -> Result<Secret, Failure> {
    let room = usize::try_from(BYTES_MAX).expect("it is small");
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(|e| folder::cannot(path, "be read", &e))?;
    Ok(Secret::new(std::mem::take(&mut *text)))
}

fn read(text: &Secret, from: &str) -> Result<Vec<Identity>, Failure> {
    let identities = Identity::read_all(text)
        .map_err(|why| broken(Part::Key, format!("the identity cannot be used: {from} {why}"), GONE))?;
    identities.iter().for_each(|identity| censor::know(&identity.own_part()));
    Ok(identities)
}

/// Makes an identity.
fn make(state: &Path, path: &Path) -> Result<(), Failure> {
    let identity = Identity::random();
    put(state, path, |file| write_one(file, &identity))
}

/// Makes a file: whole, or not at all. Of two processes that make it in the same moment, the first one's stays.
fn put(
    state: &Path,
    path: &Path,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let beside = state.join(format!("identity.new-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = folder::open_private(&beside, options.write(true).create(true).truncate(true))?;
        fill(&mut file)?;
        file.sync_all()?;
        match std::fs::hard_link(&beside, path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
            _ => folder::sync(state),
        }
    };
    let written = write();
    let _ = std::fs::remove_file(&beside);
    written.map_err(|e| folder::cannot(path, "be written", &e))
}
