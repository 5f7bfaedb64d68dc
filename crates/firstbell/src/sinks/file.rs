//! The token in a file that other programs read, in a form of the owner's choice, whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstbell_core::secret::Secret;
use firstbell_core::token::Token;
use nix::unistd::{Group, User};
use rustix::fs::{FlockOperation, OFlags, fchown, flock};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::kind::{Done, Fault, Form, Handed, Held, Kind, Table, Tools};
use crate::ports::Delivery;
use crate::shape::Format;

pub(super) const KEYS: &[&str] = &["path", "format", "template", "mode", "owner", "group"];

/// Somebody who writes the same file is waited for; nobody holds it for longer than a write takes.
const LOCK_TRIES: u32 = 100;

/// No form of a token comes near this.
const BYTES_MAX: u64 = 64 * 1024;

/// A file that is replaced by rename: a reader sees the old token or the new one.
#[derive(Clone, Debug)]
struct FileSink {
    path: PathBuf,
    form: Form,
    mode: u32,
    owner: Option<String>,
    group: Option<String>,
    /// Held by a write for as long as it takes: beside one that hangs, no other one hangs as well.
    busy: Arc<Mutex<()>>,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    let section = &mut *table.section;
    let path = section.required("path").map(PathBuf::from);
    if path.as_ref().is_some_and(|p| !p.is_absolute() || p.file_name().is_none()) {
        section.fault("path must be absolute and name a file");
    }
    let form = Form::read(section, Format::Plain);
    let group = section.text("group");
    let mode = section.parsed("mode", read_mode).unwrap_or(0o600);
    if mode & 0o040 != 0 && group.is_none() {
        section.fault("a mode that lets a group read needs the group's name: group = \"algo\"");
    }
    let owner = section.text("owner");
    Some(Box::new(FileSink { path: path?, form, mode, owner, group, busy: Arc::default() }))
}

fn read_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    match mode {
        Some(mode) if mode & 0o007 != 0 => {
            Err("lets everybody on this machine read the token; use \"0600\", or \"0640\" with a group"
                .into())
        }
        Some(mode @ (0o600 | 0o640 | 0o400 | 0o440)) => Ok(mode),
        _ => Err("must be \"0600\", \"0640\", \"0400\" or \"0440\"".into()),
    }
}

impl Kind for FileSink {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn handed(&self) -> Option<Handed> {
        let owner = self.user_id().unwrap_or_default();
        Some(Handed { path: self.path.clone(), mode: self.mode, owner })
    }

    fn check<'a>(&'a self, _tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(self.apart(|sink| sink.probe()))
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, _tools: &'a Tools<'a>) -> Done<'a> {
        let (text, token) = (self.form.fill(delivery), delivery.token.clone());
        Box::pin(self.apart(move |sink| sink.replace(&text, &token)))
    }
}

impl FileSink {
    /// On a thread that may wait for a disk.
    async fn apart(
        &self,
        work: impl FnOnce(&FileSink) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), Fault> {
        let busy = Arc::clone(&self.busy).lock_owned().await;
        let sink = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _busy = busy;
            work(&sink)
        });
        let done = done.await.unwrap_or_else(|_| Err(std::io::Error::other("it broke off")));
        done.map_err(|e| self.fault(&e))
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

    fn probe(&self) -> std::io::Result<()> {
        let beside = self.beside();
        let mut file = self.open(&beside)?;
        // As many bytes as any token file has, so that a full disk shows now.
        let written = self.hand_over(&file).and_then(|()| file.write_all(&[b' '; 1024]));
        let written = written.and_then(|()| file.sync_all());
        fs::remove_file(&beside).and(written)
    }

    fn replace(&self, text: &Secret, token: &Token) -> std::io::Result<()> {
        let beside = self.beside();
        let mut file = self.open(&beside)?;
        if self.is_there(text, token) {
            return fs::remove_file(&beside);
        }
        let written = self.write(&mut file, text).and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            // A part of a token is nobody's business.
            let _gone = fs::remove_file(&beside);
        }
        written?;
        File::open(self.folder())?.sync_all()
    }

    fn write(&self, file: &mut File, text: &Secret) -> std::io::Result<()> {
        file.write_all(text.expose().as_bytes())?;
        self.hand_over(file)?;
        file.sync_all()
    }

    /// Whether the file has this token already, or a newer one.
    fn is_there(&self, text: &Secret, token: &Token) -> bool {
        let Some(there) = self.there() else { return false };
        let held = match &self.form {
            Form::Known(Format::Json) => serde_json::from_slice(&there).ok(),
            Form::Known(Format::Toml) => std::str::from_utf8(&there)
                .ok()
                .and_then(|text| toml::from_str::<serde_json::Value>(text).ok()),
            _ => None,
        };
        let newer = held.as_ref().and_then(Held::of).is_some_and(|held| held.is_newer(token));
        newer || there.as_slice() == text.expose().as_bytes()
    }

    /// What is in the file, if it is one, with the mode that it should have. Whoever may write to the folder can lay anything there: a
    /// link, a pipe that nobody writes to, a device without an end.
    fn there(&self) -> Option<Zeroizing<Vec<u8>>> {
        let only =
            i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags of open fit in an int");
        let file = OpenOptions::new().read(true).custom_flags(only).open(&self.path).ok()?;
        let meta = file.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= BYTES_MAX)?;
        let mut there = Zeroizing::new(Vec::with_capacity(usize::try_from(meta.len()).ok()?));
        file.take(BYTES_MAX).read_to_end(&mut there).ok()?;
        (meta.mode() & 0o777 == self.mode).then_some(there)
    }

    /// The file beside, empty, ours, and locked: two processes may write at one time.
    fn open(&self, beside: &Path) -> std::io::Result<File> {
        let nofollow =
            i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags of open fit in an int");
        for _ in 0..LOCK_TRIES {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(nofollow);
            let file = options.open(beside)?;
            let meta = file.metadata()?;
            let ours = rustix::process::geteuid().as_raw();
            if meta.is_file() && meta.uid() != ours && Some(meta.uid()) == self.user_id()? {
                // What a crash left of a file that was handed over already.
                fs::remove_file(beside)?;
                continue;
            }
            if !meta.is_file() || meta.uid() != ours {
                return Err(std::io::Error::new(
                    ErrorKind::PermissionDenied,
                    "the file beside it is not ours",
                ));
            }
            flock(file.as_fd(), FlockOperation::LockExclusive)?;
            // Whoever held it may have renamed it meanwhile: then it is the token now.
            let still = fs::symlink_metadata(beside)
                .is_ok_and(|now| (now.dev(), now.ino()) == (meta.dev(), meta.ino()));
            if still {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
                file.set_len(0)?;
                return Ok(file);
            }
        }
        Err(std::io::Error::new(ErrorKind::ResourceBusy, "others write it over and over"))
    }

    /// Gives the file its owner and mode, the mode last: whoever reads it by then may.
    fn hand_over(&self, file: &File) -> std::io::Result<()> {
        let user = self.user_id()?.map(rustix::fs::Uid::from_raw);
        let group = self.group_id()?.map(rustix::fs::Gid::from_raw);
        if user.is_some() || group.is_some() {
            fchown(file, user, group)?;
        }
        file.set_permissions(fs::Permissions::from_mode(self.mode))
    }

    fn user_id(&self) -> std::io::Result<Option<u32>> {
        let Some(name) = &self.owner else { return Ok(None) };
        let found = User::from_name(name).map_err(std::io::Error::from)?;
        let none = || std::io::Error::new(ErrorKind::InvalidInput, format!("there is no user {name}"));
        found.map(|user| Some(user.uid.as_raw())).ok_or_else(none)
    }

    fn group_id(&self) -> std::io::Result<Option<u32>> {
        let Some(name) = &self.group else { return Ok(None) };
        let found = Group::from_name(name).map_err(std::io::Error::from)?;
        let none = || std::io::Error::new(ErrorKind::InvalidInput, format!("there is no group {name}"));
        found.map(|group| Some(group.gid.as_raw())).ok_or_else(none)
    }

    fn fault(&self, error: &std::io::Error) -> Fault {
        let given = self.owner.is_some() || self.group.is_some();
        let cure = match error.kind() {
            ErrorKind::NotFound => format!("Make the folder {}.", self.folder().display()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "The disk is full: free some space.".into(),
            ErrorKind::InvalidInput if given => "Make that user or group, or mend the sink's owner or group.".into(),
            ErrorKind::PermissionDenied if given => {
                "Only root may give a file to another owner, and a member to a group: run firstbell so, or leave owner out."
                    .into()
            }
            _ => format!("Make {} a folder in which this user can write.", self.folder().display()),
        };
        Fault::new(format!("{} cannot be written: {error}", self.path.display()), cure)
    }
}
