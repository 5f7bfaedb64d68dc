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
use crate::alerts::ChannelConfig;
use crate::censor;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ports::{Clock, TokenChange};
use crate::secrets::{Name, Owner, Source, Wanted};
use crate::sinks::SinkConfig;
use crate::stores::Stores;

/// Longer than any password or key.
const BYTES_MAX: u64 = 4096;

/// Reads the name of an account's secret.
fn account_name(text: &str) -> Result<Name, Exit> {
    let found = Name::ALL.into_iter().find(|name| name.as_str() == text.replace('-', "_"));
    found.ok_or_else(|| {
        let names = Name::ALL.map(Name::as_str).join(", ");
        Exit::usage(&format!("{text:?} is not the name of a secret; there are: {names}"))
    })
}

pub(super) async fn run(context: &Context, command: SecretsCommand, as_json: bool) -> Exit {
    let (SecretsCommand::Set { owner, .. }
    | SecretsCommand::List { owner }
    | SecretsCommand::Rm { owner, .. }) = &command;
    let outcome = match (&owner.channel, &owner.sink) {
        (Some(channel), _) => context
            .channel(channel)
            .and_then(|channel| of_holder(context, &Holder::Channel(channel), &command, as_json)),
        (None, Some(sink)) => match context.sink(sink) {
            Ok((account, sink)) => {
                let done = of_holder(context, &Holder::Sink(account, sink), &command, as_json);
                order::nudge(context, account).await;
                done
            }
            Err(exit) => Err(exit),
        },
        (None, None) => match context.account(owner.account.account.as_deref()) {
            Ok(account) => of_account(context, account, &command, as_json).await,
            Err(exit) => Err(exit),
        },
    };
    outcome.unwrap_or_else(|exit| exit)
}

async fn of_account(
    context: &Context,
    account: &Account,
    command: &SecretsCommand,
    as_json: bool,
) -> Result<Exit, Exit> {
    Ok(match command {
        SecretsCommand::Set { name, .. } => {
            let exit = set(context, account, account_name(name)?);
            order::nudge(context, account).await;
            exit
        }
        SecretsCommand::List { .. } => list(context, account, as_json),
        SecretsCommand::Rm { name, .. } => remove(context, account, account_name(name)?),
    })
}

/// Who has secrets beside the accounts.
enum Holder<'a> {
    Channel(&'a ChannelConfig),
    Sink(&'a Account, &'a SinkConfig),
}

impl Holder<'_> {
    fn secrets(&self) -> &[(String, Source)] {
        match self {
            Holder::Channel(channel) => &channel.secrets,
            Holder::Sink(_, sink) => &sink.secrets,
        }
    }

    fn wanted<'s>(&'s self, name: &'s str) -> Wanted<'s> {
        match self {
            Holder::Channel(channel) => channel.wanted(name),
            Holder::Sink(_, sink) => sink.wanted(name),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Holder::Channel(_) => "channel",
            Holder::Sink(..) => "sink",
        }
    }

    fn name(&self) -> String {
        match self {
            Holder::Channel(channel) => channel.name.clone(),
            Holder::Sink(account, sink) => format!("{}/{}", account.name, sink.name),
        }
    }

    fn called(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }
}

fn of_holder(
    context: &Context,
    holder: &Holder<'_>,
    command: &SecretsCommand,
    as_json: bool,
) -> Result<Exit, Exit> {
    let known = |name: &String| {
        let found = holder.secrets().iter().find(|(own, _)| own == name);
        found.ok_or_else(|| {
            let names: Vec<_> = holder.secrets().iter().map(|(own, _)| own.as_str()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Exit::usage(&format!("{} has no secret {name:?}; it has: {names}", holder.called()))
        })
    };
    Ok(match command {
        SecretsCommand::Set { name, .. } => set_of_holder(context, holder, known(name)?),
        SecretsCommand::List { .. } => list_of_holder(context, holder, as_json),
        SecretsCommand::Rm { name, .. } => {
            let wanted = holder.wanted(&known(name)?.0);
            forget(context, wanted.owner, name, &holder.called())
                .with(json!({ holder.kind(): holder.name(), "name": name }))
        }
    })
}

fn set_of_holder(context: &Context, holder: &Holder<'_>, (name, source): &(String, Source)) -> Exit {
    let secret = match ask(&format!("{name} of {}: ", holder.called())) {
        Ok(secret) if secret.is_blank() => return Exit::usage("nothing was given; nothing was stored"),
        Ok(secret) => secret,
        Err(why) => return Exit::usage(&why),
    };
    let keep = |stores: Stores| stores.vault().keep(holder.wanted(name).owner, name, &secret);
    if let Err(failure) = context.stores().and_then(keep) {
        return Exit::failed(&failure);
    }
    say::error(&format!("{name} of {} is in the vault", holder.called()));
    elsewhere(name, source);
    Exit::done(json!({ holder.kind(): holder.name(), "name": name }))
}

fn list_of_holder(context: &Context, holder: &Holder<'_>, as_json: bool) -> Exit {
    let stores = match context.stores() {
        Ok(stores) => stores,
        Err(failure) => return Exit::failed(&failure),
    };
    let row = |(name, source): &(String, Source)| {
        let there = source.take(&holder.wanted(name), stores.vault()).is_ok();
        if !as_json {
            say::out(&row_line(name, there, &source.describe()));
        }
        json!({ "name": name, "source": source.describe(), "present": there })
    };
    let rows: Vec<_> = holder.secrets().iter().map(row).collect();
    Exit::done(json!({ holder.kind(): holder.name(), "secrets": rows }))
}

fn row_line(name: &str, there: bool, source: &str) -> String {
    let there = if there { "there" } else { "missing" };
    format!("{name:<11} {there:<8} {source}")
}

/// Says so where the configuration takes a secret from elsewhere than it was just put.
fn elsewhere(name: &str, source: &Source) {
    if *source != Source::Vault {
        let from = source.describe();
        say::error(&format!("note: the configuration takes {name} from the {from}, not from the vault"));
    }
}

fn forget(context: &Context, owner: &str, name: &str, whose: &str) -> Exit {
    match context.stores().and_then(|stores| stores.vault().forget(owner, name)) {
        Ok(true) => say::error(&format!("{name} of {whose} is gone from the vault")),
        Ok(false) => say::error(&format!("{name} of {whose} was not in the vault")),
        Err(failure) => return Exit::failed(&failure),
    }
    Exit::done(serde_json::Value::Null)
}

fn set(context: &Context, account: &Account, name: Name) -> Exit {
    let secret = match ask(&format!("{} ({}): ", name.as_str(), name.hint())) {
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
    if let Err(failure) = keep(context, account, name, &secret) {
        return Exit::failed(&failure);
    }
    say::error(&format!("{} of {} is in the vault", name.as_str(), account.name));
    elsewhere(name.as_str(), &account.secrets[name as usize].1);
    Exit::done(json!({ "account": account.name, "name": name.as_str() }))
}

/// Seals a secret of an account, and writes down that it is there.
pub(super) fn keep(context: &Context, account: &Account, name: Name, secret: &Secret) -> Result<(), Failure> {
    let (stores, user, clock) = (context.stores()?, account.app.user(), MachineClock::start());
    stores.vault().keep(&user, name.as_str(), secret)?;
    let stored = Event::Stored { name: name.as_str().into() };
    stores.store().record(&user, &[(clock.now(), stored)], TokenChange::Keep)
}

fn ask(prompt: &str) -> Result<Secret, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return rpassword::prompt_password(prompt).map(known).map_err(|e| format!("nothing was read: {e}"));
    }
    let mut text = Zeroizing::new(String::with_capacity(4097));
    let read =
        stdin.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| format!("nothing was read: {e}"))?;
    if read as u64 > BYTES_MAX {
        return Err("what was given is too long for a secret".into());
    }
    Ok(known(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn known(text: String) -> Secret {
    let secret = Secret::new(text);
    censor::know(&secret);
    secret
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
            say::out(&row_line(name.as_str(), *there, source));
        }
    }
    let row = |(name, source, there): &(Name, String, bool)| json!({ "name": name.as_str(), "source": source, "present": there });
    let rows: Vec<_> = found.iter().map(row).collect();
    Exit::done(json!({ "account": account.name, "secrets": rows }))
}

fn remove(context: &Context, account: &Account, name: Name) -> Exit {
    forget(context, &account.app.user(), name.as_str(), &account.name)
        .with(json!({ "account": account.name, "name": name.as_str() }))
}
