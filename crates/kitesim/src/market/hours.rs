//! When the pretended market trades: from 09:15 to 15:30 in India on weekdays that are no holiday of the exchange.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time, Weekday, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

use crate::clock;

const OPEN: Time = Time::constant(9, 15, 0, 0);
const CLOSE: Time = Time::constant(15, 30, 0, 0);

/// The years whose holidays are known, and those that fall on weekdays (public calendars of NSE and BSE agree). The
/// exchange publishes a year's list in December of the year before.
const HOLIDAYS: [(i16, &[(i8, i8)]); 3] = [
    (
        2024,
        &[
            (1, 22),
            (1, 26),
            (3, 8),
            (3, 25),
            (3, 29),
            (4, 11),
            (4, 17),
            (5, 1),
            (5, 20),
            (6, 17),
            (7, 17),
            (8, 15),
            (10, 2),
            (11, 1),
            (11, 15),
            (11, 20),
            (12, 25),
        ],
    ),
    (
        2025,
        &[
            (2, 26),
            (3, 14),
            (3, 31),
            (4, 10),
            (4, 14),
            (4, 18),
            (5, 1),
            (8, 15),
            (8, 27),
            (10, 2),
            (10, 21),
            (10, 22),
            (11, 5),
            (12, 25),
        ],
    ),
    (
        2026,
        &[
            (1, 15),
            (1, 26),
            (3, 3),
            (3, 26),
            (3, 31),
            (4, 3),
            (4, 14),
            (5, 1),
            (5, 28),
            (6, 26),
            (9, 14),
            (10, 2),
            (10, 20),
            (11, 10),
            (11, 24),
            (12, 25),
        ],
    ),
];
/// Days that are holidays in every year; of other years nothing more is known here.
const EVERY_YEAR: [(i8, i8); 6] = [(1, 26), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25)];
/// Whole sessions at weekends: a drill of 2024, and the days of the Union Budget in 2025 and 2026.
const SESSIONS: [Date; 3] = [date(2024, 1, 20), date(2025, 2, 1), date(2026, 2, 1)];

/// From the opening bell to the closing one.
pub(super) const DAY_S: i64 = 22_500;

/// On which days the market trades: what is known, and what a scenario adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar {
    /// More days without trade.
    pub(crate) holidays: Arc<[Date]>,
    /// More days with trade, whatever else speaks against it.
    pub(crate) sessions: Arc<[Date]>,
}

impl Calendar {
    /// Whether the market opens on a day.
    pub(crate) fn trades_on(&self, day: Date) -> bool {
        if self.sessions.contains(&day) {
            return true;
        }
        if self.holidays.contains(&day) {
            return false;
        }
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let own =
            HOLIDAYS.iter().find(|(year, _)| *year == day.year()).map_or(&EVERY_YEAR[..], |(_, own)| own);
        SESSIONS.contains(&day) || (!weekend && !own.contains(&(day.month(), day.day())))
    }

    /// The moment itself while the market trades, else the last closing bell before it.
    pub(crate) fn close_before(&self, now: Timestamp) -> Timestamp {
        let mut day = clock::in_india(now).date();
        if self.trades_on(day) && now >= day_start(day) {
            return now.min(day_end(day));
        }
        day = self.previous(day);
        day_end(day)
    }

    /// The first opening bell after a moment.
    pub(crate) fn opens_after(&self, now: Timestamp) -> Timestamp {
        let mut day = clock::in_india(now).date();
        if self.trades_on(day) && now < day_start(day) {
            return day_start(day);
        }
        // The longest run of closed days is a few; the bound is for the end of all calendars.
        for _ in 0..30 {
            day = day.checked_add(Span::new().days(1)).unwrap_or(day);
            if self.trades_on(day) {
                break;
            }
        }
        day_start(day)
    }

    /// The last trading day before a day.
    pub(super) fn previous(&self, mut day: Date) -> Date {
        for _ in 0..30 {
            day = day.checked_sub(Span::new().days(1)).unwrap_or(day);
            if self.trades_on(day) {
                break;
            }
        }
        day
    }

    /// Moments of trade between two others, every so many seconds of each trading day, the closing bell too. Whoever
    /// jumps farther than about `most` of them sees the market no more until the end.
    pub(crate) fn moments(
        &self,
        (after, until): (Timestamp, Timestamp),
        every_s: i64,
        most: usize,
    ) -> Vec<Timestamp> {
        let (mut day, last) = (clock::in_india(after).date(), clock::in_india(until).date());
        let mut moments = Vec::new();
        while day <= last && moments.len() < most {
            if self.trades_on(day) {
                let offsets =
                    (0..DAY_S).step_by(usize::try_from(every_s).unwrap_or(60).max(1)).chain([DAY_S]);
                let own = offsets.map(|offset_s| later(day_start(day), offset_s));
                moments.extend(own.filter(|moment| *moment > after && *moment < until));
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        moments
    }
}

/// An Indian date and time as a moment.
pub(crate) fn india(at: DateTime) -> Timestamp {
    let offset = Offset::from_seconds(5 * 3600 + 1800).expect("half past five is an offset");
    offset.to_timestamp(at).unwrap_or(Timestamp::MAX)
}

/// A moment so many seconds later; the end of all calendars when none reaches so far.
pub(crate) fn later(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// The opening bell of a day.
pub(crate) fn day_start(day: Date) -> Timestamp {
    india(day.to_datetime(OPEN))
}

/// The closing bell of a day.
fn day_end(day: Date) -> Timestamp {
    india(day.to_datetime(CLOSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn weekends_and_holidays_are_closed() {
        let usual = Calendar::default();
        assert!(usual.trades_on(date(2026, 10, 5)));
        assert!(!usual.trades_on(date(2026, 10, 4)) && !usual.trades_on(date(2026, 10, 2)));
        let monday = moment("2026-10-05T08:30:00+05:30");
        assert_eq!(usual.close_before(monday), moment("2026-10-01T15:30:00+05:30"));
        assert_eq!(usual.opens_after(monday), moment("2026-10-05T09:15:00+05:30"));
        let noon = moment("2026-10-05T12:00:00+05:30");
        assert_eq!(usual.close_before(noon), noon);
        assert_eq!(usual.opens_after(noon), moment("2026-10-06T09:15:00+05:30"));
        assert_eq!(
            usual.close_before(moment("2026-10-05T23:00:00+05:30")),
            moment("2026-10-05T15:30:00+05:30")
        );
    }

    #[test]
    fn other_years_have_theirs_and_a_scenario_adds_more() {
        let usual = Calendar::default();
        // Diwali of 2025 and the elections of 2024; the Budget's Saturday and Sunday; 2027 is known in part only.
        assert!(!usual.trades_on(date(2025, 10, 21)) && !usual.trades_on(date(2024, 11, 20)));
        assert!(usual.trades_on(date(2025, 2, 1)) && usual.trades_on(date(2026, 2, 1)));
        assert!(!usual.trades_on(date(2027, 1, 26)) && usual.trades_on(date(2027, 3, 22)));
        for (year, days) in HOLIDAYS {
            assert!(days.iter().all(|(month, day)| {
                !matches!(date(year, *month, *day).weekday(), Weekday::Saturday | Weekday::Sunday)
            }));
        }
        let told = Calendar {
            holidays: [date(2027, 3, 22), date(2026, 2, 1)].into(),
            sessions: [date(2026, 11, 8)].into(),
        };
        assert!(!told.trades_on(date(2027, 3, 22)) && !told.trades_on(date(2026, 2, 1)));
        assert!(told.trades_on(date(2026, 11, 8)) && !usual.trades_on(date(2026, 11, 8)));
    }

    #[test]
    fn moments_of_trade_lie_between_two_others() {
        let usual = Calendar::default();
        let moments = usual.moments(
            (moment("2026-10-05T08:30:00+05:30"), moment("2026-10-06T09:20:00+05:30")),
            60,
            5_000,
        );
        assert_eq!((moments.len(), moments[0]), (376 + 5, moment("2026-10-05T09:15:00+05:30")));
        assert_eq!(moments[375], moment("2026-10-05T15:30:00+05:30"));
        assert!(usual.moments((moments[1], moments[0]), 60, 5_000).is_empty());
        assert!(usual.moments((moments[0], Timestamp::MAX), 60, 5_000).len() < 6_000);
    }
}
