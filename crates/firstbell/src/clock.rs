//! The one place that asks the time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, oneshot};

use crate::ports::{Clock, Soon};

/// Nobody waits longer than this without a look: a machine whose timers fail is late, and not lost.
const LOOK_MAX: Duration = Duration::from_secs(3_600);
/// Without a timer of the kernel the clock of the day is looked at this often while somebody waits.
const POLL: Duration = Duration::from_secs(10);

/// The machine's clocks.
#[derive(Debug)]
pub struct MachineClock {
    start_ms: u64,
    /// Who waits for which moment of the day; one timer serves them all.
    waiting: RefCell<BTreeMap<(Timestamp, u64), oneshot::Sender<()>>>,
    counted: Cell<u64>,
    changed: Notify,
}

impl MachineClock {
    /// A clock whose running time begins now.
    pub fn start() -> MachineClock {
        let (waiting, counted) = (RefCell::default(), Cell::new(0));
        MachineClock { start_ms: boot_ms(), waiting, counted, changed: Notify::new() }
    }

    /// Wakes those who wait for moments of the day, for as long as it runs. It waits on the clock of the day itself: a moment
    /// that passes while the machine sleeps is there when it wakes, and when somebody sets the clock everybody looks anew.
    pub async fn tick(&self) -> Infallible {
        loop {
            let first = self.waiting.borrow().keys().next().map(|(at, _)| *at);
            let set = tokio::select! {
                () = self.changed.notified() => false,
                set = reaches(first) => set,
            };
            self.wake(set);
        }
    }

    fn wake(&self, everybody: bool) {
        let mut waiting = self.waiting.borrow_mut();
        let now = self.now();
        while let Some(first) = waiting.first_entry() {
            let over = first.get().is_closed() || everybody || first.key().0 <= now;
            if !over {
                break;
            }
            // Whoever does not wait any more need not know.
            let _ = first.remove().send(());
        }
    }
}

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn run_ms(&self) -> u64 {
        boot_ms().saturating_sub(self.start_ms)
    }

    fn rest(&self, ms: u64) -> Soon<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }

    fn until(&self, at: Timestamp) -> Soon<'_, ()> {
        let (wake, woken) = oneshot::channel();
        self.counted.set(self.counted.get() + 1);
        self.waiting.borrow_mut().insert((at, self.counted.get()), wake);
        self.changed.notify_one();
        Box::pin(async move {
            // A clock that nobody ticks, or that ended, still lets nobody wait for ever.
            let _ = tokio::time::timeout(LOOK_MAX, woken).await;
        })
    }
}

/// Milliseconds since the machine started, sleep included: a pause or a lease must not stand still while others go on.
fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec * 1_000 + now.tv_nsec / 1_000_000).unwrap_or(0)
}

/// Microseconds on the clock by which a service manager orders what it hears.
pub fn monotonic_us() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// Waits for a moment of the day; says whether the clock was set instead. Without a moment it waits for ever.
async fn reaches(at: Option<Timestamp>) -> bool {
    let Some(at) = at else { return std::future::pending().await };
    let Ok(timer) = timer(at) else {
        tokio::time::sleep(POLL).await;
        return false;
    };
    #[expect(
        deprecated,
        reason = "sound here: the timer is ours alone, and stays the same until it is dropped"
    )]
    let ready = AsyncFd::with_interest(timer, Interest::READABLE);
    let Ok(ready) = ready else {
        tokio::time::sleep(POLL).await;
        return false;
    };
    let _ = ready.readable().await;
    let mut count = [0_u8; 8];
    // A read says ECANCELED when the clock was set.
    rustix::io::read(ready.get_ref(), &mut count) == Err(rustix::io::Errno::CANCELED)
}

fn timer(at: Timestamp) -> rustix::io::Result<OwnedFd> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A moment of zero would mean no timer at all.
    let moment =
        Timespec { tv_sec: at.as_second().max(1), tv_nsec: i64::from(at.subsec_nanosecond()).max(0) };
    let how = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(&timer, how, &Itimerspec { it_interval: never, it_value: moment })?;
    Ok(timer)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[tokio::test]
    async fn moments_are_waited_for_in_their_order_and_one_that_passed_is_not() {
        let clock = MachineClock::start();
        let began = clock.now();
        let waits = async {
            clock.until(Timestamp::MIN).await;
            clock.until(began).await;
            let in_ms = |ms| began + SignedDuration::from_millis(ms);
            tokio::join!(clock.until(in_ms(60)), clock.until(in_ms(20)));
            assert!(clock.now() >= in_ms(60));
        };
        tokio::select! {
            never = clock.tick() => match never {},
            () = waits => {}
        }
        assert!(clock.run_ms() >= 59);
        assert!(clock.waiting.borrow().is_empty());
    }
}
