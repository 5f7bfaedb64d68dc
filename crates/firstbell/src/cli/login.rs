//! `firstbell login`: one morning for one account, with its steps, and the token delivered to its sinks.

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
use crate::clock::MachineClock;
use crate::config::Account;
use crate::halt::Halt;
use crate::hands::Hands;
use crate::http::HyperHttp;
use crate::login::Progress;
use crate::ports::Clock;
use crate::shape::india;
use crate::stores::{self, LoginLock};

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
    let (stores, kite) = (context.stores()?, context.kite());
    let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
    let came = clock.now();
    let lock = halt.or(lock(context, account, ticks)).await.unwrap_or(Err(Failure::Interrupted))?;
    let album = FolderAlbum::of(&context.config.state_dir, &account.name, came);
    let hands = Hands {
        account,
        kite: &kite,
        drivers: &context.config.drivers,
        stores: &stores,
        clock: &clock,
        http: &http,
        progress: ticks,
        journal: None,
        halt,
    };
    let came = lock.waited.then_some(came);
    let delivered = if args.assisted {
        assisted::log_in(&hands, came, args).await?
    } else {
        hands.log_in(came, Some(&album)).await?
    };
    ticks.end(true);
    delivered.sinks.iter().for_each(|sink| say::error(&format!("  → {sink}")));
    delivered.fault.map_or(Ok(delivered.token), Err)
}

/// Keeps other processes from logging this account in; waits for one that does so now, on a thread of its own, so that
/// the owner can interrupt.
async fn lock(context: &Context, account: &Account, ticks: &Ticks) -> Result<LoginLock, Failure> {
    if let Some(lock) = stores::try_lock_login(&context.config.state_dir, &account.app.user())? {
        return Ok(lock);
    }
    ticks.begin("waiting for another login of this account");
    let (folder, name) = (context.config.state_dir.clone(), account.app.user());
    let waiting = tokio::task::spawn_blocking(move || stores::lock_login(&folder, &name));
    waiting.await.unwrap_or_else(|_| Err(super::demo::broken("the wait for another login broke off".into())))
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
