//! `firstbell login`: one morning for one account, with its steps, and the token delivered to its sinks.

use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::Failure;
use firstbell_core::token::Token;
use serde_json::json;

use super::LoginArgs;
use super::context::{self, Context};
use super::exit::Exit;
use super::say::{self, Ticks};
use super::signals::interruptible;
use crate::album::FolderAlbum;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::drivers::DriverConfig;
use crate::halt::Halt;
use crate::http::HyperHttp;
use crate::ledger::Ledger;
use crate::login::{Login, Progress};
use crate::ports::{Album, Clock, Delivery, Sink};
use crate::shape::india;
use crate::stores::{self, LoginLock, Stores};

pub(super) async fn run(mut context: Context, args: LoginArgs) -> Exit {
    if let Some(driver) = args.driver {
        context.config.drivers.ladder = vec![driver];
    }
    context.config.drivers.show(args.headful);
    let account = match context.account(args.account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let (ticks, halt) = (Ticks::start(), Halt::new());
    let outcome = interruptible(&halt, morning(&context, account, &ticks, &halt)).await;
    ticks.end(outcome.is_ok());
    let times = json!({ "account": account.name, "ms": ticks.total_ms(), "steps": ticks.steps() });
    match outcome {
        Ok(token) => report(account, &token, &ticks).with(times),
        Err(failure) => Exit::failed(&failure).with(times),
    }
}

async fn morning(context: &Context, account: &Account, ticks: &Ticks, halt: &Halt) -> Result<Token, Failure> {
    let stores = context.stores()?;
    let kite = context.kite();
    let came = MachineClock::start().now();
    let lock = halt.or(lock(context, account, ticks)).await.unwrap_or(Err(Failure::Interrupted))?;
    let album = Some(FolderAlbum::of(&context.config.state_dir, &account.name, came));
    let began = Began { came: lock.waited.then_some(came), album };
    one(&kite, &context.config.drivers, account, (&stores, ticks, began), halt).await
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

/// When somebody else was logging in as we came: that login's token is ours too.
#[derive(Default)]
pub(super) struct Began {
    came: Option<jiff::Timestamp>,
    album: Option<FolderAlbum>,
}

/// One login, by whoever holds the account's lock.
pub(super) async fn one(
    kite: &Kite,
    drivers: &DriverConfig,
    account: &Account,
    (stores, ticks, began): (&Stores, &Ticks, Began),
    halt: &Halt,
) -> Result<Token, Failure> {
    let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
    let mut ledger = Ledger::attest(stores.store(), &clock, &account.app)?;
    if let (Some(came), Some(proven_at)) = (began.came, ledger.state().proven_at)
        && proven_at >= came
        && let Some(token) = ledger.current()?
    {
        return Ok(token);
    }
    let keys = context::keys(account, stores)?;
    let sinks: Vec<Box<dyn Sink>> = account.sinks.iter().map(crate::sinks::SinkConfig::open).collect();
    sinks.iter().try_for_each(|sink| sink.check())?;
    let codes = account.codes.open(&http);
    let login = Login {
        broker: kite as &dyn Broker,
        ground: kite.ground(),
        app: &account.app,
        engines: drivers,
        http: &http,
        clock: &clock,
        codes: codes.as_deref(),
        album: began.album.as_ref().map(|album| album as &dyn Album),
        progress: ticks,
        halt,
    };
    let token = login.run(&mut ledger, &keys).await?;
    ticks.end(true);
    if let Err(failure) = stores.store().tidy(clock.now()) {
        tracing::warn!(%failure, "old events could not be pruned");
    }
    deliver(account, &sinks, &token)?;
    Ok(token)
}

/// Every sink gets its turn, whatever becomes of another.
fn deliver(account: &Account, sinks: &[Box<dyn Sink>], token: &Token) -> Result<(), Failure> {
    let app = &account.app;
    let delivery = Delivery { account: &account.name, api_key: &app.api_key, user_id: &app.user_id, token };
    let mut outcome = Ok(());
    for sink in sinks {
        match sink.deliver(&delivery) {
            Ok(()) => say::error(&format!("  → {}", sink.name())),
            Err(failure) => outcome = Err(failure),
        }
    }
    outcome
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
