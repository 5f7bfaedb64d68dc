//! The commands: arguments in, one object or some lines out, an exit code for each class of failure.

mod alerts;
mod api;
mod assisted;
mod bundle;
mod chat;
mod context;
mod demo;
mod doctor;
mod exec;
mod exit;
mod guard;
mod history;
mod journal;
mod key;
mod login;
mod next;
mod order;
mod pair;
mod plan;
mod run;
mod say;
mod secrets;
mod service;
mod setup;
mod signals;
mod simulate;
mod staff;
mod status;
mod token;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::context::Context;
use self::exit::Exit;
use self::journal::LogForm;
use self::secrets::SecretsCommand;
use crate::config::Environment;
use crate::drivers::DriverName;
use crate::serve::Order;
use crate::shape::Format;

/// A fresh, valid Kite Connect access token before the first bell, every trading morning.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The configuration [default: FIRSTBELL_CONFIG, else firstbell/config.toml in the user's configuration folder].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object on standard output, whatever happens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Rehearse a whole morning against kitesim, the simulated Kite, in a real browser. Needs no account.
    Demo(demo::DemoArgs),
    /// Look at this machine, the network, the browser and the configuration, and say what to mend. Logs in nowhere.
    Doctor(doctor::DoctorArgs),
    /// Set up an account, question by question, and prove it with a login. Can be left and gone on with at any time.
    Setup(setup::SetupArgs),
    /// Log in now, prove the new token, and store it.
    Login(LoginArgs),
    /// Print today's token.
    Token(TokenArgs),
    /// Run a program with today's token, and start it again with the next one.
    Exec(exec::ExecArgs),
    /// Say what is stored, what was spent, and what to do next.
    Status(AccountArg),
    /// Say what happened; with --last, show the page on which the last failed login ended.
    History(HistoryArgs),
    /// Show the coming mornings, and why each is one; all times are India's.
    Next(next::NextArgs),
    /// Live random days against the real decisions, in simulated time, and watch that every promise holds.
    Simulate(simulate::SimulateArgs),
    /// Keep the secrets in the sealed vault.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Shuts a login engine in. For firstbell itself.
    #[command(hide = true)]
    Cage {
        /// How far.
        stage: String,
    },
    /// Drives a browser for whoever holds the other end of its standard input. For firstbell itself.
    #[command(hide = true)]
    Work,
    /// Begins a program under a supervisor. For firstbell itself.
    #[command(hide = true)]
    Begin {
        /// The supervisor's process.
        supervisor: i32,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Let programs ask over TCP: keys for the local API.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Show the login plan, or check one of your own.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Try the ways to you.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Say that the account is well: attempts that were spent are forgotten.
    Unlock(AccountArg),
    /// Want no logins until resume; a token that is good stays in use.
    Pause(AccountArg),
    /// Want logins again.
    Resume(AccountArg),
    /// Keep every account, every trading morning: the daemon.
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct AccountArg {
    /// The account's name in the configuration; may be left out where there is one only.
    account: Option<String>,
}

#[derive(Debug, Args)]
struct LoginArgs {
    #[command(flatten)]
    account: AccountArg,
    /// chrome, firefox, webdriver or http, instead of the configured one.
    #[arg(long, value_parser = DriverName::parse)]
    driver: Option<DriverName>,
    /// Show the browser's window.
    #[arg(long)]
    headful: bool,
    /// Let a person log in, on any device: firstbell shows a link and does the rest. Needs no password and no TOTP key.
    #[arg(long, conflicts_with_all = ["driver", "headful"])]
    assisted: bool,
    /// With --assisted: open the link in this machine's browser (xdg-open).
    #[arg(long, requires = "assisted")]
    open: bool,
    /// With --assisted: how many seconds the link is good.
    #[arg(long, requires = "assisted", value_name = "SECONDS", default_value_t = 600,
          value_parser = clap::value_parser!(u16).range(1..=600))]
    wait_s: u16,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// How the log on standard output looks.
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    log: LogForm,
}

#[derive(Debug, Args)]
struct HistoryArgs {
    #[command(flatten)]
    account: AccountArg,
    /// The evidence of the last failed login, with nothing secret in it: the page's elements, and a picture.
    #[arg(long)]
    last: bool,
    /// Look at every event: whether one was changed, taken out, moved or cut off since it was written.
    #[arg(long, conflicts_with = "last")]
    verify: bool,
    /// How many events, the newest last.
    #[arg(short, long, default_value_t = 30)]
    number: usize,
}

#[derive(Debug, Args)]
struct TokenArgs {
    #[command(flatten)]
    account: AccountArg,
    /// plain (default), json, env or header.
    #[arg(long, value_parser = Format::parse)]
    format: Option<Format>,
}

#[derive(Debug, Subcommand)]
enum AlertsCommand {
    /// Send a real message, marked as a test, through each channel, and say what came back.
    Test {
        /// This channel only.
        channel: Option<String>,
    },
    /// Say which private chat a Telegram bot takes commands from: shows a code, and waits until it was sent to the bot.
    Pair {
        /// The channel, of kind telegram, with commands = true.
        channel: String,
        /// Take commands from nobody any more.
        #[arg(long)]
        forget: bool,
    },
}

/// All commands and what they take, for manual pages and completions, which are made from it (`examples/pages`).
#[must_use]
pub fn definition() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are asked for, and no fault; clap knows where each goes.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { exit::USAGE } else { exit::DONE });
        }
    };
    if let Command::Cage { stage } = &cli.command {
        return crate::drivers::cage(stage);
    }
    if let Command::Work = &cli.command {
        guard::lock();
        return crate::drivers::work();
    }
    if let Command::Begin { supervisor, command } = &cli.command {
        return ExitCode::from(exec::begin(*supervisor, command).code());
    }
    guard::raise();
    // A variable that is not text is none of ours.
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let env: Environment = std::env::vars_os().filter_map(text).collect();
    // What a daemon warns of has no other way to a person.
    say::start_log(&env, matches!(cli.command, Command::Run(_)).then_some("warn"));
    let (json, token) = (
        cli.json,
        matches!(
            cli.command,
            Command::Token(_)
                | Command::Key(key::KeyCommand::Add { .. })
                | Command::Plan(plan::PlanCommand::Show)
        ),
    );
    // One thread: a login is one thing after another, and a second thread would only be waited for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(run(cli, env));
            // A thread that still waits for another login's end is not waited for.
            runtime.shutdown_background();
            exit
        }
        Err(e) => Exit::internal(&format!("no event loop: {e}")),
    };
    let code = exit.code();
    // A token and a new key print themselves: their JSON form is their own.
    if json && !(token && code == exit::DONE) {
        say::out(&exit.report().to_string());
    }
    ExitCode::from(code)
}

async fn run(cli: Cli, env: Environment) -> Exit {
    if let Command::Demo(args) = cli.command {
        return demo::run(args).await;
    }
    if let Command::Plan(command) = cli.command {
        return plan::run(command).await;
    }
    if let Command::Simulate(args) = &cli.command {
        return simulate::run(args, cli.json);
    }
    if let Command::Next(args) = &cli.command {
        return next::run(cli.config.as_deref(), env, args, cli.json);
    }
    if let Command::Token(args) = &cli.command
        && let Some(exit) = token::ask(cli.config.as_deref(), &env, (args, cli.json)).await
    {
        return exit;
    }
    if let Command::Doctor(args) = &cli.command {
        return doctor::run(cli.config.as_deref(), env, (args, cli.json)).await;
    }
    if let Command::Setup(args) = cli.command {
        return setup::run(cli.config.as_deref(), env, args, cli.json).await;
    }
    let again = (cli.config.clone(), env.clone());
    let context = match Context::load(cli.config.as_deref(), env) {
        Ok(context) => context,
        Err(faults) => return Exit::configuration(&faults),
    };
    match cli.command {
        Command::Demo(_)
        | Command::Plan(_)
        | Command::Cage { .. }
        | Command::Work
        | Command::Begin { .. }
        | Command::Simulate(_)
        | Command::Next(_)
        | Command::Doctor(_)
        | Command::Setup(_) => {
            unreachable!("handled above")
        }
        Command::Login(args) => login::run(context, args).await,
        Command::Token(args) => token::run(&context, args, cli.json).await,
        Command::Exec(args) => exec::run(&context, args).await,
        Command::Status(args) => status::run(&context, args, cli.json).await,
        Command::History(args) => history::run(&context, args, cli.json),
        Command::Secrets(command) => secrets::run(&context, command, cli.json).await,
        Command::Key(command) => key::run(&context, command, cli.json).await,
        Command::Alerts(AlertsCommand::Test { channel }) => {
            alerts::test(&context, channel.as_deref(), cli.json).await
        }
        Command::Alerts(AlertsCommand::Pair { channel, forget }) => {
            pair::run(&context, &channel, forget).await
        }
        Command::Unlock(args) => order::run(&context, args, Order::Unlock).await,
        Command::Pause(args) => order::run(&context, args, Order::Pause).await,
        Command::Resume(args) => order::run(&context, args, Order::Resume).await,
        Command::Run(args) => run::run(context, args, again).await,
    }
}
