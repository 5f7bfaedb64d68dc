//! The processes that descend from one firstbell, each known by its number and the moment of its birth, and what they hold.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// For what must happen soon: long enough for a machine that does much else.
const SOON: Duration = Duration::from_secs(90);

/// One process. Its number may be given to another; its number and its birth together may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kin {
    pub id: u32,
    pub arguments: String,
    parent: u32,
    born: String,
}

impl Kin {
    /// The process of this number, unless it is none or only waits to be forgotten.
    pub fn read(id: u32) -> Option<Kin> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The program's name stands in parentheses and may hold anything.
        let rest: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        if matches!(rest[0], "Z" | "X") {
            return None;
        }
        let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        Some(Kin { id, arguments, parent: rest[1].parse().ok()?, born: rest[19].to_owned() })
    }

    pub fn lives(&self) -> bool {
        Kin::read(self.id).is_some_and(|now| now.born == self.born)
    }

    pub fn signal(&self, signal: Signal) {
        if self.lives() {
            let _ = kill_process(Pid::from_raw(self.id.try_into().unwrap()).unwrap(), signal);
        }
    }

    /// A file of its folder in /proc, while it lives.
    pub fn proc(&self, name: &str) -> String {
        let bytes = fs::read(format!("/proc/{}/{name}", self.id)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The inodes of its sockets.
    pub fn sockets(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.id)).into_iter().flatten().flatten();
        let links = entries.filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.display().to_string()));
        links.filter_map(|l| Some(l.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())).collect()
    }

    /// The private folder that it lives in.
    pub fn folder(&self) -> Option<PathBuf> {
        let environment = self.proc("environ");
        let home = environment.split('\0').find_map(|variable| variable.strip_prefix("HOME="))?;
        let folder = Path::new(home).parent()?;
        folder.to_str()?.contains("/firstbell-browser-").then(|| folder.to_owned())
    }
}

fn everybody() -> Vec<Kin> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Kin::read).collect()
}

/// Every living descendant of a process, without itself.
pub fn of(root: u32) -> Vec<Kin> {
    let all = everybody();
    let mut known = BTreeSet::from([root]);
    loop {
        let more = all.iter().filter(|kin| known.contains(&kin.parent) && !known.contains(&kin.id));
        let more: Vec<u32> = more.map(|kin| kin.id).collect();
        if more.is_empty() {
            return all.into_iter().filter(|kin| kin.id != root && known.contains(&kin.id)).collect();
        }
        known.extend(more);
    }
}

/// The private folder of an engine that is among these.
pub fn folder(family: &[Kin]) -> PathBuf {
    family.iter().find_map(Kin::folder).unwrap_or_else(|| panic!("no engine among {family:#?}"))
}

/// Waits until none of them lives, and nobody else lives in their folder.
pub fn gone(what: &str, family: &[Kin], folder: &Path) {
    until(what, || {
        let living: Vec<&Kin> = family.iter().filter(|kin| kin.lives()).collect();
        let mut left: Vec<String> =
            living.iter().map(|kin| format!("{} {}", kin.id, kin.arguments)).collect();
        left.extend(
            everybody()
                .into_iter()
                .filter(|kin| kin.folder().as_deref() == Some(folder))
                .map(|k| k.arguments),
        );
        if left.is_empty() { Ok(()) } else { Err(format!("still live: {left:#?}")) }
    });
}

/// Looks until it is so.
pub fn until<T>(what: &str, look: impl Fn() -> Result<T, String>) -> T {
    let began = now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(why) => assert!(began.elapsed() < SOON, "{what}: {why}"),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[expect(clippy::disallowed_methods, reason = "ends a wait that would have no end")]
fn now() -> Instant {
    Instant::now()
}
