//! `firstbell run`: keeps every account until it is told to stop. One process for a state folder; others stand by.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use firstbell_core::failure::Failure;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Notify, Semaphore, watch};

use super::RunArgs;
use super::api;
use super::chat::Counter;
use super::context::{self, Context};
use super::exit::Exit;
use super::journal::Lines;
use super::service;
use super::signals::{Signals, Told};
use super::staff::Staff;
use crate::board::{Offer, Row};
use crate::chat::Awaited;
use crate::clock::MachineClock;
use crate::codes::CodeConfig;
use crate::config::{Account, Config, Environment};
use crate::courier::{self, Brought};
use crate::crier;
use crate::halt::{END, FINISH, Halt};
use crate::hands::Hands;
use crate::http::HyperHttp;
use crate::keeper::{Face, House, Keeper, Listener};
use crate::leap::{Follower, LeapClock};
use crate::ports::Clock;
use crate::selftest::Bench;
use crate::serve::{self, Premises};
use crate::stores::{Heir, Lease, Stores};

/// A standby looks this often whether its turn has come.
const STANDBY: Duration = Duration::from_millis(500);
/// The lease of the process itself; no client id has a dash.
const DAEMON: &str = "firstbell-run";

pub(super) async fn run(
    context: Context,
    args: RunArgs,
    (named, env): (Option<PathBuf>, Environment),
) -> Exit {
    let lines = Lines { form: args.log, account: None, tally: Arc::default() };
    let prompts = |account: &&Account| matches!(account.codes, CodeConfig::Prompt);
    // Each morning would send the password, and nobody would be there for the code.
    if let Some(account) = context.config.accounts.iter().find(prompts)
        && !std::io::stdin().is_terminal()
    {
        let name = &account.name;
        return Exit::usage(&format!(
            "account.{name} takes its codes from whoever sits at the terminal, and there is none: give it a totp_seed, or a \
             command or an address for its codes"
        ));
    }
    match keep(context, &lines, (named.as_deref(), &env)).await {
        Ok(()) => Exit::done(json!({})),
        Err(failure) => Exit::failed(&failure),
    }
}

/// Keeps the accounts, round after round, each with the newest configuration, until a signal ends it.
async fn keep(
    mut context: Context,
    lines: &Lines,
    (named, env): (Option<&Path>, &Environment),
) -> Result<(), Failure> {
    // From here on no signal is lost, and none ends us by itself.
    let mut signals = Signals::watch()?;
    let again = |old: &Context| reread(old, lines, (named, env));
    let mut heir = context.config.place()?.heir(DAEMON)?;
    let brought = Brought::default();
    while let Some(lease) = lease(&mut heir, &mut context, (lines, &mut signals), &again).await? {
        // Bound once: whoever knocks between two rounds is heard in the next one.
        let mut premises = Premises::open(&context.config.state_dir)?;
        loop {
            for failure in premises.adopt(&context.config.api) {
                say(
                    lines,
                    &format!("{failure}. {} The accounts are kept without that door.", failure.cure()),
                );
            }
            let place = Place { lines, lease: &lease, premises: &premises, brought: &brought };
            match round(&context, place, &mut signals, &|| again(&context)).await? {
                Next::Again(new) => context = *new,
                Next::Heir => break,
                Next::End => return Ok(()),
            }
        }
        heir = context.config.place()?.heir(DAEMON)?;
    }
    Ok(())
}

/// What all rounds of a lease share.
#[derive(Clone, Copy)]
struct Place<'a> {
    lines: &'a Lines,
    lease: &'a Lease,
    premises: &'a Premises,
    brought: &'a Brought,
}

/// What comes after a round.
enum Next {
    /// Another one, with a newer configuration.
    Again(Box<Context>),
    /// Another machine keeps the accounts now; we stand by.
    Heir,
    End,
}

impl Next {
    fn tell(&self, lines: &Lines) {
        match self {
            Next::Again(_) => {}
            Next::Heir => {
                say(lines, "another node took these accounts over, because this one was not heard of")
            }
            Next::End => {
                service::tell("STOPPING=1");
                say(lines, "ended well");
            }
        }
    }
}

/// Waits until no other process, on no machine, keeps these accounts; none where a signal came before that. For the service manager
/// this is as good as running: whoever stands by is as ready as he can be.
async fn lease(
    heir: &mut Heir,
    context: &mut Context,
    (lines, signals): (&Lines, &mut Signals),
    again: &dyn Fn(&Context) -> Option<Context>,
) -> Result<Option<Lease>, Failure> {
    let (mut said, mut deaf) = (false, false);
    loop {
        match heir.try_lease() {
            Ok(Some(lease)) => return Ok(Some(lease)),
            Ok(None) => deaf = false,
            // Whoever stands by goes on doing so while a database is away.
            Err(failure) if said => {
                if !std::mem::replace(&mut deaf, true) {
                    say(lines, &format!("{failure}. {}", failure.cure()));
                }
            }
            Err(failure) => return Err(failure),
        }
        if !said {
            say(lines, "another firstbell keeps these accounts; standing by to take its place");
            service::tell("READY=1\nSTATUS=standing by");
            said = true;
        }
        service::tell("WATCHDOG=1");
        tokio::select! {
            told = signals.next() => match told {
                Told::End => return Ok(None),
                Told::HungUp => {
                    service::reloading();
                    let new = again(context);
                    new.into_iter().for_each(|new| *context = new);
                    service::tell("READY=1");
                }
            },
            () = tokio::time::sleep(STANDBY) => {}
        }
    }
}

/// Reads the configuration anew. One with a fault changes nothing: the one before goes on.
fn reread(old: &Context, lines: &Lines, (named, env): (Option<&Path>, &Environment)) -> Option<Context> {
    let goes_on = "the configuration of before goes on";
    match Context::load(named, env.clone()) {
        Ok(mut new) if is_same_place(&new, old) => {
            new.config.vault.goes_on(&old.config.vault);
            say(lines, "the configuration was read anew");
            Some(new)
        }
        Ok(_) => {
            say(
                lines,
                &format!("state_dir, [store] or [vault] changed, and that needs a restart; {goes_on}"),
            );
            None
        }
        Err(faults) => {
            say(lines, &format!("{goes_on}; the new one: {}", faults.0.join("; ")));
            None
        }
    }
}

fn is_same_place(new: &Context, old: &Context) -> bool {
    let place = |context: &'_ Context| {
        let config = &context.config;
        (config.state_dir.clone(), config.shared.clone(), config.vault.clone())
    };
    place(new) == place(old)
}

/// Keeps all accounts with one configuration.
async fn round(
    context: &Context,
    Place { lines, lease, premises, brought }: Place<'_>,
    signals: &mut Signals,
    again: &dyn Fn() -> Option<Context>,
) -> Result<Next, Failure> {
    let config = &context.config;
    let (stores, kite, http) = (context.stores()?, context.kite(), HyperHttp::unconnected());
    stores.under(lease);
    let machine = MachineClock::start();
    let leap = config
        .keeping
        .leap
        .as_ref()
        .map(|leap| LeapClock::new(leap.control.clone(), &http, (leap.from, leap.to)));
    let follower = leap.as_ref().map(Follower);
    let clock: &dyn Clock = leap.as_ref().map_or(&machine, |leap| leap);
    let beside: &dyn Clock = follower.as_ref().map_or(&machine, |follower| follower);
    let (halt, leave, gate) = (Halt::new(), Halt::new(), Semaphore::new(config.keeping.at_once));
    let awaited = Awaited::default();
    let house = house(config, &awaited, (&gate, &leave));
    let faces: Vec<Face> = config.accounts.iter().map(|account| Face::of(row_of(account))).collect();
    let logs: Vec<Lines> = config.accounts.iter().map(|account| for_account(lines, account)).collect();
    let hands: Vec<Hands<'_>> = config
        .accounts
        .iter()
        .zip(&logs)
        .map(|(account, log)| Hands {
            account,
            kite: &kite,
            drivers: &config.drivers,
            stores: &stores,
            clock,
            http: &http,
            progress: log,
            journal: Some(log),
            halt: &halt,
        })
        .collect();
    let keepers = hands.iter().zip(faces.iter().zip(&logs)).map(|(hands, (face, log))| {
        let schedule = context::schedule_of(config, hands.account, &kite);
        Keeper::new(*hands, schedule, house, (face, log, log)).having_looked()
    });
    // All of them, before anybody is let in.
    let keepers: Vec<Keeper<'_>> = keepers.collect();
    let ways = crier::Ways { channels: &config.channels, patience: config.keeping.telling.patience };
    let criers = hands.iter().zip(faces.iter().zip(&logs));
    let criers =
        criers.map(|(hands, (face, log))| crier::cry(Hands { clock: beside, ..*hands }, face, ways, log));
    let work = together(join_all(keepers.into_iter().map(Keeper::keep)), join_all(criers));
    let (bell, (ring, keys)) = (Notify::new(), watch::channel(None));
    let (_server, errands) = premises.serve(api::stock(config, &faces, (keys, lines)))?;
    let staff = Staff { hands: &hands, faces: &faces, bell: &bell };
    let counter = Counter { context, staff: &staff, clock: beside, lines };
    say(lines, &format!("keeping {} of {}", config.accounts.len(), config.state_dir.display()));
    service::tell("READY=1");
    tokio::select! {
        next = ended(work, (&halt, &leave, lost(lease, &faces)), signals, again) => {
            next.tell(lines);
            Ok(next)
        }
        never = courier::carry(rounds(&hands, (&faces, &logs), beside), brought) => match never {},
        never = machine.tick() => match never {},
        () = serve::attend(errands, &staff) => Err(api::ended()),
        never = api::hold_keys(config, &stores, (&ring, &bell)) => match never {},
        never = counter.serve(&stores, &awaited) => match never {},
        never = service::watch(&staff) => match never {},
        never = weekly(config, &machine, (&stores, &http), lines) => match never {},
    }
}

fn house<'a>(
    config: &'a Config,
    awaited: &'a Awaited,
    (gate, leave): (&'a Semaphore, &'a Halt),
) -> House<'a> {
    let Config { calendar, keeping, state_dir, channels, .. } = config;
    House { calendar, keeping, state_dir, channels, awaited, gate, leave }
}

/// Whose tokens go to which sinks, and who hears of it.
fn rounds<'a>(
    hands: &'a [Hands<'a>],
    (faces, logs): (&'a [Face], &'a [Lines]),
    clock: &'a dyn Clock,
) -> impl Iterator<Item = (Hands<'a>, &'a Row, &'a dyn Listener)> {
    hands.iter().zip(faces.iter().zip(logs)).map(move |(hands, (face, log))| {
        let listener: &dyn Listener = log;
        (Hands { clock, ..*hands }, &*face.row, listener)
    })
}

/// The weekly test of all channels. A rehearsal's clock has no weeks to wait for.
async fn weekly(
    config: &Config,
    clock: &dyn Clock,
    (stores, http): (&Stores, &HyperHttp),
    lines: &Lines,
) -> Infallible {
    if !config.keeping.telling.self_test || config.channels.is_empty() || config.keeping.leap.is_some() {
        return std::future::pending().await;
    }
    let bench = Bench { channels: &config.channels, vault: stores.vault(), http, clock };
    bench.keep(lines).await
}

/// Criers end at the word alone, and before a keeper that has a login to end; without keepers nobody has anything to cry.
async fn together<K, C>(keepers: impl Future<Output = K>, criers: impl Future<Output = C>) {
    let mut keepers = pin!(keepers);
    tokio::select! {
        _ = &mut keepers => {}
        _ = criers => drop(keepers.await),
    }
}

/// Until a signal comes. One that ends us gives the keepers a few moments to end well, and no login is left half done. One
/// that wants the configuration read anew breaks nothing off: each keeper finishes what it is doing.
async fn ended<T>(
    keepers: impl Future<Output = T>,
    (halt, leave, lost): (&Halt, &Halt, impl Future<Output = ()>),
    signals: &mut Signals,
    again: &dyn Fn() -> Option<Context>,
) -> Next {
    tokio::pin!(keepers, lost);
    let mut next = Next::End;
    loop {
        tokio::select! {
            _ = &mut keepers => return next,
            () = &mut lost => {
                next = Next::Heir;
                break;
            }
            told = signals.next() => match told {
                Told::End => {
                    next = Next::End;
                    break;
                }
                Told::HungUp => {
                    service::reloading();
                    match again() {
                        Some(new) => {
                            next = Next::Again(Box::new(new));
                            leave.ask();
                        }
                        None => service::tell("READY=1"),
                    }
                }
            }
        }
    }
    halt.ask();
    let last = FINISH + END + Duration::from_millis(200);
    let _over = tokio::time::timeout(last, &mut keepers).await;
    next
}

fn row_of(account: &Account) -> Arc<Row> {
    Arc::new(Row::new(&account.name, &account.app.api_key, &account.app.user_id))
}

/// Until the lease is lost: from then on another node may log in, and nothing of ours is handed out.
async fn lost(lease: &Lease, faces: &[Face]) {
    lease.lost().await;
    for face in faces {
        let row = &face.row;
        let now = row.now(now());
        let why = "another node keeps this account now".to_owned();
        row.post(Offer::Withheld { why, again_at: Some(now) }, now);
    }
}

fn for_account(lines: &Lines, account: &Account) -> Lines {
    Lines { account: Some(account.name.clone()), ..lines.clone() }
}

fn say(lines: &Lines, text: &str) {
    lines.line(now(), "daemon", text);
}

fn now() -> Timestamp {
    MachineClock::start().now()
}
