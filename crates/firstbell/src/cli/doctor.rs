//! `firstbell doctor`: everything short of a login, in seconds, with what mends it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::Failure;
use serde_json::json;

use super::bundle::{self, Sources};
use super::context::{Context, Tools};
use super::exit::Exit;
use super::journal::{Lines, LogForm};
use super::say;
use crate::clock::MachineClock;
use crate::config::{self, Config, Environment};
use crate::doctor::finding::{Grade, Report};
use crate::doctor::machine::Machine;
use crate::doctor::{self, Visit};
use crate::drivers::{DriverConfig, DriverName};
use crate::halt::Halt;
use crate::http::HyperHttp;

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// Write what a report of a fault takes along into this file, which must not be there: findings, how the accounts stand and what
    /// happened to them. No secret and no user id is in it; read it before you send it.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

pub(super) async fn run(
    named: Option<&Path>,
    env: Environment,
    (args, as_json): (&DoctorArgs, bool),
) -> Exit {
    let place = config::place(named, &env);
    let context = Context::load(named, env.clone());
    let (machine, clock, http) = (Machine::here(), MachineClock::start(), HyperHttp::unconnected());
    let (halt, quiet) = (Halt::new(), Lines { form: LogForm::Text, account: None, tally: Arc::default() });
    let (tools, closed) = match &context {
        Ok(context) => open(context),
        Err(_) => (None, None),
    };
    let hands = match (&context, &tools) {
        (Ok(context), Some(tools)) => {
            context.config.accounts.iter().map(|account| tools.hands(account, &quiet, &halt)).collect()
        }
        _ => Vec::new(),
    };
    let kite = context.as_ref().map_or_else(|_| Kite::live(), Context::kite);
    let mut usual = DriverConfig::only(DriverName::Chrome);
    usual.chrome.binary = env.get("FIRSTBELL_BROWSER").map(PathBuf::from);
    let visit = Visit {
        machine: &machine,
        home: env.get("HOME").map(PathBuf::from),
        place: &place,
        config: context.as_ref().map(|context| &context.config),
        hands: &hands,
        closed,
        kite: &kite,
        drivers: context.as_ref().map_or(&usual, |context| &context.config.drivers),
        http: &http,
        clock: &clock,
    };
    let report = Report::of(doctor::examine(&visit).await);
    if !as_json {
        report.lines().iter().for_each(|line| say::out(line));
    }
    if let Some(path) = &args.bundle {
        let sources =
            Sources { report: &report, context: context.as_ref().ok(), hands: &hands, clock: &clock };
        if let Err(exit) = bundle::write(path, &sources) {
            return exit;
        }
        say::error(&format!(
            "what a report takes along is in {}: read it before you send it",
            path.display()
        ));
    }
    let findings = json!({ "findings": report.json() });
    match report.count(Grade::Bad) {
        0 => Exit::done(findings),
        bad => Exit::unwell(bad).with(findings),
    }
}

/// The store, where there is one: the doctor makes none.
fn open(context: &Context) -> (Option<Tools<'_>>, Option<Failure>) {
    let Config { state_dir, shared, .. } = &context.config;
    let is_there = shared.is_some()
        || ["store.db", "store.previous.db"].iter().any(|file| state_dir.join(file).exists());
    if !is_there {
        return (None, None);
    }
    match context.config.place().and_then(|place| place.open()) {
        Ok(stores) => (Some(context.tools(stores)), None),
        Err(failure) => (None, Some(failure)),
    }
}
