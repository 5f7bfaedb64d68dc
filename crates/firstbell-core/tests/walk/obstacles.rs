//! What stands in the way is named, and costs nothing.

use firstbell_core::obstacle::TlsFault;

use super::*;

#[test]
fn with_a_wrong_clock_not_even_the_password_is_typed() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let mut sight = stage.sight(&["user", "password"], None, Rest::Loading);
    sight.date = Some(Timestamp::from_second(at(0).wall.as_second() - 60).unwrap());
    let turn = stage.walk.seen(Seen::Page(sight), at(0));
    assert_eq!((failed(&turn), turn.verdict), ("clock-wrong", None));
}

#[test]
fn a_bad_certificate_is_named_and_spends_nothing() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let turn = stage.walk.seen(Seen::Insecure(TlsFault::Date), at(1));
    assert_eq!((failed(&turn), turn.verdict), ("insecure", None));
    let Next::Fail(failure) = turn.next else { panic!() };
    assert!(failure.to_string().contains("its time is over"), "{failure}");
}

#[test]
fn what_stands_in_the_way_is_told_by_its_name_and_nothing_is_typed() {
    let (plan, who) = (plan(), who());
    for kind in [
        "captcha",
        "security-check",
        "forced-reset",
        "continue-as",
        "risk-notice",
        "kill-switch",
        "maintenance",
    ] {
        let mut stage = Stage::new(&plan, &who, None);
        assert_eq!(failed(&stage.page(&[kind], None, 1)), kind);
    }
    let mut stage = Stage::new(&plan, &who, None);
    assert_eq!(failed(&stage.page(&["user", "password", "captcha"], None, 1)), "captcha");
}

#[test]
fn an_unlabelled_field_takes_a_code_only_where_the_broker_said_which() {
    let (plan, who) = (plan(), who());
    for (marks, typed) in [
        (&["code"][..], false),
        (&["code", "totp-wanted"], true),
        (&["code", "app-code-wanted"], false),
        (&["code", "totp", "sms-wanted"], false),
    ] {
        let mut stage = Stage::new(&plan, &who, None);
        fill(stage.page(&["user", "password"], None, 0));
        let turn = stage.page(marks, Some(good(Step::Credentials)), 1);
        assert_eq!(matches!(turn.next, Next::Do(Action::Fill(_))), typed, "{marks:?}: {turn:?}");
    }
}

#[test]
fn a_page_that_still_asks_for_a_part_of_itself_is_waited_for_and_not_for_ever() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let busy = |stage: &Stage<'_>, marks: &[&str], busy| {
        Seen::Page(Sight { busy, ..stage.sight(marks, None, Rest::Loading) })
    };
    let seen = busy(&stage, &["user", "password"], true);
    assert_eq!(looks(&stage.walk.seen(seen, at(100))), 3_000);
    let seen = busy(&stage, &["user", "password"], false);
    assert_eq!(looks(&stage.walk.seen(seen, at(500))), 150);
    let seen = busy(&stage, &["user", "password", "captcha"], false);
    assert_eq!(failed(&stage.walk.seen(seen, at(600))), "captcha");
    let mut stage = Stage::new(&plan, &who, None);
    let seen = busy(&stage, &["user", "password"], true);
    stage.walk.seen(seen, at(100));
    fill(stage.walk.seen(Seen::Unchanged, at(3_100)));
}

/// Found by fuzzing: whatever ends a walk, what was submitted and not answered is judged.
#[test]
fn a_refusal_of_something_else_judges_what_was_submitted() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.page(&["user", "password"], Some(bad(Step::Finish, 504, "GeneralException")), 1);
    assert_eq!((failed(&turn), turn.verdict), ("broker-down", Some((Cause::Password, Verdict::Unknown))));
}
