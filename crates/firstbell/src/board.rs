//! What is handed out of each account at this moment, and how each stands: written by its keeper, read from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use firstbell_core::token::Token;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use crate::landing::{Landing, Landings};

/// A keeper's clock that differs by less than this from the machine's is the machine's, read a moment earlier.
const SAME: SignedDuration = SignedDuration::from_secs(1);

/// What is handed out.
#[derive(Clone, Debug)]
pub enum Offer {
    /// This token, before that moment; from then on nobody knows, until its keeper looked again.
    Token(Arc<Token>, Timestamp),
    /// None.
    Withheld {
        /// Why, as a sentence.
        why: String,
        /// When that may be otherwise: the next step of the keeper. None where a person has to act.
        again_at: Option<Timestamp>,
    },
}

impl Offer {
    /// The token, if one is handed out.
    pub fn token(&self) -> Option<&Arc<Token>> {
        match self {
            Offer::Token(token, _) => Some(token),
            Offer::Withheld { .. } => None,
        }
    }

    /// Whether somebody who heard the other one must hear of this one.
    fn differs(&self, other: &Offer) -> bool {
        match (self, other) {
            (Offer::Token(new, _), Offer::Token(old, _)) => {
                (new.generation, &new.api_key) != (old.generation, &old.api_key)
            }
            (Offer::Withheld { why: new, .. }, Offer::Withheld { why: old, .. }) => new != old,
            _ => true,
        }
    }
}

/// What is known of one account. There is one for each, for as long as its keeper lives.
#[derive(Debug)]
pub struct Row {
    /// The account's name.
    pub account: String,
    /// The app's key: programs need both.
    pub api_key: String,
    /// The client id.
    pub user_id: String,
    /// What became of its token at each of its sinks.
    pub landings: Landings,
    offer: watch::Sender<Offer>,
    words: watch::Sender<Arc<Value>>,
    /// By how much the keeper's clock is ahead of the machine's: nothing, but in a rehearsal.
    ahead_ms: AtomicI64,
}

impl Row {
    /// A row that its keeper has not written to yet.
    pub fn new(account: &str, api_key: &str, user_id: &str) -> Row {
        let why = "firstbell has only just started".into();
        Row {
            account: account.to_owned(),
            api_key: api_key.to_owned(),
            user_id: user_id.to_owned(),
            landings: Landings::default(),
            offer: watch::Sender::new(Offer::Withheld { why, again_at: None }),
            words: watch::Sender::new(Arc::new(Value::Null)),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Says what is handed out from this moment of the keeper's clock on. Who waits is woken where that is something else than
    /// before, and where what was there before had run out: who came since then was given nothing.
    pub fn post(&self, offer: Offer, now: Timestamp) {
        self.offer.send_if_modified(|before| {
            let ran_out = matches!(before, Offer::Token(_, until) if now >= *until);
            let news = ran_out || offer.differs(before);
            *before = offer;
            news
        });
    }

    /// Says how the account stands, as `firstbell status` shows it.
    pub fn tell(&self, words: &Value) {
        let mut words = words.clone();
        self.words.send_if_modified(|before| {
            if words.is_object() {
                words["sinks"] = self.landings.words().into();
            }
            let news = **before != words;
            if news {
                *before = Arc::new(words);
            }
            news
        });
    }

    /// Changes what is known of one of its sinks; that is part of how it stands.
    pub fn landed(&self, place: usize, change: impl FnOnce(&mut Landing)) {
        if self.landings.change(place, change) {
            let words = self.words();
            self.tell(&words);
        }
    }

    /// Compares the keeper's clock with the machine's.
    pub fn set_clock(&self, keeper: Timestamp, machine: Timestamp) {
        let ahead = keeper.duration_since(machine);
        let ms = if ahead.abs() < SAME { 0 } else { ahead.as_millis() };
        self.ahead_ms.store(i64::try_from(ms).unwrap_or(0), Ordering::Relaxed);
    }

    /// What is handed out when the machine's clock shows this moment.
    pub fn offer(&self, machine: Timestamp) -> Offer {
        let offer = self.offer.borrow().clone();
        match offer {
            Offer::Token(_, until) if self.now(machine) >= until => {
                let why = "the token is looked at anew in this moment".into();
                Offer::Withheld { why, again_at: Some(until) }
            }
            offer => offer,
        }
    }

    /// The keeper's time when the machine's clock shows this moment.
    pub fn now(&self, machine: Timestamp) -> Timestamp {
        machine + SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// How the account stands.
    pub fn words(&self) -> Arc<Value> {
        self.words.borrow().clone()
    }

    /// Hears of each change of what is handed out; who was away hears of the last one.
    pub fn offers(&self) -> watch::Receiver<Offer> {
        self.offer.subscribe()
    }

    /// Hears of each change of how the account stands.
    pub fn tidings(&self) -> watch::Receiver<Arc<Value>> {
        self.words.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use firstbell_core::secret::Secret;
    use firstbell_core::token::{Access, Flush, Life};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn offer(generation: u64, until: &str) -> Offer {
        let access = Access::parse(Secret::new("abcdefgh".into())).unwrap();
        let life = Life::of(at("2026-11-23T08:30:00+05:30"), Flush { begins_h: 5, ends_h: 8 });
        Offer::Token(Arc::new(Token { access, api_key: "key123".into(), generation, life }), at(until))
    }

    #[test]
    fn only_what_is_something_else_wakes_whoever_waits() {
        let row = Row::new("main", "key123", "AB1234");
        let mut offers = row.offers();
        row.post(offer(1, "2026-11-24T05:00:00+05:30"), at("2026-11-23T08:31:00+05:30"));
        assert!(offers.has_changed().unwrap());
        offers.mark_unchanged();
        row.post(offer(1, "2026-11-24T06:00:00+05:30"), at("2026-11-24T04:59:00+05:30"));
        assert!(!offers.has_changed().unwrap(), "the same token, believed for longer");
        row.post(offer(1, "2026-11-24T07:00:00+05:30"), at("2026-11-24T06:00:01+05:30"));
        assert!(offers.has_changed().unwrap(), "whoever came after it had run out was given nothing");
        let withheld = Offer::Withheld { why: "dead".into(), again_at: None };
        row.post(withheld, at("2026-11-24T08:00:00+05:30"));
        row.post(offer(2, "2026-11-25T05:00:00+05:30"), at("2026-11-24T08:31:00+05:30"));
        assert_eq!(offers.borrow_and_update().token().unwrap().generation, 2, "the last one, and only that");
    }

    #[test]
    fn a_token_is_handed_out_before_its_moment_by_the_keeper_s_clock() {
        let row = Row::new("main", "key123", "AB1234");
        row.post(offer(1, "2026-11-24T05:00:00+05:30"), at("2026-11-23T08:31:00+05:30"));
        assert!(row.offer(at("2026-11-24T04:59:59+05:30")).token().is_some());
        assert!(row.offer(at("2026-11-24T05:00:00+05:30")).token().is_none(), "nobody looked since");
        row.set_clock(at("2026-11-24T06:00:00+05:30"), at("2026-01-01T00:00:00Z"));
        assert!(row.offer(at("2026-01-01T00:00:00Z")).token().is_none(), "a rehearsal's clock counts");
        row.set_clock(at("2026-01-01T00:00:00.4Z"), at("2026-01-01T00:00:00Z"));
        assert_eq!(row.now(at("2026-01-01T00:00:00Z")), at("2026-01-01T00:00:00Z"));
    }
}
