//! When all channels are tried with a real message: once a week, while nothing trades.

use jiff::civil::{Time, Weekday};
use jiff::{SignedDuration, Timestamp};

use crate::token::{date_in_india, in_india, ist};

/// Sunday evening: whoever has to mend a channel has the time, and no exchange trades.
const SUNDAY: Time = Time::constant(18, 0, 0, 0);
const EVENING_ENDS: Time = Time::constant(22, 0, 0, 0);
/// What was missed is caught up in the evening or the early morning of any day.
const MORNING: Time = Time::constant(7, 0, 0, 0);
const MORNING_ENDS: Time = Time::constant(8, 0, 0, 0);

/// The next moment for a test, `last` being the one before, or the first start.
pub fn test_at(last: Timestamp, now: Timestamp) -> Timestamp {
    let today = date_in_india(now);
    let this_week = (0..7)
        .filter_map(|back| today.checked_sub(SignedDuration::from_hours(24 * back)).ok())
        .map(|date| in_india(date, SUNDAY))
        .find(|at| *at <= now && ist().to_datetime(*at).weekday() == Weekday::Sunday);
    // A test that is still to come was written under a clock that was wrong.
    let missed = this_week.filter(|at| last < *at || last > now);
    if missed.is_none() {
        let ahead = (0..=7).filter_map(|days| today.checked_add(SignedDuration::from_hours(24 * days)).ok());
        let mut ahead = ahead.map(|date| in_india(date, SUNDAY)).filter(|at| *at > now);
        let is_sunday = |at: &Timestamp| ist().to_datetime(*at).weekday() == Weekday::Sunday;
        return ahead.find(is_sunday).unwrap_or(now + SignedDuration::from_hours(7 * 24));
    }
    let in_time = (in_india(today, SUNDAY)..in_india(today, EVENING_ENDS)).contains(&now);
    let morning = (in_india(today, MORNING)..in_india(today, MORNING_ENDS)).contains(&now);
    if in_time || morning {
        return now;
    }
    let tomorrow = in_india(today.tomorrow().unwrap_or(today), MORNING);
    let moments = [in_india(today, MORNING), in_india(today, SUNDAY), tomorrow];
    moments.into_iter().find(|at| *at > now).unwrap_or(tomorrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: &str) -> Timestamp {
        format!("2026-11-{moment}:00+05:30").parse().unwrap()
    }

    /// 2026-11-22 and -29 are Sundays.
    #[test]
    fn sunday_evening_or_caught_up_before_a_morning() {
        let last = at("22T18:00");
        for (now, next) in [
            ("22T18:01", "29T18:00"),
            ("25T12:00", "29T18:00"),
            ("29T17:59", "29T18:00"),
            ("29T18:00", "29T18:00"),
            ("29T21:30", "29T21:30"),
            ("29T22:00", "30T07:00"),
            ("30T06:00", "30T07:00"),
            ("30T07:30", "30T07:30"),
            ("30T08:10", "30T18:00"),
            ("30T19:00", "30T19:00"),
        ] {
            assert_eq!(test_at(last, at(now)), at(next), "{now}");
        }
        assert_eq!(test_at(at("29T18:05"), at("29T18:06")), "2026-12-06T18:00+05:30".parse().unwrap());
        assert_eq!(test_at(at("29T18:05"), at("24T12:00")), at("24T18:00"), "the clock was wrong then");
    }
}
