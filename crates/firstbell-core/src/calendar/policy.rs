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

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const ALL: &[Exchange] = &Exchange::ALL;

    fn told(exchanges: &[Exchange], year: i16, month: i8, day: i8) -> String {
        match Calendar::compiled().morning(exchanges, date(year, month, day)) {
            Morning::Login { quiet: false, why } => format!("login: {why}"),
            Morning::Login { quiet: true, why } => format!("quiet: {why}"),
            Morning::Rest { why } => format!("rest: {why}"),
        }
    }

    #[test]
    fn the_default_is_to_log_in_unless_all_are_surely_closed() {
        assert_eq!(told(&[], 2026, 1, 27), "login: an ordinary trading day");
        assert_eq!(told(&[], 2026, 1, 26), "rest: closed: Republic Day");
        assert_eq!(told(ALL, 2026, 1, 26), "rest: closed: Republic Day");
        assert_eq!(told(&[], 2026, 1, 25), "rest: closed: weekend");
        assert_eq!(told(&[], 2026, 8, 15), "rest: closed: Independence Day");
        assert_eq!(told(&[], 2026, 2, 1), "login: Union Budget session, 09:15–15:30");
        assert_eq!(told(&[], 2026, 11, 8), "login: Muhurat trading; its hours are not known");
        assert_eq!(told(&[], 2024, 5, 18), "login: Disaster recovery drill, from 09:15");
    }

    #[test]
    fn a_holiday_that_may_be_moved_is_quiet_and_not_forbidden() {
        let bakri_id = "quiet: perhaps closed: Bakri Id, which may still be moved";
        assert_eq!(told(&[], 2026, 5, 28), bakri_id);
        assert_eq!(told(&[Exchange::Nse], 2026, 5, 28), bakri_id);
    }

    #[test]
    fn one_exchange_that_opens_is_enough() {
        assert_eq!(told(&[], 2026, 3, 3), "rest: closed: Holi");
        assert_eq!(told(ALL, 2026, 3, 3), "login: MCX opens at 17:00; its morning is closed: Holi");
        let evening = "login: MCX opens at 17:00; its morning is closed: Bakri Id";
        assert_eq!(told(ALL, 2026, 5, 28), evening, "and outweighs a day that is unsure");
    }

    #[test]
    fn a_year_without_a_list_is_a_year_of_trading_days() {
        let unknown = "2027 is not in the calendar of NSE; treated as a trading day";
        assert_eq!(told(&[], 2027, 1, 26), format!("login: {unknown}"));
        assert_eq!(told(&[], 2027, 1, 24), "rest: closed: weekend");
        assert!(
            told(&[Exchange::Nse, Exchange::Mcx], 2024, 1, 26).contains("2024 is not in the calendar of MCX")
        );
    }

    #[test]
    fn a_notice_comes_in_december_and_stays_until_there_is_a_list() {
        let due = |exchanges: &[Exchange], y, m, d| Calendar::compiled().notice_due(exchanges, date(y, m, d));
        assert_eq!(due(&[], 2025, 12, 31), None);
        assert_eq!(due(&[], 2026, 11, 30), None);
        assert_eq!(due(&[], 2026, 12, 1), Some(2027));
        assert_eq!(due(&[], 2027, 1, 1), Some(2027));
        assert_eq!(due(ALL, 2024, 6, 1), Some(2024), "MCX has no list of 2024");
        assert_eq!(due(&[], 2024, 6, 1), None);
    }
}
