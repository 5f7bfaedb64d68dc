//! `firstbell login`: one morning for one account, with its steps, and the token delivered to its sinks.

use std::pin::pin;

use firstbell_core::failure::Failure;
use firstbell_core::token::Token;
use serde_json::json;

use super::LoginArgs;
use super::assisted;
use super::context::Context;
use super::exit::Exit;
use super::order;
use super::say::{self, Ticks};
use super::signals::interruptible;
use crate::album::FolderAlbum;
use crate::config::Account;
use crate::halt::Halt;
use crate::hands::Hands;
use crate::shape::india;

pub(super) async fn run(mut context: Context, mut args: LoginArgs) -> Exit {
    if let Some(driver) = args.driver.take() {
        context.config.drivers.ladder = vec![driver];
    }
    context.config.drivers.show(args.headful);
    let account = match context.account(args.account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let (ticks, halt) = (Ticks::start(), Halt::new());
    let outcome = interruptible(&halt, morning(&context, account, &args, (&ticks, &halt))).await;
    ticks.end(outcome.is_ok());
    order::nudge(&context, account).await;
    let times = json!({ "account": account.name, "ms": ticks.total_ms(), "steps": ticks.steps() });
    match outcome {
        Ok(token) => report(account, &token, &ticks).with(times),
        Err(failure) => Exit::failed(&failure).with(times),
    }
}

async fn morning(
    context: &Context,
    account: &Account,
    args: &LoginArgs,
    (ticks, halt): (&Ticks, &Halt),
) -> Result<Token, Failure> {
    let tools = context.tools(context.stores()?);
    let hands = tools.hands(account, ticks, halt);
    let came = hands.clock.now();
    let turn = halt.or(hands.turn()).await;
    let seat = turn.unwrap_or(Err(Failure::Interrupted))?;
    let album = FolderAlbum::of(&context.config.state_dir, &account.name, came);
    let before = seat.before;
    let login = async {
        if args.assisted {
            assisted::log_in(context, &hands, before, args).await
        } else {
            hands.log_in(Some(before), Some(&album)).await
        }
    };
    // Beside the login, which no sink may delay or refuse: the owner can mend one while it goes on.
    let look = async {
        for (_, failure) in hands.check_sinks().await {
            say::error(&format!("note: {failure}. {}", failure.cure()));
        }
    };
    let (mut login, mut look) = (pin!(login), pin!(look));
    let token = tokio::select! {
        outcome = &mut login => outcome,
        () = &mut look => login.await,
    }?;
    ticks.end(true);
    drop(seat);
    deliver(&hands, token).await
}

/// Brings the token to the sinks, whether a daemon does so too or not: a sink that has it takes it for the same.
async fn deliver(hands: &Hands<'_>, token: Token) -> Result<Token, Failure> {
    let mut fault = None;
    for (sink, outcome) in hands.deliver(&token).await {
        match outcome {
            Ok(()) => say::error(&format!("  → {}", sink.place())),
            Err(failure) => {
                // The last one is how this ends.
                let before: Option<Failure> = fault.replace(failure);
                before
                    .into_iter()
                    .for_each(|failure| say::error(&format!("  {failure}. {}", failure.cure())));
            }
        }
    }
    fault.map_or(Ok(token), Err)
}

fn report(account: &Account, token: &Token, ticks: &Ticks) -> Exit {
    let life = &token.life;
    let until = if life.trusted_until > life.issued {
        format!("trusted until {}", india(life.trusted_until))
    } else {
        "to be proven again at each use, because Kite ends tokens in these hours".into()
    };
    let (name, generation, total) = (&account.name, token.generation, say::seconds(ticks.total_ms()));
    say::error(&format!("ready: {name} has a proven token (generation {generation}), {until}. {total}"));
    Exit::done(json!({
        "user_id": account.app.user_id, "generation": generation,
        "issued": india(life.issued), "trusted_until": india(life.trusted_until),
    }))
}
