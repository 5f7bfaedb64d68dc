//! How an account stands: what the store and the secrets say of it, as a view for decisions and as words for people.

use firstbell_core::budget::{Cause, Fingerprint};
use firstbell_core::calendar::Calendar;
use firstbell_core::decide::{self, Decision, Probe, Step, View};
use firstbell_core::failure::{Failure, Stop};
use firstbell_core::schedule::{Assisted, Schedule};
use firstbell_core::state::{State, Trouble};
use firstbell_core::token::{Standing as Worth, Token};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::hands::Hands;
use crate::shape::india;

/// Which values of the two credentials are stored now.
pub type Marks = Option<(Fingerprint, Fingerprint)>;

/// What is known of an account at one moment.
#[derive(Debug)]
pub struct Standing {
    /// Its history, folded.
    pub state: State,
    /// The current token.
    pub token: Option<Token>,
    /// Whether a token waits to be proven.
    pub pending: bool,
    /// Whether the budget admits both credentials; yes where the credentials are not known.
    pub admitted: Result<(), Stop>,
    /// How many submissions of password and code may still end badly.
    pub left: Option<(u8, u8)>,
}

/// The values of the two credentials, as marks; none where one of them cannot be fetched.
pub fn marks(hands: &Hands<'_>) -> Marks {
    hands.keys().ok().map(|keys| (keys.password_mark, keys.seed_mark))
}

impl Standing {
    /// Reads the store.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(hands: &Hands<'_>, marks: &Marks) -> Result<Standing, Failure> {
        let ledger = hands.look()?;
        let (token, pending) = (ledger.current()?, ledger.pending().is_ok_and(|token| token.is_some()));
        let state = ledger.state().clone();
        let budget = &state.budget;
        let admitted = marks.as_ref().map_or(Ok(()), |(password, seed)| {
            budget.admits(Cause::Password, password).and_then(|()| budget.admits(Cause::Code, seed))
        });
        let left = marks
            .as_ref()
            .map(|(password, seed)| (budget.left(Cause::Password, password), budget.left(Cause::Code, seed)));
        Ok(Standing { state, token, pending, admitted, left })
    }

    /// The same, with the days and the last answer of the broker, for a decision.
    pub fn view<'v>(
        &'v self,
        schedule: &'v Schedule,
        calendar: &'v Calendar,
        probe: Option<Probe>,
    ) -> View<'v> {
        View {
            schedule,
            calendar,
            state: &self.state,
            admitted: self.admitted,
            token: self.token.as_ref().map(|token| token.life),
            pending: self.pending,
            probe,
        }
    }
}

/// One account as `firstbell status` shows it. Nothing in it is secret.
pub fn words(hands: &Hands<'_>, standing: &Standing, view: &View<'_>, now: Timestamp) -> Value {
    let decision = decide::decide(view, now);
    let (account, token) = (hands.account, standing.token.as_ref());
    let worth = token.map(|token| match token.life.standing(now) {
        Worth::Trusted => "trusted",
        Worth::Suspect => "suspect",
        Worth::Dead => "dead",
    });
    let trouble = standing.state.trouble.as_ref();
    json!({
        "account": account.name,
        "user_id": account.app.user_id,
        "token": worth.unwrap_or("none"),
        "generation": token.map(|t| t.generation),
        "issued": token.map(|t| india(t.life.issued)),
        "trusted_until": token.map(|t| india(t.life.trusted_until)),
        "served": decide::serve(view, now).map_or_else(|why| why.to_string(), |()| "yes".into()),
        "pending": standing.pending,
        "paused": standing.state.paused,
        "last_failure": trouble.map(|t| json!({ "at": india(t.at), "failure": t.code })),
        "tries_left": standing.left.map(|(password, code)| json!({ "password": password, "code": code })),
        "next": json!({
            "step": step(decision.step), "at": india(decision.at.max(now)), "because": because(&decision),
        }),
        "next_login": next_login(view, now).map(india),
        "needs_you": missing(hands, standing)
            .or_else(|| needs_you(&decide::prospect(view, now), trouble))
            .or_else(|| barred(view)),
        "lacks": standing.state.lacks,
    })
}

/// When the next morning's login is due, whatever comes before it; none while nobody wants logins.
fn next_login(view: &View<'_>, now: Timestamp) -> Option<Timestamp> {
    let (schedule, calendar) = (view.schedule, view.calendar);
    let today = schedule.around(calendar, now).map(|slot| slot.login_at).filter(|at| *at > now);
    let due = today.or_else(|| schedule.next(calendar, now).map(|slot| slot.login_at));
    due.filter(|_| !view.state.paused)
}

/// A secret that is not there, and the command that stores it.
fn missing(hands: &Hands<'_>, standing: &Standing) -> Option<String> {
    let failure = standing.left.is_none().then(|| hands.lacks_secret()).flatten()?;
    Some(format!("{failure}. {}", failure.cure()))
}

/// What the owner must do before there can be another login.
fn needs_you(prospect: &Decision, trouble: Option<&Trouble>) -> Option<String> {
    let failure = trouble.and_then(|trouble| Failure::of_code(&trouble.code));
    match (prospect.because, failure) {
        (decide::Reason::Human, Some(failure)) => {
            let asked = trouble.map_or(failure.ask(), |trouble| trouble.ask);
            Some(format!("{}. {}", failure.plain(), failure.way_on(asked)))
        }
        (because, _) => because.calls_for_a_human().then(|| self::because(prospect)),
    }
}

/// What keeps the next morning from logging in, said at any hour: who looks at night still has time to mend it.
fn barred(view: &View<'_>) -> Option<String> {
    let stop = view.admitted.err().filter(|_| !view.pending && view.schedule.assisted != Assisted::Only)?;
    let failure = Failure::Stopped(stop);
    Some(format!("{failure}. {}", failure.cure()))
}

/// What a step is called.
pub fn step(step: Step) -> &'static str {
    match step {
        Step::Look => "look again",
        Step::Check => "check",
        Step::Probe => "prove the token",
        Step::Login => "log in",
        Step::Invite => "ask a person to log in",
        Step::Assess => "verdict",
    }
}

/// Why, and what the owner can do where it is his turn.
pub fn because(decision: &Decision) -> String {
    match decision.because {
        decide::Reason::Stopped(stop) => {
            let failure = Failure::Stopped(stop);
            format!("{failure}. {}", failure.cure())
        }
        because => because.to_string(),
    }
}
