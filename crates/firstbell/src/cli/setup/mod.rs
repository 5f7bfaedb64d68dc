//! `firstbell setup`: a guided first run that can be left and gone on with at any question, and ends with a proven login.

mod ask;
mod channels;
mod end;
mod key_place;
mod secrets;
mod service;
mod steps;
mod unattended;
mod words;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;

use self::ask::Asker;
use super::context::Context;
use super::exit::Exit;
use super::say;
use super::signals::interruptible;
use crate::clock::MachineClock;
use crate::config::{self, Account, ConfigFaults, Environment, VaultConfig};
use crate::halt::Halt;
use crate::http::HyperHttp;
use crate::setup::{Draft, Key, Look, api_key, redirect, user_id};

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// The account's name in the configuration [default: the only one, or main].
    account: Option<String>,
    /// Ask nothing: take what the configuration, the environment and the options say, and name all that is missing.
    #[arg(long)]
    yes: bool,
    /// The Kite client id.
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// The API key of the app.
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// The redirect URL of the app, exactly as it is registered.
    #[arg(long, value_name = "URL")]
    redirect_url: Option<String>,
    /// Who logs in each morning.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Rehearse against a kitesim at this address, with a configuration and a state folder of its own.
    #[arg(long, value_name = "URL")]
    rehearsal: Option<String>,
}

/// Who logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A person, by one tap on a link.
    Assisted,
    /// firstbell.
    Automatic,
}

impl Mode {
    fn written(self) -> &'static str {
        match self {
            Mode::Assisted => "only",
            Mode::Automatic => "false",
        }
    }
}

/// What a first run works with.
struct Setup<'a> {
    asks: Asker<'a>,
    draft: Draft,
    env: Environment,
    clock: MachineClock,
    http: HyperHttp,
    /// What opened the vault, over all that is read anew.
    vault: VaultConfig,
}

pub(super) async fn run(named: Option<&Path>, env: Environment, args: SetupArgs, as_json: bool) -> Exit {
    let draft = match open(named, &env, &args) {
        Ok(draft) => draft,
        Err(exit) => return exit,
    };
    if args.yes || !std::io::stdin().is_terminal() {
        return unattended::run(draft, env, as_json).await;
    }
    let halt = Halt::new();
    let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
    let mut setup = Setup { asks: Asker::new(&halt), draft, env, clock, http, vault: VaultConfig::default() };
    let outcome = interruptible(&halt, setup.questions()).await;
    let next = match outcome {
        Ok(next) => next,
        Err(failure) => return left(&failure),
    };
    // Whoever waited for a pasted address of an assisted login reads the terminal until the end.
    let busy = matches!(next, steps::Next::Login) && end::is_assisted(&setup);
    let exit = match next {
        steps::Next::Login => end::login(&setup).await,
        steps::Next::Proven => Exit::done(serde_json::json!({ "account": setup.draft.account() })),
    };
    if exit.code() != super::exit::DONE {
        return exit;
    }
    let installed = interruptible(&halt, service::offer(&setup, busy)).await;
    end::farewell(&setup);
    match installed {
        Ok(()) => exit,
        Err(failure) => left(&failure),
    }
}

/// The configuration as far as it goes, with what the options say.
fn open(named: Option<&Path>, env: &Environment, args: &SetupArgs) -> Result<Draft, Exit> {
    let faulty = |faults: ConfigFaults| Exit::configuration(&faults);
    let path = place(named, env, args.rehearsal.is_some());
    let mut draft = Draft::open(&path, args.account.as_deref()).map_err(faulty)?;
    if let Some(address) = &args.rehearsal {
        begin_rehearsal(&mut draft, address, env)?;
    }
    draft.config(env).map_err(faulty)?;
    let given = [
        (Key::UserId, args.user_id.as_ref(), user_id as fn(&Secret) -> Look<String>),
        (Key::RedirectUrl, args.redirect_url.as_ref(), redirect),
        (Key::ApiKey, args.api_key.as_ref(), api_key),
    ];
    for (key, text, look) in given {
        let Some(text) = text else { continue };
        // Whoever writes an option has made up his mind: only what cannot be is refused.
        match look(&Secret::new(text.clone())) {
            Look::Good(text) | Look::Doubtful(text, _) => draft.set(key, &text, env).map_err(faulty)?,
            Look::Wrong(why) => {
                return Err(Exit::usage(&format!("--{}: {why}", key.as_str().replace('_', "-"))));
            }
        }
    }
    if let Some(mode) = args.mode {
        draft.set(Key::Assisted, mode.written(), env).map_err(faulty)?;
    }
    Ok(draft)
}

/// A rehearsal never shares a file with a real account, unless its owner names one.
fn place(named: Option<&Path>, env: &Environment, rehearsal: bool) -> PathBuf {
    let path = config::place(named, env);
    let chosen = named.is_some() || env.contains_key("FIRSTBELL_CONFIG");
    if rehearsal && !chosen { path.with_file_name("rehearsal.toml") } else { path }
}

fn begin_rehearsal(draft: &mut Draft, address: &str, env: &Environment) -> Result<(), Exit> {
    let origin = Origin::parse(address).ok().filter(Origin::is_loopback);
    let Some(origin) = origin else {
        return Err(Exit::usage(
            "--rehearsal takes the loopback address of a kitesim, the site of the line with which it begins",
        ));
    };
    if draft.is_rehearsal() {
        // A kitesim takes another port each time.
        draft.rehearse(&origin.to_string(), None);
        return Ok(());
    }
    if draft.has_account() {
        let path = draft.path().display();
        return Err(Exit::usage(&format!(
            "{path} is the configuration of a real account; a rehearsal needs one of its own: name it with --config"
        )));
    }
    let folder = config::usual_state_dir(env).with_file_name("firstbell-rehearsal");
    let folder = (!env.contains_key("FIRSTBELL_STATE_DIR")).then_some(folder);
    draft.rehearse(&origin.to_string(), folder.as_deref());
    Ok(())
}

/// How a run ends that was left or could not go on.
fn left(failure: &Failure) -> Exit {
    if *failure == Failure::Interrupted {
        return Exit::left("Left here. What you answered is kept: run firstbell setup again to go on.");
    }
    Exit::failed(failure)
}

impl Setup<'_> {
    /// What the configuration says by now.
    fn context(&self) -> Result<Context, Failure> {
        let mut config = self.draft.config(&self.env).map_err(|faults| broken(&faults))?;
        config.vault.goes_on(&self.vault);
        Ok(Context { config })
    }

    /// The account that is being set up.
    fn account<'c>(&self, context: &'c Context) -> Result<&'c Account, Failure> {
        let found = context.config.accounts.iter().find(|account| account.name == self.draft.account());
        found.ok_or_else(|| {
            Draft::broken("the account is not in the configuration yet".into(), "Run firstbell setup again.")
        })
    }

    /// Sets something of the account; says why where it cannot be.
    fn set(&mut self, key: Key, text: &str) -> bool {
        match self.draft.set(key, text, &self.env) {
            Ok(()) => true,
            Err(faults) => {
                faults.0.iter().for_each(|line| say::error(&format!("  ✗ {line}")));
                false
            }
        }
    }
}

fn broken(faults: &ConfigFaults) -> Failure {
    Draft::broken(faults.0.join("\n  "), "Mend the configuration, then run firstbell setup again.")
}
