//! `firstbell pause`, `resume` and `unlock`: the owner's word, through the daemon where one runs, else straight into the history.

use firstbell_core::broker::App;
use firstbell_core::failure::{Failure, Part};
use serde_json::json;

use super::AccountArg;
use super::context::Context;
use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ledger::Ledger;
use crate::serve::{self, Order};
use crate::stores::Turns;

pub(super) async fn run(context: &Context, args: AccountArg, order: Order) -> Exit {
    let account = match context.account(args.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let done = match through(context, account, order).await {
        Ok(true) => Ok(()),
        Ok(false) => direct(context, account, order),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => {
            say::error(&format!("{}: {}", account.name, sentence(order)));
            Exit::done(json!({ "account": account.name }))
        }
        Err(failure) => Exit::failed(&failure),
    }
}

/// Tells the daemon to look at an account at once, where one runs; nobody is disturbed where none does.
pub(super) async fn nudge(context: &Context, account: &Account) {
    if let Err(failure) = through(context, account, Order::Look).await {
        say::error(&format!("note: {failure}. {}", failure.cure()));
    }
}

/// Tells the daemon that something changed which belongs to no account.
pub(super) async fn ring(context: &Context) {
    for account in &context.config.accounts {
        match through(context, account, Order::Look).await {
            Ok(false) => {}
            Ok(true) => return,
            Err(failure) => return say::error(&format!("note: {failure}. {}", failure.cure())),
        }
    }
}

/// Whether a daemon took the order.
async fn through(context: &Context, account: &Account, order: Order) -> Result<bool, Failure> {
    let path = format!("/v1/accounts/{}/{}", account.name, order.name());
    match serve::ask(&context.config.state_dir, "POST", &path).await? {
        Some((200, _)) => Ok(true),
        // A daemon that has not read the newest configuration yet does not keep this account.
        Some((404, _)) | None => Ok(false),
        Some((_, body)) => {
            let text = |key: &str| body[key].as_str().unwrap_or("no reason given").to_owned();
            Err(Failure::Broken { part: Part::Store, why: text("error"), cure: text("cure") })
        }
    }
}

fn direct(context: &Context, account: &Account, order: Order) -> Result<(), Failure> {
    let (clock, stores) = (MachineClock::start(), context.stores()?);
    let attest = || Ledger::attest(stores.store(), &clock, &account.app);
    carry_out(order, (stores.turns(), &account.app), attest)
}

/// Writes an order into the history of an account.
pub(super) fn carry_out<'l>(
    order: Order,
    (turns, app): (&Turns, &App),
    attest: impl FnOnce() -> Result<Ledger<'l>, Failure>,
) -> Result<(), Failure> {
    let Some(event) = order.event() else { return Ok(()) };
    let _lock = match order {
        Order::Unlock => Some(turns.unlocking(&app.user())?),
        _ => None,
    };
    attest()?.note(event)
}

/// What an order comes to.
pub(super) fn sentence(order: Order) -> &'static str {
    match order {
        Order::Pause => "no logins until firstbell resume; a token that is good stays in use",
        Order::Resume => "logins go on",
        Order::Unlock => "attempts that were spent are forgotten; the next login may submit",
        Order::Look => "the daemon looks",
    }
}
