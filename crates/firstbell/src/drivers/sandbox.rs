//! Whether the pages of a running browser really are in its sandbox: asked of the kernel, before the first secret.

use std::collections::HashMap;
use std::fs;

use firstbell_core::failure::Failure;

use super::cage::no_sandbox;
use super::filter;

/// What a process that shows pages has among its arguments: Chromium's, and Firefox's.
const PAGES: [&str; 2] = ["--type=renderer", "-contentproc"];
/// What the kernel says of a process under any filter.
const FILTERED: &str = "Seccomp:\t2";

/// Sees that every process below this one that shows a page runs under more filters of system calls than the engine was started
/// under, and can gain no rights: ours, and those of a container or a service around us, are inherited, and are not the browser's.
///
/// # Errors
/// [`Failure::Broken`] where one does not, or where none is found: a control that cannot be seen is none.
pub(super) fn prove(root: u32, around: u32) -> Result<(), Failure> {
    let mut shown = 0;
    for pid in below(root).into_iter().filter(|pid| shows_pages(*pid)) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // One that has just ended says nothing any more.
        if status.is_empty() || status.contains("State:\tZ") {
            continue;
        }
        if !is_confined(&status) || filters(&status) <= around {
            return Err(no_sandbox());
        }
        shown += 1;
    }
    if shown == 0 { Err(no_sandbox()) } else { Ok(()) }
}

/// Under how many filters of system calls an engine stands that this thread starts.
pub(super) fn inherited() -> u32 {
    filters(&fs::read_to_string("/proc/thread-self/status").unwrap_or_default())
}

/// All processes below one.
pub(super) fn below(root: u32) -> Vec<u32> {
    let parents = parents();
    let is_below = |mut pid: u32| {
        // No tree of processes is deeper than this.
        for _ in 0..64 {
            match parents.get(&pid) {
                Some(parent) if *parent == root => return true,
                Some(parent) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    parents.keys().copied().filter(|pid| is_below(*pid)).collect()
}

fn parents() -> HashMap<u32, u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything; the parent is the second word after it.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    })
    .collect()
}

fn shows_pages(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // Chromium writes its children's arguments with spaces between them.
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let has = |argument: &str| line.split(' ').any(|word| word == argument);
    // Firefox names the kind of a child in its last argument; only tabs show pages.
    PAGES.iter().any(|page| has(page)) && (!has("-contentproc") || has("tab"))
}

/// How many system call filters a process runs under; kernels before 5.9 do not say, and count as one where there is any.
fn filters(status: &str) -> u32 {
    filter::count(status).unwrap_or_else(|| u32::from(status.lines().any(|line| line == FILTERED)))
}

fn is_confined(status: &str) -> bool {
    let has = |line: &str| status.lines().any(|l| l == line);
    has(FILTERED) && has("NoNewPrivs:\t1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_a_filter_is_not_confined_and_a_tree_without_pages_proves_nothing() {
        assert!(is_confined("Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n"));
        assert!(
            !is_confined("NoNewPrivs:\t1\nSeccomp:\t0\n") && !is_confined("NoNewPrivs:\t0\nSeccomp:\t2\n")
        );
        assert!(prove(std::process::id(), 0).is_err());
    }
}
