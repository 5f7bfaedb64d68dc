//! The state folder: ours alone, and one login of an account at a time in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use rustix::fs::{FlockOperation, OFlags, flock};

/// Together three seconds: a write of another process takes a hundredth of that, and eight at once are in line before us.
const LOCK_TRIES: u32 = 600;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// Makes the folder where it is missing, and refuses one that others can look into.
pub(super) fn prepare(folder: &Path) -> Result<(), Failure> {
    match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => {}
        Err(e) => return Err(cannot(folder, "be made", &e)),
    }
    let meta = fs::symlink_metadata(folder).map_err(|e| cannot(folder, "be read", &e))?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if !meta.is_dir() || !ours || meta.mode() & 0o077 != 0 {
        let why = format!("{} must be a folder of yours that nobody else can enter", folder.display());
        let cure = format!("Run: chmod 700 {0} && chown $(id -u) {0}", folder.display());
        return Err(broken(Part::Store, why, &cure));
    }
    Ok(())
}

/// Opens a file of the state folder that must be a plain file of ours which nobody else can read; refuses a link in
/// its place.
pub(super) fn open_private(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("flags of open fit in an int");
    let file = options.mode(0o600).custom_flags(nofollow).open(path)?;
    is_private(&file.metadata()?)?;
    Ok(file)
}

/// Makes the file of a database where it is missing, and refuses one that is not ours alone. One that is there is not
/// opened: closing it again would take away the locks that SQLite holds on it for this process (POSIX, fcntl), and another
/// process could take itself for the last one and remove the log.
pub(super) fn touch_private(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) => is_private(&meta),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            match open_private(path, OpenOptions::new().write(true).create_new(true)) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
                made => made.map(drop),
            }
        }
        Err(e) => Err(e),
    }
}

fn is_private(meta: &fs::Metadata) -> std::io::Result<()> {
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if !meta.is_file() || !ours || meta.mode() & 0o077 != 0 {
        let why = format!("it must be a file of yours with mode 600 (it has {:o})", meta.mode() & 0o777);
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

/// Makes names in a folder survive a power cut.
pub(super) fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Takes a lock that is held for milliseconds. Whoever holds it longer was stopped in its middle; this process must not stand
/// still with it.
#[expect(clippy::disallowed_methods, reason = "the kernel offers no lock with a time limit")]
pub(super) fn take(file: &File) -> std::io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            taken => return taken.map_err(Into::into),
        }
    }
    Err(std::io::Error::new(ErrorKind::TimedOut, "another process holds its lock and does not go on"))
}

/// Held while an account logs in, against the other processes of this machine. The kernel lets it go when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct LoginLock {
    _file: File,
}

/// Keeps other processes from logging this account in while the result lives; none where another one does so now.
///
/// # Errors
/// [`Failure::Broken`] where the lock file cannot be opened.
pub fn try_lock_login(folder: &Path, account: &str) -> Result<Option<LoginLock>, Failure> {
    let (path, file) = lock_file(folder, account)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(LoginLock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(cannot(&path, "be locked", &e.into())),
    }
}

/// The same, but waits for its turn; to be called on a thread that may block.
///
/// # Errors
/// As above.
pub fn lock_login(folder: &Path, account: &str) -> Result<LoginLock, Failure> {
    let (path, file) = lock_file(folder, account)?;
    flock(&file, FlockOperation::LockExclusive).map_err(|e| cannot(&path, "be locked", &e.into()))?;
    Ok(LoginLock { _file: file })
}

/// Held by the one process that keeps an account, for as long as it does.
///
/// It is a lock of the kernel on an open file, and so it dies with its process, however that ends: kill -9, a crash, a
/// power cut. That is why it has no time limit and needs no renewal. A limit would be wrong twice: a keeper that is
/// stopped (SIGSTOP, a debugger, a laptop that sleeps) or slow would lose its account to a second one and go on with its
/// own login when it wakes; and one that was killed would keep its account until the limit. It is another lock than
/// [`LoginLock`], which a keeper and a person's `firstbell login` take in turn. Not for folders that several machines
/// share over a network, where such locks may not reach: each machine has a state folder of its own, and what machines
/// hold against one another is in their database.
#[derive(Debug)]
pub struct FolderLease {
    _file: File,
}

/// Makes this process the keeper of an account while the result lives; none where another process is.
///
/// # Errors
/// [`Failure::Broken`] where the lock file cannot be opened.
pub fn try_lease(folder: &Path, account: &str) -> Result<Option<FolderLease>, Failure> {
    prepare(folder)?;
    let (path, file) = open_lock(folder, &format!("{account}.lease"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(FolderLease { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(cannot(&path, "be locked", &e.into())),
    }
}

/// Held while a command changes something that is kept: for milliseconds.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// Keeps other commands of this machine from changing the same thing while the result lives; waits for one that does so now.
///
/// # Errors
/// [`Failure::Broken`] where the lock file cannot be opened, or whoever holds it does not go on.
pub fn hold(folder: &Path, name: &str) -> Result<Held, Failure> {
    let (path, file) = open_lock(folder, name)?;
    take(&file).map_err(|e| cannot(&path, "be locked", &e))?;
    Ok(Held { _file: file })
}

fn lock_file(folder: &Path, account: &str) -> Result<(PathBuf, File), Failure> {
    open_lock(folder, &format!("{account}.lock"))
}

fn open_lock(folder: &Path, name: &str) -> Result<(PathBuf, File), Failure> {
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    let opened = open_private(&path, options.create(true).truncate(false).write(true));
    opened.map(|file| (path.clone(), file)).map_err(|e| cannot(&path, "be opened", &e))
}

pub(super) fn broken(part: Part, why: String, cure: &str) -> Failure {
    Failure::Broken { part, why, cure: cure.into() }
}

pub(super) fn cannot(path: &Path, verb: &str, error: &std::io::Error) -> Failure {
    let why = format!("{} cannot {verb}: {error}", path.display());
    let cure = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "The disk is full: free some space, then try again."
        }
        ErrorKind::ReadOnlyFilesystem => {
            "The file system is read-only: look at the drive, or set state_dir elsewhere."
        }
        _ => "Check owner and mode of this path, or set state_dir in the configuration.",
    };
    broken(Part::Store, why, cure)
}
