//! A cage for engines with a control port: namespaces of their own, whose only way out knows the plan's hosts.

mod forwarder;
mod order;
mod relay;
mod walls;
mod warden;

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, chmod};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStdout, Command};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::plan::Plan;

use self::forwarder::WayOut;
pub(super) use self::order::Order;
use self::order::Report;
pub(super) use self::warden::enter;
use super::bounds::Bounds;
use super::group::{self, Group};
use super::private::{PrivateFolder, User, browser_user};
use super::sandbox;

/// The program whose hidden command keeps a cage: also where our own path is not open to the user that an engine runs as.
const OURSELVES: &str = "/proc/self/exe";
/// An engine that is not ready within this does not start.
const START: Duration = Duration::from_secs(30);

/// Who is put into a cage, and what the owner accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CageConfig {
    /// The user that an engine started by root runs as.
    pub(super) user: Option<String>,
    /// Private memory that the engine may take.
    pub(super) memory_mb: u64,
    /// Where this machine gives no namespaces, an open control port is accepted.
    pub(super) accept_open: bool,
}

/// Where things are inside the engine's private folder.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) home: PathBuf,
    pub(super) profile: PathBuf,
    pub(super) tmp: PathBuf,
    pub(super) control: PathBuf,
    pub(super) out: PathBuf,
}

/// An engine in its cage. It ends with us, however we end: the warden watches its standard input.
#[derive(Debug)]
pub(super) struct Cage {
    group: Group,
    control: PathBuf,
    way_out: WayOut,
    /// Why it has no walls, where the owner accepted that.
    open: Option<String>,
    /// What the kernel holds it to.
    pub(super) bounds: Bounds,
    /// The filters of system calls that it was started under.
    filters: u32,
    /// The engine's control port, inside.
    pub(super) port: u16,
    /// The port of the way out, inside.
    pub(super) proxy: u16,
}

impl Cage {
    /// Starts an engine as the order for these places says.
    pub(super) async fn start(
        plan: &Plan,
        config: &CageConfig,
        mut order: impl FnMut(&Places) -> io::Result<Order>,
    ) -> Result<Cage, Failure> {
        let why = match Cage::raise(plan, config, "enter", &mut order).await? {
            Ok(cage) => return Ok(cage),
            Err(Report::NoCage(why)) if !config.accept_open => return Err(no_cage(&why)),
            Err(Report::NoCage(why)) => why,
            Err(report) => return Err(failed(report)),
        };
        let cage = Cage::raise(plan, config, "open", &mut order).await?.map_err(failed)?;
        Ok(Cage { open: Some(why), ..cage })
    }

    /// One try; what the warden says where it has no engine to offer.
    async fn raise(
        plan: &Plan,
        config: &CageConfig,
        stage: &str,
        order: &mut impl FnMut(&Places) -> io::Result<Order>,
    ) -> Result<Result<Cage, Report>, Failure> {
        let user = browser_user(config.user.as_deref())?;
        let folder = PrivateFolder::make(user)?;
        let places = Places::of(&folder);
        let mut begin = || -> io::Result<_> {
            let order = order(&places)?;
            let listener = UnixListener::bind(&places.out)?;
            // The folder around it is for its user alone.
            chmod(&places.out, Mode::from_raw_mode(0o666))?;
            Ok((order, listener, spawn(stage, user)?))
        };
        let (order, listener, mut child) = begin().map_err(|e| broken(&format!("no cage for it: {e}")))?;
        let (leash, report) = (child.stdin.take(), child.stdout.take());
        let mut leash = leash.expect("standard input was piped");
        let report = report.expect("standard output was piped");
        let line = serde_json::to_string(&order).expect("an order can be written as JSON") + "\n";
        let sent = leash.write_all(line.as_bytes()).await;
        let leash = leash.into_owned_fd().map_err(|e| broken(&e.to_string()))?;
        let group = Group::of(child, folder, config.memory_mb).on_leash(leash, stage == "open");
        let mut way_out = WayOut::open(listener, plan);
        let said = match tokio::time::timeout(START, read(report)).await {
            Ok(Ok(Report::Ready { port, proxy, bounds, filters })) if sent.is_ok() => {
                let control = places.control;
                return Ok(Ok(Cage { group, control, way_out, open: None, bounds, filters, port, proxy }));
            }
            Ok(Ok(report)) => report,
            Ok(Err(e)) => Report::Ended(format!("its warden ended: {e}")),
            Err(_) => Report::Ended(format!("it was not ready within {} s", START.as_secs())),
        };
        way_out.shut().await;
        let said = match group.why("") {
            "" => said,
            why => Report::Ended(why.to_owned()),
        };
        group.end().await?;
        Ok(Err(said))
    }

    /// Why the engine is no more: what the watchdog says, else this.
    pub(super) fn why<'a>(&'a self, else_why: &'a str) -> &'a str {
        self.group.why(else_why)
    }

    /// Why it has no walls, where this machine gives none and the owner accepted that.
    pub(super) fn open_port(&self) -> Option<&str> {
        self.open.as_deref()
    }

    /// Whether the sandbox of the browser inside is in force.
    ///
    /// # Errors
    /// [`Failure::Broken`] where it is not, or nobody knows.
    pub(super) fn prove(&self) -> Result<(), Failure> {
        sandbox::prove(self.group.pid(), self.filters)
    }

    /// A connection to a port inside.
    pub(super) async fn connect(&self, port: u16) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.control).await?;
        stream.write_all(&port.to_be_bytes()).await?;
        Ok(stream)
    }

    /// Shuts the way out, for good: what the page does from here on stays in the cage.
    pub(super) async fn shut(&mut self) {
        self.way_out.shut().await;
    }

    /// Ends the engine and all that it started, and wipes its folder.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.shut().await;
        self.group.end().await
    }
}

impl Places {
    fn of(folder: &PrivateFolder) -> Places {
        Places {
            home: folder.part("home"),
            profile: folder.part("profile"),
            tmp: folder.part("tmp"),
            control: folder.part("control"),
            out: folder.part("out"),
        }
    }
}

fn spawn(stage: &str, user: Option<User>) -> io::Result<Child> {
    group::prepare()?;
    let mut command = Command::new(OURSELVES);
    command
        .args(["cage", stage])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command.spawn()
}

fn failed(report: Report) -> Failure {
    match report {
        Report::NoCage(why) => no_cage(&why),
        Report::NoSandbox => no_sandbox(),
        Report::Ended(why) => broken(&why),
        Report::Ready { .. } => broken("its warden broke off"),
    }
}

async fn read(report: ChildStdout) -> io::Result<Report> {
    let mut line = String::new();
    if BufReader::new(report).read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

fn broken(why: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!("the login engine does not start: {why}"),
        cure: "Try its program by hand (--version), install it anew, or log in without a browser: --driver http."
            .into(),
    }
}

fn no_cage(why: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!(
            "this engine opens a control port through which any local user could use the browser, and this machine \
             gives no namespaces to shut it in ({why})"
        ),
        cure: "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or an AppArmor profile \
               for firstbell); or use --driver chrome, which opens no port; or, if nobody else uses this machine, \
               write accept = [\"open-control-port\"] into the configuration."
            .into(),
    }
}

/// A browser that found no sandbox on this machine.
pub(super) fn no_sandbox() -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: "the browser's sandbox is off on this system, and firstbell types no password without it".into(),
        cure:
            "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or an AppArmor \
               profile for the browser), or log in without a browser: --driver http."
                .into(),
    }
}
