//! What a program leaves behind: ended before it is started again, so that no strategy trades twice; and it ends when we do.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, set_child_subreaper,
    set_parent_process_death_signal, waitpid,
};
use tokio::time::Instant;

use super::super::exit::Exit;

/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(20);

/// From now on what our programs leave behind is ours and nobody else's (prctl(2), PR_SET_CHILD_SUBREAPER).
pub(super) fn adopt() {
    if let Err(error) = set_child_subreaper(Some(getpid())) {
        tracing::warn!(%error, "what a program leaves behind will not be found");
    }
}

/// Until nothing is left of the program before: asked to end, and made to when the grace is over.
pub(super) async fn end(grace: Duration) {
    let end = Instant::now() + grace;
    let mut asked = Vec::new();
    loop {
        let left = reap();
        if left.is_empty() {
            return;
        }
        let late = Instant::now() >= end;
        for pid in left {
            if late || !asked.contains(&pid) {
                asked.push(pid);
                // It may have ended in this moment: then there is nothing to end.
                let _ = kill_process(pid, if late { Signal::KILL } else { Signal::TERM });
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Our children that live; those that have ended are gone after this.
fn reap() -> Vec<Pid> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<Pid> = lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .filter_map(Pid::from_raw)
        .collect();
    let lives = |pid: &Pid| matches!(waitpid(Some(*pid), WaitOptions::NOHANG), Ok(None));
    children.into_iter().filter(lives).collect()
}

/// Becomes a program that hears SIGTERM when the supervisor with this number is gone, however that went.
pub(in crate::cli) fn begin(supervisor: i32, command: &[OsString]) -> Exit {
    use std::os::unix::process::CommandExt;
    let Some((program, arguments)) = command.split_first() else {
        return Exit::usage("there is no program behind --");
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::warn!(%error, "the program will not hear of its supervisor's end");
    }
    // He may have gone before that was said.
    if getppid().map(Pid::as_raw_nonzero).map(std::num::NonZeroI32::get) != Some(supervisor) {
        return Exit::internal("whoever was to look after the program is gone");
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    Exit::not_started(Path::new(program), &error)
}
