//! When the pretended market trades: weekdays from 09:15 to 15:30 in India, without the exchange's holidays.

use jiff::civil::{Date, DateTime, Time, Weekday, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

use crate::clock;

const OPEN: Time = Time::constant(9, 15, 0, 0);
const CLOSE: Time = Time::constant(15, 30, 0, 0);

/// Trading holidays of NSE in 2026 (three public calendars agree); other years have none here.
const HOLIDAYS: [Date; 16] = [
    date(2026, 1, 15),
    date(2026, 1, 26),
    date(2026, 3, 3),
    date(2026, 3, 26),
    date(2026, 3, 31),
    date(2026, 4, 3),
    date(2026, 4, 14),
    date(2026, 5, 1),
    date(2026, 5, 28),
    date(2026, 6, 26),
    date(2026, 9, 14),
    date(2026, 10, 2),
    date(2026, 10, 20),
    date(2026, 11, 10),
    date(2026, 11, 24),
    date(2026, 12, 25),
];

/// Whether the market opens on a day.
pub(crate) fn trades_on(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !HOLIDAYS.contains(&day)
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

/// The moment itself while the market trades, else the last closing bell before it.
pub(crate) fn close_before(now: Timestamp) -> Timestamp {
    let mut day = clock::in_india(now).date();
    if trades_on(day) && now >= day_start(day) {
        return now.min(day_end(day));
    }
    day = previous(day);
    day_end(day)
}

/// The first opening bell after a moment.
pub(crate) fn opens_after(now: Timestamp) -> Timestamp {
    let mut day = clock::in_india(now).date();
    if trades_on(day) && now < day_start(day) {
        return day_start(day);
    }
    // The longest run of closed days is a few; the bound is for the end of all calendars.
    for _ in 0..30 {
        day = day.checked_add(Span::new().days(1)).unwrap_or(day);
        if trades_on(day) {
            break;
        }
    }
    day_start(day)
}

/// The last trading day before a day.
pub(super) fn previous(mut day: Date) -> Date {
    for _ in 0..30 {
        day = day.checked_sub(Span::new().days(1)).unwrap_or(day);
        if trades_on(day) {
            break;
        }
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn weekends_and_holidays_are_closed() {
        assert!(trades_on(date(2026, 10, 5)));
        assert!(!trades_on(date(2026, 10, 4)) && !trades_on(date(2026, 10, 2)));
        let monday = moment("2026-10-05T08:30:00+05:30");
        assert_eq!(close_before(monday), moment("2026-10-01T15:30:00+05:30"));
        assert_eq!(opens_after(monday), moment("2026-10-05T09:15:00+05:30"));
        let noon = moment("2026-10-05T12:00:00+05:30");
        assert_eq!(close_before(noon), noon);
        assert_eq!(opens_after(noon), moment("2026-10-06T09:15:00+05:30"));
        assert_eq!(close_before(moment("2026-10-05T23:00:00+05:30")), moment("2026-10-05T15:30:00+05:30"));
    }
}
