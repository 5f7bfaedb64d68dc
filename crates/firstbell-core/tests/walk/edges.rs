//! The very milliseconds and the odd orders: what a walk does at its limits, and just before them.

use super::*;

#[test]
fn a_walk_ends_when_its_plan_says_counted_from_its_beginning() {
    let (mut plan, who) = (plan(), who());
    plan.deadline_s = 10;
    let mut walk = Walk::new(&plan, &who, None);
    let first = walk.first("https://kite.zerodha.com/connect/login".into(), at(5_000));
    assert!(matches!(first, Action::Open { wait_ms: 10_000, .. }), "{first:?}");
    assert_eq!(looks(&walk.seen(Seen::Unchanged, at(14_999))), 1);
    assert_eq!(failed(&walk.seen(Seen::Unchanged, at(15_000))), "slow");
}

#[test]
fn whether_the_next_time_step_is_awaited_is_told() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    assert!(!stage.walk.awaits_code());
    stage.reach_code(26_000);
    assert!(stage.walk.awaits_code());
    fill(stage.walk.seen(Seen::Unchanged, at(30_050)));
    assert!(!stage.walk.awaits_code());
}

/// What the clock is off by after these replies, in seconds; none where a password is typed.
fn off(replies_s: &[i64]) -> Option<i64> {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    for off_s in replies_s {
        let mut sight = stage.sight(&[], None, Rest::Loading);
        sight.date = Some(Timestamp::from_second(at(0).wall.as_second() - off_s).unwrap());
        looks(&stage.walk.seen(Seen::Page(sight), at(0)));
    }
    match stage.page(&["user", "password"], None, 1).next {
        Next::Fail(Failure::ClockWrong { off_s }) => Some(off_s),
        Next::Do(Action::Fill(_)) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_several_replies_the_one_that_is_off_least_tells_the_time() {
    for (replies_s, told) in [
        (&[10][..], None),
        (&[-10], None),
        (&[11], Some(11)),
        (&[-11], Some(-11)),
        (&[12, 9], None),
        (&[9, 12], None),
        (&[40, -20, 30], Some(-20)),
        (&[12, -12], Some(12)),
    ] {
        assert_eq!(off(replies_s), told, "{replies_s:?}");
    }
}

#[test]
fn patience_is_for_pages_that_nobody_knows_and_that_have_arrived() {
    let (plan, who) = (plan(), who());
    // A form that was sent stands still until its answer comes.
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let sent = stage.sight(&["user", "password"], None, Rest::Quiet);
    assert!(looks(&stage.walk.seen(Seen::Page(sent), at(1_000))) > 5_000);
    assert!(looks(&stage.walk.seen(Seen::Unchanged, at(9_000))) > 5_000);
    // Parts are on their way.
    let mut stage = Stage::new(&plan, &who, None);
    stage.page(&[], None, 1_000);
    assert!(looks(&stage.walk.seen(Seen::Unchanged, at(9_000))) > 5_000);
    // A page that is known after all is given its time, and a strange one after it the whole of its own.
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    for (marks, ms) in [(&[][..], 1_000), (&["user", "password"], 4_000), (&[], 5_000)] {
        let sight = stage.sight(marks, None, Rest::Quiet);
        looks(&stage.walk.seen(Seen::Page(sight), at(ms)));
    }
    assert_eq!(looks(&stage.walk.seen(Seen::Unchanged, at(8_999))), 1);
    assert_eq!(failed(&stage.walk.seen(Seen::Unchanged, at(9_000))), "unknown-page");
}

#[test]
fn a_page_that_is_known_and_is_not_the_first_one_is_no_beginning() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    assert_eq!(failed(&stage.page(&["totp"], None, 1)), "unknown-page");
}

#[test]
fn an_answer_to_another_request_is_no_verdict_on_this_one() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.page(&["user", "password"], Some(good(Step::Open)), 1);
    assert_eq!(turn.verdict, None);
    looks(&turn);
    // The code's field may be drawn before the password's answer is there.
    let turn = stage.page(&["totp"], None, 2);
    assert_eq!(turn.verdict, None);
    looks(&turn);
    fill(stage.page(&["totp"], Some(good(Step::Credentials)), 3));
}
