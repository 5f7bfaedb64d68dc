//! `firstbell unlock`: the owner has looked at the account and says that it is well.

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;

use super::AccountArg;
use super::context::Context;
use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::ledger::Ledger;

pub(super) fn run(context: &Context, args: AccountArg) -> Exit {
    let account = match context.account(args.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let unlock = || -> Result<(), Failure> {
        let (clock, stores) = (MachineClock::start(), context.stores()?);
        Ledger::open(stores.store(), &clock, &account.name)?.note(Event::Unlocked)
    };
    match unlock() {
        Ok(()) => {
            say::error(&format!(
                "{}: attempts that were spent are forgotten; the next login may submit",
                account.name
            ));
            Exit::DONE
        }
        Err(failure) => Exit::failed(&failure),
    }
}
