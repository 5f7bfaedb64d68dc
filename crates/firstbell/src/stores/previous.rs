//! The previous generation of the store: a whole copy beside it, and how it takes the place of a damaged one.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use firstbell_core::failure::Failure;
use jiff::Timestamp;

use super::folder::{self, cannot};

pub(super) const FILE: &str = "store.previous.db";
const DAMAGED: &str = "store.damaged-";
/// Damaged files that are kept for whoever wants to know what happened.
const DAMAGED_MAX: usize = 2;

/// Held while the store's files are made, copied or replaced: by one process at a time.
#[derive(Debug)]
pub(super) struct FilesLock {
    state: PathBuf,
    _file: File,
}

impl FilesLock {
    pub(super) fn hold(state: &Path) -> Result<FilesLock, Failure> {
        let path = state.join("store.lock");
        let mut options = OpenOptions::new();
        let file = folder::open_private(&path, options.create(true).truncate(false).write(true))
            .map_err(|e| cannot(&path, "be opened", &e))?;
        folder::take(&file).map_err(|e| cannot(&path, "be locked", &e))?;
        Ok(FilesLock { state: state.to_owned(), _file: file })
    }

    /// Keeps a copy that `fill` writes into an empty private file.
    pub(super) fn keep(&self, fill: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
        let (new, path) = (self.state.join("store.previous.new"), self.state.join(FILE));
        let failed = |e: std::io::Error| cannot(&path, "be written", &e);
        let mut options = OpenOptions::new();
        let file =
            folder::open_private(&new, options.create(true).truncate(true).write(true)).map_err(failed)?;
        fill(&new)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        folder::sync(&self.state).map_err(failed)
    }

    /// Forgets the copy.
    pub(super) fn forget(&self) -> Result<(), Failure> {
        let path = self.state.join(FILE);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(cannot(&path, "be removed", &e)),
            _ => folder::sync(&self.state).map_err(|e| cannot(&path, "be removed", &e)),
        }
    }

    /// Moves the store aside, if there is one, and puts the copy in its place. The copy stays too. Where this breaks off
    /// there is no store for a while, and the next opener comes here again.
    pub(super) fn put_back(&self, store: &Path, now: Timestamp) -> Result<(), Failure> {
        let (previous, new) = (self.state.join(FILE), self.state.join("store.new"));
        let copy = || -> std::io::Result<()> {
            let mut bytes = Vec::new();
            folder::open_private(&previous, OpenOptions::new().read(true))?.read_to_end(&mut bytes)?;
            let mut options = OpenOptions::new();
            let mut file = folder::open_private(&new, options.create(true).truncate(true).write(true))?;
            file.write_all(&bytes)?;
            file.sync_all()
        };
        copy().map_err(|e| cannot(&new, "be written", &e))?;
        self.move_aside(store, now)?;
        let place = || -> std::io::Result<()> {
            fs::rename(&new, store)?;
            folder::sync(&self.state)
        };
        place().map_err(|e| cannot(store, "be replaced", &e))
    }

    /// Moves the store's files aside. The log of a store that is gone must not be played into the next one.
    pub(super) fn move_aside(&self, store: &Path, now: Timestamp) -> Result<(), Failure> {
        let aside = self.state.join(format!("{DAMAGED}{}.db", now.strftime("%Y%m%dT%H%M%S%3fZ")));
        let (log, index) = (with(store, "-wal"), with(store, "-shm"));
        let away = || -> std::io::Result<()> {
            there(fs::rename(store, &aside))?;
            there(fs::rename(&log, with(&aside, "-wal")))?;
            there(fs::remove_file(&index))?;
            folder::sync(&self.state)
        };
        away().map_err(|e| cannot(store, "be moved aside", &e))?;
        self.thin_out();
        Ok(())
    }

    fn thin_out(&self) {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        let mut damaged: Vec<String> =
            fs::read_dir(&self.state).into_iter().flatten().filter_map(name).collect();
        damaged.retain(|name| name.starts_with(DAMAGED) && name.ends_with(".db"));
        damaged.sort();
        for old in &damaged[..damaged.len().saturating_sub(DAMAGED_MAX)] {
            let old = self.state.join(old);
            tracing::warn!(file = %old.display(), "an older damaged store is removed: two newer ones are kept");
            let _ = fs::remove_file(&old);
            let _ = fs::remove_file(with(&old, "-wal"));
        }
    }
}

fn there(outcome: std::io::Result<()>) -> std::io::Result<()> {
    outcome.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
