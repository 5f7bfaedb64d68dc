//! The signals that a supervisor hears, with who sent them: what the terminal sent, the program has heard itself.

use std::cell::RefCell;
use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use firstbell_core::failure::Failure;
use nix::sys::signal::{SigSet, SigmaskHow, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

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

/// The signals that come from now on. None of them ends this process by itself any more.
pub(super) struct Orders {
    held_back: AsyncFd<SignalFd>,
    /// What comes while none is held back, because a program is being started: nobody knows who sent it.
    meanwhile: RefCell<Vec<(Signal, Stream)>>,
    all: SigSet,
    /// What was held back before us, and is for the programs that we start.
    before: SigSet,
}

/// One signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Which.
    pub(super) signal: Signal,
    /// Whether the program has it too.
    pub(super) by_terminal: bool,
}

impl Heard {
    /// Whether it would end whoever does nothing about it.
    pub(super) fn ends(&self) -> bool {
        [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP].contains(&self.signal)
    }
}

impl Orders {
    pub(super) fn watch() -> Result<Orders, Failure> {
        let cannot = |e: &dyn Display| broken(format!("signals cannot be watched: {e}"));
        let mut all = SigSet::empty();
        PASSED.iter().for_each(|(number, _)| all.add(*number));
        let stream = |(number, passed): (Number, Signal)| {
            Ok((passed, signal(SignalKind::from_raw(number as i32)).map_err(|e| cannot(&e))?))
        };
        let meanwhile = PASSED.into_iter().map(stream).collect::<Result<_, Failure>>()?;
        let before = all.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(|e| cannot(&e))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(&all, flags).map_err(|e| cannot(&e))?;
        #[expect(
            deprecated,
            reason = "sound here: the descriptor is ours alone, and stays the same until it is dropped"
        )]
        let held_back = AsyncFd::with_interest(fd, Interest::READABLE).map_err(|e| cannot(&e))?;
        Ok(Orders { held_back, meanwhile: RefCell::new(meanwhile), all, before })
    }

    /// Starts a program: it inherits what is held back in this moment, and that must be nothing of ours.
    pub(super) fn without_holding<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.before.thread_set_mask()?;
        let started = start();
        self.all.thread_block()?;
        started
    }

    pub(super) async fn next(&self) -> Heard {
        tokio::select! {
            heard = self.held_back() => heard,
            signal = poll_fn(|context| self.poll_meanwhile(context)) => Heard { signal, by_terminal: false },
        }
    }

    fn poll_meanwhile(&self, context: &mut Context<'_>) -> Poll<Signal> {
        for (signal, stream) in self.meanwhile.borrow_mut().iter_mut() {
            if stream.poll_recv(context).is_ready() {
                return Poll::Ready(*signal);
            }
        }
        Poll::Pending
    }

    async fn held_back(&self) -> Heard {
        loop {
            // An error of the event loop itself: nothing can be heard any more, and the program goes on.
            let Ok(mut ready) = self.held_back.readable().await else { return std::future::pending().await };
            let Ok(Some(info)) = self.held_back.get_ref().read_signal() else {
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
