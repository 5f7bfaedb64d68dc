//! A fence around an engine: which files of this machine, and which ports elsewhere, it and whatever it starts can reach, held by
//! the kernel (Landlock). A page that has taken a browser over, its sandbox included, stands before it.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use serde::{Deserialize, Serialize};

/// What programs, libraries, fonts, certificates and the machine's names are read from. No home and no state folder is here.
const READ: [&str; 15] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/opt",
    "/proc",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/snap",
    "/sys",
    "/usr",
    "/var/cache/fontconfig",
];
/// Where files that are there may be written to: devices that hold nothing of anybody's, and what a process says of itself to the
/// kernel (Chromium's sandbox writes its `uid_map`). Of `/dev` no more: browsers of other accounts have their folders in `/dev/shm`.
const WRITE: [&str; 10] = [
    "/dev/dri",
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/proc",
];

/// How much of it this kernel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fence {
    /// Files, and TCP ports where the engine has a network of the machine's at all.
    Whole,
    /// What this kernel has of it, which is a part: cutting files off came with Linux 6.2, ports with 6.7, devices with 6.10.
    Files,
    /// Nothing: Landlock came with Linux 5.13, and is switched off on some machines.
    None,
}

/// What an engine is left with.
pub(super) struct Ground<'a> {
    /// Its programs.
    pub(super) programs: &'a [&'a Path],
    /// Its private folder.
    pub(super) folder: &'a Path,
    /// The only TCP port that it may connect to; none where it has no network but its own.
    pub(super) port: Option<u16>,
}

/// Fences this thread, and all that it starts from here on. Nobody can take that back. What the kernel promises is tried out.
///
/// # Errors
/// Where the kernel promises what it does not hold.
pub(super) fn raise(ground: &Ground<'_>) -> io::Result<Fence> {
    let status = part().and_then(|()| restrict(ground)).map_err(io::Error::other)?;
    if status == RulesetStatus::NotEnforced {
        return Ok(Fence::None);
    }
    holds("files", fs::read_dir("/").map(drop))?;
    let whole = if status == RulesetStatus::FullyEnforced { Fence::Whole } else { Fence::Files };
    let Some(own) = ground.port else { return Ok(whole) };
    // Whether anybody listens there or not: the kernel refuses before it looks.
    let other = if own == 1 { 2 } else { 1 };
    match TcpStream::connect((Ipv4Addr::LOCALHOST, other)) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(whole),
        _ if whole == Fence::Whole => Err(open("ports")),
        _ => Ok(Fence::Files),
    }
}

/// No signal to a process outside, and no socket that has a name but no file: where the kernel has that (Linux 6.12), on top of the rest.
fn part() -> Result<(), RulesetError> {
    Ruleset::default().scope(Scope::AbstractUnixSocket | Scope::Signal)?.create()?.restrict_self().map(drop)
}

fn restrict(ground: &Ground<'_>) -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V5;
    let (read, all) = (AccessFs::from_read(abi), AccessFs::from_all(abi));
    let write = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut rules = Ruleset::default().handle_access(all)?;
    if ground.port.is_some() {
        rules = rules.handle_access(AccessNet::BindTcp)?.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut rules = rules.create()?;
    let own = ground.programs.iter().filter_map(|program| beside(program));
    for place in READ.map(PathBuf::from).into_iter().chain(own) {
        rules = allow(rules, &place, read)?;
    }
    for place in WRITE {
        rules = allow(rules, Path::new(place), write)?;
    }
    rules = allow(rules, ground.folder, all)?;
    if let Some(base) = ground.folder.parent() {
        // Its owner wipes the folder in the end, and that is a change of the one around it.
        rules = allow(rules, base, AccessFs::RemoveDir.into())?;
    }
    if let Some(port) = ground.port {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn allow(
    rules: RulesetCreated,
    place: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(place) {
        Ok(opened) => {
            let access = if place.is_dir() { access } else { access & AccessFs::from_file(ABI::V5) };
            rules.add_rule(PathBeneath::new(opened, access))
        }
        // A place that cannot be opened can be reached no more than one that is not there.
        Err(_) => Ok(rules),
    }
}

/// A program that was put elsewhere has its parts beside it. One that lies in a home takes no home along.
fn beside(program: &Path) -> Option<PathBuf> {
    let program = fs::canonicalize(program).ok()?;
    if READ.iter().any(|place| program.starts_with(place)) {
        return None;
    }
    let folder = program.parent()?.to_path_buf();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut homes = passwd.lines().filter_map(|line| line.split(':').nth(5)).filter(|home| *home != "/");
    let has_home = folder == Path::new("/") || homes.any(|home| Path::new(home).starts_with(&folder));
    Some(if has_home { program } else { folder })
}

fn holds(what: &str, tried: io::Result<()>) -> io::Result<()> {
    match tried {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Ok(()),
        _ => Err(open(what)),
    }
}

fn open(what: &str) -> io::Error {
    io::Error::other(format!("the kernel took the order to fence off {what}, and does not do it"))
}
