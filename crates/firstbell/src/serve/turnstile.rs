//! Whoever shows a wrong key waits, and the longer the more were shown: guessing is slow, however many guess at one time.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::monotonic_us;

/// The first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// More than these stand in no line.
const LINE_MAX: usize = 32;
/// After so long without a wrong key the waits begin anew.
const QUIET_US: i64 = 600_000_000;
/// A warning in the log is not repeated sooner.
const WARNING_US: i64 = 60_000_000;

/// One line for all who guess. Whoever has a right key does not come here.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    line: Mutex<()>,
    waiting: AtomicUsize,
    in_a_row: AtomicU32,
    refused: AtomicU64,
    last_us: AtomicI64,
    warned_us: AtomicI64,
}

/// There are too many already.
#[derive(Debug)]
pub(super) struct Full;

/// A place in the line: free again when whoever has it gives up, too.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turnstile {
    /// Counts a wrong key, and ends when its wait is over.
    pub(super) async fn pass(&self) -> Result<(), Full> {
        self.count();
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= LINE_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        let _place = Place(&self.waiting);
        let _turn = self.line.lock().await;
        tokio::time::sleep(wait(self.in_a_row.fetch_add(1, Ordering::Relaxed))).await;
        Ok(())
    }

    /// How many wrong keys were shown.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn count(&self) {
        let (now_us, all) = (monotonic_us(), self.refused.fetch_add(1, Ordering::Relaxed) + 1);
        if now_us - self.last_us.swap(now_us, Ordering::Relaxed) > QUIET_US {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
        let warned_us = self.warned_us.load(Ordering::Relaxed);
        if warned_us == 0 || now_us - warned_us > WARNING_US {
            self.warned_us.store(now_us, Ordering::Relaxed);
            tracing::warn!(wrong_keys = all, "somebody shows wrong keys at the local API");
        }
    }
}

/// How long a wrong key waits after so many others.
fn wait(before: u32) -> Duration {
    (WAITS.0 * 2_u32.pow(before.min(8))).min(WAITS.1)
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[test]
    fn waits_grow_up_to_five_seconds() {
        let waits: Vec<u128> = (0..7).map(|before| wait(before).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(wait(u32::MAX), WAITS.1);
    }

    #[tokio::test]
    async fn guessing_at_one_time_helps_nobody_and_a_place_is_given_back() {
        let turnstile = Turnstile::default();
        let guess = || tokio::time::timeout(Duration::from_millis(1_000), turnstile.pass());
        let outcomes = join_all((0..40).map(|_| guess())).await;
        let sent_away = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Err(Full)))).count();
        let passed = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Ok(())))).count();
        // A quarter and a half of a second, one after another; the third is in its own.
        assert!(passed <= 2, "{passed}");
        assert_eq!((sent_away, turnstile.refused()), (8, 40));
        assert_eq!(turnstile.waiting.load(Ordering::Relaxed), 0);
    }
}
