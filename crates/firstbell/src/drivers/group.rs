//! A browser as a group of processes in a private folder: killed whole, awaited to the last, and only then wiped.

use rustix::process::{Pid, Signal, WaitOptions};
use tokio::process::Child;

use firstbell_core::failure::{Failure, Part};

use super::private::PrivateFolder;

/// A running engine and the folder that it lives in.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    group: Pid,
    folder: PrivateFolder,
    ended: bool,
}

impl Group {
    /// Takes over a child that leads a process group of its own.
    pub(super) fn of(child: Child, folder: PrivateFolder) -> Group {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = pid.expect("a child that was not waited for has a number");
        Group { child, group, folder, ended: false }
    }

    /// Kills the whole process group, waits until the last of it is gone, and wipes the folder.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.kill();
        let _ = self.child.wait().await;
        let group = self.group;
        // Orphans of the group come to us, because we are the subreaper; no child of the group left means that no
        // process of it is left, and only then does the wiped folder stay empty.
        let _ = tokio::task::spawn_blocking(move || reap(group)).await;
        self.ended = true;
        self.folder.wipe().map_err(|e| Failure::Broken {
            part: Part::Browser,
            why: format!("the browser's folder could not be removed: {e}"),
            cure: "It is swept at the next start; look for a full or failing disk.".into(),
        })
    }

    fn kill(&self) {
        let _ = rustix::process::kill_process_group(self.group, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            reap(self.group);
        }
    }
}

/// Before a child is started: its orphans are to come to us, and neither it nor we leave a core file, which would hold
/// the password many times over.
pub(super) fn prepare() -> std::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Core, none)?)
}

fn reap(group: Pid) {
    while rustix::process::waitpgid(group, WaitOptions::empty()).is_ok() {}
}
