//! `firstbell run`: keeps every account until it is told to stop. One process for a state folder; others stand by.

use std::path::PathBuf;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::RunArgs;
use super::context::{self, Context};
use super::exit::Exit;
use super::journal::Lines;
use super::service;
use super::staff::Staff;
use crate::clock::MachineClock;
use crate::config::{Account, Environment};
use crate::crier::{self, Route};
use crate::halt::{END, FINISH, Halt};
use crate::hands::Hands;
use crate::http::HyperHttp;
use crate::keeper::{Face, House, Keeper};
use crate::leap::LeapClock;
use crate::ports::Clock;
use crate::serve::Door;
use crate::stores::{self, Lease};

/// A standby looks this often whether its turn has come.
const STANDBY: Duration = Duration::from_millis(500);
/// The lease of the process itself; no client id has a dash.
const DAEMON: &str = "firstbell-run";

/// Why a round of keeping ended.
enum End {
    Stopped,
    Reload,
}

pub(super) async fn run(
    context: Context,
    args: RunArgs,
    (named, env): (Option<PathBuf>, Environment),
) -> Exit {
    let lines = Lines { form: args.log, account: None };
    let mut context = context;
    let lease = match lease(&context, &lines).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return Exit::done(json!({})),
        Err(failure) => return Exit::failed(&failure),
    };
    loop {
        match round(&context, &lines).await {
            Ok(End::Stopped) => {
                drop(lease);
                return Exit::done(json!({}));
            }
            Ok(End::Reload) => context = reload(context, &lines, (named.clone(), env.clone())),
            Err(failure) => return Exit::failed(&failure),
        }
    }
}

/// Waits until no other process keeps this folder's accounts; none where a signal came before that.
async fn lease(context: &Context, lines: &Lines) -> Result<Option<Lease>, Failure> {
    let (mut said, mut stop) = (false, Stop::watch()?);
    loop {
        if let Some(lease) = stores::try_lease(&context.config.state_dir, DAEMON)? {
            return Ok(Some(lease));
        }
        if !said {
            say(lines, "another firstbell keeps these accounts; standing by to take its place");
            service::tell("STATUS=standing by");
            said = true;
        }
        tokio::select! {
            () = stop.next() => return Ok(None),
            () = tokio::time::sleep(STANDBY) => {}
        }
    }
}

/// A configuration with a fault changes nothing: the one before goes on.
fn reload(old: Context, lines: &Lines, (named, env): (Option<PathBuf>, Environment)) -> Context {
    match Context::load(named.as_deref(), env) {
        Ok(new) if new.config.state_dir == old.config.state_dir => {
            say(lines, "the configuration was read anew");
            new
        }
        Ok(_) => {
            say(lines, "state_dir changed: that needs a restart; the configuration of before goes on");
            old
        }
        Err(faults) => {
            say(lines, &format!("the configuration of before goes on; the new one: {}", faults.0.join("; ")));
            old
        }
    }
}

/// Keeps all accounts with one configuration.
async fn round(context: &Context, lines: &Lines) -> Result<End, Failure> {
    let config = &context.config;
    let (stores, kite, http) = (context.stores()?, context.kite(), HyperHttp::unconnected());
    let machine = MachineClock::start();
    let leap = config.keeping.leap.as_ref();
    if leap.is_some() && (config.accounts.len() > 1 || config.rehearsal.is_none()) {
        return Err(Failure::Broken {
            part: Part::Store,
            why: "a leaping clock is for the rehearsal of one account".into(),
            cure: "Take [rehearsal.leap] out of the configuration.".into(),
        });
    }
    let leap = leap.map(|leap| LeapClock::new(leap.control.clone(), &http, (leap.from, leap.to)));
    let clock: &dyn Clock = leap.as_ref().map_or(&machine, |leap| leap);
    let (halt, gate) = (Halt::new(), Semaphore::new(config.keeping.at_once));
    let house = House {
        calendar: &config.calendar,
        keeping: &config.keeping,
        state_dir: &config.state_dir,
        gate: &gate,
    };
    let faces: Vec<Face> = config.accounts.iter().map(|_| Face::default()).collect();
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
        Keeper::new(*hands, schedule, house, (face, log)).keep()
    });
    let routes: Vec<Route> = Vec::new();
    let criers = hands.iter().zip(faces.iter().zip(&logs));
    let criers = criers.map(|(hands, (face, log))| crier::cry(*hands, face, &routes, log));
    let work = async { tokio::join!(join_all(keepers), join_all(criers)) };
    let door = Door::open(&config.state_dir)?;
    let staff = Staff { hands: &hands, faces: &faces, state_dir: &config.state_dir };
    say(lines, &format!("keeping {} of {}", config.accounts.len(), config.state_dir.display()));
    service::tell("READY=1");
    tokio::select! {
        end = ended(work, &halt) => {
            service::tell(if matches!(end, Ok(End::Reload)) { "RELOADING=1" } else { "STOPPING=1" });
            say(lines, "ended well");
            end
        }
        never = machine.tick() => match never {},
        never = door.serve(&staff) => match never {},
        never = service::watch(&staff) => match never {},
    }
}

/// Until a signal comes; then the keepers have a few moments to end well, and no login is left half done.
async fn ended<T>(keepers: impl Future<Output = T>, halt: &Halt) -> Result<End, Failure> {
    let (mut stop, mut reload) = (Stop::watch()?, Stop::kind(SignalKind::hangup())?);
    tokio::pin!(keepers);
    let end = tokio::select! {
        _ = &mut keepers => End::Stopped,
        () = stop.next() => End::Stopped,
        _ = reload.recv() => End::Reload,
    };
    halt.ask();
    let last = FINISH + END + Duration::from_millis(200);
    let _over = tokio::time::timeout(last, &mut keepers).await;
    Ok(end)
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

/// The signals that end a daemon.
struct Stop(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

impl Stop {
    fn watch() -> Result<Stop, Failure> {
        Ok(Stop(Stop::kind(SignalKind::terminate())?, Stop::kind(SignalKind::interrupt())?))
    }

    fn kind(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
        signal(kind).map_err(|e| super::demo::broken(format!("signals cannot be watched: {e}")))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}
