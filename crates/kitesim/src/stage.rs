//! Sets the stage: binds the three listeners, announces them in one line, and serves until told to stop.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use axum::middleware;
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use url::Url;

use crate::account::Account;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::rules::Rules;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::world::World;
use crate::{api, front, inspect, landing, site, ticker, wire};

/// Everything that a run needs, read and checked.
pub(crate) struct Plan {
    /// Where the pretended Kite listens.
    pub(crate) listen: SocketAddr,
    /// Where the inspection calls listen.
    pub(crate) inspect: SocketAddr,
    /// Where the landing page listens.
    pub(crate) landing: SocketAddr,
    /// Where the simulated clock starts.
    pub(crate) start: Option<Timestamp>,
    /// Settings and faults.
    pub(crate) scenario: Scenario,
    /// The account; nothing means that one is made.
    pub(crate) account: Option<Account>,
    /// The registered redirect URL from the command line; it outranks the scenario's.
    pub(crate) redirect: Option<Url>,
    /// Whether the API answers samples; the scenario may also say so.
    pub(crate) replay: bool,
    /// Whether the run ends with stdin.
    pub(crate) with_parent: bool,
}

/// Why a run did not happen.
pub(crate) enum Failed {
    /// What was asked for cannot be.
    Usage(Vec<String>),
    /// The machine would not let it start.
    Start(String),
}

/// What the starter reads from stdout.
#[derive(Serialize)]
struct Announcement {
    site: String,
    api: String,
    inspect: String,
    redirect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
}

struct Listeners {
    site: TcpListener,
    inspect: TcpListener,
    landing: TcpListener,
}

/// One complaint for each address that other machines could reach.
pub(crate) fn beyond_loopback(addresses: &[(&str, SocketAddr)]) -> Vec<String> {
    let beyond = addresses.iter().filter(|(_, address)| !address.ip().is_loopback());
    let complaint = |(option, address): &(&str, SocketAddr)| {
        format!("{option} {address}: kitesim binds loopback addresses only (127.0.0.0/8 or ::1)")
    };
    beyond.map(complaint).collect()
}

/// Runs the plan until a signal or the end of the starter.
pub(crate) fn run(plan: Plan) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::Start(format!("start the runtime: {error}")))?;
    runtime.block_on(play(plan))
}

async fn play(plan: Plan) -> Result<(), Failed> {
    let listeners = Listeners {
        site: bind("--listen", plan.listen).await?,
        inspect: bind("--inspect", plan.inspect).await?,
        landing: bind("--landing", plan.landing).await?,
    };
    let over = ending(plan.with_parent)?;
    let announcement = open(plan, listeners)?;
    announce(&announcement)?;
    over.await;
    Ok(())
}

async fn bind(option: &str, address: SocketAddr) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).await.map_err(|error| Failed::Start(format!("{option} {address}: {error}")))
}

fn open(plan: Plan, listeners: Listeners) -> Result<Announcement, Failed> {
    let at = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| Failed::Start(format!("ask for a listener's address: {error}")))
    };
    let (site_at, inspect_at, landing_at) =
        (at(&listeners.site)?, at(&listeners.inspect)?, at(&listeners.landing)?);
    let landing_url = Url::parse(&format!("http://{landing_at}/landing"));
    let landing_url = landing_url.expect("a socket address makes a URL");
    let mut settings = Settings::default();
    plan.scenario.apply(&mut settings);
    settings.redirect = plan.redirect.or(settings.redirect);
    settings.replay |= plan.replay;
    let mut faults = Faults::default();
    faults.replace(plan.scenario.faults.unwrap_or_default());
    let made = plan.account.is_none().then(Account::made);
    let account = plan.account.or_else(|| made.clone()).expect("either given or made");
    let rules = Rules::new(account, settings, landing_url).expect("the seed was read once already");
    let redirect = rules.redirect().to_string();

    let world = Arc::new(World::new(site_at, Clock::starting(plan.start), faults, rules));
    let guard = middleware::from_fn_with_state(Arc::clone(&world), front::guard);
    let stamp = middleware::from_fn_with_state(Arc::clone(&world), front::stamp);
    let kite = api::closed(site::router().merge(api::router(&world)));
    let ticker = middleware::from_fn_with_state(Arc::clone(&world), ticker::doorway);
    let kite = kite.layer(ticker).layer(guard).with_state(Arc::clone(&world));
    tokio::spawn(wire::serve(listeners.site, kite));
    tokio::spawn(wire::serve(listeners.inspect, inspect::router(world, inspect_at)));
    tokio::spawn(wire::serve(listeners.landing, landing::router().layer(stamp)));
    let site = format!("http://{site_at}");
    Ok(Announcement {
        api: site.clone(),
        site,
        inspect: format!("http://{inspect_at}"),
        redirect,
        account: made,
    })
}

fn announce(announcement: &Announcement) -> Result<(), Failed> {
    let line = serde_json::to_string(announcement).expect("an announcement is plain data");
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    written.map_err(|error| Failed::Start(format!("announce the addresses: {error}")))?;
    // The starter has its line; whether a human can read this one does not matter.
    let _unread =
        writeln!(io::stderr().lock(), "kitesim: a SIMULATION of Kite is ready at {}", announcement.site);
    Ok(())
}

/// What ends a run: a signal, or stdin at its end when the starter asked for that.
fn ending(with_parent: bool) -> Result<impl Future<Output = ()>, Failed> {
    let listen = |kind| signal(kind).map_err(|error| Failed::Start(format!("listen for signals: {error}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (gone, parent) = oneshot::channel();
    // A sender that is dropped would look like a starter that ended, so without a starter it is kept.
    let kept = if with_parent { watch_stdin(gone) } else { Some(gone) };
    Ok(async move {
        let _kept = kept;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = parent => {}
        }
    })
}

/// A thread and not the runtime: a blocking read of stdin would keep the runtime from ending.
fn watch_stdin(gone: oneshot::Sender<()>) -> Option<oneshot::Sender<()>> {
    thread::spawn(move || {
        let mut chunk = [0_u8; 1024];
        loop {
            match io::stdin().lock().read(&mut chunk) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return drop(gone),
            }
        }
    });
    None
}
