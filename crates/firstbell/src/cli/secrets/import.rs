//! `firstbell secrets import`: out of the file where an owner kept secrets before, into the vault.

use std::io::{IsTerminal, Write};
use std::path::Path;

use firstbell_core::failure::{self, Failure};
use firstbell_core::recipe::{self, Found, Part};
use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use serde_json::json;

use super::args::ImportArgs;
use super::shred;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::{order, say};
use crate::config::Account;
use crate::secrets::Name;

/// One secret that goes into the vault.
struct Taken {
    name: Name,
    line: usize,
    written: String,
    value: Secret,
}

pub(super) async fn run(context: &Context, account: &Account, args: &ImportArgs) -> Result<Exit, Exit> {
    let source = shred::Source::open(&args.file).map_err(|why| Exit::usage(&why))?;
    let text = source.read().map_err(|why| Exit::usage(&why))?;
    let taken = sort_out(account, &recipe::read(&text), &args.file)?;
    for one in &taken {
        let Taken { name, line, written, .. } = one;
        say::error(&format!("  line {line:<4} {written:<24} → {} of {}", name.as_str(), account.name));
    }
    if let Some(mode) = source.open_to_others() {
        say::error(&format!(
            "note: others could read {} (mode {mode:o}). Whoever did still knows these secrets: change them.",
            args.file.display()
        ));
    }
    if !args.yes && !confirmed("Store these in the vault?")? {
        say::error("nothing was stored");
        return Ok(Exit::done(json!({ "account": account.name, "stored": [], "shredded": false })));
    }
    store(context, account, &taken).map_err(|failure| Exit::failed(&failure))?;
    order::nudge(context, account).await;
    let names: Vec<&str> = taken.iter().map(|one| one.name.as_str()).collect();
    say::error(&format!("{} of {}: in the vault", names.join(", "), account.name));
    for one in &taken {
        super::elsewhere(one.name.as_str(), &account.secrets[one.name as usize].1);
    }
    let shredded = shred_source(source, args)?;
    Ok(Exit::done(json!({ "account": account.name, "stored": names, "shredded": shredded })))
}

/// What of it is taken. Anything in doubt ends it, before anything is stored.
fn sort_out(account: &Account, found: &[Found], file: &Path) -> Result<Vec<Taken>, Exit> {
    let refuse = |what: String| Exit::usage(&format!("{}: {what}; nothing was stored", file.display()));
    let mut taken: Vec<Taken> = Vec::new();
    for Found { line, name: written, part, value } in found {
        let name = match part {
            Part::Password => Name::Password,
            Part::TotpSeed => Name::TotpSeed,
            Part::ApiSecret => Name::ApiSecret,
            Part::ApiKey | Part::UserId => {
                let (is_ours, what) = match part {
                    Part::ApiKey => (value.is(&account.app.api_key), "api_key"),
                    _ => (value.is(&account.app.user_id), "user_id"),
                };
                if !is_ours {
                    let why = format!("the {what} on line {line} is not the one of account.{}", account.name);
                    return Err(refuse(format!("{why}: name the account that this file is of")));
                }
                continue;
            }
        };
        if let Some(other) = taken.iter().find(|other| other.name == name) {
            let (name, first) = (name.as_str(), other.line);
            return Err(refuse(format!(
                "lines {first} and {line} both look like a {name}, and are not the same: take the wrong one out"
            )));
        }
        if name == Name::TotpSeed
            && let Err(fault) = Seed::parse(value)
        {
            return Err(refuse(format!("line {line}: {fault}")));
        }
        let written = written.clone().unwrap_or_else(|| "(by its form)".into());
        taken.push(Taken { name, line: *line, written, value: value.clone() });
    }
    match taken.is_empty() {
        true => Err(refuse("no password, TOTP key or API secret was found in it".into())),
        false => Ok(taken),
    }
}

/// Stores all, and sees that each is really there: the source may be gone after this.
fn store(context: &Context, account: &Account, taken: &[Taken]) -> Result<(), Failure> {
    let stores = context.stores()?;
    for Taken { name, value, .. } in taken {
        super::keep(&stores, account, *name, value)?;
    }
    let again = context.stores()?;
    for Taken { name, value, .. } in taken {
        let kept = again.vault().fetch(&account.app.user(), name.as_str())?;
        if !kept.is_some_and(|kept| kept.is_same(value)) {
            return Err(Failure::Broken {
                part: failure::Part::Store,
                why: format!("what was stored as {} was not there when it was asked for", name.as_str()),
                cure: "Look at the drive; the file was left as it is.".into(),
            });
        }
    }
    Ok(())
}

/// Asks somebody at the terminal; nobody there is no yes.
fn confirmed(question: &str) -> Result<bool, Exit> {
    if !std::io::stdin().is_terminal() {
        return Err(Exit::usage("nobody is at a terminal to say yes; say so with --yes. Nothing was stored"));
    }
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn shred_source(source: shred::Source, args: &ImportArgs) -> Result<bool, Exit> {
    let file = args.file.display();
    let asked = args.shred || (!args.yes && confirmed(&format!("Overwrite and remove {file} now?"))?);
    if !asked {
        say::error(&format!(
            "{file} is still there, in the clear: firstbell secrets import --shred removes it"
        ));
        return Ok(false);
    }
    source
        .shred()
        .map_err(|why| Exit::internal(&format!("{file} was not removed: {why}; the secrets are stored")))?;
    say::error(&format!("{file} was overwritten and removed"));
    say::error(
        "note: an SSD, a file system that copies on write (btrfs, ZFS, snapshots), backups, a repository or an editor may still \
         have it. Who could have read it there: change the secret.",
    );
    Ok(true)
}
