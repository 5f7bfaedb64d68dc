//! The private folder that one browser lives in: on memory where there is some, swept when its owner is gone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use rustix::fs::{FlockOperation, OFlags, flock};

/// Users that a browser started by root runs as, the packaged one first.
const USERS: [&str; 2] = ["firstbell-browser", "nobody"];

const PREFIX: &str = "firstbell-browser-";
const BORN: &str = "firstbell-born-";
const LOCK: &str = "owner.lock";
/// Each of the four engines logs in with 4 MiB; with less Firefox and the servers fail in ways of their own, or wait in vain.
const ROOM: u64 = 16 << 20;
/// A folder that still has the name of its birth after this has a dead owner.
const BIRTH: Duration = Duration::from_secs(60);

/// Whom a browser runs as.
#[derive(Clone, Copy, Debug)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A folder of mode 0700 with a home, a profile and a place for temporary files in it.
#[derive(Debug)]
pub(super) struct PrivateFolder {
    path: PathBuf,
    /// Locked as long as we live: who finds it unlocked may sweep.
    _lock: File,
}

impl PrivateFolder {
    /// Sweeps what dead owners left, wherever they may have, and makes a new folder for this user.
    pub(super) fn make(user: Option<User>) -> Result<PrivateFolder, Failure> {
        bases().iter().for_each(|base| sweep(base, user));
        first_that_can(places(), |base| {
            let room = room_in(base);
            if room < ROOM {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "it is full"));
            }
            PrivateFolder::make_in(base, user)
        })
    }

    fn make_in(base: &Path, user: Option<User>) -> io::Result<PrivateFolder> {
        let mode = fs::Permissions::from_mode(0o700);
        // Under another name until it is locked, so that nobody sweeps a folder that is being made.
        let born = tempfile::Builder::new().prefix(BORN).permissions(mode).tempdir_in(base)?;
        let lock =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(born.path().join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let name = born.path().file_name().unwrap_or_default().to_string_lossy().replace(BORN, PREFIX);
        let path = base.join(name);
        fs::rename(born.path(), &path)?;
        // It is not there any more under the name by which it would be removed.
        let _ = born.keep();
        let folder = PrivateFolder { path, _lock: lock };
        for part in ["home", "profile", "tmp"] {
            DirBuilder::new().mode(0o700).create(folder.path.join(part))?;
        }
        if let Some(user) = user {
            for part in ["home", "profile", "tmp", "."] {
                chown(folder.path.join(part), Some(user.uid), Some(user.gid))?;
            }
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn part(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes all of it. To be called when no process is left that could still write there.
    pub(super) fn wipe(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What cannot be wiped now is swept at the next start.
        let _ = self.wipe();
    }
}

/// Chromium refuses its sandbox to root, so a browser that root starts runs as somebody without rights.
pub(super) fn browser_user(named: Option<&str>) -> Result<Option<User>, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named: Vec<&str> = named.map_or_else(|| USERS.to_vec(), |name| vec![name]);
    let found = named.iter().find_map(|name| find_user(&passwd, name)).filter(|user| user.uid != 0);
    found.map(Some).ok_or_else(|| Failure::Broken {
        part: Part::Browser,
        why: format!(
            "firstbell runs as root, and there is no user {} to run the browser as",
            named.join(" or ")
        ),
        cure: "Run firstbell as an ordinary user, or name one under [browser] user.".into(),
    })
}

/// The number of a user of this machine.
pub(super) fn uid_of(name: &str) -> Option<u32> {
    find_user(&fs::read_to_string("/etc/passwd").unwrap_or_default(), name).map(|user| user.uid)
}

fn find_user(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut parts = line.split(':');
        let is_it = parts.next() == Some(name);
        let mut numbers = parts.skip(1).map_while(|part| part.parse().ok());
        is_it.then(|| Some(User { uid: numbers.next()?, gid: numbers.next()? })).flatten()
    })
}

/// Where a folder may be, those on memory first: the user's own, then the shared ones (where the sticky bit keeps others from ours).
fn places() -> Vec<PathBuf> {
    let us = rustix::process::geteuid();
    let own =
        [std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), Some(session(us))].into_iter().flatten();
    let shared = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    // Another user's browser could not reach into root's own folder.
    there(own.filter(|_| !us.is_root()).chain(shared))
}

/// All that an earlier run may have had, whatever its environment: they are swept.
fn bases() -> Vec<PathBuf> {
    there(places().into_iter().chain([session(rustix::process::geteuid())]))
}

fn session(user: rustix::process::Uid) -> PathBuf {
    PathBuf::from(format!("/run/user/{}", user.as_raw()))
}

fn there(all: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut there: Vec<PathBuf> = Vec::new();
    for place in all {
        if place.is_absolute() && place.is_dir() && !there.contains(&place) {
            there.push(place);
        }
    }
    there
}

/// The first place that takes it: anybody on this machine can fill the shared ones, and must not be able to stop a login by it.
fn first_that_can<T>(places: Vec<PathBuf>, make: impl Fn(&Path) -> io::Result<T>) -> Result<T, Failure> {
    let mut said = Vec::new();
    for place in places {
        match make(&place) {
            Ok(made) => return Ok(made),
            Err(e) => said.push(format!("{}: {e}", place.display())),
        }
    }
    Err(Failure::Broken {
        part: Part::Browser,
        why: format!("the browser's folder, of {} MB at most, can be made nowhere ({})", ROOM >> 20, said.join("; ")),
        cure: "See who filled these places (df -h, df -i) and free one; a restart of the machine empties those on memory; or log \
               in without a browser: --driver http."
            .into(),
    })
}

/// Bytes that an ordinary user may still write there. What cannot tell may try.
fn room_in(base: &Path) -> u64 {
    match rustix::fs::statvfs(base) {
        // A memory disk without a bound counts no blocks.
        Ok(disk) if disk.f_blocks > 0 => disk.f_bavail.saturating_mul(disk.f_frsize),
        _ => u64::MAX,
    }
}

/// Removes folders of ours whose owner was killed before it could. The place may be open to everybody: what another user
/// put there is not touched, and nothing there can make us wait.
fn sweep(base: &Path, user: Option<User>) {
    for left in left_in(base, user) {
        let _ = fs::remove_dir_all(&left.path);
    }
}

/// What owners have left who were killed, in every place.
pub(super) fn left_behind(user: Option<User>) -> Vec<Left> {
    bases().iter().flat_map(|base| left_in(base, user)).collect()
}

/// A folder without an owner; it is ours as long as this lives.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) path: PathBuf,
    _lock: Option<File>,
}

fn left_in(base: &Path, user: Option<User>) -> Vec<Left> {
    let mut left = Vec::new();
    let us = rustix::process::geteuid().as_raw();
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let careful = i32::try_from(careful.bits()).expect("flags of open fit in an int");
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // One that is being made has no lock for a moment: nobody takes this long for it.
        let is_old =
            |meta: fs::Metadata| meta.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > BIRTH));
        let is_dead_born = name.starts_with(BORN) && entry.metadata().is_ok_and(is_old);
        if !is_dead_born && !name.starts_with(PREFIX) {
            continue;
        }
        let lock = match OpenOptions::new().write(true).custom_flags(careful).open(entry.path().join(LOCK)) {
            Ok(lock) => lock,
            Err(e) => {
                // A browser that died late made its folder anew, without our lock.
                let own =
                    |meta: fs::Metadata| meta.uid() == us || user.is_some_and(|user| meta.uid() == user.uid);
                if e.kind() == io::ErrorKind::NotFound && entry.metadata().is_ok_and(own) {
                    left.push(Left { path: entry.path(), _lock: None });
                }
                continue;
            }
        };
        // The lock file is ours whoever the browser ran as, and is held until the folder is gone.
        let ours = lock.metadata().is_ok_and(|meta| meta.is_file() && meta.uid() == us);
        if ours && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            left.push(Left { path: entry.path(), _lock: Some(lock) });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533:n:/:/bin/false\n";
        let user = find_user(passwd, "nobody").unwrap();
        assert_eq!((user.uid, user.gid), (65534, 65533));
        assert!(find_user(passwd, "bod").is_none());
    }

    #[test]
    fn a_dead_owner_s_folder_is_swept_and_a_living_one_s_is_not() {
        let base = tempfile::tempdir().unwrap();
        let living = PrivateFolder::make_in(base.path(), None).unwrap();
        let dead = base.path().join(format!("{PREFIX}dead"));
        fs::create_dir_all(dead.join("profile")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let other = base.path().join("other");
        fs::create_dir(&other).unwrap();
        sweep(base.path(), None);
        assert!(living.part("profile").is_dir() && other.is_dir() && !dead.exists());
        let path = living.path.clone();
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_whose_owner_died_at_its_birth_is_swept_and_one_that_is_being_made_is_not() {
        let base = tempfile::tempdir().unwrap();
        let made = |name: &str, age_s: u64, locked: bool| {
            let folder = base.path().join(format!("{BORN}{name}"));
            fs::create_dir(&folder).unwrap();
            if locked {
                fs::write(folder.join(LOCK), "").unwrap();
            }
            let folder_itself = File::open(&folder).unwrap();
            let now = folder_itself.metadata().unwrap().modified().unwrap();
            folder_itself.set_modified(now - Duration::from_secs(age_s)).unwrap();
            folder
        };
        let (bare, locked, young) = (made("a", 90, false), made("b", 90, true), made("c", 0, false));
        sweep(base.path(), None);
        assert!(!bare.exists() && !locked.exists() && young.exists());
    }

    #[test]
    fn the_first_place_that_takes_it_is_taken_and_where_none_does_it_is_said_why() {
        let places = || ["/first", "/second", "/third"].map(PathBuf::from).to_vec();
        let only = |with: &'static str| {
            move |place: &Path| match place == Path::new(with) {
                true => Ok(place.to_owned()),
                false => Err(io::Error::from(io::ErrorKind::StorageFull)),
            }
        };
        assert_eq!(first_that_can(places(), only("/first")).unwrap(), Path::new("/first"));
        assert_eq!(first_that_can(places(), only("/third")).unwrap(), Path::new("/third"));
        let none = first_that_can(places(), only("/nowhere")).unwrap_err().to_string();
        assert!(none.contains("/first: no storage space; /second"), "{none}");
        assert!(room_in(Path::new("/proc")) > ROOM && room_in(&std::env::temp_dir()) > 0);
    }

    #[test]
    fn root_s_browser_is_given_no_place_of_root_s_and_the_place_is_swept_all_the_same() {
        let session = session(rustix::process::geteuid());
        assert_eq!(bases().contains(&session), session.is_dir());
        assert!(!rustix::process::geteuid().is_root() || !places().contains(&session));
    }

    #[test]
    fn every_place_that_may_be_taken_is_swept_and_each_once() {
        let bases = bases();
        assert!(
            bases.contains(&PathBuf::from("/dev/shm")) && bases.contains(&std::env::temp_dir()),
            "{bases:?}"
        );
        assert!((1..bases.len()).all(|i| !bases[..i].contains(&bases[i])), "{bases:?}");
    }
}
