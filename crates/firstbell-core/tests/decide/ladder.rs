//! When a login that failed is tried again, what makes that wrong, and when two programs fight.

use std::collections::BTreeSet;

use firstbell_core::decide::{FIGHT, Reason, Step};
use firstbell_core::event::Event;
use firstbell_core::failure::{Ask, Stop};
use firstbell_core::state::Trouble;
use firstbell_core::token::ist;
use jiff::{SignedDuration, Timestamp};

use crate::{Account, at};

/// Whether the next login is half to one and a half of this pause after a moment.
#[track_caller]
fn pauses(account: &Account, from: &str, pause_s: i64, because: Reason) {
    let decision = account.prospect(from);
    assert_eq!((decision.step, decision.because), (Step::Login, because), "at {from}");
    let pause_ms = decision.at.duration_since(at(from)).as_millis();
    let around = i128::from(pause_s) * 500..i128::from(pause_s) * 1_500;
    assert!(around.contains(&pause_ms), "{pause_ms} ms, not around {pause_s} s");
}

#[test]
fn what_spent_nothing_is_tried_again_soon_and_rarer_and_rarer() {
    let mut account = Account::new();
    for (n, pause_s) in [2, 4, 8, 15, 30, 60, 60, 60].into_iter().enumerate() {
        let time = format!("08:{}:00", 31 + 2 * n);
        account = account.failed(&time, Ask::Again);
        pauses(&account, &time, pause_s, Reason::Retry(Ask::Again));
    }
    // After the deadline, when a person was told, every five minutes.
    account = account.failed("09:05:00", Ask::Again);
    pauses(&account, "09:05:00", 300, Reason::Retry(Ask::Again));
    pauses(&Account::new().failed("09:00:00", Ask::Again), "09:00:00", 300, Reason::Retry(Ask::Again));
}

#[test]
fn a_try_that_would_be_at_the_very_deadline_is_a_late_one() {
    let account = |deadline: Timestamp| {
        let mut account = Account::new().failed("08:50:00", Ask::Again);
        account.schedule.hours.deadline = ist().to_datetime(deadline).time();
        account
    };
    let soon = account(at("09:00:00")).prospect("08:50:00").at;
    let just_before = account(soon + SignedDuration::from_millis(1)).prospect("08:50:00").at;
    assert_eq!(just_before, soon);
    pauses(&account(soon), "08:50:00", 300, Reason::Retry(Ask::Again));
}

#[test]
fn accounts_that_failed_together_do_not_come_back_together() {
    let mut pauses: Vec<Timestamp> = Vec::new();
    for seed in 0..100 {
        let mut account = Account::new().failed("08:50:00", Ask::Wait);
        account.schedule.seed = seed;
        pauses.push(account.prospect("08:50:00").at);
    }
    pauses.sort();
    let spread = pauses[99].duration_since(pauses[0]);
    assert!(spread > SignedDuration::from_secs(50), "{spread}: of a minute, more or less");
    let apart = pauses.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(apart > 80, "{apart}");
}

#[test]
fn nor_do_one_account_s_own_tries_at_a_beat() {
    let pause = |ms: u64, times: u16| {
        let at = at(&format!("08:40:00.{ms:03}"));
        let mut account = Account::new();
        account.state.trouble = Some(Trouble { at, code: "x".into(), ask: Ask::Wait, times, unclear: 0 });
        account.prospect("08:41:00").at.duration_since(at).as_millis()
    };
    let of_times: BTreeSet<_> = (4..8).map(|times| pause(7, times)).collect();
    assert_eq!(of_times.len(), 4);
    let of_moments: BTreeSet<_> = (0..40).map(|ms| pause(ms, 4)).collect();
    assert!(of_moments.len() > 30, "{of_moments:?}");
}

#[test]
fn where_the_broker_asks_to_wait_it_is_waited() {
    let mut account = Account::new();
    for (time, pause_s) in [("08:31:00", 60), ("08:36:00", 120), ("08:42:00", 240), ("08:49:00", 240)] {
        account = account.failed(time, Ask::Wait);
        pauses(&account, time, pause_s, Reason::Retry(Ask::Wait));
    }
    // For as long as it says, and no longer, but for a minute at least.
    let told = |until: &str| {
        let told = Account::new().failed("08:31:00", Ask::Wait).failed("08:40:00", Ask::Wait);
        told.after("08:40:00", Event::Wait { until: at(until) })
    };
    told("08:50:00").leads("08:40:00", Step::Login, "08:50:00", Reason::Retry(Ask::Wait));
    pauses(&told("08:40:01"), "08:40:00", 60, Reason::Retry(Ask::Wait));
    // What was over when it failed again is no answer to how long.
    let over = told("08:40:00").failed("08:40:00", Ask::Wait);
    pauses(&over, "08:40:00", 240, Reason::Retry(Ask::Wait));
    // A whole day is no waiting, and what was named under a clock that was ahead says nothing.
    let mut long = Account::new();
    long.state.wait = Some((at("08:40:00"), at("08:40:00") + SignedDuration::from_hours(30)));
    long.leads("08:40:00", Step::Login, "+08:40:00", Reason::Due);
    long.state.wait = Some((at("08:40:01"), at("08:50:00")));
    long.leads("08:40:00", Step::Login, "08:30:00", Reason::Due);
    long.state.wait = Some((at("08:40:00"), at("08:50:00")));
    long.leads("08:40:00", Step::Login, "08:50:00", Reason::Due);
}

#[test]
fn what_ended_unclear_is_tried_once_more_and_not_twice() {
    let once = Account::new().failed("08:31:00", Ask::Once);
    pauses(&once, "08:31:00", 5, Reason::Retry(Ask::Once));
    once.failed("08:32:00", Ask::Once).leads("08:32:00", Step::Look, "+08:20:00", Reason::Human);
}

#[test]
fn what_a_person_understands_is_looked_at_twice_more() {
    let human = Account::new().failed("08:31:00", Ask::Human);
    pauses(&human, "08:31:00", 120, Reason::Retry(Ask::Human));
    let human = human.failed("08:34:00", Ask::Human);
    pauses(&human, "08:34:00", 600, Reason::Retry(Ask::Human));
    human.failed("08:50:00", Ask::Human).leads("08:50:00", Step::Look, "+08:20:00", Reason::Human);
}

#[test]
fn a_refusal_holds_over_days_and_other_troubles_are_of_their_morning() {
    Account::new().failed("-08:31:00", Ask::Stop).leads("08:31:00", Step::Look, "+08:20:00", Reason::Human);
    for time in ["-08:31:00", "08:29:59", "08:31:01"] {
        for ask in [Ask::Again, Ask::Wait, Ask::Once, Ask::Human] {
            let account = Account::new().failed(time, ask);
            let decision = account.prospect("08:31:00");
            assert_eq!((decision.step, decision.at), (Step::Login, at("08:30:00")), "{ask:?} at {time}");
        }
    }
    pauses(&Account::new().failed("08:30:00", Ask::Again), "08:30:00", 2, Reason::Retry(Ask::Again));
    // Whatever waits: what the broker asked for holds beside it.
    let mut asked = Account::new().failed("-08:31:00", Ask::Again);
    asked.state.wait = Some((at("-20:00:00"), at("08:35:00")));
    asked.leads("08:31:00", Step::Login, "08:35:00", Reason::Due);
    let mut both = Account::new().failed("08:31:00", Ask::Again);
    both.state.wait = Some((at("08:31:00"), at("08:35:00")));
    both.leads("08:31:00", Step::Login, "08:35:00", Reason::Retry(Ask::Again));
}

#[test]
fn a_token_that_died_is_replaced_unless_somebody_fights_for_it() {
    assert_eq!(FIGHT, SignedDuration::from_mins(30));
    let once = || Account::new().with_token("08:30:10").died("09:30:00");
    once().leads("09:30:00", Step::Login, "08:30:00", Reason::Replaced);
    let twice = |died: &str| once().with_token("09:31:00").died(died);
    twice("09:59:59").leads("10:00:00", Step::Look, "+08:20:00", Reason::Fought);
    twice("10:00:00").leads("10:00:00", Step::Login, "08:30:00", Reason::Replaced);
    // What died before this morning is none of it.
    let before = |died: &str| {
        Account::new().with_token("-08:30:10").died(died).with_token("08:30:20").died("08:31:00")
    };
    before("08:29:59").leads("08:31:00", Step::Login, "08:30:00", Reason::Replaced);
    before("08:30:00").leads("08:31:00", Step::Look, "+08:20:00", Reason::Fought);
    let mut wrong = twice("09:59:59");
    wrong.state.died_before = Some(at("10:00:00"));
    wrong.leads("10:00:00", Step::Login, "08:30:00", Reason::Replaced);
    wrong.state.died_before = Some(at("09:59:59"));
    wrong.leads("10:00:00", Step::Look, "+08:20:00", Reason::Fought);
    // Yesterday's end is no reason of today's login.
    let yesterday = Account::new().with_token("-08:30:10").died("-09:30:00");
    yesterday.leads("08:31:00", Step::Login, "08:30:00", Reason::Due);
    let now = Account::new().with_token("-08:30:10").died("08:30:00");
    now.leads("08:31:00", Step::Login, "08:30:00", Reason::Replaced);
}

#[test]
fn in_the_flush_a_token_that_died_waits_for_its_end() {
    let early = || {
        let mut account = Account::new();
        account.schedule.hours.login_at = jiff::civil::time(6, 0, 0, 0);
        account.schedule.hours.deadline = jiff::civil::time(7, 0, 0, 0);
        account.with_token("06:00:05")
    };
    early().died("07:10:00").leads("07:11:00", Step::Login, "08:00:00", Reason::Weather);
    early().died("07:10:00").leads("08:00:00", Step::Login, "06:00:00", Reason::Replaced);
    early().died("06:00:00").leads("07:11:00", Step::Login, "08:00:00", Reason::Weather);
    let yesterday = early().died("05:59:59");
    yesterday.leads("07:11:00", Step::Login, "06:00:00", Reason::Missed);
    // What the flush ended twice was no fight.
    let twice = early().died("07:10:00").with_token("07:20:00").died("07:30:00");
    twice.leads("08:00:00", Step::Login, "06:00:00", Reason::Replaced);
    let after = early().died("08:00:00").with_token("08:01:00").died("08:02:00");
    after.leads("08:02:00", Step::Look, "+05:50:00", Reason::Fought);
    // The budget comes first.
    let mut stopped = early().died("07:10:00");
    stopped.admitted = Err(Stop::Code);
    stopped.leads("07:11:00", Step::Look, "+05:50:00", Reason::Stopped(Stop::Code));
}
