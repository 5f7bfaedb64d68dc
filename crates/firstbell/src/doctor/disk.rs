//! Whether what is written to this machine's disks can be read by whoever carries them away.

use std::path::Path;

use super::finding::{Area, Finding};
use super::machine::Machine;

/// Devices stand on devices; no machine stacks more.
const DEEP: usize = 8;

/// What is known of a place on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Everything that is written there is encrypted.
    Encrypted,
    /// It is not.
    Plain,
    /// It never leaves memory.
    Memory,
    /// Another machine has it.
    Network,
    /// Nobody here knows.
    Unknown,
}

/// The disk that the state folder is on.
pub fn encryption(machine: &Machine, state: &Path) -> Finding {
    let (area, id) = (Area::Machine, "disk_encryption");
    match cover_of(machine, state) {
        Cover::Encrypted => Finding::good(area, id, "the disk of the state folder is encrypted"),
        Cover::Plain => Finding::warning(
            area,
            id,
            "the disk of the state folder is not encrypted: whoever gets the disk gets the store and its key",
            "put the state folder on an encrypted disk (LUKS), or hold the machine where nobody carries it away",
        ),
        Cover::Memory => Finding::bad(
            area,
            id,
            "the state folder is in memory: a restart forgets which attempts were spent",
            "set state_dir to a folder on a disk",
        ),
        Cover::Network => Finding::bad(
            area,
            id,
            "the state folder is on a network: locks do not reach other machines there",
            "set state_dir to a folder on a disk of this machine",
        ),
        Cover::Unknown => Finding::unknown(area, id, "whether the disk of the state folder is encrypted"),
    }
}

/// How a path's place is covered.
pub(super) fn cover_of(machine: &Machine, path: &Path) -> Cover {
    let Some(mounts) = machine.text("/proc/self/mountinfo") else { return Cover::Unknown };
    // The longest mount point above it; of two at one place the later one lies on top.
    let above = mounts.lines().filter_map(Mount::read).filter(|mount| path.starts_with(&mount.point));
    let Some(mount) = above.max_by_key(|mount| mount.point.len()) else { return Cover::Unknown };
    match mount.kind {
        "tmpfs" | "ramfs" => Cover::Memory,
        "ecryptfs" | "fuse.gocryptfs" | "fuse.cryfs" => Cover::Encrypted,
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "ceph" | "fuse.sshfs" => Cover::Network,
        _ => {
            let by_number = format!("/sys/dev/block/{}", mount.number);
            device(machine, &by_number, mount.source)
        }
    }
}

/// How a device such as `/dev/dm-1`, `/dev/mapper/root` or `/dev/sda2` is covered.
pub(super) fn device(machine: &Machine, folder: &str, source: &str) -> Cover {
    let by_name = source.rsplit('/').next().unwrap_or_default();
    let mapped = || {
        let called = |block: &String| {
            let name = machine.text(&format!("/sys/class/block/{block}/dm/name"));
            name.is_some_and(|name| name.trim() == by_name)
        };
        machine.names("/sys/class/block").into_iter().find(called)
    };
    let folders = [Some(folder.to_owned()), Some(format!("/sys/class/block/{by_name}"))];
    let mapped = mapped().map(|block| format!("/sys/class/block/{block}"));
    let found = folders.into_iter().chain([mapped]).flatten().find(|f| !f.ends_with('/') && machine.has(f));
    match found {
        Some(folder) if is_crypted(machine, &folder, DEEP) => Cover::Encrypted,
        Some(_) => Cover::Plain,
        None => Cover::Unknown,
    }
}

/// The device mapper says of each device what made it; what stands on encrypted devices only is encrypted.
fn is_crypted(machine: &Machine, folder: &str, deep: usize) -> bool {
    let uuid = machine.text(&format!("{folder}/dm/uuid")).unwrap_or_default();
    if uuid.starts_with("CRYPT-") {
        return true;
    }
    let under = machine.names(&format!("{folder}/slaves"));
    deep > 0
        && !under.is_empty()
        && under.iter().all(|name| is_crypted(machine, &format!("/sys/class/block/{name}"), deep - 1))
}

/// A line of mountinfo (proc_pid_mountinfo(5)).
struct Mount<'a> {
    number: &'a str,
    point: String,
    kind: &'a str,
    source: &'a str,
}

impl Mount<'_> {
    fn read(line: &str) -> Option<Mount<'_>> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(2);
        let number = before.next()?;
        // Blanks in names are written as octal numbers.
        let point = before.nth(1)?.replace("\\040", " ");
        let mut after = after.split(' ');
        Some(Mount { number, point, kind: after.next()?, source: after.next()? })
    }
}
