//! When a login that failed is tried again: dense at first, bounded by the deadline, and another ladder for each class.

use jiff::{SignedDuration, Timestamp};

use super::View;
use crate::failure::Ask;
use crate::schedule::{Slot, mix};
use crate::state::Trouble;

/// Pauses after failures that spent nothing; the last one again and again until the deadline.
const AGAIN_S: [i64; 6] = [2, 4, 8, 15, 30, 60];
/// After the deadline, when a person was told, this often.
const LATE_S: i64 = 300;
/// Pauses where the broker asks to wait and does not say how long.
const WAIT_S: [i64; 3] = [60, 120, 240];
/// Waiting longer than this is not waiting.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(24);
/// After something whose end nobody knows.
const ONCE_S: i64 = 5;
/// Pages and engines that only a person understands may be others a little later; looking at them spends nothing.
const HUMAN_S: [i64; 2] = [120, 600];

/// Pauses between two links to a person. Each lives for ten minutes ([`crate::invitation::LIFE_MAX`]): until the market has
/// opened there always is one.
const INVITE_S: [i64; 5] = [600, 600, 600, 1_800, 3_600];

/// When the next login of this morning may be; none where only a person can say.
pub(super) fn again_at(view: &View<'_>, slot: &Slot, now: Timestamp) -> Option<Timestamp> {
    let waited = waited(view, now);
    let Some(trouble) = &view.state.trouble else { return Some(waited.max(slot.login_at)) };
    // What was refused, or where somebody may be in the way, holds over days, until the owner acts.
    if trouble.ask == Ask::Stop {
        return None;
    }
    // A trouble that is still to come is of a clock that was wrong: its pause would never be over.
    if trouble.at < slot.login_at || trouble.at > now {
        return Some(waited.max(slot.login_at));
    }
    let pause = |s: i64| trouble.at + SignedDuration::from_millis(jittered_ms(view, trouble, s));
    let step = usize::from(trouble.times.max(1) - 1);
    let at = match trouble.ask {
        _ if trouble.unclear > 1 => return None,
        Ask::Again => {
            let soon = pause(AGAIN_S[step.min(AGAIN_S.len() - 1)]);
            if soon < slot.deadline_at { soon } else { soon.max(pause(LATE_S)) }
        }
        // As long as it was asked for, but a minute at least.
        Ask::Wait if waited > trouble.at => pause(WAIT_S[0]),
        Ask::Wait => pause(WAIT_S[step.min(WAIT_S.len() - 1)]),
        Ask::Once => pause(ONCE_S),
        Ask::Human => pause(*HUMAN_S.get(step)?),
        Ask::Stop => return None,
    };
    Some(at.max(waited))
}

/// When a person is asked to log in; none where that was often enough.
pub(super) fn invite_at(view: &View<'_>, slot: &Slot, now: Timestamp) -> Option<Timestamp> {
    let of_morning = |(at, _): &(Timestamp, u8)| slot.check_at <= *at && *at <= now;
    let Some((last, times)) = view.state.invited.filter(of_morning) else {
        return Some(slot.login_at.max(now));
    };
    let pause_s = INVITE_S.get(usize::from(times.max(1) - 1))?;
    Some(last + SignedDuration::from_secs(*pause_s))
}

/// The moment that the broker named, as far as it can be believed; one that was named under a wrong clock cannot.
fn waited(view: &View<'_>, now: Timestamp) -> Timestamp {
    match view.state.wait {
        Some((at, until)) if at <= now => until.min(at + WAIT_MAX),
        _ => Timestamp::MIN,
    }
}

/// Half to one and a half of a pause: accounts that failed together do not come back together.
fn jittered_ms(view: &View<'_>, trouble: &Trouble, pause_s: i64) -> i64 {
    let at = trouble.at.as_millisecond().unsigned_abs();
    let share = mix(view.schedule.seed.wrapping_add(mix(at ^ u64::from(trouble.times)))) % 1_000;
    pause_s * (500 + i64::try_from(share).expect("it is less than a thousand"))
}
