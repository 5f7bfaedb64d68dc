//! What the kernel really holds in force for our processes: read back from it, never believed because it was asked for.

use super::finding::{Area, Finding};
use super::machine::Machine;
use super::memory::core_limit;

const AREA: Area = Area::Posture;
/// Tried with Chromium's own sandbox inside it.
const CALLS: &str = "in its unit: SystemCallFilter=@system-service seccomp chroot clone3 unshare setns";

/// One process, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posture {
    /// Whether a process of the same user may look into its memory, and whether it leaves cores.
    pub dumpable: Option<bool>,
    /// How large a core file may be, in bytes.
    pub core: Option<u64>,
    /// Whether it can gain no rights by starting a program.
    pub no_new_rights: Option<bool>,
    /// Whether its system calls are filtered.
    pub filtered: Option<bool>,
    /// Root's rights that it has, as a set of bits.
    pub rights: Option<u64>,
    /// Memory that is never swapped out, in kB.
    pub locked_kb: Option<u64>,
    /// Memory that is in use, in kB.
    pub resident_kb: Option<u64>,
}

impl Posture {
    /// Out of `/proc/PID/status` and `/proc/PID/limits` (proc_pid_status(5)), and whose these files are: the files of a process
    /// that is not dumpable are root's (proc(5)), which tells nothing where the process is root's too.
    pub fn read(status: &str, limits: &str, owner: Option<u32>) -> Posture {
        let word =
            |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next());
        let uid: Option<u32> = word("Uid:").and_then(|uid| uid.parse().ok());
        let dumpable = owner.zip(uid).filter(|(_, uid)| *uid != 0).map(|(owner, uid)| owner == uid);
        Posture {
            dumpable,
            core: core_limit(limits),
            no_new_rights: word("NoNewPrivs:").map(|word| word == "1"),
            filtered: word("Seccomp:").map(|word| word == "2"),
            rights: word("CapEff:").and_then(|bits| u64::from_str_radix(bits, 16).ok()),
            locked_kb: word("VmLck:").and_then(|kb| kb.parse().ok()),
            resident_kb: word("VmRSS:").and_then(|kb| kb.parse().ok()),
        }
    }

    /// Of a process of this machine.
    pub fn of(machine: &Machine, pid: &str) -> Option<Posture> {
        let status = machine.text(&format!("/proc/{pid}/status"))?;
        let limits = machine.text(&format!("/proc/{pid}/limits")).unwrap_or_default();
        Some(Posture::read(&status, &limits, machine.owner(&format!("/proc/{pid}/status"))))
    }

    /// The kernel's own words for it.
    fn words(&self) -> String {
        let switch = |name: &str, known: Option<bool>| match known {
            Some(true) => format!("{name} on"),
            Some(false) => format!("{name} off"),
            None => format!("{name} unknown"),
        };
        let core = match self.core {
            Some(u64::MAX) => "no core limit".to_owned(),
            Some(bytes) => format!("core limit {bytes}"),
            None => "core limit unknown".to_owned(),
        };
        let number = |known: Option<u64>| known.map_or("unknown".to_owned(), |number| number.to_string());
        format!(
            "{core}, {}, {}, {} capabilities, {} kB locked",
            switch("NoNewPrivs", self.no_new_rights),
            switch("Seccomp", self.filtered),
            number(self.rights.map(|bits| u64::from(bits.count_ones()))),
            number(self.locked_kb),
        )
    }
}

/// This process. What a service's unit gives is looked for at the daemon; what a program does for itself is looked for here.
pub fn own(machine: &Machine, dumpable: Option<bool>) -> Vec<Finding> {
    let Some(posture) = Posture::of(machine, "self") else {
        return vec![Finding::unknown(AREA, "own_process", "what is in force for this process")];
    };
    let posture = Posture { dumpable, ..posture };
    let words = posture.words();
    let locked = locked("own_swap", "this command", &posture, super::memory::swaps_openly(machine));
    let looks = match dumpable {
        Some(false) => {
            let what =
                format!("this command: no other process sees its memory, no core file of it ({words})");
            Finding::good(AREA, "own_process", what)
        }
        Some(true) => Finding::bad(
            AREA,
            "own_process",
            format!(
                "this command's memory is open to your other programs: the kernel did not do what it was asked ({words})"
            ),
            "report this line, with the kernel's version: uname -r",
        ),
        None => Finding::unknown(AREA, "own_process", "whether other processes see this command's memory"),
    };
    vec![looks, locked]
}

/// Whether memory of it may be swapped out, to a disk that is not encrypted or to one of which nothing is known.
pub fn locked(id: &str, whose: &str, posture: &Posture, swaps: bool) -> Finding {
    match (posture.locked_kb, posture.resident_kb) {
        (Some(locked), Some(resident)) if locked >= resident => {
            Finding::good(AREA, id, format!("{whose}: no memory of it is swapped out (all is locked)"))
        }
        (Some(_), Some(_)) if !swaps => {
            let what = format!(
                "{whose}: its memory is not locked, and what this machine swaps goes to no open disk"
            );
            Finding::good(AREA, id, what)
        }
        (Some(_), Some(_)) => Finding::warning(
            AREA,
            id,
            format!(
                "{whose}: memory of it may be swapped out, secrets with it: the kernel lets it lock less than it needs"
            ),
            "in its unit: LimitMEMLOCK=infinity; else by /etc/security/limits.conf: memlock unlimited",
        ),
        _ => Finding::unknown(AREA, id, &format!("whether memory is swapped out of {whose}")),
    }
}

/// The daemon.
pub fn daemon(posture: &Posture) -> Vec<Finding> {
    let looks = match posture.dumpable {
        Some(false) => Finding::good(
            AREA,
            "daemon_memory",
            "the daemon: no other process sees its memory, and it leaves no core file",
        ),
        Some(true) => Finding::bad(
            AREA,
            "daemon_memory",
            "the daemon's memory is open to your other programs: the kernel did not do what it was asked",
            "restart it, and report this if it stays: uname -r",
        ),
        None => Finding::unknown(
            AREA,
            "daemon_memory",
            "whether other processes see the daemon's memory (it runs as root)",
        ),
    };
    let rights = match (posture.no_new_rights, posture.rights) {
        (Some(true), Some(0)) => {
            Finding::good(AREA, "daemon_rights", "the daemon: none of root's rights, and no way to gain any")
        }
        (None, _) | (_, None) => {
            Finding::unknown(AREA, "daemon_rights", "which of root's rights the daemon has")
        }
        (no_new, Some(bits)) => {
            let gain =
                if no_new == Some(true) { "can gain none" } else { "could gain some by a program it starts" };
            let has = if bits == 0 { "none".to_owned() } else { bits.count_ones().to_string() };
            let what = format!("the daemon has {has} of root's rights, and {gain}");
            Finding::warning(
                AREA,
                "daemon_rights",
                what,
                "in its unit: NoNewPrivileges=yes, CapabilityBoundingSet=, and a User=",
            )
        }
    };
    let calls = match posture.filtered {
        Some(true) => {
            Finding::good(AREA, "daemon_system_calls", "the daemon: a filter of system calls is in force")
        }
        Some(false) => Finding::warning(
            AREA,
            "daemon_system_calls",
            "the daemon: no filter of system calls is in force",
            CALLS,
        ),
        None => {
            Finding::unknown(AREA, "daemon_system_calls", "whether the daemon's system calls are filtered")
        }
    };
    let all = Finding::good(
        AREA,
        "daemon_process",
        format!("the daemon, as the kernel has it: {}", posture.words()),
    );
    vec![looks, rights, calls, all]
}
