//! The namespaces of a cage: entered by a process with one thread, before anything is started in them.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};
use rustix::process::{getgid, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities, set_no_new_privs,
};

/// What the warden needs until its walls stand: to mount its own `/proc` and to bring its loopback up.
const NEEDED: [CapabilitySet; 2] = [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN];

/// Leaves the machine's namespaces. The next child is the first process of the new ones, and holds what it needs to
/// furnish them; we stay who we are, inside and outside.
pub(super) fn leave() -> io::Result<()> {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let all = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC;
    unshare(all).map_err(|e| named("a user and network namespace", e.into()))?;
    let write = |file: &str, text: String| fs::write(file, text).map_err(|e| named(file, e));
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    let own = capabilities(None)?;
    let inheritable = NEEDED.into_iter().fold(own.inheritable, |set, cap| set | cap);
    set_capabilities(None, CapabilitySets { inheritable, ..own })?;
    for cap in NEEDED {
        configure_capability_in_ambient_set(cap, true).map_err(|e| named("a capability", e.into()))?;
    }
    Ok(())
}

/// Furnishes the new namespaces and gives up every right in them: nothing that is started here can change the walls.
pub(super) fn settle() -> io::Result<()> {
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|e| named("mounts of its own", e.into()))?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", quiet, None).map_err(|e| named("a /proc of its own", e.into()))?;
    loopback_up().map_err(|e| named("a loopback of its own", e))?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(set_no_new_privs(true)?)
}

fn named(what: &str, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{what}: {e}"))
}

/// Asks the kernel to bring the first interface up: RTM_NEWLINK with IFF_UP, as rtnetlink(7) has it.
fn loopback_up() -> io::Result<()> {
    const NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
    const LOOPBACK: i32 = 1;
    const UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend(32_u32.to_ne_bytes());
    message.extend(NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend([0, 0]);
    message.extend(0_u16.to_ne_bytes());
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&socket, &message, SendFlags::empty())?;
    let mut reply = [0; 64];
    let (length, _) = recv(&socket, &mut reply, RecvFlags::empty())?;
    // The acknowledgement is an error message whose number is zero.
    let code = reply.get(16..20).filter(|_| length >= 20).and_then(|b| b.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("the kernel's answer cannot be read")),
    }
}
