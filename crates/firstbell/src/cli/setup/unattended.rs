//! A first run that asks nothing: everything that is missing at once, each with the place where it goes; else the login.

use firstbell_core::schedule::Assisted;

use super::end;
use super::steps::wrong_clock;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::{alerts, say};
use crate::clock::MachineClock;
use crate::codes::CodeConfig;
use crate::config::{Account, Environment};
use crate::http::HyperHttp;
use crate::ports::Clock;
use crate::secrets::{Name, Owner};
use crate::setup::{Draft, Key, Known, check};

pub(super) async fn run(draft: Draft, env: Environment, as_json: bool) -> Exit {
    let config = match draft.config(&env) {
        Ok(config) => config,
        Err(faults) => return Exit::configuration(&faults),
    };
    let context = Context { config };
    let missing = match lacks(&draft, &context).await {
        Ok(missing) => missing,
        Err(exit) => return exit,
    };
    if !missing.is_empty() {
        return Exit::faults("this is missing, or wrong; nothing was spent", &missing);
    }
    let assisted =
        context.config.accounts.iter().any(|a| a.name == draft.account() && a.assisted == Assisted::Only);
    if !context.config.channels.is_empty()
        && alerts::test(&context, None, as_json).await.code() != crate::cli::exit::DONE
    {
        say::error("note: not every channel took the test message; the login goes on");
    }
    end::proven(context, draft.account(), assisted).await
}

/// All that is missing.
async fn lacks(draft: &Draft, context: &Context) -> Result<Vec<String>, Exit> {
    let (file, name) = (draft.path().display(), draft.account());
    let mut lines = Vec::new();
    for (key, example, option) in [
        (Key::UserId, "AB1234", "--user-id"),
        (Key::ApiKey, "xxxxxxxxxxxxxxxx", "--api-key"),
        (Key::RedirectUrl, "http://127.0.0.1:5000/back", "--redirect-url"),
    ] {
        if !draft.has(key) {
            let key = key.as_str();
            lines.push(format!(
                "{key}: write {key} = \"{example}\" under [account.{name}] in {file}, or give {option}"
            ));
        }
    }
    let account = context.config.accounts.iter().find(|account| account.name == name);
    for secret in needed(account) {
        if let Some(line) = lacks_secret(context, account.filter(|_| draft.has(Key::UserId)), secret)? {
            lines.push(line);
        }
    }
    if let Some(account) = account.filter(|_| draft.has(Key::ApiKey)) {
        lines.extend(refused(context, account).await);
    }
    Ok(lines)
}

fn needed(account: Option<&Account>) -> Vec<Name> {
    let only = account.is_some_and(|account| account.assisted == Assisted::Only);
    let seed = account.is_none_or(|account| matches!(account.codes, CodeConfig::Seed));
    Name::ALL
        .into_iter()
        .filter(|name| match name {
            Name::ApiSecret => true,
            Name::Password => !only,
            Name::TotpSeed => !only && seed,
        })
        .collect()
}

/// Why a secret is not there. Without a client id the vault has no owner for it.
fn lacks_secret(context: &Context, account: Option<&Account>, name: Name) -> Result<Option<String>, Exit> {
    let key = name.as_str();
    let places = format!(
        "firstbell secrets set {key} reads it from a pipe into the vault; or write {key} = {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
    );
    let Some(account) = account else {
        return Ok(Some(format!("{key}: {} ({places})", name.hint())));
    };
    let stores = context.stores().map_err(|failure| Exit::failed(&failure))?;
    let user = account.app.user();
    let owner = Owner { id: &user, name: &account.name };
    let found = account.secrets[name as usize].1.fetch(owner, name, stores.vault());
    Ok(found.err().map(|failure| format!("{key}: {failure}: {} ({places})", name.hint())))
}

/// What can be seen to be wrong without an attempt.
async fn refused(context: &Context, account: &Account) -> Vec<String> {
    let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
    let checked = check(&context.kite(), &account.app, &http, || clock.now()).await;
    let mut lines = Vec::new();
    if checked.known == Known::No {
        lines.push(
            "api_key: Kite does not know it; copy it anew from the app's page at developers.kite.trade"
                .into(),
        );
    }
    if let Some(s) = checked.ahead_s.filter(|s| s.abs() > 10) {
        lines.push(wrong_clock(s));
    }
    lines
}
