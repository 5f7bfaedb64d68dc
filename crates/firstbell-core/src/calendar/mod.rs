//! On which days the exchanges trade: one list for each exchange and year, compiled in, over which an owner's own
//! lists are laid. A year that no list covers is a year of trading days.

mod part;
mod policy;
mod written;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Span;
use jiff::civil::{Date, Time, Weekday};

pub use self::policy::{Morning, Why};

/// The lists that stand in the folder `calendar` of the repository, each with its sources.
const COMPILED: [&str; 8] = [
    include_str!("../../../../calendar/nse-2024.toml"),
    include_str!("../../../../calendar/nse-2025.toml"),
    include_str!("../../../../calendar/nse-2026.toml"),
    include_str!("../../../../calendar/bse-2024.toml"),
    include_str!("../../../../calendar/bse-2025.toml"),
    include_str!("../../../../calendar/bse-2026.toml"),
    include_str!("../../../../calendar/mcx-2025.toml"),
    include_str!("../../../../calendar/mcx-2026.toml"),
];

/// An exchange with a list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exchange {
    /// National Stock Exchange: equity, futures and options.
    Nse,
    /// Bombay Stock Exchange.
    Bse,
    /// Multi Commodity Exchange, open until the night.
    Mcx,
}

impl Exchange {
    /// All of them.
    pub const ALL: [Exchange; 3] = [Exchange::Nse, Exchange::Bse, Exchange::Mcx];

    /// Those of an account that names none.
    pub const USUAL: [Exchange; 2] = [Exchange::Nse, Exchange::Bse];

    /// Its name in files: `nse`.
    pub fn name(self) -> &'static str {
        match self {
            Exchange::Nse => "nse",
            Exchange::Bse => "bse",
            Exchange::Mcx => "mcx",
        }
    }
}

impl FromStr for Exchange {
    type Err = String;

    fn from_str(text: &str) -> Result<Exchange, String> {
        let found = Exchange::ALL.into_iter().find(|exchange| exchange.name() == text);
        found.ok_or_else(|| "is not a known exchange; known: nse, bse, mcx".into())
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exchange::Nse => "NSE",
            Exchange::Bse => "BSE",
            Exchange::Mcx => "MCX",
        })
    }
}

/// What a day is at one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day<'c> {
    /// A weekday that the year's list does not name, or of which it says that it trades after all.
    Trades,
    /// A special session on a day that is otherwise closed: a Sunday of the Union Budget, muhurat trading.
    Session {
        /// What it is held for.
        name: &'c str,
        /// When it opens in India; `None` until the exchange says so.
        opens: Option<Time>,
        /// When it closes in India; `None` until the exchange says so.
        closes: Option<Time>,
    },
    /// Closed in the morning, open from 17:00 in India.
    Evening {
        /// The holiday.
        name: &'c str,
    },
    /// Closed.
    Closed {
        /// For what.
        why: Closed<'c>,
        /// Whether nothing can change it any more. A holiday that a late circular may move is not sure: a token is
        /// worth having on that day, and nobody is woken when there is none.
        sure: bool,
    },
    /// A weekday of a year that no list covers; it counts as a trading day.
    Unknown,
}

/// Why an exchange is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed<'c> {
    /// A Saturday or Sunday for which no session is listed. In a year that no list covers there may be one all the
    /// same, of which nobody knows yet; such days are still taken as closed.
    Weekend,
    /// A holiday of this name; on a weekend too, where the exchange lists it.
    Holiday(&'c str),
}

/// The lists of all exchanges and years that are known.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// For each exchange, by its place in the enum, its years.
    years: [Vec<Edition>; 3],
}

/// One exchange's list for one year, read and free of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    exchange: Exchange,
    year: i16,
    /// Whether it takes the place of another list of that year, and not only of the days that it names.
    replace: bool,
    /// In the order of the year, each date once.
    days: Vec<Listed>,
    /// For each day of the year, by [`slot`], what stands for it: simulated years ask millions of times.
    index: Box<[Slot]>,
}

/// What stands for a day in an [`Edition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Weekday,
    Weekend,
    /// A place in its days.
    Listed(u16),
}

/// One day of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    date: Date,
    name: Box<str>,
    kind: Kind,
}

/// What a list says of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Closed { sure: bool },
    Evening,
    Session { opens: Option<Time>, closes: Option<Time> },
    Trades,
}

impl Edition {
    fn new(exchange: Exchange, year: i16, replace: bool, mut days: Vec<Listed>) -> Edition {
        days.sort_by_key(|day| day.date);
        let mut index = vec![Slot::Weekday; SLOTS].into_boxed_slice();
        let first = Date::new(year, 1, 1).expect("a list's year is from 2000 to 2199");
        for date in first.series(Span::new().days(1)).take_while(|date| date.year() == year) {
            if is_weekend(date) {
                index[slot(date)] = Slot::Weekend;
            }
        }
        for (place, day) in (0..).zip(&days) {
            index[slot(day.date)] = Slot::Listed(place);
        }
        Edition { exchange, year, replace, days, index }
    }

    /// The same list with the days of another in the place of its own.
    fn under(mut self, other: Edition) -> Edition {
        self.days.retain(|day| other.days.iter().all(|own| own.date != day.date));
        self.days.extend(other.days);
        Edition::new(self.exchange, self.year, self.replace, self.days)
    }

    /// Whose list it is.
    pub fn exchange(&self) -> Exchange {
        self.exchange
    }

    /// The year that it covers.
    pub fn year(&self) -> i16 {
        self.year
    }
}

impl Calendar {
    /// What this version of firstbell knows.
    pub fn compiled() -> &'static Calendar {
        static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
            COMPILED.into_iter().fold(Calendar::default(), |calendar, text| {
                let edition = Calendar::read(text).expect("a test reads every list that is compiled in");
                calendar.with(edition)
            })
        });
        &CALENDAR
    }

    /// Reads one file: the list of one exchange for one year.
    ///
    /// # Errors
    /// Everything that is wrong with it, each fault with its line.
    pub fn read(text: &str) -> Result<Edition, Vec<String>> {
        written::read(text)
    }

    /// The same calendar with a list laid over it. Where a list of that exchange and year is already there, each day of
    /// the new one takes the place of the old one's, and the others stay; a file that says `replace = true` takes the
    /// place of the whole list. Where there is none, the new one is the year's list.
    #[must_use]
    pub fn with(mut self, edition: Edition) -> Calendar {
        let years = &mut self.years[edition.exchange as usize];
        let there = years.iter().position(|own| own.year == edition.year).map(|at| years.remove(at));
        years.push(match there {
            Some(own) if !edition.replace => own.under(edition),
            _ => edition,
        });
        self
    }

    /// What a date is at an exchange.
    pub fn day(&self, exchange: Exchange, date: Date) -> Day<'_> {
        let weekend = Day::Closed { why: Closed::Weekend, sure: true };
        let Some(edition) = self.edition(exchange, date.year()) else {
            return if is_weekend(date) { weekend } else { Day::Unknown };
        };
        let place = match edition.index[slot(date)] {
            Slot::Weekday => return Day::Trades,
            Slot::Weekend => return weekend,
            Slot::Listed(place) => usize::from(place),
        };
        let Listed { name, kind, .. } = &edition.days[place];
        match *kind {
            Kind::Closed { sure } => Day::Closed { why: Closed::Holiday(name), sure },
            Kind::Evening => Day::Evening { name },
            Kind::Session { opens, closes } => Day::Session { name, opens, closes },
            Kind::Trades => Day::Trades,
        }
    }

    /// Whether a list covers a year of an exchange.
    pub fn knows(&self, exchange: Exchange, year: i16) -> bool {
        self.edition(exchange, year).is_some()
    }

    fn edition(&self, exchange: Exchange, year: i16) -> Option<&Edition> {
        self.years[exchange as usize].iter().find(|edition| edition.year == year)
    }
}

/// Room for 31 days in each month.
const SLOTS: usize = 12 * 31;

fn slot(date: Date) -> usize {
    let from_one = |number: i8| usize::from(number.unsigned_abs()) - 1;
    from_one(date.month()) * 31 + from_one(date.day())
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    fn listed(head: &str, days: &[(&str, &str)]) -> Edition {
        let days = days.iter().map(|(date, rest)| {
            format!("[[day]]\ndate = \"{date}\"\nname = \"{date} of the owner\"\n{rest}\n")
        });
        let text = format!("form = 1\nsources = [\"a test\"]\n{head}\n{}", days.collect::<String>());
        Calendar::read(&text).unwrap()
    }

    #[test]
    fn every_list_that_is_compiled_in_is_free_of_faults_and_there_once() {
        let mut seen = Vec::new();
        for text in COMPILED {
            let edition = Calendar::read(text).unwrap_or_else(|faults| panic!("{text}\n{faults:#?}"));
            let own = (edition.exchange(), edition.year());
            assert!(!seen.contains(&own) && !edition.replace, "{own:?}");
            seen.push(own);
        }
        assert!(Exchange::ALL.iter().all(|exchange| Calendar::compiled().knows(*exchange, 2026)));
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn nse_has_sixteen_weekday_holidays_in_2026() {
        let days = date(2026, 1, 1).series(Span::new().days(1)).take(365);
        let closed = days.filter(|day| {
            let one = Calendar::compiled().day(Exchange::Nse, *day);
            let same = match (one, Calendar::compiled().day(Exchange::Mcx, *day)) {
                (Day::Trades, mcx) => mcx == Day::Trades,
                (Day::Session { .. }, mcx) => matches!(mcx, Day::Session { .. }),
                (_, mcx) => !matches!(mcx, Day::Trades | Day::Session { .. } | Day::Unknown),
            };
            assert!(same && one == Calendar::compiled().day(Exchange::Bse, *day), "{day}");
            !is_weekend(*day) && one != Day::Trades
        });
        assert_eq!(closed.count(), 16);
    }

    #[test]
    fn a_day_is_what_its_list_says() {
        let day = |exchange, at| Calendar::compiled().day(exchange, at);
        let holiday = |name, sure| Day::Closed { why: Closed::Holiday(name), sure };
        assert_eq!(day(Exchange::Nse, date(2026, 1, 27)), Day::Trades);
        assert_eq!(day(Exchange::Bse, date(2026, 1, 26)), holiday("Republic Day", true));
        assert_eq!(day(Exchange::Nse, date(2026, 5, 28)), holiday("Bakri Id", false));
        assert_eq!(day(Exchange::Mcx, date(2026, 3, 3)), Day::Evening { name: "Holi" });
        assert_eq!(day(Exchange::Nse, date(2026, 8, 15)), holiday("Independence Day", true));
        let weekend = Day::Closed { why: Closed::Weekend, sure: true };
        assert_eq!(day(Exchange::Nse, date(2026, 1, 25)), weekend);
        assert_eq!(day(Exchange::Nse, date(2031, 1, 25)), weekend);
        assert_eq!(day(Exchange::Nse, date(2031, 1, 27)), Day::Unknown);
        let session = |name, opens, closes| Day::Session { name, opens, closes };
        let budget = session("Union Budget session", Some(time(9, 15, 0, 0)), Some(time(15, 30, 0, 0)));
        assert_eq!(day(Exchange::Nse, date(2026, 2, 1)), budget);
        assert_eq!(day(Exchange::Nse, date(2026, 11, 8)), session("Muhurat trading", None, None));
        let afternoon = session("Muhurat trading", Some(time(13, 45, 0, 0)), Some(time(14, 45, 0, 0)));
        assert_eq!(day(Exchange::Nse, date(2025, 10, 21)), afternoon, "it wins over the holiday beside it");
    }

    #[test]
    fn an_owner_s_days_win_one_by_one_or_all_at_once() {
        let own = [
            ("2026-01-26", "kind = \"closed\"\nsure = false\nwhy = \"rumours\""),
            ("2026-07-01", "kind = \"closed\""),
            ("2026-05-28", "kind = \"trades\""),
        ];
        let calendar = Calendar::compiled().clone();
        let laid = calendar.clone().with(listed("exchange = \"nse\"\nyear = 2026", &own));
        let named = |name, sure| Day::Closed { why: Closed::Holiday(name), sure };
        assert_eq!(laid.day(Exchange::Nse, date(2026, 1, 26)), named("2026-01-26 of the owner", false));
        assert_eq!(laid.day(Exchange::Nse, date(2026, 7, 1)), named("2026-07-01 of the owner", true));
        assert_eq!(laid.day(Exchange::Nse, date(2026, 5, 28)), Day::Trades, "a holiday that was moved away");
        assert_eq!(laid.day(Exchange::Nse, date(2026, 12, 25)), named("Christmas", true));
        assert_eq!(laid.day(Exchange::Bse, date(2026, 7, 1)), Day::Trades);
        let whole = calendar.with(listed("exchange = \"nse\"\nyear = 2026\nreplace = true", &own[1..]));
        assert_eq!(whole.day(Exchange::Nse, date(2026, 7, 1)), named("2026-07-01 of the owner", true));
        assert_eq!(whole.day(Exchange::Nse, date(2026, 12, 25)), Day::Trades);
    }

    #[test]
    fn an_owner_s_year_extends_the_calendar() {
        let own = listed("exchange = \"mcx\"\nyear = 2031", &[("2031-01-29", "kind = \"evening\"")]);
        let calendar = Calendar::compiled().clone().with(own);
        assert!(calendar.knows(Exchange::Mcx, 2031) && !calendar.knows(Exchange::Nse, 2031));
        assert_eq!(calendar.day(Exchange::Mcx, date(2031, 1, 28)), Day::Trades);
        assert_eq!(
            calendar.day(Exchange::Mcx, date(2031, 1, 29)),
            Day::Evening { name: "2031-01-29 of the owner" }
        );
    }
}
