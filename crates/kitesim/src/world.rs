//! The one owner of the truth: clock, faults, rules and record behind one lock, and the waiting room beside it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::desk::Desk;
use crate::faults::Faults;
use crate::held::Held;
use crate::limits::Limits;
use crate::rules::Rules;
use crate::seen::Seen;

/// What all listeners share.
pub(crate) struct World {
    /// The address of the pretended Kite.
    pub(crate) site: SocketAddr,
    /// Whether it stands behind TLS, under its pretended names.
    pub(crate) secure: bool,
    /// Requests that wait to be released.
    pub(crate) held: Held,
    /// The ticker connections that may still be opened.
    pub(crate) tickers: Arc<Semaphore>,
    truth: Mutex<Truth>,
}

/// Kite Connect docs, WebSocket: three connections for each app.
const MOST_TICKERS: usize = 3;

/// Everything that changes. The lock around it is never kept while something is awaited.
pub(crate) struct Truth {
    /// The simulated clock.
    pub(crate) clock: Clock,
    /// The faults that stand.
    pub(crate) faults: Faults,
    /// What decides.
    pub(crate) rules: Rules,
    /// What arrived.
    pub(crate) seen: Seen,
    /// What the account has at its broker.
    pub(crate) desk: Desk,
    /// How many calls came this second.
    pub(crate) limits: Limits,
}

impl World {
    /// A world at its start.
    pub(crate) fn new(site: SocketAddr, clock: Clock, faults: Faults, rules: Rules) -> World {
        let desk = Desk::opened(&rules.account.user_id);
        let truth = Truth { clock, faults, rules, seen: Seen::default(), desk, limits: Limits::default() };
        let tickers = Arc::new(Semaphore::new(MOST_TICKERS));
        World { site, secure: false, held: Held::new(), tickers, truth: Mutex::new(truth) }
    }

    /// Forgets everything that happened; settings, faults and the clock stay.
    pub(crate) fn reset(&self) {
        let mut truth = self.lock();
        truth.rules.reset();
        truth.seen.reset();
        truth.desk = Desk::opened(&truth.rules.account.user_id);
        truth.limits = Limits::default();
    }

    /// The truth; a request that panicked with the lock in its hands must not end the simulation.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
