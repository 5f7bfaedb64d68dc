//! Words on the side: nothing is wrong yet. What will be in some days, and, for owners who want to hear it, that all is well.

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp};

use super::words::clock;
use super::{Incident, Notice, Severity};
use crate::decide::{self, View};
use crate::token::date_in_india;

/// A word about something that is still far off is said about once a week …
const WEEKLY: SignedDuration = SignedDuration::from_hours(7 * 24 - 12);
/// … and every morning when it is near.
const DAILY: SignedDuration = SignedDuration::from_hours(12);
/// So many days are near.
const NEAR_DAYS: i32 = 3;
/// So many days before its end a password or a subscription is first spoken of.
const AHEAD_DAYS: i32 = 14;

/// Whose account it is, and what he wants to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The account's name.
    pub account: &'a str,
    /// Whether he wants to hear of good mornings too.
    pub morning_line: bool,
    /// What he told of days to come.
    pub dates: Dates,
}

/// Days that no program can find out, as the owner gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// When the password reaches its age.
    pub password_due: Option<Date>,
    /// The last day of the app's subscription.
    pub subscription_until: Option<Date>,
    /// When the address that orders come from was last registered anew.
    pub address_changed: Option<Date>,
}

impl Dates {
    /// The first day of a calendar week in which another address may be registered: the exchanges allow one change a week
    /// (evidence: NSE's circular on retail algorithms, static addresses). None where it may be now.
    pub(super) fn address_fixed_until(&self, today: Date) -> Option<Date> {
        let changed = self.address_changed?;
        let next = changed.nth_weekday(1, Weekday::Monday).ok()?;
        (next > today).then_some(next)
    }
}

/// The word on the side that is due, if one is: in the morning of a day that trades, and not again too soon.
pub(super) fn due(view: &View<'_>, owner: &Owner<'_>, now: Timestamp) -> Option<Notice> {
    let today = date_in_india(now);
    let slot = view.schedule.around(view.calendar, now).filter(|slot| slot.date == today)?;
    let said = |incident, every| {
        let at = view.state.said.get(&incident).copied().filter(|at| *at <= now);
        at.is_some_and(|at| now.duration_since(at) < every)
    };
    let proven = view.state.proven_at.filter(|at| slot.login_at <= *at && *at <= now);
    if let Some(proven) = proven.filter(|_| owner.morning_line && !slot.quiet && view.state.lacks.is_empty())
        && decide::serve(view, now).is_ok()
        && view.state.said.get(&Incident::Ready).is_none_or(|at| date_in_india(*at) != today || *at > now)
    {
        return Some(ready(view, owner, proven));
    }
    let year = view.calendar.notice_due(&view.schedule.exchanges, today);
    if let Some(year) = year.filter(|_| !said(Incident::Calendar, WEEKLY)) {
        return Some(calendar(owner, year));
    }
    let ends = [
        (Incident::Password, owner.dates.password_due),
        (Incident::Subscription, owner.dates.subscription_until),
    ];
    ends.into_iter().find_map(|(incident, ends)| {
        let ends = ends?;
        let left = today.until(ends).ok()?.get_days();
        let every = if left <= NEAR_DAYS { DAILY } else { WEEKLY };
        let due = left <= AHEAD_DAYS && !said(incident, every);
        due.then(|| ending(owner, incident, (ends, left)))?
    })
}

fn ready(view: &View<'_>, owner: &Owner<'_>, proven: Timestamp) -> Notice {
    let began = view.state.began_at.filter(|began| *began <= proven);
    let took = began.map(|began| proven.duration_since(began).as_millis());
    let took = took.filter(|ms| *ms < 600_000).map_or(String::new(), |ms| {
        let tenths = (ms + 50) / 100;
        format!(", {}.{} s", tenths / 10, tenths % 10)
    });
    let title = format!("{}: ready {}{took}", owner.account, clock(proven));
    let body = "A proven token is handed out. Nothing is left for you to do.".to_owned();
    notice(Incident::Ready, Severity::Information, title, body)
}

fn calendar(owner: &Owner<'_>, year: i16) -> Notice {
    let title = format!("{}: no calendar for {year}", owner.account);
    let body = format!(
        "No list of holidays covers {year} for every exchange of this account.\n\
         Every weekday of it will be treated as a trading day.\n\
         You can: update firstbell, or write a list of your own (calendar in the configuration)."
    );
    notice(Incident::Calendar, Severity::Information, title, body)
}

fn ending(owner: &Owner<'_>, incident: Incident, (ends, left): (Date, i32)) -> Option<Notice> {
    let severity = if left <= NEAR_DAYS { Severity::Warning } else { Severity::Information };
    let when = match left {
        ..0 => format!("on {ends}, {} ago", days(-left)),
        0 => format!("today, {ends}"),
        _ => format!("on {ends}, in {}", days(left)),
    };
    let account = owner.account;
    let (title, lines) = match incident {
        Incident::Password => (
            format!("{account}: the password is getting old"),
            [
                format!("By what you wrote down, its time is over {when}."),
                "When Zerodha asks for a new one, firstbell cannot log in until it knows it.".to_owned(),
                format!(
                    "You can: change it at kite.zerodha.com in the evening, run firstbell secrets set password {account}, and \
                     write password_set anew."
                ),
            ],
        ),
        Incident::Subscription => (
            format!("{account}: the Kite Connect subscription ends"),
            [
                format!("By what you wrote down, it ends {when}."),
                "Without it Zerodha refuses logins of this app, and programs stop trading.".to_owned(),
                "You can: renew it on the developer console, and write subscription_until anew.".to_owned(),
            ],
        ),
        _ => return None,
    };
    Some(notice(incident, severity, title, lines.join("\n")))
}

fn days(n: i32) -> String {
    if n == 1 { "1 day".into() } else { format!("{n} days") }
}

fn notice(incident: Incident, severity: Severity, title: String, body: String) -> Notice {
    Notice { incident, severity, over: false, title, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Calendar, Exchange};
    use crate::event::Event;
    use crate::schedule::{Assisted, Hours, Schedule};
    use crate::state::State;
    use crate::token::{Flush, Life};

    const FLUSH: Flush = Flush { begins_h: 5, ends_h: 8 };

    fn at(moment: &str) -> Timestamp {
        format!("{moment}+05:30").parse().unwrap()
    }

    /// What is due at a moment, and is said.
    fn said(state: &mut State, owner: &Owner<'_>, token: Option<Life>, moment: &str) -> Option<Notice> {
        let hours = Hours { spread: SignedDuration::ZERO, ..Hours::default() };
        let schedule = Schedule {
            hours,
            exchanges: Exchange::USUAL.to_vec(),
            flush: FLUSH,
            assisted: Assisted::Never,
            seed: 1,
        };
        let view = View {
            schedule: &schedule,
            calendar: Calendar::compiled(),
            state,
            admitted: Ok(()),
            token,
            pending: false,
            probe: None,
        };
        let notice = super::super::due(&view, owner, at(moment))?;
        let Notice { incident, severity, over, .. } = notice;
        state.take(at(moment), &Event::Told { incident, severity, over, channel: None, proven: false });
        Some(notice)
    }

    #[test]
    fn a_good_morning_is_one_line_once_for_those_who_want_it() {
        let mut state = State::default();
        state.take(at("2026-11-25T08:30:05.1"), &Event::Began { driver: "chrome".into() });
        state.take(at("2026-11-25T08:30:07"), &Event::Proven { generation: 1 });
        let token = Some(Life::of(at("2026-11-25T08:30:07"), FLUSH));
        let mut owner = Owner { account: "main", ..Owner::default() };
        assert_eq!(said(&mut state, &owner, token, "2026-11-25T08:30:08"), None);
        owner.morning_line = true;
        let line = said(&mut state, &owner, token, "2026-11-25T08:30:08").unwrap();
        assert_eq!(
            (line.title.as_str(), line.severity),
            ("main: ready 08:30:07, 1.9 s", Severity::Information)
        );
        assert_eq!(said(&mut state, &owner, token, "2026-11-25T09:30:00"), None, "once");
        state.take(at("2026-11-26T08:20:00"), &Event::Checked { lacks: vec!["sink".into()] });
        state.take(at("2026-11-26T08:30:07"), &Event::Proven { generation: 2 });
        let token = Some(Life::of(at("2026-11-26T08:30:07"), FLUSH));
        let line = said(&mut state, &owner, token, "2026-11-26T08:30:08");
        assert_eq!(line, None, "not where something is missing");
    }

    #[test]
    fn a_password_and_a_subscription_are_spoken_of_weekly_and_daily_at_the_end() {
        let mut state = State::default();
        let dates = Dates { subscription_until: Some("2026-11-30".parse().unwrap()), ..Dates::default() };
        let owner = Owner { account: "main", dates, ..Owner::default() };
        let days = ["13", "16", "17", "18", "19", "20", "23", "25", "26", "27", "30"];
        let hears =
            |day: &&&str| said(&mut state, &owner, None, &format!("2026-11-{day}T08:20:00")).is_some();
        assert_eq!(days.iter().filter(hears).collect::<Vec<_>>(), [&"16", &"23", &"27", &"30"]);
        assert_eq!(
            said(&mut state, &owner, None, "2026-12-01T08:25:00").unwrap().incident,
            Incident::Calendar
        );
        let notice = said(&mut state, &owner, None, "2026-12-01T08:26:00").unwrap();
        assert_eq!(notice.severity, Severity::Warning);
        assert!(
            notice.body.starts_with("By what you wrote down, it ends on 2026-11-30, 1 day ago."),
            "{}",
            notice.body
        );
        let dates = Dates { password_due: Some("2026-12-20".parse().unwrap()), ..Dates::default() };
        let owner = Owner { account: "main", dates, ..Owner::default() };
        let notice = said(&mut state, &owner, None, "2026-12-07T08:20:00").unwrap();
        assert_eq!((notice.severity, notice.incident), (Severity::Information, Incident::Password));
        assert!(notice.body.contains("on 2026-12-20, in 13 days"), "{}", notice.body);
        assert!(notice.body.contains("firstbell secrets set password main"), "{}", notice.body);
    }

    #[test]
    fn another_address_may_be_registered_once_a_calendar_week() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let dates = Dates { address_changed: Some(date("2026-11-23")), ..Dates::default() };
        assert_eq!(dates.address_fixed_until(date("2026-11-25")), Some(date("2026-11-30")));
        assert_eq!(dates.address_fixed_until(date("2026-11-30")), None);
        assert_eq!(Dates::default().address_fixed_until(date("2026-11-30")), None);
    }
}
