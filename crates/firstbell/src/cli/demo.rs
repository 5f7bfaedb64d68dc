//! `firstbell demo`: a whole morning against kitesim, with throw-away credentials and a real browser.

use std::path::PathBuf;
use std::process::Stdio;

use firstbell_core::broker::App;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::calendar::Exchange;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::notice::Dates;
use firstbell_core::origin::Origin;
use firstbell_core::schedule::Assisted;
use firstbell_core::secret::Secret;
use firstbell_core::token::Token;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::exit::Exit;
use super::say::{self, Ticks};
use super::signals::interruptible;
use crate::clock::MachineClock;
use crate::codes::CodeConfig;
use crate::config::Account;
use crate::drivers::{DriverConfig, DriverName};
use crate::halt::Halt;
use crate::hands::Hands;
use crate::http::HyperHttp;
use crate::login::Progress;
use crate::secrets::{Name, Source};
use crate::shape::india;
use crate::stores;

/// What kitesim says when it is up.
#[derive(Deserialize)]
struct Stage {
    site: String,
    api: String,
    redirect: String,
    account: StageAccount,
}

/// Credentials that live as long as the demo.
#[derive(Deserialize)]
struct StageAccount {
    user_id: String,
    password: String,
    totp_seed: String,
    api_key: String,
    api_secret: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// chrome, firefox, webdriver or http.
    #[arg(long, value_parser = DriverName::parse, default_value = "chrome")]
    driver: DriverName,
    /// Show the browser's window.
    #[arg(long)]
    headful: bool,
}

pub(super) async fn run(args: DemoArgs) -> Exit {
    say::error(
        "A morning against kitesim, a simulation on this machine. No real account, nothing leaves it.",
    );
    let ticks = Ticks::start();
    let mut drivers = DriverConfig::only(args.driver);
    drivers.chrome.binary = std::env::var_os("FIRSTBELL_BROWSER").map(PathBuf::from);
    drivers.show(args.headful);
    let halt = Halt::new();
    let rehearsal = Rehearsal { drivers: &drivers, plan: None, arguments: &[], halt: &halt };
    let outcome = interruptible(&halt, rehearse(rehearsal, &ticks)).await;
    ticks.end(outcome.is_ok());
    let times = json!({ "driver": args.driver.as_str(), "ms": ticks.total_ms(), "steps": ticks.steps() });
    match outcome {
        Ok((account, token)) => {
            let (user, total) = (&account.app.user_id, say::seconds(ticks.total_ms()));
            say::error(&format!("done: {user} has a proven token, and the API answered with it. {total}"));
            Exit::done(json!({ "generation": token.generation, "issued": india(token.life.issued) }))
                .with(times)
        }
        Err(failure) => Exit::failed(&failure).with(times),
    }
}

/// What is rehearsed: with which engines, by which plan, on which stage, and who may end it.
#[derive(Clone, Copy)]
pub(super) struct Rehearsal<'a> {
    pub(super) drivers: &'a DriverConfig,
    pub(super) plan: Option<&'a str>,
    pub(super) arguments: &'a [&'a str],
    pub(super) halt: &'a Halt,
}

/// A whole morning against a simulator of its own.
pub(super) async fn rehearse(rehearsal: Rehearsal<'_>, ticks: &Ticks) -> Result<(Account, Token), Failure> {
    ticks.begin("raising the stage (kitesim)");
    let raised = rehearsal.halt.or(raise(rehearsal.arguments)).await;
    let (mut sim, stage) = raised.unwrap_or(Err(Failure::Interrupted))?;
    let origin =
        |text: &str| Origin::parse(text).map_err(|e| broken(format!("kitesim's address {text} {e}")));
    let kite = Kite::rehearsal(origin(&stage.site)?, origin(&stage.api)?)
        .map_err(|_| broken("kitesim is not on a loopback address".into()))?;
    let kite = match rehearsal.plan {
        Some(text) => kite.with_plan(text).map_err(|faults| broken(faults.to_string()))?,
        None => kite,
    };
    let (drivers, halt) = (rehearsal.drivers, rehearsal.halt);
    let redirect =
        stage.redirect.parse().map_err(|_| broken("kitesim's redirect address cannot be read".into()))?;
    let app = App { api_key: stage.account.api_key, user_id: stage.account.user_id, redirect };
    let secrets = Name::ALL.map(|name| (name, Source::Vault)).to_vec();
    let exchanges = Exchange::USUAL.to_vec();
    let (codes, sinks) = (CodeConfig::Seed, Vec::new());
    let account = Account {
        name: "demo".into(),
        app,
        secrets,
        codes,
        exchanges,
        data: false,
        switch: None,
        assisted: Assisted::Never,
        callback: None,
        dates: Dates::default(),
        sinks,
    };

    ticks.begin("sealing throw-away credentials");
    let state = tempfile::tempdir().map_err(|e| broken(format!("no folder for the demo's store: {e}")))?;
    let state_dir = state.path().join("state");
    let opened = stores::open(&state_dir)?;
    let values = [stage.account.password, stage.account.totp_seed, stage.account.api_secret];
    for (name, value) in Name::ALL.into_iter().zip(values) {
        opened.vault().keep(&account.app.user(), name.as_str(), &Secret::new(value))?;
    }
    let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
    let hands = |stores| Hands {
        account: &account,
        kite: &kite,
        drivers,
        stores,
        clock: &clock,
        http: &http,
        progress: ticks,
        journal: None,
        halt,
    };
    hands(&opened).log_in(None, None).await?;

    ticks.begin("reading the stored token back");
    let again = stores::open(&state_dir)?;
    let token = again.store().current(&account.app.user())?;
    let token = token.ok_or_else(|| broken("the token was proven and is not in the store".into()))?;
    ticks.begin("calling the API with it");
    hands(&again).prove(&token).await?;
    let _ = sim.kill().await;
    Ok((account, token))
}

/// Starts the kitesim that lies beside this program. It ends with us, however we end: it watches its standard input.
async fn raise(arguments: &[&str]) -> Result<(Child, Stage), Failure> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("kitesim")));
    let path = beside.unwrap_or_else(|| PathBuf::from("kitesim"));
    let mut sim = Command::new(&path)
        .args(["serve", "--with-parent"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| Failure::Broken {
            part: Part::Browser,
            why: format!("the simulator {} cannot be started: {e}", path.display()),
            cure: "Build or install it beside firstbell: cargo build --release, or make demo.".into(),
        })?;
    let stdout = sim.stdout.take().ok_or_else(|| broken("kitesim has no output".into()))?;
    let mut line = String::new();
    let read = BufReader::new(stdout).read_line(&mut line).await;
    read.map_err(|e| broken(format!("kitesim does not answer: {e}")))?;
    let stage =
        serde_json::from_str(&line).map_err(|_| broken("kitesim said something unexpected".into()))?;
    Ok((sim, stage))
}

/// A part of the demo that does not work.
pub(super) fn broken(why: String) -> Failure {
    Failure::Broken { part: Part::Store, why, cure: "Run it again; if it stays so, please report it.".into() }
}
