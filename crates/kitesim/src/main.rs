//! `kitesim`: a pretended Zerodha Kite for rehearsals; this file turns arguments into one run and an exit code.

mod account;
mod api;
mod chance;
mod clock;
mod desk;
mod envelope;
mod faults;
mod fields;
mod frames;
mod front;
mod habits;
mod held;
mod hosts;
mod html;
mod inspect;
mod landing;
mod limits;
mod market;
mod mishap;
mod names;
mod rules;
mod scenario;
mod seen;
mod settings;
mod site;
mod stage;
mod ticker;
mod tls;
mod totp;
mod when;
mod wire;
mod world;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use url::Url;

use crate::account::Account;
use crate::habits::PAGES;
use crate::stage::{Failed, Plan};

/// What `--help` ends with: from nothing to a rehearsed failure.
const FIVE_MINUTES: &str = "\
Rehearse a failed login in five minutes:
  1. kitesim serve --listen 127.0.0.1:8080 --inspect 127.0.0.1:8081
     The line on stdout has throw-away credentials; give them to your script.
  2. Send the script here: the login begins at http://127.0.0.1:8080/connect/login?v=3&api_key=KEY, the API client
     takes root=http://127.0.0.1:8080, the ticker root=ws://127.0.0.1:8080/. A script whose hosts cannot be changed
     needs --tls DIR and a hosts-file line.
  3. Run it once: all is well. Open http://127.0.0.1:8081/, press `wrong-password`, run it again.
     The page shows what arrived: a good script stops at the first refusal and does not lock the account.
  4. More bad days are in the scenarios folder: kitesim serve --faults scenarios/f64-exchange-lost.toml";

/// A pretended Zerodha Kite for rehearsals: login pages, Connect redirects, REST API, ticker. Loopback only.
#[derive(Debug, Parser)]
#[command(name = "kitesim", version, after_help = FIVE_MINUTES)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the simulation, announce its addresses as one JSON line on stdout, and serve until told to stop.
    #[command(after_help = FIVE_MINUTES)]
    Serve(Serve),
}

#[derive(Debug, Args)]
struct Serve {
    /// Where the pretended Kite (site and API) listens. Loopback only; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the inspection calls listen. Loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    inspect: SocketAddr,
    /// Where the landing page behind the registered redirect URL listens. Loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    landing: SocketAddr,
    /// The moment at which the simulated clock starts [default: the host's time].
    #[arg(long, value_name = "RFC3339")]
    clock: Option<Timestamp>,
    /// Which generation of the login page to serve, A to D; it outranks the scenario's [default: D, 2023 to now].
    #[arg(long, value_name = "GENERATION")]
    page: Option<String>,
    /// Serve kite.zerodha.com, kite.trade, api.kite.trade, ws.kite.trade and ws.zerodha.com behind TLS on --listen,
    /// with a private authority that is made and kept in DIR.
    #[arg(long, value_name = "DIR")]
    tls: Option<PathBuf>,
    /// A scenario file (TOML) with settings, the clock and faults.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// A file with one account as JSON, or - to read it from stdin [default: throw-away credentials are made].
    #[arg(long, value_name = "FILE|-")]
    account: Option<PathBuf>,
    /// The registered redirect URL [default: the landing page].
    #[arg(long, value_name = "URL")]
    redirect: Option<Url>,
    /// Answer every API call with a sample, without a token and without any state: for the suites of client libraries.
    #[arg(long)]
    replay: bool,
    /// End when stdin closes, that is when whoever started this program has ended.
    #[arg(long)]
    with_parent: bool,
}

fn main() -> ExitCode {
    let Verb::Serve(serve) = Line::parse().verb;
    let outcome = plan(serve).map_err(Failed::Usage).and_then(stage::run);
    let (complaints, code) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failed::Usage(complaints)) => (complaints, 2),
        Err(Failed::Start(complaint)) => (vec![complaint], 1),
    };
    let mut stderr = io::stderr().lock();
    for complaint in complaints {
        // Nobody is left to hear that the complaint itself could not be written.
        let _unheard = writeln!(stderr, "kitesim: {complaint}");
    }
    ExitCode::from(code)
}

/// Reads everything that the arguments name, and collects every complaint before giving up.
fn plan(serve: Serve) -> Result<Plan, Vec<String>> {
    let mut complaints = stage::beyond_loopback(&[
        ("--listen", serve.listen),
        ("--inspect", serve.inspect),
        ("--landing", serve.landing),
    ]);
    let page = serve.page.as_ref().map(|name| PAGES.iter().find(|(known, _)| known == name).ok_or(name));
    if let Some(Err(name)) = page {
        complaints.push(format!("--page {name}: the generations of the login page are A, B, C and D"));
    }
    if serve.redirect.as_ref().is_some_and(|url| !settings::may_be_redirect(url)) {
        complaints.push("--redirect: it must be an http or https URL with a host".to_owned());
    }
    let scenario = serve.faults.as_ref().map(|path| {
        let text = fs::read_to_string(path).map_err(|error| vec![error.to_string()])?;
        scenario::from_toml(&text)
    });
    let scenario = match scenario.transpose() {
        Ok(scenario) => scenario.unwrap_or_default(),
        Err(found) => {
            complaints.extend(found.into_iter().map(|one| format!("--faults: {one}")));
            scenario::Scenario::default()
        }
    };
    let account = serve.account.as_deref().map(Account::read).transpose();
    let account = account.unwrap_or_else(|found| {
        complaints.extend(found.into_iter().map(|one| format!("--account: {one}")));
        None
    });
    if !complaints.is_empty() {
        return Err(complaints);
    }
    Ok(Plan {
        listen: serve.listen,
        inspect: serve.inspect,
        landing: serve.landing,
        start: serve.clock,
        scenario,
        tls: serve.tls,
        account,
        page: page.and_then(Result::ok).map(|(_, page)| *page),
        redirect: serve.redirect,
        replay: serve.replay,
        with_parent: serve.with_parent,
    })
}
