//! Where a worker comes from: a process that is started for one login, or a service of the machine's that is connected to.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpid};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use firstbell_core::failure::{Failure, Part};

use super::super::group::{self, clear};
use super::super::private::{User, browser_user, uid_of};
use super::line::{Hears, Says, split};

/// A worker that was told, or has seen, that it is over ends within this.
const LEAVE: Duration = Duration::from_secs(8);
/// The same where nobody can wait: the keeper is ending itself.
const LEAVE_NOW_S: i64 = 1;
/// The packaged worker's user.
const PACKAGED: &str = "firstbell-browser";
/// What a worker finds in its environment: where programs and private folders may be.
const VARIABLES: [&str; 3] = ["PATH", "TMPDIR", "XDG_RUNTIME_DIR"];
/// And what a window needs.
pub(super) const DISPLAY: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];

/// Where a worker is to be found.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Post<'a> {
    /// firstbell itself.
    pub(in super::super) program: &'a Path,
    /// The socket of the machine's service; without it a worker is started.
    pub(in super::super) socket: Option<&'a Path>,
    /// The user that a browser runs as.
    pub(in super::super) user: Option<&'a str>,
    /// Whether the browser shows its window.
    pub(in super::super) headful: bool,
}

/// A worker as a process, and the line to it.
#[derive(Debug)]
pub(super) struct Staff {
    line: Option<(Hears, Says)>,
    /// The process, where it was started here: it leads a group of its own.
    child: Option<(Child, Pid)>,
    user: Option<User>,
}

impl Staff {
    /// Starts one, or asks for one.
    ///
    /// # Errors
    /// [`Failure::Broken`] where there is none.
    pub(super) async fn find(post: Post<'_>) -> Result<Staff, Failure> {
        match post.socket {
            Some(socket) => {
                let stream = connect(socket, post.user).await.map_err(|why| Failure::Broken {
                    part: Part::Browser,
                    why: format!("no worker for the browser at {}: {why}", socket.display()),
                    cure: "Start its socket (systemctl enable --now firstbell-browser.socket), or take worker out of \
                           [browser]."
                        .into(),
                })?;
                Ok(Staff { line: Some(split(stream)), child: None, user: None })
            }
            None => {
                // As which user its browser runs is its own matter; what it may leave is ours.
                let user = browser_user(post.user)?;
                let (child, pid, stream) = start(post).map_err(|e| Failure::Broken {
                    part: Part::Browser,
                    why: format!("no process for the browser can be started: {e}"),
                    cure: "See what is left of memory and processes (free, ulimit -u), then run firstbell login again."
                        .into(),
                })?;
                Ok(Staff { line: Some(split(stream)), child: Some((child, pid)), user })
            }
        }
    }

    pub(super) fn line(&mut self) -> Option<(&mut Hears, &mut Says)> {
        self.line.as_mut().map(|(hears, says)| (hears, says))
    }

    /// Ends it at once: it is not trusted any more, or has not answered.
    pub(super) fn dismiss(&mut self) {
        self.line = None;
        if let Some((_, pid)) = &self.child {
            let _ = kill_process_group(*pid, Signal::KILL);
        }
    }

    /// Lets it go, and is over when nothing of it is left.
    pub(super) async fn leave(&mut self) {
        self.line = None;
        // Where this is dropped half way, the rest is done without waiting for more.
        let Some((child, pid)) = &mut self.child else { return };
        let (pid, user) = (*pid, self.user);
        let ended = match timeout(LEAVE, child.wait()).await {
            Ok(ended) => ended,
            Err(_) => {
                let _ = kill_process_group(pid, Signal::KILL);
                child.wait().await
            }
        };
        if !ended.is_ok_and(|status| status.success()) {
            let _ = tokio::task::spawn_blocking(move || clear(user)).await;
        }
        self.child = None;
    }
}

impl Drop for Staff {
    fn drop(&mut self) {
        self.line = None;
        let Some((_, pid)) = self.child.take() else { return };
        if let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) {
            let limit = Timespec { tv_sec: LEAVE_NOW_S, tv_nsec: 0 };
            let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit));
        }
        let _ = kill_process_group(pid, Signal::KILL);
        let ended = waitpid(Some(pid), WaitOptions::empty());
        let well = matches!(ended, Ok(Some((_, status))) if status.exit_status() == Some(0));
        if !well {
            clear(self.user);
        }
    }
}

/// Starts a worker at the other end of a socket of its own.
fn start(post: Post<'_>) -> io::Result<(Child, Pid, UnixStream)> {
    group::prepare()?;
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    let kept = VARIABLES.iter().chain(DISPLAY.iter().filter(|_| post.headful));
    let mut command = Command::new(post.program);
    command
        .arg("work")
        .env_clear()
        .envs(kept.filter_map(|name| Some((name, std::env::var_os(name)?))))
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let child = command.spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok((child, pid.expect("a child that was not waited for has a number"), ours))
}

/// Connects to the machine's service. The kernel says who made the socket: systemd, ourselves, or the user that drives browsers.
async fn connect(socket: &Path, user: Option<&str>) -> Result<UnixStream, String> {
    let stream = timeout(LEAVE, UnixStream::connect(socket)).await.map_err(|_| "no answer in time")?;
    let stream = stream.map_err(|e| e.to_string())?;
    let theirs = stream.peer_cred().map_err(|e| e.to_string())?.uid();
    let named = uid_of(user.unwrap_or(PACKAGED));
    if theirs == 0 || theirs == rustix::process::geteuid().as_raw() || Some(theirs) == named {
        return Ok(stream);
    }
    Err(format!("it belongs to the user {theirs}, who gets no password"))
}
