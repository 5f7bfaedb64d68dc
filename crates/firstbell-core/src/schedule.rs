//! When the next login is due, and the deadline it must meet: the hours of a morning, in India, for one account.

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

use crate::calendar::{Calendar, Exchange, Morning};
use crate::token::{Flush, date_in_india, in_india};

/// No list of holidays has as many days in a row without trading.
const LONGEST_REST_DAYS: i32 = 30;

/// The hours of a morning. All are times of day in India, whatever the host's zone is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// When to log in.
    pub login_at: Time,
    /// How long before that everything but the credentials is tried.
    pub lead: SignedDuration,
    /// When the token must be there.
    pub deadline: Time,
    /// Every account's login is put off by less than this, so that not all of the country knocks in one second.
    pub spread: SignedDuration,
    /// How often a token that is believed good is asked about while the exchanges trade.
    pub probe_every: SignedDuration,
}

impl Default for Hours {
    fn default() -> Hours {
        Hours {
            login_at: Time::constant(8, 30, 0, 0),
            lead: SignedDuration::from_mins(10),
            deadline: Time::constant(9, 0, 0, 0),
            spread: SignedDuration::from_secs(20),
            probe_every: SignedDuration::from_mins(5),
        }
    }
}

/// When a person is asked to log in in our place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assisted {
    /// Never.
    #[default]
    Never,
    /// Where firstbell itself gets no further.
    Last,
    /// Every morning: firstbell has no password, and needs none.
    Only,
}

/// One account's mornings.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The hours.
    pub hours: Hours,
    /// What the account trades on.
    pub exchanges: Vec<Exchange>,
    /// When the broker ends tokens.
    pub flush: Flush,
    /// Whether a person is asked.
    pub assisted: Assisted,
    /// What this account's share of the spread is made from.
    pub seed: u64,
}

/// One morning, as moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The day in India.
    pub date: Date,
    /// From here on all but the credentials is tried.
    pub check_at: Timestamp,
    /// From here on the account is to have a token of this day.
    pub login_at: Timestamp,
    /// Here it must have one.
    pub deadline_at: Timestamp,
    /// The last exchange of the account closes.
    pub closes_at: Timestamp,
    /// The broker begins to end this day's tokens: a missed login is not caught up any more.
    pub ends_at: Timestamp,
    /// Nobody trades for sure, so nobody is disturbed.
    pub quiet: bool,
}

impl Schedule {
    /// The morning of a date, where there is one.
    pub fn slot(&self, calendar: &Calendar, date: Date) -> Option<Slot> {
        let Morning::Login { quiet, .. } = calendar.morning(&self.exchanges, date) else { return None };
        // India's offset never changes: a day has 24 hours, and one conversion is enough for all moments of it.
        let midnight = in_india(date, Time::midnight());
        let at = |time: Time| midnight + since_midnight(time);
        let due = at(self.hours.login_at);
        Some(Slot {
            date,
            check_at: due - self.hours.lead,
            login_at: due + self.delay(date),
            deadline_at: at(self.hours.deadline),
            closes_at: at(self.closes()),
            ends_at: midnight + SignedDuration::from_hours(24 + i64::from(self.flush.begins_h)),
            quiet,
        })
    }

    /// The morning in which this moment lies: it began, and its tokens are not ended yet.
    pub fn around(&self, calendar: &Calendar, now: Timestamp) -> Option<Slot> {
        let today = date_in_india(now);
        let begun = (self.check_at(today) <= now).then(|| self.slot(calendar, today)).flatten();
        begun.or_else(|| match now < self.flush_begins_at(today) {
            true => self.slot(calendar, today.yesterday().ok()?).filter(|slot| slot.check_at <= now),
            false => None,
        })
    }

    /// The next morning that begins after this moment.
    pub fn next(&self, calendar: &Calendar, now: Timestamp) -> Option<Slot> {
        let mut date = date_in_india(now);
        for _ in 0..LONGEST_REST_DAYS {
            if self.check_at(date) > now
                && let Some(slot) = self.slot(calendar, date)
            {
                return Some(slot);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// When the broker's flush of the day of this moment is over.
    pub fn flushed_at(&self, now: Timestamp) -> Timestamp {
        in_india(date_in_india(now), Time::constant(self.flush.ends_h, 0, 0, 0))
    }

    /// Whether the broker may be ending tokens at this moment.
    pub fn flushing(&self, now: Timestamp) -> bool {
        self.flush_begins_at(date_in_india(now)) <= now && now < self.flushed_at(now)
    }

    /// When a date's morning begins, if it has one.
    fn check_at(&self, date: Date) -> Timestamp {
        in_india(date, self.hours.login_at) - self.hours.lead
    }

    fn flush_begins_at(&self, date: Date) -> Timestamp {
        in_india(date, Time::constant(self.flush.begins_h, 0, 0, 0))
    }

    /// NSE and BSE trade until 15:40 with the closing auction of August 2026 (SEBI HO/47/11/11(3)2025-MRD-POD2); MCX until
    /// 23:55 in the American winter.
    fn closes(&self) -> Time {
        match self.exchanges.contains(&Exchange::Mcx) {
            true => Time::constant(23, 55, 0, 0),
            false => Time::constant(15, 40, 0, 0),
        }
    }

    /// This account's share of the spread: the same for one day however often it is asked for.
    fn delay(&self, date: Date) -> SignedDuration {
        let days = u64::from(date.day_of_year().unsigned_abs()) + 400 * u64::from(date.year().unsigned_abs());
        let share = mix(self.seed ^ mix(days)) % 1_000;
        let share = i64::try_from(share).expect("it is less than a thousand");
        let spread_ms = self.hours.spread.as_secs() * 1_000 + i64::from(self.hours.spread.subsec_millis());
        SignedDuration::from_millis(spread_ms * share / 1_000)
    }
}

fn since_midnight(time: Time) -> SignedDuration {
    let minutes = 60 * i64::from(time.hour()) + i64::from(time.minute());
    SignedDuration::new(60 * minutes + i64::from(time.second()), time.subsec_nanosecond())
}

/// Scatters the bits of a number (the finalizer of MurmurHash3): equal inputs, equal outputs, and no pattern in between.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        let flush = Flush { begins_h: 5, ends_h: 8 };
        Schedule {
            hours: Hours::default(),
            exchanges: vec![Exchange::Nse, Exchange::Bse],
            flush,
            assisted: Assisted::Never,
            seed: 7,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_morning_has_its_hours_in_india() {
        let slot = schedule().slot(Calendar::compiled(), "2026-11-25".parse().unwrap()).unwrap();
        assert_eq!(slot.check_at, at("2026-11-25T08:20:00+05:30"));
        assert_eq!(slot.deadline_at, at("2026-11-25T09:00:00+05:30"));
        assert_eq!(slot.ends_at, at("2026-11-26T05:00:00+05:30"));
        let late = slot.login_at.duration_since(at("2026-11-25T08:30:00+05:30"));
        assert!((SignedDuration::ZERO..SignedDuration::from_secs(20)).contains(&late), "{late:?}");
    }

    #[test]
    fn a_moment_belongs_to_its_morning_until_the_flush_of_the_next_day() {
        let (schedule, calendar) = (schedule(), Calendar::compiled());
        let date = |moment| schedule.around(calendar, at(moment)).map(|slot| slot.date.to_string());
        assert_eq!(date("2026-11-25T08:19:59+05:30"), None);
        assert_eq!(date("2026-11-25T08:20:00+05:30").as_deref(), Some("2026-11-25"));
        assert_eq!(date("2026-11-26T04:59:59+05:30").as_deref(), Some("2026-11-25"));
        assert_eq!(date("2026-11-26T05:00:00+05:30"), None);
        assert_eq!(date("2026-11-28T12:00:00+05:30"), None, "a Saturday");
    }

    #[test]
    fn the_next_morning_leaves_out_days_that_are_surely_closed() {
        let (schedule, calendar) = (schedule(), Calendar::compiled());
        let next = |moment| schedule.next(calendar, at(moment)).unwrap().date.to_string();
        assert_eq!(next("2026-11-23T12:00:00+05:30"), "2026-11-25", "the 24th is a holiday");
        assert_eq!(next("2026-11-27T12:00:00+05:30"), "2026-11-30", "over a weekend");
        assert_eq!(next("2026-01-31T12:00:00+05:30"), "2026-02-01", "a Sunday with a session");
    }

    #[test]
    fn accounts_share_the_spread_and_each_keeps_its_place() {
        let date = "2026-11-25".parse().unwrap();
        let delays: Vec<_> =
            (0..50).map(|seed| Schedule { seed, ..schedule() }.delay(date).as_millis()).collect();
        let again: Vec<_> =
            (0..50).map(|seed| Schedule { seed, ..schedule() }.delay(date).as_millis()).collect();
        assert_eq!(delays, again);
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(most - least > 10_000, "{delays:?}");
    }
}
