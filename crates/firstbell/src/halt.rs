//! A word from outside that ends a login in its middle, and the moment in which it may end well.

use std::time::Duration;

use tokio::sync::watch;

/// How long what should not be broken off may go on after the word: an engine that is being started, which could not be ended
/// yet, and an exchange that waits for its answer.
pub const FINISH: Duration = Duration::from_millis(3000);
/// How long an engine may then take to end. A login has one of each left at most, and so is over within 4.5 s.
pub const END: Duration = Duration::from_millis(1500);

/// Asks a login to end. Whoever holds a clone asks and hears alike; what was asked stays asked.
#[derive(Clone, Debug, Default)]
pub struct Halt(watch::Sender<bool>);

impl Halt {
    /// One that nobody has asked yet.
    pub fn new() -> Halt {
        Halt::default()
    }

    /// Asks everybody who listens to end, now and later.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody has asked.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Is over once somebody has asked.
    pub async fn asked(&self) {
        let mut heard = self.0.subscribe();
        // We hold a sender ourselves, so that there always is one.
        let _ = heard.wait_for(|asked| *asked).await;
    }

    /// Work that may be dropped wherever it waits; nothing comes of it where somebody asks.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            done = work => Some(done),
        }
    }

    /// Work that should not be dropped: it has this long after the word, and only then comes nothing of it.
    pub async fn grace<T>(&self, moment: Duration, work: impl Future<Output = T>) -> Option<T> {
        let over = async {
            self.asked().await;
            tokio::time::sleep(moment).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_may_be_dropped_is_and_what_may_not_has_its_moment() {
        let halt = Halt::new();
        assert_eq!(halt.or(ready(1)).await, Some(1));
        assert_eq!(halt.grace(END, ready(1)).await, Some(1));
        let asks = halt.clone();
        let (dropped, ()) = tokio::join!(halt.or(pending::<()>()), async { asks.ask() });
        assert_eq!(dropped, None);
        // What was asked stays asked.
        assert_eq!(halt.or(ready(1)).await, None);
        let short = tokio::time::sleep(Duration::from_millis(5));
        assert_eq!(halt.grace(END, short).await, Some(()));
    }

    #[tokio::test]
    async fn grace_has_an_end() {
        let halt = Halt::new();
        halt.ask();
        assert_eq!(halt.grace(Duration::from_millis(5), pending::<()>()).await, None);
    }
}
