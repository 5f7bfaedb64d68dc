//! The hours of a morning: check, login, verdict, and the night after.

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::decide::{self, Decision, Reason, Step, View};
use firstbell_core::event::Event;
use firstbell_core::failure::Ask;
use firstbell_core::schedule::Assisted;

use crate::{Account, at};

#[test]
fn a_morning_begins_ten_minutes_before_its_login() {
    let account = Account::new();
    account.is_next("08:19:59", Step::Look, "08:20:00", Reason::NextMorning);
    account.is_next("08:20:00", Step::Check, "08:20:00", Reason::Beforehand);
    account.is_next("08:29:59", Step::Check, "08:20:00", Reason::Beforehand);
    account.is_next("08:30:00", Step::Login, "08:30:00", Reason::Due);
    let account = account.checked("08:20:00");
    account.is_next("08:20:00", Step::Login, "08:30:00", Reason::Due);
    account.is_next("08:29:59", Step::Login, "08:30:00", Reason::Due);
    account.is_next("08:30:00", Step::Login, "08:30:00", Reason::Due);
    let asked = account.assisted(Assisted::Only);
    asked.is_next("08:29:59", Step::Invite, "08:30:00", Reason::Person);
}

#[test]
fn a_check_of_another_morning_is_none_of_this_one() {
    for (time, counts) in [
        ("-08:25:00", false),
        ("08:19:59", false),
        ("08:20:00", true),
        ("08:25:00", true),
        ("08:25:01", false),
    ] {
        let step = if counts { Step::Login } else { Step::Check };
        assert_eq!(Account::new().checked(time).decides("08:25:00").step, step, "checked at {time}");
    }
}

#[test]
fn a_login_that_was_missed_comes_before_the_verdict_on_it() {
    let account = Account::new();
    account.is_next("08:59:59", Step::Login, "08:30:00", Reason::Due);
    account.is_next("09:00:00", Step::Login, "08:30:00", Reason::Missed);
    account.is_next("15:00:00", Step::Login, "08:30:00", Reason::Missed);
}

#[test]
fn the_verdict_is_at_the_deadline_whatever_else_comes_after_it() {
    // The next try is after the deadline: the verdict comes first.
    let late = Account::new().failed("08:59:59", Ask::Wait);
    late.is_next("08:59:59", Step::Assess, "09:00:00", Reason::Deadline);
    let good = Account::new().with_token("08:30:05");
    good.is_next("08:31:00", Step::Assess, "09:00:00", Reason::Deadline);
    good.is_next("09:30:00", Step::Assess, "09:00:00", Reason::Deadline);
    // One of another day is none of this one, nor one that is still to come, of a clock that was wrong.
    for (time, counts) in [
        ("08:59:59", false),
        ("09:00:00", true),
        ("09:30:00", true),
        ("09:30:01", false),
        ("+04:59:59", false),
    ] {
        let step = good_after_verdict(time).decides("09:30:00").step;
        assert_eq!(step, if counts { Step::Probe } else { Step::Assess }, "assessed at {time}");
    }
}

fn good_after_verdict(time: &str) -> Account {
    Account::new().with_token("08:30:05").assessed(time)
}

#[test]
fn a_retry_is_before_the_verdict_if_it_is_before_the_deadline() {
    let account = Account::new().failed("08:40:00", Ask::Again);
    let decision = account.decides("08:40:00");
    assert_eq!((decision.step, decision.because), (Step::Login, Reason::Retry(Ask::Again)));
    assert!(decision.at < at("08:40:04"));
    // One that is due at the very deadline is tried when the verdict is given.
    let mut account = Account::new();
    account.state.wait = Some((at("08:50:00"), at("09:00:00")));
    account.is_next("08:55:00", Step::Assess, "09:00:00", Reason::Deadline);
    account.is_next("09:00:00", Step::Login, "09:00:00", Reason::Missed);
    account.state.wait = Some((at("08:50:00"), at("08:59:59")));
    account.is_next("08:55:00", Step::Login, "08:59:59", Reason::Due);
}

#[test]
fn in_the_night_after_nothing_is_caught_up() {
    let account = Account::new();
    account.is_next("23:59:59", Step::Login, "08:30:00", Reason::Missed);
    account.is_next("+00:00:00", Step::Look, "+08:20:00", Reason::NextMorning);
    account.is_next("+04:59:59", Step::Look, "+08:20:00", Reason::NextMorning);
    account.is_next("+05:00:00", Step::Look, "+08:20:00", Reason::NextMorning);
    let good = good_after_verdict("09:00:00").probed("15:36:00", Some(true));
    good.is_next("23:59:59", Step::Look, "+08:20:00", Reason::Good);
    good.is_next("+00:00:00", Step::Look, "+08:20:00", Reason::Good);
    good.is_next("+04:59:59", Step::Look, "+08:20:00", Reason::Good);
    let doubtful = good_after_verdict("09:00:00").after("23:50:00", Event::Exchanging);
    doubtful.is_next("+00:10:00", Step::Look, "+08:20:00", Reason::NextMorning);
}

#[test]
fn who_pauses_is_left_alone_until_he_resumes() {
    let paused = Account::new().checked("08:20:00").after("08:25:00", Event::Paused);
    for now in ["08:26:00", "08:30:00", "09:00:00", "15:00:00"] {
        paused.is_next(now, Step::Look, "+08:20:00", Reason::Paused);
        assert_eq!(decide::prospect(&paused.view(), at(now)), paused.decides(now), "{now}");
    }
    paused.is_next("08:10:00", Step::Look, "08:20:00", Reason::Paused);
    let resumed = paused.after("08:40:00", Event::Resumed);
    resumed.is_next("08:40:00", Step::Login, "08:30:00", Reason::Due);
}

#[test]
fn the_prospect_looks_past_the_verdict_to_the_token() {
    let late = Account::new().failed("08:59:59", Ask::Wait);
    let prospect = decide::prospect(&late.view(), at("08:59:59"));
    assert_eq!((prospect.step, prospect.because), (Step::Login, Reason::Retry(Ask::Wait)));
    // From the login's very second on, and not before it.
    let checked = Account::new().checked("08:20:00").failed("-08:40:00", Ask::Stop);
    assert_eq!(decide::prospect(&checked.view(), at("08:29:59")).because, Reason::Due);
    assert_eq!(decide::prospect(&checked.view(), at("08:30:00")).because, Reason::Human);
}

#[test]
fn where_no_day_trades_for_a_month_it_looks_again_tomorrow() {
    let days =
        (25..=30).map(|day| format!("2026-11-{day}")).chain((1..=31).map(|day| format!("2026-12-{day:02}")));
    let closed = days.map(|day| format!("[[day]]\ndate = \"{day}\"\nname = \"Flood\"\nkind = \"closed\"\n"));
    let list = format!(
        "form = 1\nexchange = \"nse\"\nyear = 2026\nsources = [\"a test\"]\n{}",
        closed.collect::<String>()
    );
    let calendar = Calendar::default().with(Calendar::read(&list).unwrap());
    let mut account = Account::new();
    account.schedule.exchanges = vec![Exchange::Nse];
    let view = View { calendar: &calendar, ..account.view() };
    let decision = decide::decide(&view, at("08:40:00"));
    assert_eq!(decision, Decision { step: Step::Look, at: at("+08:40:00"), because: Reason::NextMorning });
}
