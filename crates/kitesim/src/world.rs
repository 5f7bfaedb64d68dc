//! The one owner of the truth: clock, faults, rules and record behind one lock, and the waiting room beside it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::desk::Desk;
use crate::faults::Faults;
use crate::held::Held;
use crate::limits::Limits;
use crate::market::{Calendar, Market};
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
    /// How often all ticker connections were cut; those that are open watch it.
    pub(crate) cuts: watch::Sender<u64>,
    truth: Mutex<Truth>,
}

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
    /// How many ticker connections are open.
    pub(crate) tickers: u32,
}

impl Truth {
    /// The market of the settings.
    pub(crate) fn market(&self) -> Market {
        let settings = &self.rules.settings;
        let (holidays, sessions) = (settings.holidays.clone(), settings.sessions.clone());
        Market::new(settings.seed, Calendar { holidays, sessions })
    }

    /// The desk, brought up to a moment.
    pub(crate) fn settled_desk(&mut self, now: Timestamp) -> &mut Desk {
        let (market, fills) = (self.market(), self.rules.settings.fills);
        self.desk.settle(market, fills, now);
        &mut self.desk
    }
}

impl World {
    /// A world at its start.
    pub(crate) fn new(site: SocketAddr, clock: Clock, faults: Faults, rules: Rules) -> World {
        let desk = Desk::opened(&rules.account.user_id);
        let truth = Truth {
            clock,
            faults,
            rules,
            seen: Seen::default(),
            desk,
            limits: Limits::default(),
            tickers: 0,
        };
        World {
            site,
            secure: false,
            held: Held::new(),
            cuts: watch::Sender::new(0),
            truth: Mutex::new(truth),
        }
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
