//! `firstbell secrets export`: all of the vault as an age file for a key or a passphrase of the owner's; never in the clear.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use firstbell_core::secret::Secret;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::json;

use super::args::ExportArgs;
use crate::age;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::say;
use crate::setup::PASSPHRASE_MIN;

pub(super) fn run(context: &Context, args: &ExportArgs) -> Result<Exit, Exit> {
    let passphrase = if args.passphrase { Some(passphrase()?) } else { None };
    let sealed = context.stores().and_then(|stores| {
        stores.export(&|plain| match &passphrase {
            Some(passphrase) => age::seal_with_passphrase(plain, passphrase),
            None => age::seal(plain, &args.recipient),
        })
    });
    let Some(sealed) = sealed.map_err(|failure| Exit::failed(&failure))? else {
        return Err(Exit::usage(
            "with [store] the vault is in the database, and the key file opens it: there is no age file",
        ));
    };
    let file = args.to.display();
    put(&args.to, &sealed).map_err(|e| Exit::internal(&format!("{file} cannot be written: {e}")))?;
    say::error(&format!("{file}: all secrets, and the key of the store; age -d or rage -d opens it"));
    Ok(Exit::done(json!({ "file": file.to_string() })))
}

/// Makes a file: whole, or not at all, and never in the place of another one. Half a backup would be taken for one.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new-{}", std::process::id()));
    let beside = Path::new(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| settle(beside, path));
    if written.is_err() {
        let _ = fs::remove_file(beside);
    }
    written?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Not every folder can be read by who may write to it, and not every file system lets one be synced.
    let excused = [ErrorKind::PermissionDenied, ErrorKind::InvalidInput, ErrorKind::Unsupported];
    match File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()) {
        Err(e) if !excused.contains(&e.kind()) => {
            let _ = fs::remove_file(path);
            Err(e)
        }
        _ => Ok(()),
    }
}

/// Gives a file its name, if that is free.
fn settle(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems, NFS among them, have no such rename.
        Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_ok() => {
            Err(ErrorKind::AlreadyExists.into())
        }
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        other => Ok(other?),
    }
}

/// Asked for twice where somebody types it.
fn passphrase() -> Result<Secret, Exit> {
    let ask = |prompt: &str| super::ask(prompt).map_err(|why| Exit::usage(&why));
    let first = ask("passphrase: ")?;
    if first.letters() < PASSPHRASE_MIN {
        return Err(Exit::usage(&format!(
            "a passphrase needs {PASSPHRASE_MIN} letters at least; nothing was written"
        )));
    }
    if io::stdin().is_terminal() && !ask("the same again: ")?.is_same(&first) {
        return Err(Exit::usage("these are not the same; nothing was written"));
    }
    Ok(first)
}
