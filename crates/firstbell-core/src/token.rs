//! Grant and Token: the way to the day's credential, the credential itself, its generation and its end.

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::secret::Secret;

/// India has one offset all year; market times are India's whatever the host's zone is.
pub fn ist() -> Offset {
    Offset::from_seconds(5 * 3600 + 1800).expect("+05:30 is an offset")
}

/// The date in India at a moment.
pub fn date_in_india(at: Timestamp) -> Date {
    ist().to_datetime(at).date()
}

/// The moment at which a clock in India shows this time of this date.
pub fn in_india(date: Date, time: Time) -> Timestamp {
    ist().to_timestamp(date.to_datetime(time)).unwrap_or(Timestamp::MAX)
}

/// A request token: single use, a few minutes of life, worth one exchange.
#[derive(Clone, Debug)]
pub struct Grant(Secret);

impl Grant {
    /// Takes a request token if it has the form of one: 32 letters and digits, as in every example of the Kite
    /// Connect forum. None otherwise; nothing else is ever sent to an exchange.
    pub fn parse(text: Secret) -> Option<Grant> {
        let shaped = text.expose().len() == 32 && text.expose().bytes().all(|b| b.is_ascii_alphanumeric());
        shaped.then_some(Grant(text))
    }

    /// The request token's text.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// What the exchange gives: the access token, before we know that it works.
#[derive(Clone, Debug)]
pub struct Access(Secret);

impl Access {
    /// Takes an access token if nothing in it could break a header, an environment file or a line of text. Samples
    /// have 32 letters and digits; the length is not promised anywhere, so 8 to 128 are taken.
    pub fn parse(text: Secret) -> Option<Access> {
        let shaped = (8..=128).contains(&text.expose().len())
            && text.expose().bytes().all(|b| b.is_ascii_alphanumeric());
        shaped.then_some(Access(text))
    }

    /// The access token's text.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// When a token may be believed. The end is broker data, never arithmetic on 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When the broker issued it.
    pub issued: Timestamp,
    /// Believed without asking before this moment.
    pub trusted_until: Timestamp,
    /// From here on it must be proven before it is served, though it may still work.
    pub suspect_from: Timestamp,
    /// Surely over from this moment.
    pub dead_from: Timestamp,
}

/// What a token is worth at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Served as it is.
    Trusted,
    /// Served only after it was proven again.
    Suspect,
    /// Never served.
    Dead,
}

/// The hours, in India, in which the broker ends tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// First hour in which a token may die.
    pub begins_h: i8,
    /// Hour at which the last one of the day before is gone.
    pub ends_h: i8,
}

impl Life {
    /// The life of a token issued at `issued`, under the broker's flush hours. One that is issued inside the flush
    /// hours may be ended by the same flush minutes later, so it is suspect from its first moment.
    pub fn of(issued: Timestamp, flush: Flush) -> Life {
        let local = TimeZone::fixed(ist()).to_datetime(issued);
        let at = |h: i8| {
            let moment = local.date().at(h, 0, 0, 0);
            ist().to_timestamp(moment).expect("a day that holds a timestamp is in range")
        };
        let day = SignedDuration::from_hours(24);
        let (begins, ends) = (at(flush.begins_h), at(flush.ends_h));
        if issued < begins {
            Life { issued, trusted_until: begins, suspect_from: begins, dead_from: ends }
        } else if issued < ends {
            Life { issued, trusted_until: issued, suspect_from: issued, dead_from: ends + day }
        } else {
            Life { issued, trusted_until: begins + day, suspect_from: begins + day, dead_from: ends + day }
        }
    }

    /// The same life with doubt from `moment` on: something happened that may have ended the token.
    pub fn doubted(mut self, moment: Timestamp) -> Life {
        self.suspect_from = self.suspect_from.min(moment);
        self
    }

    /// What the token is worth at `now`. A moment before its issue is a wrong clock, and no reason to trust.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if now >= self.dead_from {
            Standing::Dead
        } else if now >= self.suspect_from || now >= self.trusted_until || now < self.issued {
            Standing::Suspect
        } else {
            Standing::Trusted
        }
    }
}

/// The day's credential.
#[derive(Clone, Debug)]
pub struct Token {
    /// The access token.
    pub access: Access,
    /// The API key that it was issued for; it works with no other.
    pub api_key: String,
    /// Rises by one with each token that replaces another; programs compare it to see a change.
    pub generation: u64,
    /// When it may be believed.
    pub life: Life,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KITE: Flush = Flush { begins_h: 5, ends_h: 8 };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_morning_s_token_lives_until_five_and_is_dead_at_eight() {
        let life = Life::of(at("2026-11-23T08:30:00+05:30"), KITE);
        assert_eq!(life.standing(at("2026-11-23T15:30:00+05:30")), Standing::Trusted);
        assert_eq!(life.standing(at("2026-11-24T04:59:59+05:30")), Standing::Trusted);
        assert_eq!(life.standing(at("2026-11-24T05:00:00+05:30")), Standing::Suspect);
        assert_eq!(life.standing(at("2026-11-24T08:00:00+05:30")), Standing::Dead);
    }

    #[test]
    fn a_token_of_the_night_ends_the_same_morning() {
        let life = Life::of(at("2026-12-31T23:59:00+05:30"), KITE);
        assert_eq!(life.trusted_until, at("2027-01-01T05:00:00+05:30"));
        let life = Life::of(at("2028-02-29T00:10:00+05:30"), KITE);
        assert_eq!(life.dead_from, at("2028-02-29T08:00:00+05:30"));
    }

    #[test]
    fn a_token_issued_in_the_flush_is_suspect_at_once() {
        let life = Life::of(at("2026-11-23T06:30:00+05:30"), KITE);
        assert_eq!(life.standing(at("2026-11-23T06:30:00+05:30")), Standing::Suspect);
        assert_eq!(life.standing(at("2026-11-23T12:00:00+05:30")), Standing::Suspect);
        assert_eq!(life.dead_from, at("2026-11-24T08:00:00+05:30"));
    }

    #[test]
    fn doubt_and_a_clock_before_the_issue_end_trust() {
        let life = Life::of(at("2026-11-23T08:30:00+05:30"), KITE);
        assert_eq!(life.standing(at("2026-11-23T08:29:59+05:30")), Standing::Suspect);
        let doubted = life.doubted(at("2026-11-23T10:00:00+05:30"));
        assert_eq!(doubted.standing(at("2026-11-23T09:59:59+05:30")), Standing::Trusted);
        assert_eq!(doubted.standing(at("2026-11-23T10:00:00+05:30")), Standing::Suspect);
    }

    #[test]
    fn only_whole_request_tokens_are_grants() {
        assert!(Grant::parse(Secret::new("aB3".repeat(10) + "xy")).is_some());
        for text in ["", "short", &"a".repeat(31), &"a".repeat(33), &("a".repeat(31) + "/")] {
            assert!(Grant::parse(Secret::new(text.into())).is_none(), "{text}");
        }
    }

    #[test]
    fn an_access_token_cannot_break_a_line() {
        assert!(Access::parse(Secret::new("x".repeat(32))).is_some());
        for text in ["", "short", "abcdefgh\nX: y", "abcdefgh ijkl", &"a".repeat(129)] {
            assert!(Access::parse(Secret::new(text.into())).is_none(), "{text}");
        }
    }
}
