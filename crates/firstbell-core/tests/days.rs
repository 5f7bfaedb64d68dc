//! Random lives against the real decisions: every invariant holds in every one of them.

use firstbell_core::days::{self, LIFE_DAYS, Report};

/// Lives in this test; the whole ten million days are lived by the released program (`firstbell simulate`).
const LIVES: u64 = 400;

#[test]
fn every_invariant_holds_in_every_life() {
    let mut report = Report::default();
    for seed in 0..LIVES {
        match days::live(seed, LIFE_DAYS) {
            Ok(life) => report.add(&life),
            Err(breach) => panic!("{breach}"),
        }
    }
    assert_eq!(report.days, LIVES * u64::from(LIFE_DAYS));
    println!("{report:?}");
}

/// Lives in which the watch once cried out for nothing: an account that strangers' slips blocked, an owner who acted between
/// the deadline and the verdict, and a login that was still running at the verdict.
#[test]
fn what_is_nobody_s_fault_is_no_breach() {
    for (seed, days) in [(887, 131), (2_164, 128), (2_256, 56), (8_664, 70), (33_778, 203)] {
        assert_eq!(
            days::live(seed, days).map_err(|breach| breach.what).map(|life| life.days),
            Ok(days.into())
        );
    }
}

#[test]
fn a_person_hears_of_every_morning_that_fails_and_never_too_often() {
    for seed in 0..LIVES / 4 {
        if let Err(breach) = days::live_heard(seed, LIFE_DAYS) {
            panic!("{breach}");
        }
    }
}

#[test]
fn a_life_is_lived_the_same_again() {
    let mut stories = [Vec::new(), Vec::new()];
    for story in &mut stories {
        days::tell(7, 60, &mut |line| story.push(line)).unwrap();
    }
    assert_eq!(stories[0], stories[1]);
    assert!(stories[0].len() > 60 * 5);
}
