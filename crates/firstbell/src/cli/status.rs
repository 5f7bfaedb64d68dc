//! `firstbell status`: what is stored, what was spent, and what to do next.

use firstbell_core::budget::{Cause, TRIES};
use firstbell_core::failure::Failure;
use firstbell_core::token::Standing;
use serde_json::{Value, json};

use super::AccountArg;
use super::context::{self, Context};
use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ledger::Ledger;
use crate::ports::Clock;
use crate::shape::india;
use crate::stores::Stores;

pub(super) fn run(context: &Context, args: AccountArg, as_json: bool) -> Exit {
    let accounts: Vec<&Account> = match args.account.as_deref() {
        None => context.config.accounts.iter().collect(),
        Some(name) => match context.account(Some(name)) {
            Ok(account) => vec![account],
            Err(exit) => return exit,
        },
    };
    let look = || -> Result<Vec<Value>, Failure> {
        let stores = context.stores()?;
        accounts.iter().map(|account| one(account, &stores)).collect()
    };
    match look() {
        Ok(found) => {
            if !as_json {
                found.iter().for_each(|status| say::out(&lines(status)));
            }
            Exit::done(json!({ "accounts": found }))
        }
        Err(failure) => Exit::failed(&failure),
    }
}

fn one(account: &Account, stores: &Stores) -> Result<Value, Failure> {
    let clock = MachineClock::start();
    let ledger = Ledger::open(stores.store(), &clock, &account.app)?;
    let token = ledger.current()?;
    let standing = token.as_ref().map(|t| t.life.standing(clock.now()));
    let (budget, keys) = (&ledger.state().budget, context::keys(account, stores));
    let left = keys.as_ref().ok().map(|keys| {
        let password = budget.left(Cause::Password, &keys.password_mark);
        (password, budget.left(Cause::Code, &keys.seed_mark))
    });
    let stop = keys.as_ref().ok().and_then(|keys| {
        let password = budget.admits(Cause::Password, &keys.password_mark);
        password.and_then(|()| budget.admits(Cause::Code, &keys.seed_mark)).err()
    });
    let next = match (&keys, stop, standing) {
        (Err(failure), ..) => format!("{failure}. {}", failure.cure()),
        (_, Some(stop), _) => {
            let failure = Failure::Stopped(stop);
            format!("{failure}. {}", failure.cure())
        }
        (_, _, Some(Standing::Trusted)) => "nothing: the token is good".into(),
        (_, _, Some(Standing::Suspect)) => {
            "the token is proven again when it is asked for, or log in anew".into()
        }
        _ => "run firstbell login".into(),
    };
    let failed = ledger.state().trouble.as_ref().map(|t| json!({ "at": india(t.at), "failure": t.code }));
    Ok(json!({
        "account": account.name,
        "user_id": account.app.user_id,
        "token": standing.map_or("none", word),
        "generation": token.as_ref().map(|t| t.generation),
        "issued": token.as_ref().map(|t| india(t.life.issued)),
        "trusted_until": token.as_ref().map(|t| india(t.life.trusted_until)),
        "pending": ledger.pending().is_ok_and(|pending| pending.is_some()),
        "last_failure": failed,
        "tries_left": left.map(|(password, code)| json!({ "password": password, "code": code })),
        "next": next,
    }))
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Trusted => "trusted",
        Standing::Suspect => "suspect",
        Standing::Dead => "dead",
    }
}

fn lines(status: &Value) -> String {
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("{} ({})", text("account"), text("user_id"))];
    match status["generation"].as_u64() {
        None => lines.push("  token      none yet".into()),
        Some(generation) => lines.push(format!(
            "  token      {}, generation {generation}, issued {}, trusted until {}",
            text("token"),
            text("issued"),
            text("trusted_until")
        )),
    }
    if status["pending"] == true {
        lines.push("  pending    a token that could not be proven yet; the next login asks again".into());
    }
    if let Some(left) = status["tries_left"].as_object() {
        lines.push(format!(
            "  tries left password {} of {TRIES}, code {} of {TRIES}",
            left["password"], left["code"]
        ));
    }
    if let Some(failed) = status["last_failure"].as_object() {
        let text = |key: &str| failed[key].as_str().unwrap_or_default();
        lines.push(format!("  last       {} at {}", text("failure"), text("at")));
    }
    lines.push(format!("  next       {}", text("next")));
    lines.join("\n")
}
