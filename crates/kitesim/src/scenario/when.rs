//! Reads the keys of a fault that say when it strikes.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::switches::hour_and_minute;
use crate::when::{Bound, When};

/// The keys that are read here.
pub(super) const KEYS: [&str; 4] = ["from", "until", "probability", "seed"];

/// Reads the conditions of one fault; what cannot be read is left out and complained about.
pub(super) fn read(given: &Map<String, Value>, complaints: &mut Vec<String>) -> When {
    let mut bound = |key: &str| {
        let value = given.get(key)?;
        let bound = value.as_str().and_then(read_bound);
        if bound.is_none() {
            complaints
                .push(format!("`{key}` must be a time of day in India, HH:MM, or a moment of RFC 3339"));
        }
        bound
    };
    let (from, until) = (bound("from"), bound("until"));
    let probability = given.get("probability").map(Value::as_f64);
    if probability.is_some_and(|given| !given.is_some_and(|number| (0.0..=1.0).contains(&number))) {
        complaints.push("`probability` must be a number from 0 to 1".to_owned());
    }
    let seed = given.get("seed").map_or(Some(1), Value::as_u64);
    if seed.is_none() {
        complaints.push("`seed` must be a number from 0".to_owned());
    }
    When { from, until, probability: probability.flatten(), seed: seed.unwrap_or_default() }
}

fn read_bound(text: &str) -> Option<Bound> {
    let moment = || text.parse::<Timestamp>().ok().map(Bound::Moment);
    hour_and_minute(text).map(Bound::Daily).or_else(moment)
}
