//! The machine as text: files below a root, so that a test can build one of its own.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Far more than any of these files has; a stranger's may be longer.
const BYTES_MAX: u64 = 1024 * 1024;

/// A machine to be looked at, by one of its users.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    /// Who looks.
    pub uid: u32,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        Machine { root: "/".into(), uid: rustix::process::geteuid().as_raw() }
    }

    /// One whose `/proc`, `/sys` and `/etc` are below this folder.
    pub fn below(root: &Path, uid: u32) -> Machine {
        Machine { root: root.to_owned(), uid }
    }

    /// A file's text; none where it cannot be read.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = fs::File::open(self.at(path)).ok()?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, BYTES_MAX), &mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names in a folder; none where it cannot be read.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(path)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Whether something is there, be it a link that leads nowhere.
    pub fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// Where a link leads.
    pub fn link(&self, path: &str) -> Option<String> {
        Some(fs::read_link(self.at(path)).ok()?.to_string_lossy().into_owned())
    }

    /// Whose a file is.
    pub fn owner(&self, path: &str) -> Option<u32> {
        fs::metadata(self.at(path)).ok().map(|meta| meta.uid())
    }

    /// The numbers of all processes.
    pub fn processes(&self) -> Vec<u32> {
        self.names("/proc").iter().filter_map(|name| name.parse().ok()).collect()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
