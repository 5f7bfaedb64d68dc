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
        let row = self.in_a_row.fetch_add(1, Ordering::Relaxed).min(16);
        tokio::time::sleep((WAITS.0 * 2_u32.pow(row.min(8))).min(WAITS.1)).await;
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

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_guessing_at_one_time_helps_nobody() {
        let turnstile = Turnstile::default();
        let began = tokio::time::Instant::now();
        let outcomes = join_all((0..40).map(|_| turnstile.pass())).await;
        let sent_away = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!((sent_away, turnstile.refused()), (8, 40));
        // 0.25, 0.5, 1, 2, 4 s, and then 5 s each, one after another.
        let least = Duration::from_millis(7_750 + 27 * 5_000);
        assert!(began.elapsed() >= least, "{:?}", began.elapsed());
        assert_eq!(turnstile.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_gives_his_place_back() {
        let turnstile = Turnstile::default();
        for _ in 0..100 {
            let _gone = tokio::time::timeout(Duration::from_millis(1), turnstile.pass()).await;
        }
        assert_eq!((turnstile.waiting.load(Ordering::Relaxed), turnstile.refused()), (0, 100));
    }
}
