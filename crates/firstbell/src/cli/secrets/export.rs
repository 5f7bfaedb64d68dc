//! `firstbell secrets export`: all of the vault as an age file for a key or a passphrase of the owner's; never in the clear.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;

use firstbell_core::secret::Secret;
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
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.to)?;
        file.write_all(&sealed)?;
        file.sync_all()
    };
    write().map_err(|e| Exit::internal(&format!("{file} cannot be written: {e}")))?;
    say::error(&format!("{file}: all secrets, and the key of the store; age -d or rage -d opens it"));
    Ok(Exit::done(json!({ "file": file.to_string() })))
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
    if std::io::stdin().is_terminal() && !ask("the same again: ")?.is_same(&first) {
        return Err(Exit::usage("these are not the same; nothing was written"));
    }
    Ok(first)
}
