//! `firstbell key`: the keys with which programs ask over TCP. One is shown when it is made, and never again.

use clap::Subcommand;
use firstbell_core::failure::Failure;
use serde_json::{Value, json};

use super::api::KEYS_PAUSE;
use super::context::Context;
use super::exit::Exit;
use super::{order, say};
use crate::clock::MachineClock;
use crate::ports::Clock;
use crate::serve::{self, Key, Ring, Scope};
use crate::shape::india;
use crate::stores::{Stores, hold};

/// While one command changes the keys, another one waits.
const LOCK: &str = "api-keys.lock";

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and show it, once.
    Add {
        /// The program that it is for.
        name: String,
        /// status, token (which includes status) or admin (which includes both).
        #[arg(long, value_parser = Scope::parse)]
        scope: Scope,
        /// Let it see this account only.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
    },
    /// List the keys: what each may do, and since when.
    List,
    /// End a key.
    Rm {
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(context: &Context, command: KeyCommand, as_json: bool) -> Exit {
    let exit = match &command {
        KeyCommand::Add { name, scope, account } => add(context, (name, *scope), account.as_deref(), as_json),
        KeyCommand::List => return list(context, as_json),
        KeyCommand::Rm { name } => remove(context, name),
    };
    if exit.code() == super::exit::DONE {
        order::ring(context).await;
    }
    exit
}

fn add(context: &Context, (name, scope): (&str, Scope), account: Option<&str>, as_json: bool) -> Exit {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(plain) {
        return Exit::usage("a key's name has 1 to 32 of a-z, 0-9, - and _");
    }
    if let Some(account) = account
        && let Err(exit) = context.account(Some(account))
    {
        return exit;
    }
    let made = Key::new((name, scope), account, india(MachineClock::start().now()));
    let kept = made.and_then(|(key, shown)| {
        let kept = change(context, |ring| {
            let free = ring.keys.iter().all(|other| other.name != name);
            if free {
                ring.keys.push(key.clone());
            }
            free
        })?;
        Ok((kept, key, shown))
    });
    match kept {
        Ok((true, key, shown)) => {
            written_down(context, "key_add", name);
            say::error(&format!(
                "{name} may read {}; this is its key, shown only now. Programs send it as Authorization: Bearer KEY.",
                scope.name()
            ));
            if context.config.api.listen.is_none() {
                say::error("note: nothing listens yet; write listen = \"127.0.0.1:7470\" under [api]");
            }
            let shown = if as_json { key.card(&shown) } else { shown.followed_by("\n") };
            match say::out_secret(&shown) {
                Ok(()) => Exit::done(Value::Null),
                Err(e) => Exit::internal(&format!("the key could not be written out: {e}; remove it again")),
            }
        }
        Ok((false, ..)) => {
            Exit::usage(&format!("there is a key {name} already; firstbell key rm {name} ends it"))
        }
        Err(failure) => Exit::failed(&failure),
    }
}

fn list(context: &Context, as_json: bool) -> Exit {
    let ring = match context.stores().and_then(|stores| Ring::of(stores.vault())) {
        Ok(ring) => ring,
        Err(failure) => return Exit::failed(&failure),
    };
    let row = |key: &Key| {
        let account = key.account.as_deref();
        if !as_json {
            let account = account.unwrap_or("every account");
            say::out(&format!("{:<16} {:<7} {account:<16} made {}", key.name, key.scope.name(), key.made));
        }
        json!({ "name": key.name, "scope": key.scope.name(), "account": account, "made": key.made })
    };
    Exit::done(json!({ "keys": ring.keys.iter().map(row).collect::<Vec<_>>() }))
}

fn remove(context: &Context, name: &str) -> Exit {
    let removed = change(context, |ring| {
        let before = ring.keys.len();
        ring.keys.retain(|key| key.name != name);
        ring.keys.len() < before
    });
    match removed {
        Ok(true) => {
            written_down(context, "key_rm", name);
            say::error(&format!("the key {name} opens nothing any more{}", elsewhere(context)));
            Exit::done(json!({ "name": name }))
        }
        Ok(false) => {
            Exit::usage(&format!("there is no key {name}; firstbell key list shows those there are"))
        }
        Err(failure) => Exit::failed(&failure),
    }
}

/// Tells the audit log of it. A key that leaked is ended even where no line can be written.
fn written_down(context: &Context, what: &str, name: &str) {
    // Its own member: what opened the door in other lines is "key".
    if let Err(failure) = serve::write_down(&context.config.state_dir, what, &[("name", name.into())]) {
        say::error(&format!("note: {failure}. {}", failure.cure()));
    }
}

/// When other machines with the same store know of it: nobody rings there.
fn elsewhere(context: &Context) -> String {
    match context.config.shared {
        Some(_) => format!("; on other nodes within {} s", KEYS_PAUSE.as_secs()),
        None => String::new(),
    }
}

/// Changes the keys, against other commands of this machine; writes them where `change` says that it did.
fn change(context: &Context, change: impl FnOnce(&mut Ring) -> bool) -> Result<bool, Failure> {
    let stores: Stores = context.stores()?;
    let _held = hold(&context.config.state_dir, LOCK)?;
    let mut ring = Ring::of(stores.vault())?;
    let changed = change(&mut ring);
    if changed {
        ring.keep(stores.vault())?;
    }
    Ok(changed)
}
