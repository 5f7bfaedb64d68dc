//! `firstbell unlock`: the owner has looked at the account and says that it is well.

use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use serde_json::json;

use super::AccountArg;
use super::context::Context;
use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::ledger::Ledger;
use crate::stores;

pub(super) fn run(context: &Context, args: AccountArg) -> Exit {
    let account = match context.account(args.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let unlock = || -> Result<(), Failure> {
        let (clock, stores) = (MachineClock::start(), context.stores()?);
        // A login that is under way has a submission out: its verdict must not be forgotten before it comes.
        let lock = stores::try_lock_login(&context.config.state_dir, &account.app.user())?;
        let _lock = lock.ok_or_else(|| Failure::Broken {
            part: Part::Store,
            why: "a login of this account is under way".into(),
            cure: "Wait for its end, then run firstbell unlock again.".into(),
        })?;
        Ledger::attest(stores.store(), &clock, &account.app)?.note(Event::Unlocked)
    };
    match unlock() {
        Ok(()) => {
            say::error(&format!(
                "{}: attempts that were spent are forgotten; the next login may submit",
                account.name
            ));
            Exit::done(json!({ "account": account.name }))
        }
        Err(failure) => Exit::failed(&failure),
    }
}
