//! The walk, page by page, without a browser: good mornings, bad ones, and what is spent in each.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod codes;
mod edges;
mod obstacles;

use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::{Cause, Verdict};
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Role, Step};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Answer, Fill, Rest, Seen, Sight};
use firstbell_core::totp::Seed;
use firstbell_core::walk::{Codes, Credentials, Moment, Next, Turn, Walk};
use jiff::Timestamp;

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn seed() -> Seed {
    Seed::parse(&Secret::new(SEED.into())).unwrap()
}

fn plan() -> Plan {
    Kite::live().plan().clone()
}

fn who() -> Credentials {
    Credentials {
        user_id: Secret::new("AB1234".into()),
        password: Secret::new("pass word".into()),
        codes: Codes::Seed(seed()),
    }
}

/// A moment: milliseconds into a time step that begins with a multiple of 30 s, and into the run.
fn at(ms: u64) -> Moment {
    let base = 1_795_404_600_000; // 2026-11-23, a step's first millisecond
    Moment { wall: Timestamp::from_millisecond(base + i64::try_from(ms).unwrap()).unwrap(), run_ms: ms }
}

struct Stage<'a> {
    plan: &'a Plan,
    walk: Walk<'a>,
}

impl<'a> Stage<'a> {
    fn new(plan: &'a Plan, who: &'a Credentials, last_step: Option<u64>) -> Stage<'a> {
        let mut walk = Walk::new(plan, who, last_step);
        let first = walk.first("https://kite.zerodha.com/connect/login".into(), at(0));
        assert!(matches!(first, Action::Open { wait_ms: 30_000, .. }), "{first:?}");
        Stage { plan, walk }
    }

    fn sight(&self, marks: &[&str], answer: Option<Answer>, rest: Rest) -> Sight {
        let counts =
            self.plan.marks.iter().map(|m| marks.iter().filter(|id| **id == m.id).count() as u32).collect();
        Sight { origin: Some(self.plan.origin.clone()), counts, answer, date: None, rest, busy: false }
    }

    fn page(&mut self, marks: &[&str], answer: Option<Answer>, ms: u64) -> Turn {
        let sight = self.sight(marks, answer, Rest::Loading);
        self.walk.seen(Seen::Page(sight), at(ms))
    }

    /// Walks to the page of the second factor, with the password submitted and taken.
    fn reach_code(&mut self, ms: u64) -> Turn {
        fill(self.page(&["user", "password"], None, ms));
        self.page(&["totp"], Some(good(Step::Credentials)), ms)
    }
}

fn good(after: Step) -> Answer {
    Answer { after, status: 200, page: false, good: true, error: None, message: None, retry_after_s: None }
}

fn bad(after: Step, status: u16, error: &str) -> Answer {
    Answer {
        after,
        status,
        page: false,
        good: false,
        error: Some(error.into()),
        message: None,
        retry_after_s: None,
    }
}

fn fill(turn: Turn) -> Fill {
    match turn.next {
        Next::Do(Action::Fill(fill)) => fill,
        other => panic!("not a fill: {other:?}"),
    }
}

fn failed(turn: &Turn) -> &'static str {
    match &turn.next {
        Next::Fail(failure) => failure.code(),
        other => panic!("not a failure: {other:?}"),
    }
}

fn looks(turn: &Turn) -> u64 {
    match turn.next {
        Next::Do(Action::Look { wait_ms }) => wait_ms,
        ref other => panic!("not a look: {other:?}"),
    }
}

#[test]
fn a_good_morning_types_user_and_password_then_one_code_and_leaves() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let turn = stage.page(&["user", "password"], None, 100);
    assert_eq!(turn.verdict, None);
    let typed = fill(turn);
    assert_eq!((typed.step, typed.cause, typed.time_step), (Step::Credentials, Cause::Password, None));
    let roles: Vec<_> =
        typed.fields.iter().map(|(role, _, text)| (*role, text.expose().to_owned())).collect();
    assert_eq!(roles, [(Role::UserId, "AB1234".into()), (Role::Password, "pass word".into())]);

    let turn = stage.page(&["totp"], Some(good(Step::Credentials)), 200);
    assert_eq!(turn.verdict, Some((Cause::Password, Verdict::Accepted)));
    let typed = fill(turn);
    let code = seed().code(at(200).wall);
    assert_eq!((typed.step, typed.cause, typed.time_step), (Step::Code, Cause::Code, Some(code.step)));
    assert_eq!(typed.fields[0].2.expose(), code.digits.expose());

    let turn = stage.page(&["totp"], Some(good(Step::Code)), 250);
    assert_eq!(turn.verdict, Some((Cause::Code, Verdict::Accepted)));
    let away = Secret::new("https://example.org/back?request_token=x".into());
    let turn = stage.walk.seen(Seen::Away(away), at(300));
    assert!(turn.verdict.is_none() && matches!(turn.next, Next::Left(_)));
}

#[test]
fn a_page_that_changes_while_it_loads_is_filled_once() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    assert!(looks(&stage.page(&[], None, 10)) > 0);
    assert!(looks(&stage.page(&["user"], None, 20)) > 0);
    fill(stage.page(&["user", "password"], None, 30));
    for ms in [40, 50, 60] {
        looks(&stage.page(&["user", "password"], None, ms));
    }
}

#[test]
fn two_matching_fields_are_not_typed_into() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let turn = stage.page(&["user", "password", "password"], None, 10);
    assert_eq!((failed(&turn), turn.verdict), ("unknown-page", None));
}

#[test]
fn a_quiet_page_that_nobody_knows_is_given_patience_and_then_up() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let sight = stage.sight(&[], None, Rest::Quiet);
    let turn = stage.walk.seen(Seen::Page(sight), at(1_000));
    assert_eq!(looks(&turn), 4_000);
    // A page of which nothing came is opened once more, and then no more.
    let turn = stage.walk.seen(Seen::Unchanged, at(5_000));
    assert!(matches!(&turn.next, Next::Do(Action::Open { .. })), "{turn:?}");
    let sight = stage.sight(&[], None, Rest::Quiet);
    let turn = stage.walk.seen(Seen::Page(sight), at(6_000));
    assert_eq!(looks(&turn), 4_000);
    let turn = stage.walk.seen(Seen::Unchanged, at(10_000));
    assert_eq!((failed(&turn), turn.verdict), ("unknown-page", None));
    let mut stage = Stage::new(&plan, &who, None);
    let sight = stage.sight(&["user"], None, Rest::Quiet);
    stage.walk.seen(Seen::Page(sight), at(1_000));
    let turn = stage.walk.seen(Seen::Unchanged, at(5_000));
    assert_eq!((failed(&turn), turn.verdict), ("unknown-page", None), "a part of a form is not half a page");
}

#[test]
fn a_late_page_is_waited_for_and_a_page_that_cannot_change_is_not() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let quiet = stage.sight(&[], None, Rest::Quiet);
    stage.walk.seen(Seen::Page(quiet), at(1_000));
    fill(stage.page(&["user", "password"], None, 4_000));
    let mut stage = Stage::new(&plan, &who, None);
    let sight = stage.sight(&[], None, Rest::Final);
    assert_eq!(failed(&stage.walk.seen(Seen::Page(sight), at(10))), "unknown-page");
}

#[test]
fn nothing_at_all_is_slow_before_a_submission_and_unanswered_after_it() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    assert!(looks(&stage.walk.seen(Seen::Unchanged, at(29_000))) <= 1_000);
    assert_eq!(failed(&stage.walk.seen(Seen::Unchanged, at(30_000))), "slow");
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.walk.seen(Seen::Unchanged, at(30_000));
    assert_eq!((failed(&turn), turn.verdict), ("unanswered", Some((Cause::Password, Verdict::Unknown))));
}

#[test]
fn a_refused_password_ends_the_walk() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.page(&["user", "password"], Some(bad(Step::Credentials, 403, "UserException")), 10);
    assert_eq!(
        (failed(&turn), turn.verdict),
        ("password-rejected", Some((Cause::Password, Verdict::Rejected)))
    );
}

#[test]
fn a_refused_code_is_followed_by_one_of_the_next_time_step_and_then_the_end() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    let first = fill(stage.reach_code(0));
    let turn = stage.page(&["totp"], Some(bad(Step::Code, 403, "TwoFAException")), 1_000);
    assert_eq!(turn.verdict, Some((Cause::Code, Verdict::Rejected)));
    assert_eq!(looks(&turn), 1_000, "the page takes in the refusal");
    let turn = stage.walk.seen(Seen::Unchanged, at(2_000));
    assert_eq!(looks(&turn), 28_050, "the rest of the time step");
    // A change of the page meanwhile is no reason for the same code again.
    looks(&stage.page(&["totp"], None, 20_000));
    let second = fill(stage.walk.seen(Seen::Unchanged, at(30_050)));
    assert_eq!(second.time_step, first.time_step.map(|step| step + 1));
    let turn = stage.page(&["totp"], Some(bad(Step::Code, 403, "TwoFAException")), 31_000);
    assert_eq!((failed(&turn), turn.verdict), ("code-rejected", Some((Cause::Code, Verdict::Rejected))));
}

#[test]
fn a_time_step_is_never_used_twice_and_never_in_its_last_seconds() {
    let (plan, who) = (plan(), who());
    let used = seed().code(at(0).wall).step;
    let mut stage = Stage::new(&plan, &who, Some(used));
    assert_eq!(looks(&stage.reach_code(1_000)), 29_050);
    assert_eq!(fill(stage.walk.seen(Seen::Unchanged, at(30_050))).time_step, Some(used + 1));
    let mut stage = Stage::new(&plan, &who, None);
    assert_eq!(looks(&stage.reach_code(25_001)), 5_049);
    let mut stage = Stage::new(&plan, &who, Some(used + 40));
    assert_eq!(failed(&stage.reach_code(1_000)), "clock-wrong");
}

#[test]
fn a_clock_that_differs_from_the_broker_s_makes_no_code() {
    let (plan, who) = (plan(), who());
    for (off_s, ok) in [(-12, false), (-9, true), (9, true), (12, false), (7_200, false)] {
        let mut stage = Stage::new(&plan, &who, None);
        fill(stage.page(&["user", "password"], None, 0));
        let mut sight = stage.sight(&["totp"], Some(good(Step::Credentials)), Rest::Loading);
        sight.date = Some(Timestamp::from_second(at(0).wall.as_second() - off_s).unwrap());
        let turn = stage.walk.seen(Seen::Page(sight), at(0));
        assert_eq!(turn.verdict, Some((Cause::Password, Verdict::Accepted)));
        match turn.next {
            Next::Do(Action::Fill(_)) => assert!(ok, "{off_s}"),
            Next::Fail(Failure::ClockWrong { off_s: told }) => {
                assert!(!ok && told == off_s, "{off_s} {told}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn another_origin_is_never_typed_into() {
    let (plan, who) = (plan(), who());
    for origin in [
        None,
        Some("https://kite.zerodha.com:8443"),
        Some("https://evil.example"),
        Some("http://127.0.0.1:1"),
    ] {
        let mut stage = Stage::new(&plan, &who, None);
        let mut sight = stage.sight(&["user", "password"], None, Rest::Quiet);
        sight.origin = origin.map(|o| Origin::parse(o).unwrap());
        assert_eq!(failed(&stage.walk.seen(Seen::Page(sight), at(0))), "wrong-origin");
    }
    let mut stage = Stage::new(&plan, &who, None);
    let portal = Secret::new("http://portal.example/sign-in".into());
    assert_eq!(failed(&stage.walk.seen(Seen::Away(portal), at(0))), "network-sign-in");
    let mut stage = Stage::new(&plan, &who, None);
    let other = Secret::new("https://evil.example/sign-in".into());
    assert_eq!(failed(&stage.walk.seen(Seen::Away(other), at(0))), "wrong-origin");
}

#[test]
fn a_lost_connection_spends_only_what_may_have_left() {
    let (plan, who) = (plan(), who());
    for (left, code, verdict) in
        [(true, "unanswered", Verdict::Unknown), (false, "unreachable", Verdict::NeverLeft)]
    {
        let mut stage = Stage::new(&plan, &who, None);
        fill(stage.page(&["user", "password"], None, 0));
        let turn = stage.walk.seen(Seen::Lost { left, why: "x".into() }, at(1));
        assert_eq!((failed(&turn), turn.verdict), (code, Some((Cause::Password, verdict))));
    }
    let mut stage = Stage::new(&plan, &who, None);
    let turn = stage.walk.seen(Seen::Lost { left: true, why: "x".into() }, at(1));
    assert_eq!((failed(&turn), turn.verdict), ("unreachable", None));
}

#[test]
fn fields_that_cannot_be_typed_into_cost_nothing() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.walk.seen(Seen::Untyped { why: "gone".into() }, at(1));
    assert_eq!((failed(&turn), turn.verdict), ("unknown-page", Some((Cause::Password, Verdict::NeverLeft))));
}

#[test]
fn other_second_factors_and_the_consent_page_are_told_and_not_touched() {
    let (plan, who) = (plan(), who());
    for mark in ["app-code", "sms-code", "pin", "questions"] {
        let mut stage = Stage::new(&plan, &who, None);
        fill(stage.page(&["user", "password"], None, 0));
        let turn = stage.page(&[mark], Some(good(Step::Credentials)), 1);
        assert_eq!(
            (failed(&turn), turn.verdict),
            ("other-factor", Some((Cause::Password, Verdict::Accepted)))
        );
    }
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.reach_code(0));
    let turn = stage.page(&["consent"], Some(good(Step::Code)), 1);
    assert_eq!((failed(&turn), turn.verdict), ("consent-wanted", Some((Cause::Code, Verdict::Accepted))));
}

#[test]
fn an_unknown_page_after_a_submission_leaves_it_spent() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let sight = stage.sight(&[], None, Rest::Final);
    let turn = stage.walk.seen(Seen::Page(sight), at(1));
    assert_eq!((failed(&turn), turn.verdict), ("unknown-page", Some((Cause::Password, Verdict::Unknown))));
}

#[test]
fn a_second_step_that_is_drawn_before_the_answer_waits_for_it() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.page(&["totp"], None, 1);
    assert!(turn.verdict.is_none() && matches!(turn.next, Next::Do(Action::Look { .. })), "{turn:?}");
    let turn = stage.page(&["totp"], Some(good(Step::Credentials)), 2);
    assert_eq!(turn.verdict, Some((Cause::Password, Verdict::Accepted)));
    assert_eq!(fill(turn).step, Step::Code);
    // The same page, and the password was refused: no code leaves.
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    stage.page(&["totp"], None, 1);
    let turn = stage.page(&["totp"], Some(bad(Step::Credentials, 403, "UserException")), 2);
    assert_eq!(turn.verdict, Some((Cause::Password, Verdict::Rejected)));
    assert_eq!(failed(&turn), "password-rejected");
}

#[test]
fn leaving_without_an_answer_is_no_answer() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let turn = stage.walk.seen(Seen::Away(Secret::new("https://evil.example/".into())), at(1));
    assert_eq!(turn.verdict, Some((Cause::Password, Verdict::Unknown)));
    assert!(matches!(turn.next, Next::Left(_)));
}

#[test]
fn the_broker_s_own_count_outranks_ours() {
    let (plan, who) = (plan(), who());
    for (remaining, again) in [(3, true), (2, false), (1, false)] {
        let mut stage = Stage::new(&plan, &who, None);
        fill(stage.reach_code(0));
        let mut answer = bad(Step::Code, 403, "TwoFAException");
        answer.message = Some(format!("Invalid App Code. {remaining} attempt(s) remaining"));
        let turn = stage.page(&["totp"], Some(answer), 1_000);
        assert_eq!(matches!(turn.next, Next::Do(_)), again, "{remaining}: {turn:?}");
    }
}

#[test]
fn the_whole_walk_has_an_end() {
    let (plan, who) = (plan(), who());
    let mut stage = Stage::new(&plan, &who, None);
    fill(stage.page(&["user", "password"], None, 0));
    let end_ms = u64::from(plan.deadline_s) * 1000;
    stage.page(&["totp"], Some(good(Step::Credentials)), end_ms - 10_000);
    let turn = stage.walk.seen(Seen::Unchanged, at(end_ms));
    assert_eq!(failed(&turn), "unanswered");
}
