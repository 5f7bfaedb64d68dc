//! Ctrl-C and its like: what is done is asked to end, and has a few moments to end well.

use std::time::Duration;

use firstbell_core::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::halt::{END, FINISH, Halt};

/// What hears the word is over within both moments, one after the other; what is not over then does not hear it.
const LAST: Duration = FINISH.saturating_add(END).saturating_add(Duration::from_millis(200));

/// Until it is over. The first signal of the owner or the system asks it to end through the halt, and its outcome counts; a
/// second signal, or time, drops it where it stands. Either way the browser is gone before we are.
pub(super) async fn interruptible<T>(
    halt: &Halt,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut signals = Signals::watch()?;
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => return outcome,
        _ = signals.next() => halt.ask(),
    }
    tokio::select! {
        outcome = work => outcome,
        _ = signals.next() => Err(Failure::Interrupted),
        () = tokio::time::sleep(LAST) => Err(Failure::Interrupted),
    }
}

/// The signals of an owner, a terminal or a service manager. From its making on none of them ends the program by itself.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// To end.
    End,
    /// The terminal is gone; to a daemon, which has none, it says that its configuration changed.
    HungUp,
}

impl Signals {
    pub(super) fn watch() -> Result<Signals, Failure> {
        let watch =
            |kind| signal(kind).map_err(|e| super::demo::broken(format!("signals cannot be watched: {e}")));
        Ok(Signals {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
            hang_up: watch(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hang_up.recv() => Told::HungUp,
        }
    }
}
