//! A browser as a group of processes in a private folder: killed whole, awaited to the last, and only then wiped.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpgid, getpgrp};
use tokio::process::Child;

use firstbell_core::failure::{Failure, Part};

use super::private::{PrivateFolder, User, left_behind};
use super::watchdog::Watchdog;

/// A warden that has not ended its engine within this is killed.
const OBEY: Duration = Duration::from_secs(5);

/// A running engine and the folder that it lives in.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    group: Pid,
    folder: PrivateFolder,
    leash: Option<Leash>,
    watchdog: Watchdog,
    ended: bool,
}

/// The standard input of a warden that ends everything below it when its input ends.
#[derive(Debug)]
struct Leash {
    input: Option<OwnedFd>,
    /// The warden alone knows what it started: it is asked, and killed only when it does not obey.
    gently: bool,
}

impl Group {
    /// Takes over a child that leads a process group of its own.
    pub(super) fn of(child: Child, folder: PrivateFolder, memory_mb: u64) -> Group {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = pid.expect("a child that was not waited for has a number");
        let watchdog = Watchdog::over(group, memory_mb);
        Group { child, group, folder, leash: None, watchdog, ended: false }
    }

    /// Puts a warden in between, who holds this leash's other end. `gently` where killing it would set free what it guards.
    pub(super) fn on_leash(mut self, input: OwnedFd, gently: bool) -> Group {
        self.leash = Some(Leash { input: Some(input), gently });
        self
    }

    /// Why it is no more: what the watchdog says, else this.
    pub(super) fn why<'a>(&'a self, else_why: &'a str) -> &'a str {
        self.watchdog.why().unwrap_or(else_why)
    }

    /// The number of the process that leads it.
    pub(super) fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills the whole process group, waits until the last of it is gone, and wipes the folder.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        if self.let_go() {
            let _ = tokio::time::timeout(OBEY, self.child.wait()).await;
        }
        self.kill();
        let _ = self.child.wait().await;
        let (group, folder) = (self.group, self.folder.path().to_owned());
        // Orphans of the group come to us, because we are the subreaper; no child of the group left means that no
        // process of it is left, and only then does the wiped folder stay empty.
        let _ = tokio::task::spawn_blocking(move || reap(group, &folder)).await;
        self.ended = true;
        self.folder.wipe().map_err(|e| Failure::Broken {
            part: Part::Browser,
            why: format!("the browser's folder could not be removed: {e}"),
            cure: "It is swept at the next start; look for a full or failing disk.".into(),
        })
    }

    /// Lets the leash go; says whether the warden is to be given time to do its work.
    fn let_go(&mut self) -> bool {
        self.leash.as_mut().is_some_and(|leash| leash.input.take().is_some() && leash.gently)
    }

    fn kill(&self) {
        let _ = rustix::process::kill_process_group(self.group, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            if !self.let_go() {
                self.kill();
            }
            reap(self.group, self.folder.path());
        }
    }
}

/// Before a child is started: its orphans are to come to us, and neither it nor we leave a core file, which would hold
/// the password many times over.
pub(super) fn prepare() -> std::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none)?;
    // The limit does not count where cores go to a pipe; this does, and children inherit it.
    let _ = std::fs::write("/proc/self/coredump_filter", "0");
    Ok(())
}

/// Waits for the last of a group. A crash handler leaves the group for a session of its own, and a process that it holds on
/// to would never be over: what names the private folder among its arguments ends too.
fn reap(group: Pid, folder: &Path) {
    let strays = naming(folder);
    for stray in &strays {
        let _ = rustix::process::kill_process(*stray, Signal::KILL);
    }
    while rustix::process::waitpgid(group, WaitOptions::empty()).is_ok() {}
    for stray in strays {
        let _ = rustix::process::waitpid(Some(stray), WaitOptions::empty());
    }
}

/// Ends what a killed process of ours has left: browsers end by themselves when nobody holds their pipe or their leash any
/// more, but not before somebody looks; and their folders stay.
pub(super) fn clear(user: Option<User>) {
    for left in left_behind(user) {
        for group in naming(&left.path).into_iter().filter_map(|pid| getpgid(Some(pid)).ok()) {
            // Never our own: a test's arguments may name the folder too.
            if group != getpgrp() {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
                reap(group, &left.path);
            }
        }
        let _ = std::fs::remove_dir_all(&left.path);
    }
}

/// Processes with something of this folder among their arguments. Its name is chance's, so that nobody else's has it; the whole of
/// its path, because whoever runs as the browser's user can make a folder whose name is a part of another one's, or elsewhere the same.
fn naming(folder: &Path) -> Vec<Pid> {
    let folder = folder.join("");
    let name = folder.as_os_str().as_bytes();
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            line.windows(name.len().max(1)).any(|part| part == name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn only_what_names_the_whole_folder_is_of_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("firstbell-browser-Abc123");
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        // It reads until we let go of its input. Its arguments are there when it speaks: not yet when it was begun.
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo begun; read -r line; exit", &profile])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 6]).unwrap();
        let own = Pid::from_child(&child);
        assert_eq!(naming(&folder), [own]);
        for other in [place.path().join("firstbell-browser-"), "/elsewhere/firstbell-browser-Abc123".into()] {
            assert!(!naming(&other).contains(&own), "{}", other.display());
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
