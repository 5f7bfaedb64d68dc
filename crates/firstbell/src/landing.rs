//! What became of an account's token at each of its sinks, as `firstbell status` and the verdict ask for it.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::sync::Notify;

/// One sink, as far as it has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Landing {
    /// Its name.
    pub name: String,
    /// Its kind, as the configuration calls it.
    pub kind: &'static str,
    /// The generation that it has; none where nothing was delivered since the start.
    pub generation: Option<u64>,
    /// When that was delivered, as people read it.
    pub at: Option<String>,
    /// Why it has not got what it should have, and what to do. None where all is well, or nothing was tried yet.
    pub fault: Option<String>,
    /// How often in a row it was tried in vain.
    pub tries: u32,
}

impl Landing {
    fn words(&self) -> Value {
        let Landing { name, kind, generation, at, fault, tries } = self;
        json!({ "name": name, "kind": kind, "generation": generation, "at": at, "fault": fault, "tries": tries })
    }
}

/// All sinks of an account.
#[derive(Debug, Default)]
pub struct Landings {
    all: Mutex<Vec<Landing>>,
    changed: Notify,
}

impl Landings {
    /// Says which sinks there are.
    pub fn begin(&self, sinks: impl IntoIterator<Item = (String, &'static str)>) {
        let sinks = sinks.into_iter().map(|(name, kind)| Landing { name, kind, ..Landing::default() });
        *self.all() = sinks.collect();
    }

    /// Changes what is known of one; says whether that is news to a person who looks.
    pub fn change(&self, place: usize, change: impl FnOnce(&mut Landing)) -> bool {
        let news = match self.all().get_mut(place) {
            Some(landing) => {
                let before = landing.clone();
                change(landing);
                before != *landing
            }
            None => false,
        };
        self.changed.notify_waiters();
        news
    }

    /// One of them.
    pub fn one(&self, place: usize) -> Option<Landing> {
        self.all().get(place).cloned()
    }

    /// As `firstbell status` shows them.
    pub fn words(&self) -> Vec<Value> {
        self.all().iter().map(Landing::words).collect()
    }

    /// The sinks that have not got this generation.
    pub fn without(&self, generation: u64) -> Vec<String> {
        let all = self.all();
        let lacks =
            all.iter().filter(|landing| landing.generation != Some(generation) || landing.fault.is_some());
        lacks.map(|landing| landing.name.clone()).collect()
    }

    /// Waits until every sink has this generation, or was tried in vain. May wait for ever: who calls it holds the clock.
    pub async fn settled(&self, generation: u64) {
        loop {
            let changed = self.changed.notified();
            let is_open =
                |landing: &Landing| landing.generation != Some(generation) && landing.fault.is_none();
            if !self.all().iter().any(is_open) {
                return;
            }
            changed.await;
        }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Landing>> {
        self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_lacks_what_it_has_not_got_and_what_it_lost() {
        let landings = Landings::default();
        landings.begin([("a".to_owned(), "file"), ("b".to_owned(), "redis")]);
        assert_eq!(landings.without(2), ["a", "b"]);
        assert!(landings.change(0, |landing| landing.generation = Some(2)));
        assert!(!landings.change(0, |landing| landing.generation = Some(2)), "no news");
        assert!(landings.change(1, |landing| landing.generation = Some(1)));
        assert_eq!(landings.without(2), ["b"]);
        assert!(landings.change(0, |landing| landing.fault = Some("gone".into())));
        assert_eq!(landings.without(2), ["a", "b"]);
        assert_eq!(landings.words()[0]["fault"], "gone");
    }
}
