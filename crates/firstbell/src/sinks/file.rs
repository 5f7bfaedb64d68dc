//! The token in a file that other programs read: plain text, JSON or an environment file, whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use rustix::fs::OFlags;

use crate::ports::{Delivery, Sink};
use crate::shape::{Format, shape};
use crate::written::Section;

/// A file with mode 600, replaced by rename: a reader sees the old token or the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSink {
    path: PathBuf,
    format: Format,
}

impl FileSink {
    /// A sink for this file.
    pub fn new(path: &Path, format: Format) -> FileSink {
        FileSink { path: path.to_owned(), format }
    }

    pub(super) fn read(section: &mut Section<'_>) -> Option<FileSink> {
        let path = section.required("path").map(PathBuf::from);
        if path.as_ref().is_some_and(|p| !p.is_absolute() || p.file_name().is_none()) {
            section.fault("path must be absolute and name a file");
        }
        let format = section.parsed("format", Format::parse).unwrap_or(Format::Plain);
        Some(FileSink { path: path?, format })
    }

    /// Written beside the file, so that the rename stays within one file system. The name is fixed: what a crash
    /// leaves is written over by the next token, and never piles up.
    fn beside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.firstbell"))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn write(&self, text: Option<&Secret>) -> std::io::Result<()> {
        let beside = self.beside();
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("flags of open fit in an int");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow);
        let mut file = options.open(&beside)?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(std::io::Error::new(ErrorKind::PermissionDenied, "the file beside it is not ours"));
        }
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        let Some(text) = text else {
            // As many bytes as any token file has, so that a full disk shows now.
            file.write_all(&[b' '; 512])?;
            file.sync_all()?;
            return fs::remove_file(&beside);
        };
        file.write_all(text.expose().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        File::open(self.folder())?.sync_all()
    }

    fn broken(&self, error: &std::io::Error) -> Failure {
        let cure = match error.kind() {
            ErrorKind::NotFound => format!("Make the folder {}.", self.folder().display()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "The disk is full: free some space.".into(),
            _ => format!("Make {} a folder in which this user can write.", self.folder().display()),
        };
        let why = format!("the token cannot be written to {}: {error}", self.path.display());
        Failure::Broken { part: Part::Sink, why, cure }
    }
}

impl Sink for FileSink {
    fn name(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn check(&self) -> Result<(), Failure> {
        self.write(None).map_err(|e| self.broken(&e))
    }

    fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), Failure> {
        self.write(Some(&shape(self.format, delivery))).map_err(|e| self.broken(&e))
    }
}
