//! Ends an engine that takes too much memory or lives too long: no page, however broken, holds the machine or a password.

use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::task::JoinHandle;

use super::sandbox::below;

/// How often memory is looked at; a page that grows faster than this fills a small machine is the kernel's to stop.
const LOOK: Duration = Duration::from_millis(500);
/// No login takes this long, not even one that waits for a person's code.
const LIFE: Duration = Duration::from_secs(300);
/// Private memory of all processes of an engine together. Chromium needs 150 MB for a login page, Firefox 400 MB.
pub(super) const MEMORY_MB: u64 = 1_500;

/// A watch over one engine; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    task: JoinHandle<()>,
    why: Arc<OnceLock<String>>,
}

impl Watchdog {
    /// Watches everything below the leader of a process group.
    pub(super) fn over(group: Pid, memory_mb: u64) -> Watchdog {
        let why = Arc::new(OnceLock::new());
        let bark = Arc::clone(&why);
        let root = group.as_raw_nonzero().get().unsigned_abs();
        let task = tokio::spawn(async move {
            let watch = async {
                loop {
                    tokio::time::sleep(LOOK).await;
                    let used_mb = private_bytes(root) / 1_000_000;
                    if used_mb > memory_mb {
                        return format!(
                            "the browser took {used_mb} MB of memory, more than the {memory_mb} MB that it may"
                        );
                    }
                }
            };
            let reason = tokio::time::timeout(LIFE, watch).await;
            let reason =
                reason.unwrap_or_else(|_| format!("the browser was not done after {} s", LIFE.as_secs()));
            let _ = bark.set(reason);
            // What left the group too, as a browser behind a chromedriver does.
            for pid in below(root).into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        });
        Watchdog { task, why }
    }

    /// Why the engine was ended, if it was.
    pub(super) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resident memory that no other process shares, summed over the leader and all below it.
fn private_bytes(root: u32) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let pages = |pid: u32| {
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let mut words = statm.split(' ').skip(1).map_while(|word| word.parse::<u64>().ok());
        let (resident, shared) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        resident.saturating_sub(shared)
    };
    below(root).into_iter().chain([root]).map(pages).sum::<u64>() * page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_with_that_of_children() {
        let own = private_bytes(std::process::id());
        assert!(own > 100_000, "{own}");
    }
}
