//! A small map that forgets its oldest entry when it is full, so that no client can fill the memory.

use std::collections::VecDeque;

/// A rehearsal has a handful of each; a flood has many.
const MOST_ENTRIES: usize = 1000;

/// Values by name, oldest first.
pub(super) struct Recent<V>(VecDeque<(String, V)>);

impl<V> Default for Recent<V> {
    fn default() -> Recent<V> {
        Recent(VecDeque::new())
    }
}

impl<V> Recent<V> {
    /// Adds an entry; names are random, so none is there twice.
    pub(super) fn put(&mut self, name: String, value: V) {
        if self.0.len() == MOST_ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back((name, value));
    }

    pub(super) fn find(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut V> {
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }

    /// The newest name whose value answers the question with yes.
    pub(super) fn newest(&self, question: impl Fn(&V) -> bool) -> Option<&str> {
        self.0.iter().rev().find(|(_, value)| question(value)).map(|(key, _)| key.as_str())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut recent = Recent::default();
        for number in 0..=MOST_ENTRIES {
            recent.put(number.to_string(), number);
        }
        assert!(recent.find("0").is_none());
        assert_eq!(recent.find("1"), Some(&1));
        assert_eq!(recent.newest(|number| *number < 9), Some("8"));
        recent.remove("8");
        assert_eq!(recent.newest(|number| *number < 9), Some("7"));
    }
}
