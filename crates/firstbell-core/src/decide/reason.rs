//! Why something is next, and why a token is not handed out, as sentences for people.

use std::fmt;

use crate::failure::{Ask, Stop};

/// Why a step is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is to be done before the next morning.
    NextMorning,
    /// All but the credentials is tried beforehand.
    Beforehand,
    /// The login is due.
    Due,
    /// The login was due while nobody could do it.
    Missed,
    /// The token is good.
    Good,
    /// The token is good, and programs trade on it.
    Watched,
    /// The token is in doubt.
    Doubted,
    /// The token died before its time.
    Replaced,
    /// A login failed, and this is what it asks for.
    Retry(Ask),
    /// The token died in the hours in which the broker ends tokens: a new one might die as well.
    Weather,
    /// It is time for the verdict.
    Deadline,
    /// The owner wants no logins.
    Paused,
    /// The budget admits no submission.
    Stopped(Stop),
    /// Only a person gets on from here.
    Human,
    /// It is a person who logs in for this account.
    Person,
    /// Two tokens died within half an hour.
    Fought,
}

impl Reason {
    /// Whether a person has to act first.
    pub fn calls_for_a_human(self) -> bool {
        matches!(self, Reason::Stopped(_) | Reason::Human | Reason::Fought)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NextMorning => "nothing is to be done before the next morning",
            Reason::Beforehand => "all but the credentials is tried before a login",
            Reason::Due => "the morning's login is due",
            Reason::Missed => "the morning's login was missed and is caught up",
            Reason::Good => "the token is good",
            Reason::Watched => "programs trade on the token",
            Reason::Doubted => "nobody knows whether the token still lives",
            Reason::Replaced => "the token died before its time; another login may have replaced it",
            Reason::Retry(Ask::Wait) => "Zerodha asked us to wait",
            Reason::Retry(Ask::Once) => "the last login got no clear answer; once more",
            Reason::Retry(_) => "the last login failed, and nothing was spent",
            Reason::Weather => "Zerodha is ending tokens; a new one is made when that is over",
            Reason::Deadline => "the deadline's verdict is due",
            Reason::Paused => "logins are paused; firstbell resume ends that",
            Reason::Stopped(stop) => return write!(f, "no login: {stop}"),
            Reason::Human => "the last login needs a person: firstbell status says what for",
            Reason::Person => "a person logs in for this account, by the link that firstbell sends",
            Reason::Fought => {
                "the token was replaced twice within half an hour: another program logs in with the same API key. \
                 End it, then run firstbell unlock"
            }
        })
    }
}

/// Why the current token is not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// There is none.
    None,
    /// Its life is over, or the broker refused it.
    Dead,
    /// It is in doubt and not proven again yet.
    Unproven,
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unserved::None => "there is no token yet",
            Unserved::Dead => "the token is dead",
            Unserved::Unproven => "the token is in doubt and not proven again yet",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_why_and_what_ends_it() {
        for (reason, word) in [
            (Reason::NextMorning, "next morning"),
            (Reason::Missed, "caught up"),
            (Reason::Retry(Ask::Wait), "asked us to wait"),
            (Reason::Retry(Ask::Once), "once more"),
            (Reason::Retry(Ask::Again), "nothing was spent"),
            (Reason::Paused, "firstbell resume"),
            (Reason::Human, "firstbell status"),
            (Reason::Fought, "firstbell unlock"),
        ] {
            assert!(reason.to_string().contains(word), "{reason}");
        }
        let stopped = Reason::Stopped(Stop::Blocked).to_string();
        assert_eq!(stopped, format!("no login: {}", Stop::Blocked));
        let unserved = [Unserved::None, Unserved::Dead, Unserved::Unproven].map(|why| why.to_string());
        let words = ["no token", "dead", "in doubt"];
        assert!(unserved.iter().zip(words).all(|(why, word)| why.contains(word)), "{unserved:?}");
    }
}
