//! The machine that walks a plan: what was seen gives what to do next. Pure; a driver performs and reports.

mod code;

use jiff::Timestamp;
use url::Url;

use crate::answer::read_answer;
use crate::budget::{Cause, Verdict};
use crate::failure::{Failure, Stage};
use crate::obstacle::Obstacle;
use crate::plan::{Entry, Page, PageKind, Plan, Role, Step};
use crate::secret::Secret;
use crate::sight::{Action, Answer, Fill, Rest, Seen, Sight};
use crate::totp::Seed;

/// When the broker says that no more than this many attempts remain, they are the owner's.
const REMAINING_MIN: u8 = 2;
/// A page that was told of a refusal empties its field before it takes another code, and nothing on the wire says when.
const REFUSED_MS: u64 = 1_000;
/// A page that asks for more of itself (a captcha, for one) is waited for so long before a password is typed …
const BUSY_MS: u64 = 3_000;
/// … and then given this to draw what came.
const DRAWN_MS: u64 = 150;
/// Codes that one walk submits at most.
const CODES_MAX: u8 = 2;

/// A moment on both clocks: the calendar's, for codes, and one that only runs forward, for deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time of day.
    pub wall: Timestamp,
    /// Milliseconds since the walk began.
    pub run_ms: u64,
}

/// Who logs in.
#[derive(Debug)]
pub struct Credentials {
    /// The client id.
    pub user_id: Secret,
    /// The password.
    pub password: Secret,
    /// Where the six digits come from.
    pub codes: Codes,
}

/// Where the six digits of the external TOTP come from.
#[derive(Debug)]
pub enum Codes {
    /// They are made here.
    Seed(Seed),
    /// Somebody else makes them, and is asked at the last moment.
    Asked,
}

/// What follows from what was seen.
#[derive(Debug)]
pub struct Turn {
    /// What became of the last submission, when that is now known.
    pub verdict: Option<(Cause, Verdict)>,
    /// What to do.
    pub next: Next,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Have the driver do this.
    Do(Action),
    /// Ask for a code, and tell the walk by [`Walk::code`].
    NeedCode,
    /// The walk is over: the page leaves for this address.
    Left(Secret),
    /// The walk is over.
    Fail(Failure),
}

/// One walk through a plan.
#[derive(Debug)]
pub struct Walk<'a> {
    plan: &'a Plan,
    who: &'a Credentials,
    /// The last step that was submitted, and whether its answer is known.
    at: Step,
    answered: bool,
    until_ms: u64,
    end_ms: u64,
    quiet_since_ms: Option<u64>,
    codes: u8,
    code_due: bool,
    not_before_ms: u64,
    code_awaited: bool,
    last_step: Option<u64>,
    skew_s: Option<i64>,
    counts: Vec<u32>,
    /// Whether the page waits for something of its own, since when, and when it may be taken for drawn.
    busy: bool,
    busy_since_ms: Option<u64>,
    drawn_ms: u64,
    url: String,
    reloaded: bool,
    /// The time step in which a code was asked for, and how often that was.
    asked: Option<(u64, u8)>,
    /// The code that was last taken from somebody else.
    given: Option<Secret>,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun. `last_step` is the newest time step of which a code was ever submitted.
    pub fn new(plan: &'a Plan, who: &'a Credentials, last_step: Option<u64>) -> Walk<'a> {
        Walk {
            plan,
            who,
            at: Step::Open,
            answered: true,
            until_ms: 0,
            end_ms: u64::from(plan.deadline_s) * 1000,
            quiet_since_ms: None,
            codes: 0,
            code_due: false,
            not_before_ms: 0,
            code_awaited: false,
            last_step,
            skew_s: None,
            counts: Vec::new(),
            busy: false,
            busy_since_ms: None,
            drawn_ms: 0,
            url: String::new(),
            reloaded: false,
            asked: None,
            given: None,
        }
    }

    /// The first thing to do.
    pub fn first(&mut self, url: String, now: Moment) -> Action {
        self.end_ms += now.run_ms;
        self.until_ms = now.run_ms + u64::from(self.plan.open_s) * 1000;
        self.url.clone_from(&url);
        Action::Open { url, wait_ms: self.wait_ms(now) }
    }

    /// Whether the walk is waiting for the next time step before it makes a code.
    pub fn awaits_code(&self) -> bool {
        self.code_awaited
    }

    /// What follows from what the driver saw.
    pub fn seen(&mut self, seen: Seen, now: Moment) -> Turn {
        match seen {
            Seen::Page(sight) => self.page(sight, now),
            Seen::Away(url) => self.away(url),
            Seen::Lost { left, why } => self.lost(left, why),
            Seen::Insecure(fault) => {
                let failure = Failure::Insecure { stage: self.stage(), fault };
                Turn { verdict: self.judge(Verdict::NeverLeft), next: Next::Fail(failure) }
            }
            Seen::Untyped { why } => {
                let failure = Failure::UnknownPage { stage: self.stage(), seen: why };
                Turn { verdict: self.judge(Verdict::NeverLeft), next: Next::Fail(failure) }
            }
            // A walk asks for neither of the last two.
            Seen::Unchanged | Seen::Bones(_) | Seen::Picture(_) => self.unchanged(now),
        }
    }

    fn page(&mut self, sight: Sight, now: Moment) -> Turn {
        if let Some(date) = sight.date {
            let skew_s = now.wall.as_second() - date.as_second();
            // A slow reply looks like a skew, so the smallest one seen is the truest.
            self.skew_s =
                Some(self.skew_s.map_or(skew_s, |s| if skew_s.abs() < s.abs() { skew_s } else { s }));
        }
        if sight.origin.as_ref() != Some(&self.plan.origin) {
            let origin = sight.origin.map_or("an address without a secure origin".into(), |o| o.to_string());
            return self.fail(Failure::WrongOrigin { origin });
        }
        self.counts = sight.counts;
        if self.busy && !sight.busy {
            self.drawn_ms = now.run_ms + DRAWN_MS;
        }
        self.busy = sight.busy;
        if self.busy {
            self.busy_since_ms.get_or_insert(now.run_ms);
        }
        let mut verdict = None;
        if let Some(answer) = &sight.answer {
            match self.answer(answer, now) {
                Ok(v) => verdict = v,
                Err(turn) => return *turn,
            }
        }
        if self.plan.recognise(&self.counts).is_some() || sight.rest == Rest::Loading {
            self.quiet_since_ms = None;
        } else {
            self.quiet_since_ms.get_or_insert(now.run_ms);
        }
        let next = self.next(sight.rest == Rest::Final, now);
        if verdict.is_none() && matches!(next, Next::Fail(_)) {
            verdict = self.judge(Verdict::Unknown);
        }
        Turn { verdict, next }
    }

    /// Takes in an answer: a verdict where it is good, the end of the walk where it is not, except for a first
    /// refused code, after which one more follows.
    fn answer(&mut self, answer: &Answer, now: Moment) -> Result<Option<(Cause, Verdict)>, Box<Turn>> {
        let ours = answer.after == self.at;
        if answer.good {
            return Ok(if ours { self.judge(Verdict::Accepted) } else { None });
        }
        let (verdict, failure) = read_answer(self.plan, answer);
        let verdict = if ours { self.judge(verdict) } else { None };
        // The broker's own count outranks ours: of its five, some must be left for the owner.
        let enough = !matches!(failure, Failure::CodeRejected { remaining: Some(n) } if n <= REMAINING_MIN);
        if matches!(failure, Failure::CodeRejected { .. }) && self.codes < CODES_MAX && enough {
            self.code_due = true;
            self.not_before_ms = now.run_ms + REFUSED_MS;
            return Ok(verdict);
        }
        // Also where it answers something else: what was submitted is over with the walk.
        let verdict = verdict.or_else(|| self.judge(Verdict::Unknown));
        Err(Box::new(Turn { verdict, next: Next::Fail(failure) }))
    }

    /// What to do on the page that the last counts make.
    fn next(&mut self, settled: bool, now: Moment) -> Next {
        let page = self.plan.recognise(&self.counts);
        let fresh = self.codes == 0 || self.code_due;
        let kind = page.map(|p| p.kind);
        if let Some(obstacle) = kind.and_then(PageKind::obstacle) {
            return Next::Fail(Failure::Barred(obstacle));
        }
        if let (Some(factor), true) = (kind.and_then(PageKind::other_factor), self.at == Step::Credentials) {
            return Next::Fail(Failure::OtherFactor { factor });
        }
        match (kind, self.at) {
            (Some(PageKind::Credentials), Step::Open) => self.enter(page, now),
            // A page may draw its second step before the first one is answered; the answer decides.
            (Some(PageKind::Totp), Step::Credentials | Step::Code) if fresh && self.answered => {
                self.enter_code(page, now)
            }
            (Some(PageKind::Consent), _) => Next::Fail(Failure::ConsentWanted),
            (Some(_), Step::Open) => self.unknown(),
            (None, _) if settled => self.unknown(),
            _ => self.look(now),
        }
    }

    fn enter(&mut self, page: Option<&Page>, now: Moment) -> Next {
        // Half a login would be an attempt for nothing: with this clock no code will be made.
        if let Some(failure) = self.clock_fault() {
            return Next::Fail(failure);
        }
        let busy_until_ms = self.busy_since_ms.filter(|_| self.busy).map_or(0, |since| since + BUSY_MS);
        let ready_ms = busy_until_ms.max(self.drawn_ms);
        if now.run_ms < ready_ms {
            return Next::Do(Action::Look { wait_ms: ready_ms - now.run_ms });
        }
        match page.and_then(|p| p.entry.as_ref()) {
            Some(entry) => self.fill(entry, None, now),
            None => self.unknown(),
        }
    }

    fn fill(&mut self, entry: &Entry, code: Option<(u64, Secret)>, now: Moment) -> Next {
        if entry.fields.iter().any(|f| self.counts.get(f.mark) != Some(&1)) {
            return self.unknown();
        }
        let text = |role| match role {
            Role::UserId => self.who.user_id.clone(),
            Role::Password => self.who.password.clone(),
            Role::Code => code.as_ref().map_or(Secret::new(String::new()), |(_, digits)| digits.clone()),
        };
        let fields = entry.fields.iter().map(|f| (f.role, f.mark, text(f.role))).collect();
        let time_step = code.as_ref().map(|(step, _)| *step);
        self.at = entry.step;
        self.answered = false;
        self.code_due = false;
        self.asked = None;
        self.codes += u8::from(time_step.is_some());
        self.last_step = self.last_step.max(time_step);
        self.until_ms = now.run_ms + u64::from(entry.deadline_s) * 1000;
        let cause = cause_of(entry.step);
        let wait_ms = self.wait_ms(now);
        Next::Do(Action::Fill(Fill {
            step: entry.step,
            fields,
            submit: entry.submit,
            cause,
            time_step,
            wait_ms,
        }))
    }

    fn away(&mut self, url: Secret) -> Turn {
        if self.at == Step::Open {
            let url = Url::parse(url.expose()).ok();
            // Only what sits between us and the broker leads from an encrypted page to an open one.
            if self.plan.origin.is_https() && url.as_ref().is_some_and(|url| url.scheme() == "http") {
                return self.fail(Failure::Barred(Obstacle::NetworkSignIn));
            }
            let origin = url.and_then(|u| u.host_str().map(str::to_owned));
            return self.fail(Failure::WrongOrigin {
                origin: origin.unwrap_or_else(|| "an unreadable address".into()),
            });
        }
        // Leaving is no answer: where none came, nobody knows, and only a token that is proven makes up for it.
        Turn { verdict: self.judge(Verdict::Unknown), next: Next::Left(url) }
    }

    fn lost(&mut self, left: bool, why: String) -> Turn {
        let stage = self.stage();
        if self.answered {
            return Turn { verdict: None, next: Next::Fail(Failure::Unreachable { stage, why }) };
        }
        let verdict = if left { Verdict::Unknown } else { Verdict::NeverLeft };
        let failure =
            if left { Failure::Unanswered { stage, why } } else { Failure::Unreachable { stage, why } };
        Turn { verdict: self.judge(verdict), next: Next::Fail(failure) }
    }

    fn unchanged(&mut self, now: Moment) -> Turn {
        let patient_ms = u64::from(self.plan.patience_s) * 1000;
        if self.quiet_since_ms.is_some_and(|since| now.run_ms >= since + patient_ms) {
            // A page of which nothing came may be one whose script was lost on the way.
            if self.at == Step::Open && !self.reloaded && self.counts.iter().all(|n| *n == 0) {
                self.reloaded = true;
                self.quiet_since_ms = None;
                return Turn {
                    verdict: None,
                    next: Next::Do(Action::Open { url: self.url.clone(), wait_ms: self.wait_ms(now) }),
                };
            }
            let next = self.unknown();
            let verdict = self.judge(Verdict::Unknown);
            return Turn { verdict, next };
        }
        if now.run_ms >= self.until_ms.min(self.end_ms) {
            let stage = self.stage();
            let failure = match (self.answered, self.at) {
                (false, _) => Failure::Unanswered { stage, why: "no answer in time".into() },
                (true, Step::Open) => Failure::Slow { stage },
                (true, _) => Failure::UnknownPage { stage, seen: self.plan.describe(&self.counts) },
            };
            return self.fail(failure);
        }
        let next = self.next(false, now);
        Turn { verdict: None, next }
    }

    fn look(&self, now: Moment) -> Next {
        Next::Do(Action::Look { wait_ms: self.wait_ms(now) })
    }

    /// Until the deadline of this page, or until patience with an unknown one ends.
    fn wait_ms(&self, now: Moment) -> u64 {
        let patience = self.quiet_since_ms.map(|since| since + u64::from(self.plan.patience_s) * 1000);
        let until_ms = self.until_ms.min(self.end_ms);
        patience.map_or(until_ms, |p| p.min(until_ms)).saturating_sub(now.run_ms).max(1)
    }

    fn unknown(&self) -> Next {
        Next::Fail(Failure::UnknownPage { stage: self.stage(), seen: self.plan.describe(&self.counts) })
    }

    /// Ends the walk; whatever was submitted without an answer stays spent.
    fn fail(&mut self, failure: Failure) -> Turn {
        Turn { verdict: self.judge(Verdict::Unknown), next: Next::Fail(failure) }
    }

    /// The verdict on the last submission, told once.
    fn judge(&mut self, verdict: Verdict) -> Option<(Cause, Verdict)> {
        let first = !self.answered;
        self.answered = true;
        first.then(|| (cause_of(self.at), verdict))
    }

    fn stage(&self) -> Stage {
        match (self.at, self.answered) {
            (Step::Open, _) => Stage::Open,
            (Step::Credentials, false) => Stage::Credentials,
            (Step::Credentials, true) | (Step::Code, false) => Stage::Code,
            (Step::Code, true) | (Step::Finish, _) => Stage::Return,
        }
    }
}

fn cause_of(step: Step) -> Cause {
    if step == Step::Credentials { Cause::Password } else { Cause::Code }
}
