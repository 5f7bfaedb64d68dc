//! The one place that asks the time.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ports::{Clock, Soon};

/// The machine's clocks.
#[derive(Debug)]
pub struct MachineClock {
    start: Instant,
}

impl MachineClock {
    /// A clock whose running time begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start() -> MachineClock {
        MachineClock { start: Instant::now() }
    }
}

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn run_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn rest(&self, ms: u64) -> Soon<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}
