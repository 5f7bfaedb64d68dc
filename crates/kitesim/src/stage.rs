//! Sets the stage: binds the three listeners, announces them in one line, and serves until told to stop.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use axum::middleware;
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::account::Account;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::habits::Page;
use crate::names::{API, SITE};
use crate::rules::Rules;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::tls::Authority;
use crate::world::World;
use crate::{api, front, hosts, inspect, landing, site, ticker, tls, wire};

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
    /// The folder of the private authority, when the pretended Kite stands behind TLS.
    pub(crate) tls: Option<PathBuf>,
    /// The account; nothing means that one is made.
    pub(crate) account: Option<Account>,
    /// The generation of the login page from the command line; it outranks the scenario's.
    pub(crate) page: Option<Page>,
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
    tls: Option<Tls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account>,
}

/// Where the pretended names lead, and what to trust for them.
#[derive(Serialize)]
struct Tls {
    authority: PathBuf,
    listen: SocketAddr,
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
    settings.habits.page = plan.page.unwrap_or(settings.habits.page);
    settings.replay |= plan.replay;
    let mut faults = Faults::default();
    faults.replace(plan.scenario.faults.unwrap_or_default());
    let made = plan.account.is_none().then(Account::made);
    let account = plan.account.or_else(|| made.clone()).expect("either given or made");
    let rules = Rules::new(account, settings, landing_url).expect("the seed was read once already");
    let redirect = rules.redirect().to_string();

    let mut clock = Clock::starting(plan.start);
    if !clock.obey(&plan.scenario.clock) {
        return Err(Failed::Usage(vec![
            "--faults: clock.advance_s: no calendar reaches that far".to_owned(),
        ]));
    }
    let mut world = World::new(site_at, clock, faults, rules);
    world.secure = plan.tls.is_some();
    let world = Arc::new(world);
    let secure = plan.tls.as_deref().map(|folder| secure(folder, &world)).transpose()?;
    let guard = middleware::from_fn_with_state(Arc::clone(&world), front::guard);
    let stamp = middleware::from_fn_with_state(Arc::clone(&world), front::stamp);
    let tickers = (Arc::clone(&world), ticker::Board::default());
    let door = middleware::from_fn_with_state(tickers, ticker::doorway);
    let whole = api::closed(site::router(&world).merge(api::router(&world))).with_state(Arc::clone(&world));
    let kite = if secure.is_some() {
        let site = api::closed(site::router(&world)).with_state(Arc::clone(&world));
        hosts::split(site, api::closed(api::router(&world)).with_state(Arc::clone(&world)), whole)
    } else {
        whole
    };
    let (acceptor, authority) = secure.unzip();
    tokio::spawn(wire::serve(listeners.site, kite.layer(door).layer(guard), acceptor));
    tokio::spawn(api::post_all(Arc::clone(&world)));
    tokio::spawn(wire::serve(listeners.inspect, inspect::router(world, inspect_at), None));
    tokio::spawn(wire::serve(listeners.landing, landing::router().layer(stamp), None));
    let base = |name: &str| match &authority {
        Some(_) => format!("https://{name}:{}", site_at.port()),
        None => format!("http://{site_at}"),
    };
    Ok(Announcement {
        api: base(API),
        site: base(SITE),
        tls: authority.map(|authority| Tls { authority, listen: site_at }),
        inspect: format!("http://{inspect_at}"),
        redirect,
        account: made,
    })
}

/// What accepts TLS, and the file of the authority.
fn secure(folder: &Path, world: &Arc<World>) -> Result<(TlsAcceptor, PathBuf), Failed> {
    let failed = |complaint: String| Failed::Start(format!("--tls {complaint}"));
    // Clients judge certificates by the host's time, not by the simulated one.
    let today = Clock::starting(None).now();
    let authority = Authority::keep(folder, today).map_err(failed)?;
    let certificates = authority.certificates(today).map_err(failed)?;
    let acceptor =
        tls::acceptor(certificates, Arc::clone(world)).map_err(|error| failed(error.to_string()))?;
    Ok((acceptor, authority.certificate))
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
