//! The signals that a supervisor hears, with who sent them: what the terminal sent, the program has heard itself.

use firstbell_core::failure::Failure;
use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::demo::broken;

/// The kernel itself sent it: the terminal, to everybody in the foreground (sigaction(2), SI_KERNEL).
const SI_KERNEL: i32 = 0x80;

/// What may be passed on. Stopping and going on are the terminal's and the kernel's own business.
const PASSED: [(Number, Signal); 6] = [
    (Number::SIGHUP, Signal::HUP),
    (Number::SIGINT, Signal::INT),
    (Number::SIGQUIT, Signal::QUIT),
    (Number::SIGTERM, Signal::TERM),
    (Number::SIGUSR1, Signal::USR1),
    (Number::SIGUSR2, Signal::USR2),
];

/// The signals that come from now on. None of them ends this process by itself any more; programs that it starts begin with
/// none of them held back (the standard library sees to that).
pub(super) struct Orders(AsyncFd<SignalFd>);

/// One signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Which.
    pub(super) signal: Signal,
    /// Whether the program has it too.
    pub(super) by_terminal: bool,
}

impl Heard {
    /// Whether it asks for the end.
    pub(super) fn ends(&self) -> bool {
        [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP].contains(&self.signal)
    }
}

impl Orders {
    pub(super) fn watch() -> Result<Orders, Failure> {
        let cannot = |e: String| broken(format!("signals cannot be watched: {e}"));
        let mut set = SigSet::empty();
        PASSED.iter().for_each(|(number, _)| set.add(*number));
        set.thread_block().map_err(|e| cannot(e.to_string()))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(&set, flags).map_err(|e| cannot(e.to_string()))?;
        #[expect(
            deprecated,
            reason = "sound here: the descriptor is ours alone, and stays the same until it is dropped"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE);
        Ok(Orders(fd.map_err(|e| cannot(e.to_string()))?))
    }

    pub(super) async fn next(&self) -> Heard {
        loop {
            // An error of the event loop itself: nothing can be heard any more, and the program goes on.
            let Ok(mut ready) = self.0.readable().await else { return std::future::pending().await };
            let Ok(Some(info)) = self.0.get_ref().read_signal() else {
                ready.clear_ready();
                continue;
            };
            let number = i32::try_from(info.ssi_signo).ok();
            let known = PASSED.iter().find(|(known, _)| number == Some(*known as i32));
            if let Some((_, signal)) = known {
                return Heard { signal: *signal, by_terminal: info.ssi_code == SI_KERNEL };
            }
        }
    }
}
