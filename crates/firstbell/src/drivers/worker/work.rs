//! The worker's side: one process, one engine, and an end when the keeper is gone, however that ended.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::time::Duration;

use firstbell_core::secret::Secret;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use super::super::engine::{Engine, Texts};
use super::super::filter::{self, Whom};
use super::super::group;
use super::super::job::Job;
use super::hire;
use super::line::{Hears, Says, split};
use super::message::{Asked, Order, Report, Said, Text};
use crate::ports::Soon;

/// The first order comes at once.
const ORDER: Duration = Duration::from_secs(10);
/// An engine that is being started when the keeper ends is given this, so that it can be ended as engines are.
const FINISH: Duration = Duration::from_secs(5);
/// No login takes this long: an engine's own watchdog ends it 300 s after its start, which takes less than the rest.
const LIFE: Duration = Duration::from_secs(420);
/// An engine that has not ended within this is left to the kernel and to the next sweep.
const END: Duration = Duration::from_secs(12);

/// The hidden command `firstbell work`: obeys whoever holds the other end of its standard input, which is a socket.
pub(in super::super) fn work() -> ExitCode {
    // Whatever happens to it is the keeper's to tell.
    std::panic::set_hook(Box::new(|_| {}));
    let worked = prepare().and_then(|stream| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worked = runtime.block_on(obey(stream));
        runtime.shutdown_background();
        worked
    });
    if worked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Before anything is heard: no descriptor but the socket, no call that it does not need, no core, nobody who looks in. The filter of
/// cores comes before the last, because a process that nobody may look into cannot set it any more.
fn prepare() -> io::Result<std::os::unix::net::UnixStream> {
    let open = fs::read_dir("/proc/self/fd")?.flatten();
    let open: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in open.into_iter().filter(|number| *number > 2) {
        // The list's own is closed already.
        let _ = nix::unistd::close(number);
    }
    // Before there is another thread. What is wrong with it, or missing, is told when the same is asked for the engine. A window's
    // browser may rest on a sandbox that is given rights when it starts, which nothing below a filter is.
    if !hire::DISPLAY.iter().any(|name| std::env::var_os(name).is_some()) {
        let _ = filter::raise(Whom::Worker);
    }
    group::prepare()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(fs::File::open("/dev/null")?)?;
    Ok(socket.into())
}

async fn obey(stream: std::os::unix::net::UnixStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let stream = UnixStream::from_std(stream)?;
    if !is_allowed(&stream)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // A terminal and a service manager tell everybody; whether it is over is the keeper's to say.
    let _deaf = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let (hears, says) = split(stream);
    let (orders, texts) = listen(hears);
    let mut desk = Desk { says, orders, texts, number: 0 };
    match timeout(ORDER, desk.orders.recv()).await {
        Ok(Some(Asked { number, order: Order::Begin(job) })) => {
            desk.number = number;
            desk.serve(&job).await
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Root, our own user, and the one whom the socket's file belongs to, where it has one.
fn is_allowed(stream: &UnixStream) -> io::Result<bool> {
    let caller = stream.peer_cred()?.uid();
    let address = stream.local_addr()?;
    let owner = address.as_pathname().and_then(|path| fs::symlink_metadata(path).ok()).map(|meta| meta.uid());
    Ok(caller == 0 || caller == rustix::process::geteuid().as_raw() || Some(caller) == owner)
}

/// Hears everything as it comes, so that an end is noticed whatever is being done. The channels end with the line.
fn listen(mut hears: Hears) -> (Receiver<Asked>, Receiver<(u64, Secret)>) {
    let ((order, orders), (text, texts)) = (channel(4), channel(4));
    tokio::spawn(async move {
        while let Ok(Some(asked)) = hears.next::<Asked>().await {
            let taken = match asked.order {
                Order::Type(Text(secret)) => text.send((asked.number, secret)).await.is_ok(),
                _ => order.send(asked).await.is_ok(),
            };
            if !taken {
                break;
            }
        }
    });
    (orders, texts)
}

/// Where orders come in and reports go out.
struct Desk {
    says: Says,
    orders: Receiver<Asked>,
    texts: Receiver<(u64, Secret)>,
    /// Of the present order.
    number: u64,
}

impl Desk {
    async fn serve(&mut self, job: &Job) -> io::Result<()> {
        let plan = match job.plan() {
            Ok(plan) => plan,
            Err(failure) => return self.say(Report::failed(failure)).await,
        };
        let mut starting = Box::pin(job.start(&plan));
        let (started, mut next) = tokio::select! {
            started = &mut starting => (Some(started), None),
            // Nobody waits for it any more. One that stands can be ended, also at somebody else's server.
            next = self.orders.recv() => (timeout(FINISH, &mut starting).await.ok(), Some(next)),
        };
        drop(starting);
        let mut engine = match started {
            Some(Ok(engine)) => engine,
            Some(Err(failure)) => return self.say(Report::failed(failure)).await,
            None => return Ok(()),
        };
        if next.is_none() {
            let open_port = engine.open_port().map(str::to_owned);
            // Whoever does not hear it any more has closed the line, which is noticed below.
            let _ = self.say(Report::Done { open_port, bounds: Some(engine.bounds()) }).await;
            next = timeout(LIFE, self.attend(engine.as_mut())).await.ok();
        }
        let ended = timeout(END, engine.close()).await.unwrap_or(Ok(()));
        let well = ended.is_ok();
        if let Some(Some(Asked { number, order: Order::Close })) = next {
            self.number = number;
            let _ = self.say(Report::of(ended)).await;
        }
        if well { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    }

    /// Does what is ordered, until it is something else than work; none where nobody is left to order anything.
    async fn attend(&mut self, engine: &mut dyn Engine) -> Option<Asked> {
        let mut next = self.orders.recv().await;
        loop {
            let asked = next?;
            self.number = asked.number;
            let report = match asked.order {
                Order::Prove => Report::of(engine.prove()),
                Order::Perform(deed) => {
                    let mut slip =
                        Slip { says: &mut self.says, texts: &mut self.texts, number: asked.number };
                    let done = tokio::select! {
                        seen = engine.perform(deed, &mut slip) => Ok(seen),
                        next = self.orders.recv() => Err(next),
                    };
                    match done {
                        Ok(Ok(seen)) => Report::Saw(seen.into()),
                        Ok(Err(failure)) => Report::failed(failure),
                        // It is not waited for any more.
                        Err(other) => {
                            next = other;
                            continue;
                        }
                    }
                }
                Order::Begin(_) | Order::Type(_) | Order::Close => return Some(asked),
            };
            self.say(report).await.ok()?;
            next = self.orders.recv().await;
        }
    }

    async fn say(&mut self, report: Report) -> io::Result<()> {
        self.says.send(&Said { number: self.number, report }).await
    }
}

/// Asks the keeper for the texts of one form.
struct Slip<'d> {
    says: &'d mut Says,
    texts: &'d mut Receiver<(u64, Secret)>,
    number: u64,
}

impl Texts for Slip<'_> {
    fn text(&mut self, field: usize) -> Soon<'_, io::Result<Secret>> {
        Box::pin(async move {
            let number = self.number;
            self.says.send(&Said { number, report: Report::Want { field } }).await?;
            loop {
                match self.texts.recv().await {
                    Some((theirs, text)) if theirs == number => return Ok(text),
                    // For a form that is not filled in any more.
                    Some(_) => {}
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        })
    }
}
