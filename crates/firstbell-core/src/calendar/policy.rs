//! What a day asks of an account: to log in unless every exchange of the account is surely closed, and to wake nobody
//! when none of them trades.

use std::fmt;

use jiff::civil::{Date, Time};

use super::{Calendar, Closed, Day, Exchange};

/// What a morning asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Morning<'c> {
    /// To log in.
    Login {
        /// Whether a failure wakes nobody: the day is a holiday, as far as is known.
        quiet: bool,
        /// For what.
        why: Why<'c>,
    },
    /// Nothing: all exchanges of the account are surely closed.
    Rest {
        /// For what.
        why: Why<'c>,
    },
}

/// Why a morning asks for what it asks; its sentence is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why<'c> {
    /// A weekday that no list names.
    Ordinary,
    /// A special session.
    Session {
        /// What it is held for.
        name: &'c str,
        /// When it opens in India, where that is known.
        opens: Option<Time>,
        /// When it closes in India, where that is known.
        closes: Option<Time>,
    },
    /// A weekday of a year that no list covers.
    Unknown {
        /// The exchange whose list is missing.
        exchange: Exchange,
        /// The year.
        year: i16,
    },
    /// One exchange opens for the evening.
    Evening {
        /// Which.
        exchange: Exchange,
        /// The holiday that closes its morning.
        name: &'c str,
    },
    /// A holiday that may still be moved.
    Unsure(&'c str),
    /// Closed.
    Closed(Closed<'c>),
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |time: &Time| time.strftime("%H:%M").to_string();
        match self {
            Why::Ordinary => f.write_str("an ordinary trading day"),
            Why::Session { name, opens: Some(opens), closes: Some(closes) } => {
                write!(f, "{name}, {}–{}", at(opens), at(closes))
            }
            Why::Session { name, opens: Some(opens), closes: None } => {
                write!(f, "{name}, from {}", at(opens))
            }
            Why::Session { name, opens: None, closes: Some(closes) } => {
                write!(f, "{name}, until {}; its opening is not known", at(closes))
            }
            Why::Session { name, .. } => write!(f, "{name}; its hours are not known"),
            Why::Unknown { exchange, year } => {
                write!(f, "{year} is not in the calendar of {exchange}; treated as a trading day")
            }
            Why::Evening { exchange, name } => {
                write!(f, "{exchange} opens at 17:00; its morning is closed: {name}")
            }
            Why::Unsure(name) => write!(f, "perhaps closed: {name}, which may still be moved"),
            Why::Closed(Closed::Weekend) => f.write_str("closed: weekend"),
            Why::Closed(Closed::Holiday(name)) => write!(f, "closed: {name}"),
        }
    }
}

impl Calendar {
    /// What a date asks of an account that trades on these exchanges; of one that names none, [`Exchange::USUAL`].
    ///
    /// An evening is a trading day like others and may wake people: its token is needed, only later.
    pub fn morning(&self, exchanges: &[Exchange], date: Date) -> Morning<'_> {
        let exchanges = if exchanges.is_empty() { &Exchange::USUAL[..] } else { exchanges };
        let mut strongest: Option<(u8, Morning<'_>)> = None;
        for exchange in exchanges {
            let one = asks(*exchange, date, self.day(*exchange, date));
            if strongest.is_none_or(|(rank, _)| one.0 > rank) {
                strongest = Some(one);
            }
        }
        strongest.expect("the list of exchanges is not empty").1
    }

    /// The year for which a list should be found: this one when it is missing, and from 1 December on the next. A year is
    /// missing when one of the exchanges has no list for it. The exchanges publish theirs in December.
    pub fn notice_due(&self, exchanges: &[Exchange], today: Date) -> Option<i16> {
        let exchanges = if exchanges.is_empty() { &Exchange::USUAL[..] } else { exchanges };
        let missing = |year: &i16| exchanges.iter().any(|exchange| !self.knows(*exchange, *year));
        let next = (today.month() == 12).then_some(today.year() + 1);
        [Some(today.year()), next].into_iter().flatten().find(missing)
    }
}

/// What one exchange's day asks, with a rank: the strongest of an account's exchanges decides.
fn asks(exchange: Exchange, date: Date, day: Day<'_>) -> (u8, Morning<'_>) {
    let login = |quiet, why| Morning::Login { quiet, why };
    match day {
        Day::Trades => (5, login(false, Why::Ordinary)),
        Day::Session { name, opens, closes } => (4, login(false, Why::Session { name, opens, closes })),
        Day::Unknown => (3, login(false, Why::Unknown { exchange, year: date.year() })),
        Day::Evening { name } => (2, login(false, Why::Evening { exchange, name })),
        Day::Closed { why: Closed::Holiday(name), sure: false } => (1, login(true, Why::Unsure(name))),
        Day::Closed { why, .. } => (0, Morning::Rest { why: Why::Closed(why) }),
    }
}
