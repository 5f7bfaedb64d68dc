//! What a human must hear: how grave it is, and the words, in one order: what happened, what it means for today, what firstbell
//! will do, what you can do.

mod aside;
mod words;

use jiff::{SignedDuration, Timestamp};

pub use self::aside::{Dates, Owner};
pub use crate::incident::{Heard, Incident, Severity, Told};

use crate::decide::{self, Reason, View};
use crate::failure::Failure;
use crate::schedule::Slot;
use crate::token::date_in_india;

/// So many messages of one account a day, whatever happens; what is critical may take as many more.
pub const A_DAY: u8 = 6;
/// This long before the deadline a warning becomes critical.
const LAST_CALL: SignedDuration = SignedDuration::from_mins(15);
/// A login that fails this often in a row is no passing trouble any more; with the first pauses that is half a minute.
const PASSING: u16 = 3;

/// One message to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// About what.
    pub incident: Incident,
    /// How grave it is.
    pub severity: Severity,
    /// Whether it is over with this.
    pub over: bool,
    /// One line.
    pub title: String,
    /// What happened, what it means for today, what firstbell will do, what you can do.
    pub body: String,
}

/// What is to be said now and was not said yet; nothing where all is well, nothing new, or it is a holiday.
pub fn due(view: &View<'_>, owner: &Owner<'_>, now: Timestamp) -> Option<Notice> {
    let told = view.state.told.as_ref().filter(|told| told.at <= now);
    let today = told.filter(|told| date_in_india(told.at) == date_in_india(now));
    let open = told.filter(|told| !told.over);
    let times = today.map_or(0, |told| told.times);
    match (concern(view, now), open) {
        (Some((incident, severity)), open) => {
            let new = open
                .is_none_or(|told| incident != told.incident || severity > told.severity || today.is_none());
            let most = if severity == Severity::Critical { 2 * A_DAY } else { A_DAY };
            (new && times < most).then(|| words::trouble(view, owner, (incident, severity), now))
        }
        (None, Some(_)) => {
            let over = times < 2 * A_DAY && decide::serve(view, now).is_ok();
            over.then(|| words::over(view, owner, now))
        }
        (None, None) => (!view.state.paused).then(|| aside::due(view, owner, now)).flatten(),
    }
}

/// A part of this machine is broken, so that nothing can be written down, and nothing be done: of this the history cannot tell.
pub fn broken(owner: &Owner<'_>, failure: &Failure, (now, login_at): (Timestamp, Timestamp)) -> Notice {
    let severity = if now < login_at { Severity::Warning } else { Severity::Critical };
    let title = format!("{}: firstbell cannot work", owner.account);
    let body = format!(
        "{}.\nWhile that is so firstbell logs nobody in.\nIt tries again by itself.\n{}",
        words::capital(&failure.to_string()),
        failure.cure()
    );
    Notice { incident: Incident::Lacking, severity, over: false, title, body }
}

/// What was said and still holds, in the words of this moment: for channels whose turn comes later, where nobody proved that
/// it was heard.
pub fn open(view: &View<'_>, owner: &Owner<'_>, now: Timestamp) -> Option<Notice> {
    let told = view.state.told.as_ref().filter(|told| !told.over && told.at <= now)?;
    let (incident, severity) = concern(view, now)?;
    let same = told.incident == incident && told.severity == severity;
    (same && date_in_india(told.at) == date_in_india(now))
        .then(|| words::trouble(view, owner, (incident, severity), now))
}

/// When a notice may become due without anything happening: it grows graver by the clock.
pub fn look_at(view: &View<'_>, now: Timestamp) -> Option<Timestamp> {
    let slot = view.schedule.around(view.calendar, now)?;
    [slot.login_at, slot.deadline_at - LAST_CALL].into_iter().find(|at| *at > now)
}

/// What is wrong now, and how grave that is by the clock.
fn concern(view: &View<'_>, now: Timestamp) -> Option<(Incident, Severity)> {
    if view.state.paused {
        return None;
    }
    let slot = view
        .schedule
        .around(view.calendar, now)
        .filter(|slot| !slot.quiet && slot.date == date_in_india(now));
    slot.and_then(|slot| of_morning(view, &slot, now))
}

fn of_morning(view: &View<'_>, slot: &Slot, now: Timestamp) -> Option<(Incident, Severity)> {
    let severity = if now < slot.login_at {
        Severity::Information
    } else if now < slot.deadline_at - LAST_CALL {
        Severity::Warning
    } else {
        Severity::Critical
    };
    let today = |at: Option<Timestamp>| at.filter(|at| slot.check_at <= *at && *at < slot.ends_at);
    // What was missing beforehand is of no concern once there is a token.
    let disproved = today(view.state.proven_at) > today(view.state.checked_at);
    let looked =
        today(view.state.assessed_at).or_else(|| today(view.state.checked_at).filter(|_| !disproved));
    let lacking = looked.is_some() && view.state.lacks.iter().any(|lack| lack != "token");
    if now < slot.login_at || decide::serve(view, now).is_ok() {
        return lacking.then_some((Incident::Lacking, severity.min(Severity::Warning)));
    }
    let decision = decide::prospect(view, now);
    let trouble = view.state.trouble.as_ref().filter(|trouble| trouble.at >= slot.login_at);
    let lasting = trouble.is_some_and(|trouble| trouble.times >= PASSING || trouble.unclear > 1);
    // What is done at once, and was not tried yet, may be over in a second.
    let tried = match decision.because {
        Reason::Missed | Reason::Replaced | Reason::Due => trouble.is_some(),
        Reason::Doubted => view.probe.is_some_and(|probe| probe.alive.is_none()),
        _ => true,
    };
    let late = severity == Severity::Critical && tried;
    let wrong = decision.because.calls_for_a_human() || lasting || late;
    wrong.then_some((Incident::NoToken, severity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Calendar, Exchange};
    use crate::decide::Probe;
    use crate::event::Event;
    use crate::failure::{Ask, Stop};
    use crate::schedule::{Assisted, Hours, Schedule};
    use crate::state::State;
    use crate::token::{Flush, Life};

    const MAIN: Owner<'_> = Owner {
        account: "main",
        morning_line: false,
        dates: Dates { password_due: None, subscription_until: None, address_changed: None },
    };
    const FLUSH: Flush = Flush { begins_h: 5, ends_h: 8 };

    fn at(time: &str) -> Timestamp {
        format!("2026-11-25T{time}+05:30").parse().unwrap()
    }

    fn schedule() -> Schedule {
        let hours = Hours { spread: SignedDuration::ZERO, ..Hours::default() };
        Schedule {
            hours,
            exchanges: Exchange::USUAL.to_vec(),
            flush: FLUSH,
            assisted: Assisted::Never,
            seed: 1,
        }
    }

    struct Morning {
        state: State,
        token: Option<Life>,
        admitted: Result<(), Stop>,
    }

    impl Morning {
        fn new() -> Morning {
            Morning { state: State::default(), token: None, admitted: Ok(()) }
        }

        fn due(&self, time: &str) -> Option<Notice> {
            let (schedule, probe) = (schedule(), None::<Probe>);
            let view = View {
                schedule: &schedule,
                calendar: Calendar::compiled(),
                state: &self.state,
                admitted: self.admitted,
                token: self.token,
                pending: false,
                probe,
            };
            due(&view, &MAIN, at(time))
        }

        fn told(&mut self, time: &str) -> Notice {
            let notice = self.due(time).unwrap();
            let Notice { incident, severity, over, .. } = notice;
            self.state
                .take(at(time), &Event::Told { incident, severity, over, channel: None, proven: false });
            notice
        }

        fn fails(&mut self, time: &str, code: &str, ask: Ask) {
            self.state.take(at(time), &Event::Failed { code: code.into(), ask });
        }
    }

    #[test]
    fn a_failing_morning_is_told_once_for_each_severity_and_once_when_it_is_over() {
        let mut morning = Morning::new();
        assert_eq!(morning.due("08:30:00"), None);
        morning.fails("08:30:02", "unreachable", Ask::Again);
        assert_eq!(morning.due("08:30:03"), None, "a passing trouble");
        morning.fails("08:30:05", "unreachable", Ask::Again);
        morning.fails("08:30:10", "unreachable", Ask::Again);
        let first = morning.told("08:30:11");
        assert_eq!((first.severity, first.incident), (Severity::Warning, Incident::NoToken));
        assert_eq!(first.title, "main: no token yet");
        let lines: Vec<&str> = first.body.lines().collect();
        assert_eq!(lines[0], "At 08:30:10 the login failed: no connection to Zerodha.");
        assert_eq!(lines[1], "No token; the market opens in 44 minutes.");
        assert!(lines[2].starts_with("firstbell logs in at 08:30:"), "{}", lines[2]);
        assert!(lines[3].starts_with("You can: look at this computer’s connection"), "{}", lines[3]);
        morning.fails("08:31:00", "unreachable", Ask::Again);
        assert_eq!(morning.due("08:44:59"), None, "it was said");
        assert_eq!(morning.told("08:45:00").severity, Severity::Critical);
        assert_eq!(morning.due("08:59:00"), None);
        morning.state.take(at("09:01:00"), &Event::Proven { generation: 1 });
        morning.token = Some(Life::of(at("09:01:00"), FLUSH));
        let over = morning.told("09:01:00");
        assert!(
            over.over && over.body.starts_with("A proven token is handed out since 09:01:00."),
            "{over:?}"
        );
        assert_eq!(morning.due("09:01:01"), None);
    }

    #[test]
    fn what_only_a_person_mends_is_told_at_once() {
        let mut morning = Morning::new();
        morning.fails("08:30:02", "password-rejected", Ask::Stop);
        morning.admitted = Err(Stop::Password);
        let notice = morning.told("08:30:02");
        let lines: Vec<&str> = notice.body.lines().collect();
        assert!(lines[0].starts_with("This password was rejected before"), "{}", lines[0]);
        assert_eq!(lines[2], "firstbell does not try again by itself.");
        assert!(lines[3].contains("firstbell secrets set password"), "{}", lines[3]);
    }

    #[test]
    fn what_lacks_before_the_login_is_told_in_time_and_holidays_and_pauses_are_silent() {
        let mut morning = Morning::new();
        morning.state.take(at("08:20:00"), &Event::Checked { lacks: vec!["browser".into()] });
        let notice = morning.told("08:20:01");
        assert_eq!((notice.severity, notice.incident), (Severity::Information, Incident::Lacking));
        assert!(notice.body.starts_with("Missing: browser."), "{}", notice.body);
        morning.state.take(at("08:21:00"), &Event::Paused);
        assert_eq!(morning.due("08:50:00"), None);
        let saturday: Timestamp = "2026-11-28T08:50:00+05:30".parse().unwrap();
        let schedule = schedule();
        let state = State::default();
        let view = View {
            schedule: &schedule,
            calendar: Calendar::compiled(),
            state: &state,
            admitted: Ok(()),
            token: None,
            pending: false,
            probe: None,
        };
        assert_eq!(due(&view, &MAIN, saturday), None);
        let december: Timestamp = "2026-12-07T12:00:00+05:30".parse().unwrap();
        assert_eq!(due(&view, &MAIN, december).map(|n| n.incident), Some(Incident::Calendar));
    }

    #[test]
    fn no_day_has_more_messages_than_its_share() {
        let mut morning = Morning::new();
        let mut said = 0;
        for minute in 30..59 {
            let time = format!("08:{minute}:30");
            morning.fails(&time, "slow", Ask::Human);
            said += u8::from(morning.due(&time).map(|_| morning.told(&time)).is_some());
            let proven = Event::Proven { generation: u64::from(said) };
            morning.state.take(at(&time), &proven);
            morning.token = Some(Life::of(at(&time), FLUSH));
            said += u8::from(morning.due(&time).map(|_| morning.told(&time)).is_some());
            morning.token = None;
        }
        assert!(said <= 2 * A_DAY, "{said}");
    }
}
