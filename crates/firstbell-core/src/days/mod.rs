//! A random world against the real decisions: lives of one account, day after day, with all that can happen to them, and
//! the invariants watched at every step. The same seed gives the same life.

mod broker;
mod chance;
mod hands;
mod life;
mod verdict;
mod watch;
mod weather;

use std::fmt;

use self::life::Life;

/// Days in one life: a failure replays within this many.
pub const LIFE_DAYS: u32 = 250;

/// Why a morning ended without a token at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The broker was out until too late.
    Outage,
    /// The process or the machine was down until too late.
    Down,
    /// The clock was wrong.
    Clock,
    /// The owner paused.
    Paused,
    /// The broker asked to wait until too late.
    Waited,
    /// Something only the owner can mend, or that he brought about.
    Owner,
    /// Answers got lost, and the rest of the budget is the owner's.
    Unclear,
    /// Another program kept replacing the token.
    Fought,
}

/// The misses by name, in the order of [`Miss`].
pub const MISSES: [&str; 8] = [
    "the broker was out",
    "the process or machine was down",
    "the clock was wrong",
    "the owner paused",
    "the broker asked to wait",
    "only the owner could mend it",
    "answers were lost, and the budget stopped",
    "another program kept logging in",
];

/// What some lives amounted to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Days lived.
    pub days: u64,
    /// Mornings with a deadline.
    pub mornings: u64,
    /// Those with a good token at it.
    pub in_time: u64,
    /// Those without one, by cause, in the order of [`MISSES`].
    pub missed: [u64; 8],
    /// Logins that began.
    pub logins: u64,
    /// Credentials that left.
    pub submissions: u64,
    /// Logins that ended without a token.
    pub failed: u64,
    /// Questions about a token.
    pub probes: u64,
    /// Deaths of the process, sleeps of the machine, jumps of the clock, backups put back.
    pub blows: u64,
}

impl Report {
    /// Takes in another one.
    pub fn add(&mut self, other: &Report) {
        self.days += other.days;
        self.mornings += other.mornings;
        self.in_time += other.in_time;
        self.missed.iter_mut().zip(other.missed).for_each(|(own, more)| *own += more);
        self.logins += other.logins;
        self.submissions += other.submissions;
        self.failed += other.failed;
        self.probes += other.probes;
        self.blows += other.blows;
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Of which life.
    pub seed: u64,
    /// On which of its days, the first one being 1.
    pub day: u32,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { seed, day, what } = self;
        write!(f, "seed {seed}, day {day}: {what}. Again: firstbell simulate --seed {seed} --days {day}")
    }
}

/// Lives one life of so many days.
///
/// # Errors
/// The first invariant that did not hold.
pub fn live(seed: u64, days: u32) -> Result<Report, Breach> {
    Life::of(seed, None).live(days).map_err(|(day, what)| Breach { seed, day, what })
}

/// The same, with somebody who listens to every message to a person.
///
/// # Errors
/// As above.
pub fn live_heard(seed: u64, days: u32) -> Result<Report, Breach> {
    let mut life = Life::of(seed, None);
    life.ears = true;
    life.live(days).map_err(|(day, what)| Breach { seed, day, what })
}

/// The same, telling what happens and what a person would hear: each event and decision with its moment.
///
/// # Errors
/// As above.
pub fn tell(seed: u64, days: u32, hear: &mut dyn FnMut(String)) -> Result<Report, Breach> {
    let mut life = Life::of(seed, Some(hear));
    life.ears = true;
    life.live(days).map_err(|(day, what)| Breach { seed, day, what })
}
