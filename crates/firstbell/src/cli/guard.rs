//! What is done before anything secret is read: nobody looks into this process, its memory goes to no disk, and a panic says where.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::say;

/// A user namespace in which root is the machine's own (user_namespaces(7)).
const WHOLE: &str = "0 0 4294967295";

/// No other process of this user may look into this one, no core file holds its memory, none of it is swapped out where the
/// kernel lets us say so, and a panic says where, never what. What is really in force, `firstbell doctor` reads back.
pub(super) fn raise() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    lock();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        say::error(&format!("firstbell: internal error at {place}; please report this line"));
    }));
}

/// No memory of this process is swapped out, where that may be said.
pub(super) fn lock() {
    if may_lock() {
        // As it comes into use: what is only reserved, such as stacks, costs nothing (ONFAULT, Linux 4.4).
        let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}

/// Whether all of memory may be locked, however much it becomes: a secret passes through more of it than the page where it
/// rests. Under a limit nothing is: the kernel counts what is reserved, not what is used (mlockall(2)), and each growth near the
/// limit would fail. Single pages are no way out: to lock one takes its pointer, and so `unsafe`.
fn may_lock() -> bool {
    let has_right = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    // A right that holds in a namespace only does not count against the limit.
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_whole = map.split_whitespace().eq(WHOLE.split(' '));
    // What a unit gave (LimitMEMLOCK=infinity).
    let is_endless = || getrlimit(Resource::Memlock).current.is_none();
    let endless = Rlimit { current: None, maximum: None };
    (has_right && is_whole) || is_endless() || setrlimit(Resource::Memlock, endless).is_ok()
}
