//! Codes that somebody else makes: when they are asked for, and which are taken.

use super::*;

fn asked<'a>(plan: &'a Plan, who: &'a Credentials, last_step: Option<u64>, ms: u64) -> (Stage<'a>, Turn) {
    let mut stage = Stage::new(plan, who, last_step);
    let turn = stage.reach_code(ms);
    (stage, turn)
}

#[test]
fn a_code_of_somebody_else_is_asked_for_at_the_last_moment_and_once_a_time_step() {
    let (plan, who) = (plan(), Credentials { codes: Codes::Asked, ..who() });
    let digits = |text: &str| Secret::new(text.into());
    let step = 1_795_404_600_000 / 30_000;
    // Too late in this time step: the next one is awaited, then the question is put.
    let (mut stage, turn) = asked(&plan, &who, None, 26_000);
    assert_eq!(looks(&turn), 4_050);
    assert!(matches!(stage.walk.seen(Seen::Unchanged, at(30_050)).next, Next::NeedCode));
    let Next::Do(Action::Fill(typed)) = stage.walk.code(digits("123456"), false, at(31_000)) else {
        panic!()
    };
    assert_eq!((typed.time_step, typed.fields[0].2.expose()), (Some(step + 1), "123456"));
    // A time step that was used is not asked for again, across restarts too.
    let (_, turn) = asked(&plan, &who, Some(step), 1_000);
    assert_eq!(looks(&turn), 29_050);
    // A code that took longer than its time step is asked for anew, a few times; one that a person typed is taken.
    let (mut stage, turn) = asked(&plan, &who, None, 0);
    assert!(matches!(turn.next, Next::NeedCode));
    assert!(matches!(stage.walk.code(digits("1"), false, at(30_500)), Next::NeedCode));
    assert!(matches!(stage.walk.code(digits("2"), false, at(60_500)), Next::NeedCode));
    let end = stage.walk.code(digits("3"), false, at(90_500));
    assert!(matches!(&end, Next::Fail(Failure::Broken { .. })), "{end:?}");
    let (mut stage, _) = asked(&plan, &who, None, 0);
    assert!(matches!(stage.walk.code(digits("4"), true, at(40_000)), Next::Do(Action::Fill(_))));
}

#[test]
fn a_source_that_repeats_itself_is_not_believed() {
    let (plan, who) = (plan(), Credentials { codes: Codes::Asked, ..who() });
    let digits = || Secret::new("123456".into());
    let (mut stage, _) = asked(&plan, &who, None, 0);
    assert!(matches!(stage.walk.code(digits(), false, at(100)), Next::Do(Action::Fill(_))));
    stage.page(&["totp"], Some(bad(Step::Code, 403, "TwoFAException")), 1_000);
    looks(&stage.walk.seen(Seen::Unchanged, at(2_000)));
    assert!(matches!(stage.walk.seen(Seen::Unchanged, at(31_000)).next, Next::NeedCode));
    let mut next = stage.walk.code(digits(), false, at(31_100));
    for ms in [31_200, 31_300] {
        if matches!(next, Next::NeedCode) {
            next = stage.walk.code(digits(), false, at(ms));
        }
    }
    assert!(matches!(&next, Next::Fail(Failure::Broken { .. })), "{next:?}");
}

#[test]
fn a_time_step_that_was_used_tells_of_a_clock_that_was_set_back() {
    let (plan, who) = (plan(), who());
    let step = 1_795_404_600_000 / 30_000;
    // One ahead may be a code of a moment ago, at the turn of a step.
    for (last, off_s) in
        [(step - 1, None), (step, None), (step + 1, None), (step + 2, Some(-60)), (step + 9, Some(-270))]
    {
        let (_, turn) = asked(&plan, &who, Some(last), 1_000);
        match (turn.next, off_s) {
            (Next::Fail(Failure::ClockWrong { off_s }), Some(told)) => assert_eq!(off_s, told),
            (Next::Do(Action::Fill(_)), None) => assert!(last < step, "a second code in one step"),
            (Next::Do(Action::Look { wait_ms }), None) => assert_eq!((wait_ms, last >= step), (29_050, true)),
            (next, _) => panic!("{last}: {next:?}"),
        }
    }
}

#[test]
fn a_code_is_made_or_taken_while_its_time_step_lasts_five_seconds_more() {
    let (plan, seeded) = (plan(), who());
    fill(asked(&plan, &seeded, None, 25_000).1);
    assert_eq!(looks(&asked(&plan, &seeded, None, 25_001).1), 4_999 + 50);
    let who = Credentials { codes: Codes::Asked, ..who() };
    let step = 1_795_404_600_000 / 30_000;
    for (given_ms, is_taken) in [(100, true), (25_000, true), (25_001, false), (29_999, false)] {
        let (mut stage, turn) = asked(&plan, &who, Some(step - 1), 0);
        assert!(matches!(turn.next, Next::NeedCode));
        let next = stage.walk.code(Secret::new("123456".into()), false, at(given_ms));
        assert_eq!(matches!(next, Next::Do(Action::Fill(_))), is_taken, "{given_ms}: {next:?}");
        assert!(is_taken || matches!(next, Next::Do(Action::Look { .. })), "{given_ms}: {next:?}");
    }
    // A clock that was set back while somebody was asked: that step has had its code.
    let (mut stage, _) = asked(&plan, &who, Some(step - 1), 0);
    let back = Moment { wall: at(0).wall - jiff::SignedDuration::from_secs(1), run_ms: 100 };
    let next = stage.walk.code(Secret::new("123456".into()), true, back);
    assert!(matches!(next, Next::Do(Action::Look { .. })), "{next:?}");
}

#[test]
fn waiting_for_a_time_step_or_for_a_person_takes_no_time_from_the_page() {
    let mut plan = plan();
    plan.deadline_s = 100;
    for page in &mut plan.pages {
        if let Some(entry) = &mut page.entry {
            entry.deadline_s = 1;
        }
    }
    let (who, step) = (who(), 1_795_404_600_000 / 30_000);
    // Until ten seconds after the step that was used is over.
    let (mut stage, turn) = asked(&plan, &who, Some(step), 1_000);
    assert_eq!(looks(&turn), 29_050);
    fill(stage.walk.seen(Seen::Unchanged, at(39_999)));
    let (mut stage, _) = asked(&plan, &who, Some(step), 1_000);
    assert_eq!(failed(&stage.walk.seen(Seen::Unchanged, at(40_000))), "unknown-page");
    // A code of a person is worth half a minute more than the walk had left.
    let asks = Credentials { codes: Codes::Asked, ..who };
    for page in &mut plan.pages {
        if let Some(entry) = &mut page.entry {
            entry.deadline_s = 60;
        }
    }
    let (mut stage, turn) = asked(&plan, &asks, None, 0);
    assert!(matches!(turn.next, Next::NeedCode));
    let typed = stage.walk.code(Secret::new("123456".into()), true, at(95_000));
    assert!(matches!(typed, Next::Do(Action::Fill(Fill { wait_ms: 30_000, .. }))), "{typed:?}");
}
