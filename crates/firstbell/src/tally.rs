//! What is counted while accounts are kept: how long the steps of logins take, how they fail, and which channels work.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The count, from the start of the process on. Written by the keepers, read from any thread.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The steps of logins: how often, and how many microseconds in all.
    pub steps: BTreeMap<&'static str, (u64, u64)>,
    /// Logins that ended without a token, by account and by the short name of what went wrong.
    pub failures: BTreeMap<(String, String), u64>,
    /// Whether each channel took the last message.
    pub channels: BTreeMap<String, bool>,
    /// The step that each account is in, and when it began.
    running: BTreeMap<String, (&'static str, i64)>,
}

impl Tally {
    /// A step of an account's login begins at this moment, in microseconds; the one before is over.
    pub fn begin(&self, account: &str, step: &'static str, now_us: i64) {
        self.change(|counts| {
            counts.end(account, now_us);
            counts.running.insert(account.to_owned(), (step, now_us));
        });
    }

    /// The account's login is over.
    pub fn end(&self, account: &str, now_us: i64) {
        self.change(|counts| counts.end(account, now_us));
    }

    /// The account's login ended without a token.
    pub fn failed(&self, account: &str, code: &str) {
        self.change(|counts| *counts.failures.entry((account.to_owned(), code.to_owned())).or_default() += 1);
    }

    /// A channel took a message, or did not.
    pub fn channel(&self, name: &str, took: bool) {
        self.change(|counts| *counts.channels.entry(name.to_owned()).or_default() = took);
    }

    /// What was counted up to now.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        // Numbers that a panic left half written are numbers all the same.
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Counts {
    fn end(&mut self, account: &str, now_us: i64) {
        let Some((step, began_us)) = self.running.remove(account) else { return };
        let (times, sum_us) = self.steps.entry(step).or_default();
        *times += 1;
        *sum_us += now_us.saturating_sub(began_us).unsigned_abs();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_lasts_until_the_next_one_or_the_end_of_its_own_login() {
        let tally = Tally::default();
        tally.begin("a", "one", 0);
        tally.begin("b", "one", 5);
        tally.begin("a", "two", 10);
        tally.end("a", 40);
        tally.end("a", 99);
        tally.end("b", 25);
        let counts = tally.counts();
        assert_eq!(counts.steps, BTreeMap::from([("one", (2, 30)), ("two", (1, 30))]));
        tally.failed("a", "slow");
        tally.failed("a", "slow");
        tally.channel("phone", false);
        tally.channel("phone", true);
        let counts = tally.counts();
        assert_eq!((counts.failures.values().sum::<u64>(), counts.channels["phone"]), (2, true));
    }
}
