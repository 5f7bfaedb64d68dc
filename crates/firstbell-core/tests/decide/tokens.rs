//! What the current token is worth, when it is asked about, and until when that holds.

use firstbell_core::decide::{self, PROBE_PAUSE, Reason, Step, Unserved};
use firstbell_core::event::Event;
use jiff::{SignedDuration, Timestamp};

use crate::{Account, at};

fn good() -> Account {
    Account::new().with_token("08:30:05").assessed("09:00:00")
}

fn served(account: &Account, now: &str) -> Result<(), Unserved> {
    decide::serve(&account.view(), at(now))
}

fn turns(account: &Account, now: &str) -> Option<Timestamp> {
    decide::turns_at(&account.view(), at(now))
}

#[test]
fn a_token_is_served_while_it_is_trusted_and_after_that_when_it_is_proven() {
    assert_eq!(served(&Account::new(), "09:00:00"), Err(Unserved::None));
    let token = good();
    assert_eq!(served(&token, "+04:59:59"), Ok(()));
    assert_eq!(served(&token, "+05:00:00"), Err(Unserved::Unproven));
    assert_eq!(served(&token, "+08:00:00"), Err(Unserved::Dead));
    assert_eq!(served(&token, "08:30:04"), Err(Unserved::Unproven), "before it was issued");
    assert_eq!(served(&good().died("10:00:00"), "10:00:00"), Err(Unserved::Dead));
}

#[test]
fn what_the_broker_refused_is_dead_though_nobody_could_write_it_down() {
    assert_eq!(served(&good().probed("10:00:00", Some(false)), "10:00:01"), Err(Unserved::Dead));
    // A token that was proven later is another one.
    assert_eq!(served(&good().probed("08:30:04", Some(false)), "10:00:01"), Ok(()));
    assert_eq!(served(&good().probed("08:30:05", Some(false)), "10:00:01"), Ok(()));
    assert_eq!(served(&good().probed("08:30:06", Some(false)), "10:00:01"), Err(Unserved::Dead));
    assert_eq!(served(&good().probed("10:00:00", None), "10:00:01"), Ok(()));
}

#[test]
fn a_doubt_ends_when_the_broker_took_the_token_after_it() {
    let doubted = || good().after("10:00:00", Event::Exchanging);
    assert_eq!(served(&doubted(), "10:00:00"), Err(Unserved::Unproven));
    for (probed, alive, is_good) in [
        ("09:59:59", Some(true), false),
        ("10:00:00", Some(true), true),
        ("10:00:00", None, false),
        ("11:00:00", Some(true), true),
        // Of a clock that was wrong.
        ("12:00:01", Some(true), false),
    ] {
        let told = served(&doubted().probed(probed, alive), "12:00:00").is_ok();
        assert_eq!(told, is_good, "asked at {probed}: {alive:?}");
    }
    // A doubt that is still to come is of a clock that was wrong, and stands in the way of nothing.
    let ahead = good().after("14:00:00", Event::Exchanging).probed("11:59:30", Some(true));
    assert_eq!(served(&ahead, "12:00:00"), Ok(()));
    let now = good().after("12:00:00", Event::Exchanging).probed("11:59:30", Some(true));
    assert_eq!(served(&now, "12:00:00"), Err(Unserved::Unproven), "the doubt is of this very second");
    assert_eq!(served(&now.probed("12:00:00", Some(true)), "12:00:00"), Ok(()));
}

#[test]
fn in_the_flush_an_answer_holds_for_a_minute_and_after_it_for_the_day() {
    let token = || good().probed("+05:30:00", Some(true));
    assert_eq!(served(&token(), "+05:30:59"), Ok(()));
    assert_eq!(served(&token(), "+05:31:00"), Err(Unserved::Unproven));
    // One that is issued in the flush is in doubt until it is proven after it.
    let flushed = |probed: &str| Account::new().with_token("06:30:00").probed(probed, Some(true));
    assert_eq!(served(&flushed("07:59:59"), "08:10:00"), Err(Unserved::Unproven));
    assert_eq!(served(&flushed("08:00:00"), "08:10:00"), Ok(()));
    assert_eq!(served(&flushed("08:00:00"), "+04:59:59"), Ok(()));
    assert_eq!(served(&flushed("08:00:00"), "+05:00:00"), Err(Unserved::Unproven));
    // One that was trusted is asked about in its own time, and that holds as long as it is trusted.
    let doubted = good().after("09:30:00", Event::Exchanging).probed("09:30:00", Some(true));
    assert_eq!(served(&doubted, "+04:59:59"), Ok(()));
    assert_eq!(served(&doubted, "+05:00:00"), Err(Unserved::Unproven));
}

#[test]
fn a_token_of_the_night_that_the_broker_took_is_good_until_the_flush_of_its_own_day() {
    let night = Account::new().with_token("00:10:00").after("00:20:00", Event::Exchanging);
    let night = night.probed("00:30:00", Some(true));
    assert_eq!(served(&night, "04:59:59"), Ok(()));
    assert_eq!(served(&night, "05:00:00"), Err(Unserved::Unproven));
}

#[test]
fn a_good_token_is_asked_about_every_five_minutes_while_people_trade() {
    let every = |probed: &str, then: &str| {
        good().probed(probed, Some(true)).is_next("12:00:30", Step::Probe, then, Reason::Watched);
    };
    every("12:00:00", "12:05:00");
    // Not before the deadline, whatever was asked before; and a moment to come is of a clock that was wrong.
    every("08:40:00", "09:00:00");
    every("12:00:31", "09:00:00");
    good().probed("09:10:00", None).is_next("12:00:30", Step::Probe, "09:15:00", Reason::Watched);
    let mut often = good().probed("12:00:00", Some(true));
    often.schedule.hours.probe_every = SignedDuration::from_secs(1);
    often.is_next("12:00:30", Step::Probe, "12:01:00", Reason::Watched);
    good().probed("15:34:59", Some(true)).is_next("15:35:00", Step::Probe, "15:39:59", Reason::Watched);
    good().probed("15:35:00", Some(true)).is_next("15:35:00", Step::Look, "+08:20:00", Reason::Good);
}

#[test]
fn a_doubtful_token_is_asked_about_a_minute_after_the_last_time() {
    let doubted = || good().after("10:00:00", Event::Exchanging);
    doubted().probed("09:59:50", Some(true)).is_next("10:00:10", Step::Probe, "10:00:50", Reason::Doubted);
    // Proven is asked too.
    let young =
        Account::new().with_token("09:01:00").assessed("09:00:00").after("09:01:30", Event::Exchanging);
    young.is_next("09:01:40", Step::Probe, "09:02:00", Reason::Doubted);
    let mut unasked = doubted();
    unasked.state.proven_at = None;
    unasked.is_next("10:00:10", Step::Probe, "10:00:10", Reason::Doubted);
}

#[test]
fn nobody_asks_twice_within_a_minute_nor_about_what_is_dead() {
    let may = |account: &Account, now: &str| decide::may_probe(&account.view(), at(now));
    assert_eq!(PROBE_PAUSE, SignedDuration::from_mins(1));
    assert!(!may(&Account::new(), "10:00:00"));
    assert!(!may(&good(), "08:31:04"));
    assert!(may(&good(), "08:31:05"));
    let probed = good().probed("10:00:00", None);
    assert!(!may(&probed, "10:00:59"));
    assert!(may(&probed, "10:01:00"));
    assert!(may(&probed, "09:59:59"), "a moment to come says nothing");
    assert!(!may(&good().died("09:00:00"), "10:00:00"));
}

#[test]
fn whoever_shows_a_token_looks_again_when_it_turns() {
    assert_eq!(turns(&Account::new(), "10:00:00"), None);
    let token = good();
    for (now, then) in [
        ("08:30:05", "+05:00:00"),
        ("10:00:00", "+05:00:00"),
        ("+04:59:59", "+05:00:00"),
        ("+05:00:00", "+08:00:00"),
        ("+07:59:59", "+08:00:00"),
    ] {
        assert_eq!(turns(&token, now), Some(at(then)), "{now}");
    }
    // In the flush an answer is old after a minute; a trusted token needs none.
    let probed = || good().probed("+05:30:00", Some(true));
    assert_eq!(turns(&probed(), "+05:30:00"), Some(at("+05:31:00")));
    assert_eq!(turns(&probed(), "+05:31:00"), Some(at("+08:00:00")));
    assert_eq!(turns(&good().probed("10:00:00", Some(true)), "10:00:00"), Some(at("+05:00:00")));
    let doubted = good().after("10:00:00", Event::Exchanging).probed("10:00:10", Some(true));
    assert_eq!(turns(&doubted, "10:00:10"), Some(at("10:01:10")));
}
