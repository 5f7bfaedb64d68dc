//! The daemon's own socket: what it knows and what its owner may tell it, as HTTP on a Unix socket that only he can open.

mod ask;
mod wire;

use std::convert::Infallible;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};

pub use self::ask::{ask, process};

/// The socket's name in the state folder, which nobody else can enter.
const SOCKET: &str = "socket";
/// A request's head must be there within this, and the whole exchange within twice as much.
const HEAD: Duration = Duration::from_secs(5);
/// More at one time than any owner has programs.
const CONNECTIONS_MAX: usize = 64;

/// What the owner may tell the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// No logins any more.
    Pause,
    /// Logins again.
    Resume,
    /// The account is well.
    Unlock,
    /// Look at once: something was stored or changed.
    Look,
}

impl Order {
    /// All of them with their names in addresses.
    pub const ALL: [(&'static str, Order); 4] = [
        ("pause", Order::Pause),
        ("resume", Order::Resume),
        ("unlock", Order::Unlock),
        ("look", Order::Look),
    ];

    /// What it is in the history; none where it changes nothing.
    pub fn event(self) -> Option<Event> {
        match self {
            Order::Pause => Some(Event::Paused),
            Order::Resume => Some(Event::Resumed),
            Order::Unlock => Some(Event::Unlocked),
            Order::Look => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Order::ALL.iter().find(|(_, order)| *order == self).map_or("", |(name, _)| name)
    }
}

/// Who answers.
pub trait Desk {
    /// All accounts as they stand.
    fn accounts(&self) -> Vec<Value>;
    /// Does what the owner says; none where there is no such account.
    fn order(&self, account: &str, order: Order) -> Option<Result<(), Failure>>;
    /// Whether every keeper looks when it should.
    fn is_alive(&self) -> bool;
    /// Whether every account has a proven token that is handed out.
    fn is_ready(&self) -> bool;
}

/// A bound socket. Gone with this value.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Door {
    fn drop(&mut self) {
        // Whoever comes next would remove it as well.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Door {
    /// Binds the socket in the state folder. To be called by the one daemon that holds the folder's lease: what lies there
    /// from an earlier one is removed.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the path is too long or the folder not writable.
    pub fn open(state_dir: &Path) -> Result<Door, Failure> {
        let path = state_dir.join(SOCKET);
        let broken = |e: std::io::Error| Failure::Broken {
            part: Part::Store,
            why: format!("the socket {} cannot be made: {e}", path.display()),
            cure: "Check the folder's owner and mode; a socket's whole path has at most 107 bytes.".into(),
        };
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(broken(e)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(broken)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(broken)?;
        Ok(Door { listener, path: path.clone() })
    }

    /// Answers until it is dropped.
    pub async fn serve(&self, desk: &dyn Desk) -> Infallible {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if open.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) if is_ours(&stream) => open.push(talk(stream, desk)),
                    Ok(_) => tracing::warn!("another user of this machine knocked at the socket and was sent away"),
                    // Out of descriptors, most likely: who is being served now gives one back.
                    Err(error) => {
                        tracing::warn!(%error, "the socket cannot accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(()) = open.next(), if !open.is_empty() => {}
            }
        }
    }
}

/// The kernel's word for who is there: our own user, or root.
fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

async fn talk(stream: UnixStream, desk: &dyn Desk) {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(wire::answer(&request, desk)) });
    let talk = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever is slow or breaks off gets nothing, and harms nobody.
    let _ = tokio::time::timeout(2 * HEAD, talk).await;
}

fn path_of(state_dir: &Path) -> PathBuf {
    state_dir.join(SOCKET)
}
