//! `firstbell secrets`: into the vault from a terminal or a pipe, never from an argument.

use std::io::{IsTerminal, Read};

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use serde_json::json;
use zeroize::Zeroizing;

use super::SecretsCommand;
use super::context::Context;
use super::exit::Exit;
use super::order;
use super::say;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ports::{Clock, TokenChange};
use crate::secrets::{Name, Owner, Source};
use crate::stores::Stores;

/// Longer than any password or key.
const BYTES_MAX: u64 = 4096;

/// Reads a secret's name.
pub(super) fn parse_name(text: &str) -> Result<Name, String> {
    let names = || Name::ALL.map(Name::as_str).join(", ");
    Name::ALL
        .into_iter()
        .find(|name| name.as_str() == text.replace('-', "_"))
        .ok_or_else(|| format!("is not the name of a secret; there are: {}", names()))
}

pub(super) async fn run(context: &Context, command: SecretsCommand, as_json: bool) -> Exit {
    let (SecretsCommand::Set { account, .. }
    | SecretsCommand::List { account, .. }
    | SecretsCommand::Rm { account, .. }) = &command;
    let account = match context.account(account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    match command {
        SecretsCommand::Set { name, .. } => {
            let exit = set(context, account, name);
            order::nudge(context, account).await;
            exit
        }
        SecretsCommand::List { .. } => list(context, account, as_json),
        SecretsCommand::Rm { name, .. } => remove(context, account, name),
    }
}

fn set(context: &Context, account: &Account, name: Name) -> Exit {
    let secret = match ask(name) {
        Ok(secret) => secret,
        Err(why) => return Exit::usage(&why),
    };
    if secret.is_blank() {
        return Exit::usage("nothing was given; nothing was stored");
    }
    if name == Name::TotpSeed
        && let Err(fault) = Seed::parse(&secret)
    {
        return Exit::usage(&format!("not stored: {fault}"));
    }
    let keep = |stores: Stores| {
        let (user, clock) = (account.app.user(), MachineClock::start());
        stores.vault().keep(&user, name.as_str(), &secret)?;
        let stored = Event::Stored { name: name.as_str().into() };
        stores.store().record(&user, &[(clock.now(), stored)], TokenChange::Keep)
    };
    if let Err(failure) = context.stores().and_then(keep) {
        return Exit::failed(&failure);
    }
    say::error(&format!("{} of {} is in the vault", name.as_str(), account.name));
    let (_, source) = &account.secrets[name as usize];
    if *source != Source::Vault {
        let from = source.describe();
        say::error(&format!(
            "note: the configuration takes {} from the {from}, not from the vault",
            name.as_str()
        ));
    }
    Exit::done(json!({ "account": account.name, "name": name.as_str() }))
}

fn ask(name: Name) -> Result<Secret, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let prompt = format!("{} ({}): ", name.as_str(), name.hint());
        return rpassword::prompt_password(prompt)
            .map(Secret::new)
            .map_err(|e| format!("nothing was read: {e}"));
    }
    let mut text = Zeroizing::new(String::with_capacity(4097));
    let read =
        stdin.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| format!("nothing was read: {e}"))?;
    if read as u64 > BYTES_MAX {
        return Err("what was given is too long for a secret".into());
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn list(context: &Context, account: &Account, as_json: bool) -> Exit {
    let look = || -> Result<Vec<(Name, String, bool)>, Failure> {
        let (stores, user) = (context.stores()?, account.app.user());
        let owner = Owner { id: &user, name: &account.name };
        let there = |name, source: &Source| source.fetch(owner, name, stores.vault()).is_ok();
        Ok(account.secrets.iter().map(|(n, source)| (*n, source.describe(), there(*n, source))).collect())
    };
    let found = match look() {
        Ok(found) => found,
        Err(failure) => return Exit::failed(&failure),
    };
    if !as_json {
        for (name, source, there) in &found {
            let there = if *there { "there" } else { "missing" };
            say::out(&format!("{:<11} {there:<8} {source}", name.as_str()));
        }
    }
    let row = |(name, source, there): &(Name, String, bool)| json!({ "name": name.as_str(), "source": source, "present": there });
    let rows: Vec<_> = found.iter().map(row).collect();
    Exit::done(json!({ "account": account.name, "secrets": rows }))
}

fn remove(context: &Context, account: &Account, name: Name) -> Exit {
    let removed =
        context.stores().and_then(|stores| stores.vault().forget(&account.app.user(), name.as_str()));
    match removed {
        Ok(true) => say::error(&format!("{} of {} is gone from the vault", name.as_str(), account.name)),
        Ok(false) => say::error(&format!("{} of {} was not in the vault", name.as_str(), account.name)),
        Err(failure) => return Exit::failed(&failure),
    }
    Exit::done(json!({ "account": account.name, "name": name.as_str() }))
}
