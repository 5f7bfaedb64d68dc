//! A file with secrets in the clear: read whole, and overwritten and removed when it is not needed any more.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use firstbell_core::secret::Secret;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// What is larger is no list of secrets.
const BYTES_MAX: u64 = 256 * 1024;
/// File systems keep files in pieces of this size at least: the end of the last one is overwritten too.
const BLOCK: u64 = 4096;

/// An opened file of the owner's.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    file: File,
    meta: fs::Metadata,
}

impl Source {
    /// Opens a plain file; a link is refused, because what it leads to would stay.
    pub(super) fn open(path: &Path) -> Result<Source, String> {
        let cannot = |why: String| format!("{} cannot be read: {why}", path.display());
        let only =
            i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags of open fit in an int");
        let file = OpenOptions::new().read(true).custom_flags(only).open(path);
        let file = file.map_err(|e| cannot(e.to_string()))?;
        let meta = file.metadata().map_err(|e| cannot(e.to_string()))?;
        if !meta.is_file() || meta.len() > BYTES_MAX {
            return Err(cannot(format!("it is not a plain file of at most {} KiB", BYTES_MAX / 1024)));
        }
        Ok(Source { path: path.to_owned(), file, meta })
    }

    /// All of it.
    pub(super) fn read(&self) -> Result<Secret, String> {
        let cannot = |why: &str| format!("{} cannot be read: {why}", self.path.display());
        let room = usize::try_from(BYTES_MAX).expect("it is small");
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        (&self.file).take(BYTES_MAX).read_to_end(&mut bytes).map_err(|e| cannot(&e.to_string()))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| cannot("it is not text (UTF-8)"))?;
        Ok(Secret::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()))
    }

    /// Its mode, where others than its owner may read it.
    pub(super) fn open_to_others(&self) -> Option<u32> {
        let mode = self.meta.mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }

    /// Overwrites it where it lies and takes away its name.
    pub(super) fn shred(self) -> Result<(), String> {
        let text = |e: std::io::Error| e.to_string();
        if self.meta.nlink() != 1 {
            return Err("it has another name too (a hard link), under which it would stay".into());
        }
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("flags of open fit in an int");
        let mut file =
            OpenOptions::new().write(true).custom_flags(nofollow).open(&self.path).map_err(text)?;
        let now = file.metadata().map_err(text)?;
        let id = |meta: &fs::Metadata| (meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        if id(&now) != id(&self.meta) {
            return Err("somebody changed it since it was read".into());
        }
        let len = usize::try_from(now.len().next_multiple_of(BLOCK)).map_err(|e| e.to_string())?;
        let mut noise = vec![0; len];
        getrandom::fill(&mut noise).map_err(|e| e.to_string())?;
        file.seek(SeekFrom::Start(0)).map_err(text)?;
        file.write_all(&noise).map_err(text)?;
        file.sync_all().map_err(text)?;
        fs::remove_file(&self.path).map_err(text)?;
        let folder = self.path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(text)
    }
}
