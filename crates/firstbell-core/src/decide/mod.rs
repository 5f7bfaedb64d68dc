//! State and moment give the one next thing to do for an account, when, and why.

mod ladder;
mod reason;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use crate::calendar::Calendar;
use crate::failure::Stop;
use crate::schedule::{Assisted, Schedule, Slot};
use crate::state::State;
use crate::token::{Life, Standing, date_in_india, in_india};

pub use self::reason::{Reason, Unserved};

/// A question to the broker is not repeated sooner than this.
pub const PROBE_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// Two tokens that die within this time are two programs that fight for one API key.
pub const FIGHT: SignedDuration = SignedDuration::from_mins(30);

/// All that a decision looks at, beside the moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The account's mornings.
    pub schedule: &'a Schedule,
    /// Which days trade.
    pub calendar: &'a Calendar,
    /// The account's history, folded.
    pub state: &'a State,
    /// Whether the budget admits both credentials as they are stored now.
    pub admitted: Result<(), Stop>,
    /// The life of the current token.
    pub token: Option<Life>,
    /// Whether a token waits to be proven.
    pub pending: bool,
    /// When the broker was last asked about the current token, and whether it took it; none where a login was tried since.
    pub probe: Option<Probe>,
}

/// What asking about the current token gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When.
    pub at: Timestamp,
    /// Whether it lives; unknown where no answer came.
    pub alive: Option<bool>,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To look again.
    Look,
    /// To try all that a login needs, without a credential.
    Check,
    /// To ask the broker whether the current token lives.
    Probe,
    /// To log in.
    Login,
    /// To ask a person to log in, and to do the rest.
    Invite,
    /// To give the verdict of the deadline.
    Assess,
}

/// The next thing, when, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub step: Step,
    /// Not before this moment; where it is past, now.
    pub at: Timestamp,
    /// For what.
    pub because: Reason,
}

/// What the current token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    Good,
    Doubtful,
    None,
}

/// Says what is next. The same view and moment give the same answer, so that it may be asked after every wake, for
/// whatever reason the wake came.
pub fn decide(view: &View<'_>, now: Timestamp) -> Decision {
    let around = view.schedule.around(view.calendar, now);
    match around {
        _ if view.state.paused => rest(view, now, Reason::Paused),
        None => rest(view, now, Reason::NextMorning),
        Some(slot) if now < slot.login_at => before(view, &slot, now),
        Some(slot) => within(view, &slot, now),
    }
}

/// Whether the current token may be handed out.
///
/// # Errors
/// Says why not.
pub fn serve(view: &View<'_>, now: Timestamp) -> Result<(), Unserved> {
    match worth(view, now) {
        Worth::Good => Ok(()),
        Worth::Doubtful => Err(Unserved::Unproven),
        Worth::None if view.token.is_none() => Err(Unserved::None),
        Worth::None => Err(Unserved::Dead),
    }
}

/// The next moment at which a token is worth something else without anybody doing anything: whoever shows what is handed
/// out looks again then. None without a token.
pub fn turns_at(view: &View<'_>, now: Timestamp) -> Option<Timestamp> {
    let life = view.token?;
    let today = date_in_india(now);
    let begins = |date| in_india(date, Time::constant(view.schedule.flush.begins_h, 0, 0, 0));
    // A token that is trusted is so without any answer of the broker's.
    let is_trusted = life.standing(now) == Standing::Trusted && view.state.doubted_from.is_none();
    let stale = view.probe.filter(|_| !is_trusted).map(|probe| probe.at + PROBE_PAUSE);
    let of_life = [life.suspect_from, life.trusted_until, life.dead_from];
    let of_day = [begins(today), begins(today.tomorrow().unwrap_or(today))];
    of_life.into_iter().chain(of_day).chain(stale).filter(|at| *at > now).min()
}

/// Whether the broker may be asked about the current token: it was not asked, nor the token proven, a moment ago.
pub fn may_probe(view: &View<'_>, now: Timestamp) -> bool {
    let alive = view.token.is_some() && view.state.died_at.is_none();
    alive && asked_at(view, now).is_none_or(|at| now.duration_since(at) >= PROBE_PAUSE)
}

/// What becomes of the morning's token, whatever else is to be done before: where a person has to act before there can be
/// another login, the reason says so ([`Reason::calls_for_a_human`]).
pub fn prospect(view: &View<'_>, now: Timestamp) -> Decision {
    match view.schedule.around(view.calendar, now) {
        Some(slot) if now >= slot.login_at && !view.state.paused => towards_token(view, &slot, now),
        _ => decide(view, now),
    }
}

/// Whether a person who was asked to log in is still needed.
pub fn awaits_person(view: &View<'_>, now: Timestamp) -> bool {
    let because = match view.schedule.assisted {
        Assisted::Never => return false,
        Assisted::Last | Assisted::Only => prospect(view, now).because,
    };
    because == Reason::Person || (because.calls_for_a_human() && because != Reason::Fought)
}

fn rest(view: &View<'_>, now: Timestamp, because: Reason) -> Decision {
    let next = view.schedule.next(view.calendar, now).map(|slot| slot.check_at);
    let at = next.unwrap_or_else(|| now + SignedDuration::from_hours(24));
    Decision { step: Step::Look, at, because }
}

/// Whether something was done in this morning. A moment that is still to come is of a clock that was wrong.
fn is_done(at: Option<Timestamp>, from: Timestamp, now: Timestamp) -> bool {
    at.is_some_and(|at| from <= at && at <= now)
}

fn before(view: &View<'_>, slot: &Slot, now: Timestamp) -> Decision {
    if !is_done(view.state.checked_at, slot.check_at, now) {
        return Decision { step: Step::Check, at: slot.check_at, because: Reason::Beforehand };
    }
    match view.schedule.assisted {
        Assisted::Only => Decision { step: Step::Invite, at: slot.login_at, because: Reason::Person },
        _ => Decision { step: Step::Login, at: slot.login_at, because: Reason::Due },
    }
}

fn within(view: &View<'_>, slot: &Slot, now: Timestamp) -> Decision {
    let assessed = is_done(view.state.assessed_at, slot.deadline_at, now);
    let next = towards_token(view, slot, now);
    // In the night after, nothing is caught up any more, nor judged: a token that is made there ends before anybody can use it.
    if date_in_india(now) > slot.date {
        let useful = worth(view, now) == Worth::Good;
        return if useful { next } else { rest(view, now, Reason::NextMorning) };
    }
    // A verdict before anything was tried would say nothing: a morning that is caught up logs in first.
    let waits = next.step != Step::Login || next.at > now;
    if !assessed && waits && slot.deadline_at <= next.at.max(now) {
        return Decision { step: Step::Assess, at: slot.deadline_at, because: Reason::Deadline };
    }
    next
}

fn towards_token(view: &View<'_>, slot: &Slot, now: Timestamp) -> Decision {
    match worth(view, now) {
        Worth::Good => good(view, slot, now),
        Worth::Doubtful => probe_at(view, now),
        Worth::None => login_at(view, slot, now),
    }
}

/// The token is good: it is asked about while people trade on it, and rarely.
fn good(view: &View<'_>, slot: &Slot, now: Timestamp) -> Decision {
    let every = view.schedule.hours.probe_every.max(PROBE_PAUSE);
    let at = asked_at(view, now).map_or(now, |at| at + every).max(slot.deadline_at);
    if at < slot.closes_at {
        return Decision { step: Step::Probe, at, because: Reason::Watched };
    }
    rest(view, now, Reason::Good)
}

fn probe_at(view: &View<'_>, now: Timestamp) -> Decision {
    let at = asked_at(view, now).map_or(now, |at| at + PROBE_PAUSE);
    Decision { step: Step::Probe, at, because: Reason::Doubted }
}

fn login_at(view: &View<'_>, slot: &Slot, now: Timestamp) -> Decision {
    if fought(view, slot) {
        return rest(view, now, Reason::Fought);
    }
    let only = view.schedule.assisted == Assisted::Only;
    if let (Err(stop), false, false) = (view.admitted, view.pending, only) {
        return person(view, slot, now, Reason::Stopped(stop));
    }
    if view.state.died_at.is_some_and(|died| died >= slot.login_at) && view.schedule.flushing(now) {
        let at = view.schedule.flushed_at(now);
        let step = if only { Step::Invite } else { Step::Login };
        return Decision { step, at, because: Reason::Weather };
    }
    if only {
        return person(view, slot, now, Reason::Person);
    }
    let Some(at) = ladder::again_at(view, slot, now) else {
        return person(view, slot, now, Reason::Human);
    };
    let because = match (&view.state.trouble, view.state.died_at) {
        (Some(trouble), _) if trouble.at >= slot.login_at => Reason::Retry(trouble.ask),
        (_, Some(died)) if died >= slot.login_at => Reason::Replaced,
        _ if now >= slot.deadline_at => Reason::Missed,
        _ => Reason::Due,
    };
    Decision { step: Step::Login, at, because }
}

/// A person gets on from here: one who wants to be asked is asked, while a token is of use and not too often.
fn person(view: &View<'_>, slot: &Slot, now: Timestamp, because: Reason) -> Decision {
    let at = ladder::invite_at(view, slot, now).filter(|at| *at < slot.closes_at);
    match at.filter(|_| view.schedule.assisted != Assisted::Never && date_in_india(now) == slot.date) {
        Some(at) => Decision { step: Step::Invite, at, because },
        None => rest(view, now, because),
    }
}

/// Two tokens of this morning died within half an hour: logging in again would only end the other program's token. What
/// the broker itself ends in its flush does not count.
fn fought(view: &View<'_>, slot: &Slot) -> bool {
    let (Some(first), Some(second)) = (view.state.died_before, view.state.died_at) else { return false };
    let from = slot.login_at.max(view.schedule.flushed_at(slot.login_at));
    (from..slot.ends_at).contains(&first) && second >= first && second.duration_since(first) < FIGHT
}

fn worth(view: &View<'_>, now: Timestamp) -> Worth {
    let Some(life) = view.token else { return Worth::None };
    // What the broker refused is dead, whether or not that could be written down.
    let refused = view.probe.is_some_and(|probe| {
        probe.alive == Some(false) && view.state.proven_at.is_none_or(|proven| proven < probe.at)
    });
    if view.state.died_at.is_some() || refused {
        return Worth::None;
    }
    match life.standing(now) {
        Standing::Dead => Worth::None,
        Standing::Trusted if view.state.doubted_from.is_none() => Worth::Good,
        _ if is_settled(view, &life, now) => Worth::Good,
        _ => Worth::Doubtful,
    }
}

/// A token in doubt is good after all when the broker took it a moment ago, or took it after all that could have ended
/// it: the flush of its day, and an exchange that nobody knows the end of.
fn is_settled(view: &View<'_>, life: &Life, now: Timestamp) -> bool {
    let Some(Probe { at, alive: Some(true) }) = view.probe else { return false };
    let flush = view.schedule.flush;
    let (from, until) = if life.trusted_until > life.issued {
        (life.issued, life.trusted_until)
    } else {
        let flushed = view.schedule.flushed_at(life.issued);
        (flushed, Life::of(flushed, flush).trusted_until)
    };
    let fresh = now.duration_since(at) < PROBE_PAUSE;
    // A doubt that is still to come is of a clock that was wrong.
    let undoubted = view.state.doubted_from.is_none_or(|from| at >= from || from > now);
    at <= now && undoubted && (fresh || (at >= from && now < until))
}

/// When the broker last told of the current token: being proven is an answer too. A moment that is still to come is of a
/// clock that was wrong, and says nothing.
fn asked_at(view: &View<'_>, now: Timestamp) -> Option<Timestamp> {
    let probed = view.probe.map(|probe| probe.at).filter(|at| *at <= now);
    probed.max(view.state.proven_at.filter(|at| *at <= now))
}
