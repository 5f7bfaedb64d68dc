//! The seat of another user of this machine, which only root can take.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// The user `daemon` of every Unix: neither root nor the user that a browser runs as.
const STRANGER: u32 = 1;

/// What another user of this machine sees; none for an ordinary user's tests, of which `.ci/run` has none.
pub fn as_stranger<T: Send>(look: impl FnOnce() -> T + Send) -> Option<T> {
    if !geteuid().is_root() {
        assert!(
            std::env::var_os("CI").is_none(),
            "only root can take another user's seat: run these tests as root"
        );
        return None;
    }
    std::thread::scope(|scope| {
        let seat = scope.spawn(|| {
            // The kernel's users belong to threads: only this one changes.
            let (uid, gid) = (Uid::from_raw(STRANGER), Gid::from_raw(STRANGER));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
            look()
        });
        Some(seat.join().unwrap())
    })
}
