//! `firstbell token`: today's token, if it can be believed. A daemon that runs is asked first, and its answer is final.

use std::path::Path;

use firstbell_core::failure::Failure;
use firstbell_core::token::{Standing, Token};
use serde_json::Value;

use super::TokenArgs;
use super::context::Context;
use super::exit::Exit;
use super::say::{self, Ticks};
use crate::clock::MachineClock;
use crate::config::{self, Account, Environment, Glance};
use crate::halt::Halt;
use crate::ledger;
use crate::ports::{Clock, Delivery};
use crate::serve::{self, Answer, Card};
use crate::shape::{Format, india, shape};

pub(super) async fn run(context: &Context, args: TokenArgs, as_json: bool) -> Exit {
    let account = match context.account(args.account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let token = match believed(context, account).await {
        Ok(token) => token,
        Err(failure) => return Exit::failed(&failure),
    };
    let app = &account.app;
    let delivery =
        Delivery { account: &account.name, api_key: &app.api_key, user_id: &app.user_id, token: &token };
    print(&delivery, args.format, as_json)
}

/// Asks the daemon, with no more than a glance at the configuration: programs ask often. None where no daemon keeps the account,
/// or the configuration must be looked at more closely.
pub(super) async fn ask(
    named: Option<&Path>,
    env: &Environment,
    (args, as_json): (&TokenArgs, bool),
) -> Option<Exit> {
    let Glance { state_dir, accounts } = config::glance(&config::place(named, env), env)?;
    let account = match (args.account.account.as_ref(), accounts.as_slice()) {
        (Some(name), all) if all.contains(name) => name,
        (None, [only]) => only,
        _ => return None,
    };
    Some(match serve::token(&state_dir, account, None, 0).await {
        Ok(None) => return None,
        Ok(Some(Answer::Card(Card { account, user_id, token }))) => {
            let (account, user_id, api_key) = (&account, &user_id, &token.api_key);
            print(&Delivery { account, api_key, user_id, token: &token }, args.format, as_json)
        }
        Ok(Some(Answer::Withheld { error, cure, retry_after_s })) => {
            Exit::withheld(&error, &cure, retry_after_s)
        }
        Ok(Some(Answer::NothingNewer)) => unreachable!("nothing was waited for"),
        Err(failure) => Exit::failed(&failure),
    })
}

fn print(delivery: &Delivery<'_>, format: Option<Format>, as_json: bool) -> Exit {
    let format = format.unwrap_or(if as_json { Format::Json } else { Format::Plain });
    match say::out_secret(&shape(format, delivery)) {
        Ok(()) => Exit::done(Value::Null),
        Err(e) => Exit::internal(&format!("the token could not be written out: {e}")),
    }
}

/// The stored token, if it is trusted now, or was proven just now because it is in doubt; written to the audit log, as the
/// daemon does it, before it is given to anybody.
pub(super) async fn believed(context: &Context, account: &Account) -> Result<Token, Failure> {
    let token = proven(context, account).await?;
    write_down(context, account, &token)?;
    Ok(token)
}

/// Writes into the audit log that this token is given away.
pub(super) fn write_down(context: &Context, account: &Account, token: &Token) -> Result<(), Failure> {
    let about = [("account", account.name.as_str().into()), ("generation", token.generation.into())];
    serve::write_down(&context.config.state_dir, "token", &about)
}

async fn proven(context: &Context, account: &Account) -> Result<Token, Failure> {
    let (clock, stores) = (MachineClock::start(), context.stores()?);
    let none = |why: String| Failure::NoToken { why };
    let Some(token) = ledger::stored(stores.store(), &clock, &account.app)? else {
        return Err(none("none was ever stored".into()));
    };
    match token.life.standing(clock.now()) {
        Standing::Trusted => Ok(token),
        Standing::Dead => Err(none(format!("the last one ended at {}", india(token.life.dead_from)))),
        Standing::Suspect => {
            let (ticks, halt, tools) = (Ticks::start(), Halt::new(), context.tools(stores));
            let hands = tools.hands(account, &ticks, &halt);
            match hands.prove(&token).await {
                Ok(()) => Ok(token),
                Err(Failure::DeadOnArrival) => Err(none("the stored one was refused just now".into())),
                Err(failure) => Err(failure),
            }
        }
    }
}
