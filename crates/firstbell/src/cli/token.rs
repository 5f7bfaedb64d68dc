//! `firstbell token`: today's token, if it can be believed.

use firstbell_core::failure::Failure;
use firstbell_core::token::{Standing, Token};
use serde_json::Value;

use super::TokenArgs;
use super::context::Context;
use super::exit::Exit;
use super::say::{self, Ticks};
use crate::clock::MachineClock;
use crate::config::Account;
use crate::halt::Halt;
use crate::ledger;
use crate::ports::{Clock, Delivery};
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
    let format = args.format.unwrap_or(if as_json { Format::Json } else { Format::Plain });
    match say::out_secret(&shape(format, &delivery)) {
        Ok(()) => Exit::done(Value::Null),
        Err(e) => Exit::internal(&format!("the token could not be written out: {e}")),
    }
}

/// The stored token, if it is trusted now, or was proven just now because it is in doubt.
pub(super) async fn believed(context: &Context, account: &Account) -> Result<Token, Failure> {
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
