//! What people see: prose and progress on standard error, results on standard output, logs of our own only.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use firstbell_core::secret::Secret;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::censor::{self, Censored};
use crate::clock::MachineClock;
use crate::config::Environment;
use crate::login::Progress;
use crate::ports::Clock;

/// A line for a person.
pub(super) fn error(text: &str) {
    // There is nobody to tell where standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{}", censor::passed(text));
}

/// A result.
pub(super) fn out(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", censor::passed(text));
}

/// The token, to whoever asked for it.
pub(super) fn out_secret(text: &Secret) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.expose().as_bytes())?;
    stdout.flush()
}

/// Logs to standard error as `FIRSTBELL_LOG` says (`debug`, `firstbell=trace` …). Only what this program itself says
/// is let through: nobody vouches for what a library puts into its traces. Where nothing is said, `usual` counts.
pub(super) fn start_log(env: &Environment, usual: Option<&str>) {
    let Some(spec) = env.get("FIRSTBELL_LOG").map(String::as_str).or(usual) else { return };
    let ours = filter_fn(|meta| meta.target() == "firstbell" || meta.target().starts_with("firstbell::"));
    let layer = tracing_subscriber::fmt::layer().with_writer(|| Censored(std::io::stderr())).with_ansi(false);
    let started = tracing_subscriber::registry().with(EnvFilter::new(spec)).with(ours).with(layer).try_init();
    if let Err(e) = started {
        error(&format!("firstbell: no log: {e}"));
    }
}

/// Steps as they tick by, each with its time; kept for the JSON report too.
pub(super) struct Ticks {
    clock: MachineClock,
    live: bool,
    steps: RefCell<Vec<(&'static str, u64)>>,
    ends: RefCell<Vec<u64>>,
}

impl Ticks {
    pub(super) fn start() -> Ticks {
        let live = std::io::stderr().is_terminal();
        Ticks { clock: MachineClock::start(), live, steps: RefCell::default(), ends: RefCell::default() }
    }

    /// The running step is over, well or not.
    pub(super) fn end(&self, well: bool) {
        let now_ms = self.clock.run_ms();
        let mut ends = self.ends.borrow_mut();
        if let Some((step, began_ms)) = self.steps.borrow().get(ends.len()) {
            let sign = if well { "✓" } else { "✗" };
            let took = seconds(now_ms - began_ms);
            let erase = if self.live { "\r\x1b[2K" } else { "" };
            let _ = writeln!(std::io::stderr().lock(), "{erase}  {sign} {step:<38} {took:>9}");
            ends.push(now_ms);
        }
    }

    /// Name and milliseconds of each step that ended.
    pub(super) fn steps(&self) -> Vec<serde_json::Value> {
        let ends = self.ends.borrow();
        let steps = self.steps.borrow();
        let pairs = steps.iter().zip(ends.iter());
        pairs.map(|((step, began), end)| serde_json::json!({ "step": step, "ms": end - began })).collect()
    }

    /// Milliseconds since the start.
    pub(super) fn total_ms(&self) -> u64 {
        self.clock.run_ms()
    }
}

impl Progress for Ticks {
    fn begin(&self, step: &'static str) {
        self.end(true);
        self.steps.borrow_mut().push((step, self.clock.run_ms()));
        if self.live {
            let mut stderr = std::io::stderr().lock();
            let _ = write!(stderr, "  · {step} …");
            let _ = stderr.flush();
        }
    }
}

/// Milliseconds as people read them.
pub(super) fn seconds(ms: u64) -> String {
    format!("{:.3} s", Duration::from_millis(ms).as_secs_f64())
}
