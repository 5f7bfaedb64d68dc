//! Whatever a page shows and its broker answers: one walk types each secret once, at the broker's origin, and repeats no word.
#![no_main]

use std::sync::LazyLock;

use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::Cause;
use firstbell_core::plan::{Plan, Role};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Fill, Seen};
use firstbell_core::totp::Seed;
use firstbell_core::walk::{Codes, Credentials, Moment, Next, Walk};
use firstbell_fuzz::{CANARY, Feed, sights, told};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;

static KITE: LazyLock<Kite> = LazyLock::new(Kite::live);
fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    let seed = || Seed::parse(&Secret::new("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".into())).expect("base32");
    let codes = if feed.byte().is_multiple_of(4) { Codes::Asked } else { Codes::Seed(seed()) };
    let secret = |text: &str| Secret::new(text.into());
    let who = Credentials { user_id: secret("AB1234"), password: secret("tr0ub4dor"), codes };
    let plan = KITE.plan();
    let mut walk = Walk::new(plan, &who, None);
    let mut now = Moment { wall: Timestamp::from_second(1_795_573_800).expect("in 2026"), run_ms: 0 };
    let mut next = Next::Do(walk.first("https://kite.zerodha.com/connect/login".into(), now));
    let (mut origin, mut counts) = (None, Vec::new());
    let (mut fills, mut awaited): (Vec<(Cause, Option<u64>)>, Option<Cause>) = (Vec::new(), None);
    loop {
        match next {
            Next::Do(Action::Fill(ref fill)) => {
                assert_eq!(origin.as_ref(), Some(&plan.origin), "typed at another origin");
                assert!(awaited.replace(fill.cause).is_none(), "typed before the last answer was judged");
                check(plan, fill, &counts);
                fills.push((fill.cause, fill.time_step));
            }
            Next::Do(_) => {}
            Next::NeedCode => {
                next =
                    walk.code(Secret::new(format!("{:06}", feed.byte())), feed.byte().is_multiple_of(2), now);
                continue;
            }
            Next::Left(_) => assert!(!fills.is_empty(), "it ended well, and nothing was submitted"),
            Next::Fail(ref failure) => assert!(!told(failure).contains(CANARY), "{failure:?}"),
        }
        let went_on = matches!(next, Next::Do(_));
        assert!(went_on || awaited.is_none(), "the walk is over, and a submission was not judged");
        if !went_on || feed.is_over() {
            break;
        }
        let passed_ms = u64::from(feed.byte()).pow(2);
        now.run_ms += passed_ms;
        now.wall += SignedDuration::from_millis(i64::try_from(passed_ms).expect("a minute"));
        let seen = sights::seen(plan, &mut feed, now.wall);
        if let Seen::Page(sight) = &seen {
            (origin, counts) = (sight.origin.clone(), sight.counts.clone());
        }
        let turn = walk.seen(seen, now);
        if let Some((cause, _)) = turn.verdict {
            assert_eq!(awaited.take(), Some(cause), "a verdict on what was not submitted");
        }
        next = turn.next;
    }
    assert!(fills.iter().filter(|(cause, _)| *cause == Cause::Password).count() <= 1, "{fills:?}");
    let steps: Vec<u64> = fills.iter().filter_map(|(_, step)| *step).collect();
    assert!(steps.len() <= 2 && steps.is_sorted_by(|a, b| a < b), "{fills:?}");
});

/// Each text goes into the one field of its kind.
fn check(plan: &Plan, fill: &Fill, counts: &[u32]) {
    for (role, mark, text) in &fill.fields {
        assert_eq!(counts.get(*mark), Some(&1), "typed into what is not there once");
        let kinds = plan.marks[*mark].find.iter().flat_map(|target| &target.kinds);
        let hidden = kinds.map(String::as_str).all(|kind| kind == "password");
        assert_eq!(hidden, *role == Role::Password, "{role:?} went into {}", plan.marks[*mark].id);
        assert_eq!(text.expose() == "tr0ub4dor", *role == Role::Password, "{role:?}");
    }
}
