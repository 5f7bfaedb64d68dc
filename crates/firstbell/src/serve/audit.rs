//! The audit log: who was given which token, and when. A line is written before its token leaves.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FallocateFlags, OFlags, fallocate};

const FILE: &str = "audit.log";
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
    bytes: u64,
    reserved: u64,
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
            let _ = open.file.set_len(open.bytes);
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
        Ok(Open { file, bytes: meta.len(), reserved: 0 })
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
