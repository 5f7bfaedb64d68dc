//! The audit log: who was given which token, who gave orders, who made keys. A line is written before its token leaves.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use firstbell_core::failure::{Failure, Part};
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use serde_json::Value;

use super::peer::Peer;
use crate::clock::MachineClock;
use crate::ports::Clock;
use crate::shape::india;

const FILE: &str = "audit.log";
/// What to do where no line can be written.
pub(super) const CURE: &str =
    "Free some space on the disk of the state folder, or mend owner and mode of audit.log in it.";
/// A file of this size becomes an old one.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// So many old ones stay.
const OLD: u32 = 4;
/// Kept free on the disk for lines to come, so that a disk that others fill takes no token away: some 4,000 reads.
const RESERVE: u64 = 1024 * 1024;

/// The log. Its lines are JSON objects.
#[derive(Debug)]
pub(super) struct Audit {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// What it is in the file system, whatever its name.
    place: (u64, u64),
    /// How long it is: other processes of ours add to it too.
    bytes: u64,
    reserved: u64,
}

/// What a line says happened: a token was given, an order, a key that was made or ended.
pub(super) fn line(what: &str, about: &[(&str, Value)], who: &str) -> String {
    let mut line = format!("{{\"at\":\"{}\",\"what\":\"{what}\"", india(MachineClock::start().now()));
    for (name, value) in about {
        let _ = write!(line, ",\"{name}\":{value}");
    }
    format!("{line},{who}}}\n")
}

/// Writes down what a command of ours does without the daemon.
///
/// # Errors
/// [`Failure::Broken`] where the line cannot be written.
pub fn write_down(state_dir: &Path, what: &str, about: &[(&str, Value)]) -> Result<(), Failure> {
    let who = format!("\"via\":\"store\",{}", Peer::own().written());
    Audit::of(state_dir).write(&line(what, about, &who)).map_err(|e| Failure::Broken {
        part: Part::Store,
        why: format!("the audit log cannot be written: {e}"),
        cure: CURE.into(),
    })
}

impl Audit {
    /// In this folder. The file is opened with the first line, and again where that failed.
    pub(super) fn of(folder: &Path) -> Audit {
        Audit { path: folder.join(FILE), open: Mutex::default() }
    }

    /// Adds a line, whole or not at all.
    ///
    /// # Errors
    /// Where the system does not take it.
    pub(super) fn write(&self, line: &str) -> std::io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Where somebody turned it over, or removed it, a line would go where nobody reads it.
        if open.as_mut().is_some_and(|open| !open.is_still(&self.path)) {
            *open = None;
        }
        if open.as_ref().is_some_and(|open| open.bytes >= BYTES_MAX) {
            *open = None;
            self.turn_over()?;
        }
        let open = match &mut *open {
            Some(open) => open,
            none => none.insert(self.open()?),
        };
        let outcome = open.add(line.as_bytes());
        if outcome.is_err() {
            // A line that was cut is no line.
            open.cut(line.len() as u64);
            open.reserved = 0;
        }
        outcome
    }

    fn open(&self) -> std::io::Result<Open> {
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("flags of open fit in an int");
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).custom_flags(nofollow).open(&self.path)?;
        let meta = file.metadata()?;
        let plain = meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw();
        if !plain || meta.mode() & 0o077 != 0 {
            return Err(std::io::Error::other("it must be a plain file of ours with mode 600"));
        }
        Ok(Open { file, place: (meta.dev(), meta.ino()), bytes: meta.len(), reserved: 0 })
    }

    fn turn_over(&self) -> std::io::Result<()> {
        let old = |n: u32| self.path.with_file_name(format!("{FILE}.{n}"));
        for n in (1..OLD).rev() {
            match std::fs::rename(old(n), old(n + 1)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::rename(&self.path, old(1))
    }
}

impl Open {
    /// Whether the file is still the one of this name; then how long it is now is known.
    fn is_still(&mut self, path: &Path) -> bool {
        let Ok(meta) = std::fs::symlink_metadata(path) else { return false };
        self.bytes = meta.len();
        self.place == (meta.dev(), meta.ino())
    }

    /// Takes back a part of a line, unless another process has added one behind it.
    fn cut(&mut self, line_bytes: u64) {
        if self.file.metadata().is_ok_and(|meta| meta.len() < self.bytes + line_bytes) {
            let _ = self.file.set_len(self.bytes);
        }
    }

    fn add(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.reserved < self.bytes + RESERVE / 2 {
            // Not every file system can; then there is no reserve.
            let _ = fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.bytes, RESERVE);
            self.reserved = self.bytes + RESERVE;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn lines_are_added_and_the_file_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        Audit::of(folder.path()).write("one\n").unwrap();
        let audit = Audit::of(folder.path());
        audit.write("two\n").unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert!(meta.blocks() * 512 >= RESERVE, "blocks are reserved: {}", meta.blocks());
    }

    #[test]
    fn a_log_that_was_renamed_or_removed_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, audit) = (folder.path().join(FILE), Audit::of(folder.path()));
        audit.write("one\n").unwrap();
        std::fs::rename(&path, folder.path().join("turned")).unwrap();
        audit.write("two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::remove_file(&path).unwrap();
        audit.write("three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("turned")).unwrap(), "one\n");
    }

    #[test]
    fn a_file_that_others_may_read_and_a_link_in_its_place_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Audit::of(folder.path()).write("x\n").is_err());
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(Audit::of(folder.path()).write("x\n").is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn a_full_file_turns_over_and_four_old_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::of(folder.path());
        let long = format!("{}\n", "x".repeat(BYTES_MAX as usize));
        for _ in 0..7 {
            audit.write(&long).unwrap();
        }
        audit.write("last\n").unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3", "audit.log.4"]);
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), "last\n");
    }
}
