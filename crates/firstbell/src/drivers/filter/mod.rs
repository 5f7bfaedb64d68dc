//! A filter of system calls around an engine and the process that drives it, held by the kernel (seccomp). It comes on top of what a
//! browser does for itself, and stays where a page has taken the browser over.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod calls;

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

/// Whether this kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// It was tried.
    InForce,
    /// None: this kernel has no seccomp, or is older than Linux 5.9 and does not count filters, so that ours would hide whether the
    /// browser's own are there; or something around us, a container mostly, lets nobody filter; or the processor is one whose calls
    /// we do not know.
    None,
}

/// Who is refused what it does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// A browser, the server that drives it, and whatever they start.
    Engine,
    /// One of them that asks at no socket of this machine's programs, by which it would reach those of its user: a bus, a keyring, us.
    Alone,
    /// The process that starts it, in a cage that it has to furnish.
    Worker,
}

/// Filters this thread, and all that it starts from here on. Nobody can take that back. What the kernel promises is tried out.
///
/// # Errors
/// Where the kernel promises what it does not hold.
pub(super) fn raise(whom: Whom) -> io::Result<Filter> {
    let Some(around) = own() else { return Ok(Filter::None) };
    if !apply(whom)? {
        return Ok(Filter::None);
    }
    if tried() == Err(Errno::EPERM) && own().is_some_and(|now| now > around) {
        return Ok(Filter::InForce);
    }
    Err(io::Error::other("the kernel took the order to refuse system calls, and does not do it"))
}

/// How many filters a process runs under, out of `/proc/PID/status`; kernels before 5.9 do not say, nor those without any.
pub(super) fn count(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:")?.trim().parse().ok())
}

/// The same of this thread, whose children inherit them.
pub(super) fn own() -> Option<u32> {
    count(&fs::read_to_string("/proc/thread-self/status").unwrap_or_default())
}

/// Asks to enter what is no namespace, which is wrong by itself (`EINVAL`, setns(2)) before the kernel asks who wants it. A filter
/// around us that ends a process for a call lets this one pass, where firstbell runs at all.
fn tried() -> Result<(), Errno> {
    setns(io::stdin(), CloneFlags::CLONE_NEWNET)
}

/// Whether it was taken.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn apply(whom: Whom) -> io::Result<bool> {
    use seccompiler::{Error, apply_filter};

    let program = calls::program(whom).map_err(io::Error::other)?;
    match apply_filter(&program) {
        Ok(()) => Ok(true),
        Err(Error::Seccomp(e))
            if [Some(Errno::EPERM as i32), Some(Errno::ENOSYS as i32)].contains(&e.raw_os_error()) =>
        {
            Ok(false)
        }
        Err(e) => Err(io::Error::other(e)),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn apply(_: Whom) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_the_thread_that_raises_it_and_no_other() {
        let around = own();
        let within = || (tried(), raise(Whom::Worker), raise(Whom::Engine), own());
        let (before, worker, engine, counted) = std::thread::spawn(within).join().unwrap();
        let (worker, engine) = (worker.unwrap(), engine.unwrap());
        let more = if worker == Filter::InForce { 2 } else { 0 };
        assert_eq!((engine, counted, own()), (worker, around.map(|filters| filters + more), around));
        // Where nothing is around that could stand in its way, it is there, and is what refuses.
        assert!(around != Some(0) || worker == Filter::InForce && before == Err(Errno::EINVAL), "{before:?}");
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[test]
    fn where_something_around_lets_nobody_filter_there_is_none_and_that_is_no_fault() {
        use nix::libc::SYS_seccomp;
        use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

        let ours = std::env::consts::ARCH.try_into().unwrap();
        let refuse = SeccompAction::Errno(Errno::EPERM as u32);
        let rules = [(SYS_seccomp, Vec::new())].into();
        let around = SeccompFilter::new(rules, SeccompAction::Allow, refuse, ours).unwrap();
        let around = BpfProgram::try_from(around).unwrap();
        let within = move || apply_filter(&around).map(|()| raise(Whom::Engine).unwrap());
        assert_eq!(std::thread::spawn(within).join().unwrap().unwrap(), Filter::None);
    }

    #[test]
    fn filters_are_counted_where_the_kernel_says_how_many() {
        assert_eq!(count("NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n"), Some(3));
        assert_eq!(count("NoNewPrivs:\t1\nSeccomp:\t2\n"), None);
    }
}
