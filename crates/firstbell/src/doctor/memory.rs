//! Where a secret could leave memory: swap, hibernation, core files, and processes that look into one another.

use std::path::Path;

use super::disk::{Cover, cover_of, device};
use super::finding::{Area, Finding};
use super::machine::Machine;

const AREA: Area = Area::Machine;

/// All of them.
pub fn examine(machine: &Machine) -> Vec<Finding> {
    vec![swap(machine), hibernation(machine), core_files(machine), tracing(machine)]
}

/// How everything that may be swapped out is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swapped {
    Nowhere,
    Safely,
    Openly,
    Unknown,
}

fn swapped(machine: &Machine) -> Swapped {
    let Some(text) = machine.text("/proc/swaps") else { return Swapped::Unknown };
    let places: Vec<Cover> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .map(|place| {
            let name = place.rsplit('/').next().unwrap_or_default();
            match name.strip_prefix("zram") {
                Some(_) => Cover::Memory,
                None if place.starts_with("/dev/") => device(machine, "/", place),
                None => cover_of(machine, Path::new(place)),
            }
        })
        .collect();
    match places.as_slice() {
        all if all.iter().all(|cover| *cover == Cover::Memory) => Swapped::Nowhere,
        all if all.iter().all(|cover| matches!(cover, Cover::Memory | Cover::Encrypted)) => Swapped::Safely,
        all if all.iter().any(|cover| matches!(cover, Cover::Plain | Cover::Network)) => Swapped::Openly,
        _ => Swapped::Unknown,
    }
}

/// Whether memory may come to lie open on a disk.
pub fn swaps_openly(machine: &Machine) -> bool {
    !matches!(swapped(machine), Swapped::Nowhere | Swapped::Safely)
}

/// Memory that the kernel writes to a disk.
pub fn swap(machine: &Machine) -> Finding {
    match swapped(machine) {
        Swapped::Nowhere => Finding::good(AREA, "swap", "no memory is written to a disk (no swap there)"),
        Swapped::Safely => Finding::good(AREA, "swap", "what is swapped out is encrypted"),
        Swapped::Openly => Finding::warning(
            AREA,
            "swap",
            "memory may be swapped out to a disk that is not encrypted, secrets with it",
            "sudo swapoff -a    # then take swap out of /etc/fstab, or encrypt it",
        ),
        Swapped::Unknown => Finding::unknown(AREA, "swap", "whether memory is swapped out, and to where"),
    }
}

/// All of memory, written to a disk.
pub fn hibernation(machine: &Machine) -> Finding {
    let id = "hibernation";
    let Some(states) = machine.text("/sys/power/state") else {
        return Finding::unknown(AREA, id, "whether this machine hibernates");
    };
    let how = machine.text("/sys/power/disk").unwrap_or_default();
    let can = states.split_whitespace().any(|state| state == "disk") && !how.contains("[disabled]");
    let masked = ["/etc", "/run"].iter().any(|place| {
        let link = machine.link(&format!("{place}/systemd/system/hibernate.target"));
        link.is_some_and(|to| to == "/dev/null")
    });
    match swapped(machine) {
        _ if !can => Finding::good(AREA, id, "this kernel does not hibernate"),
        _ if masked => Finding::good(AREA, id, "hibernation is off"),
        Swapped::Nowhere => Finding::good(AREA, id, "there is no disk to hibernate to"),
        Swapped::Safely => Finding::good(AREA, id, "what hibernation writes is encrypted"),
        _ => Finding::warning(
            AREA,
            id,
            "hibernation writes all of memory to a disk, secrets with it",
            "sudo systemctl mask hibernate.target hybrid-sleep.target suspend-then-hibernate.target",
        ),
    }
}

/// What becomes of the memory of a program that crashes. firstbell itself leaves none; a program that was given a token may.
pub fn core_files(machine: &Machine) -> Finding {
    let (id, mend) = ("core_files", "sudo sysctl -w kernel.core_pattern='|/bin/false'");
    let Some(pattern) = machine.text("/proc/sys/kernel/core_pattern") else {
        return Finding::unknown(AREA, id, "what becomes of the memory of a program that crashes");
    };
    let limits = machine.text("/proc/self/limits").unwrap_or_default();
    let pattern = pattern.trim();
    match pattern.strip_prefix('|').map(str::trim_start) {
        Some(program) if program.ends_with("/false") || program.ends_with("/true") => {
            Finding::good(AREA, id, "no core file is kept of a program that crashes")
        }
        Some(program) => {
            let program = program.split_whitespace().next().unwrap_or_default();
            let name = program.rsplit('/').next().unwrap_or_default();
            let what = format!(
                "the memory of a program that crashes goes to {name}: firstbell's own does not, that of a program with \
                 a token does"
            );
            Finding::warning(AREA, id, what, mend)
        }
        None if pattern.is_empty() || core_limit(&limits) == Some(0) => {
            let what = "a program that is started from here and crashes leaves no core file; one that runs as a service has a \
                        limit of its own (LimitCORE=0)";
            Finding::good(AREA, id, what)
        }
        None if core_limit(&limits).is_none() => {
            Finding::unknown(AREA, id, "whether a program that crashes leaves a core file")
        }
        None => Finding::warning(
            AREA,
            id,
            "a program that crashes leaves a core file: firstbell itself does not, one with a token does",
            mend,
        ),
    }
}

/// The soft limit of core files in bytes, out of `/proc/PID/limits`.
pub(super) fn core_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        bytes => bytes.parse().ok(),
    }
}

/// Whether a process may look into another one of its user (Yama, kernel documentation admin-guide/LSM/Yama).
pub fn tracing(machine: &Machine) -> Finding {
    let id = "ptrace";
    let mend = "sudo sysctl -w kernel.yama.ptrace_scope=1    # to last: a file in /etc/sysctl.d";
    match machine.text("/proc/sys/kernel/yama/ptrace_scope").as_deref().map(str::trim) {
        Some("0") => {
            let what =
                "every program of a user may look into the others of his (Yama is at 0); not into firstbell";
            Finding::warning(AREA, id, what, mend)
        }
        Some(level @ ("1" | "2" | "3")) => Finding::good(
            AREA,
            id,
            format!("no program may look into one that it did not start (Yama is at {level})"),
        ),
        _ => {
            Finding::unknown(AREA, id, "whether programs may look into one another (no Yama in this kernel)")
        }
    }
}
