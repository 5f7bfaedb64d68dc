//! A login as data: what can be seen, which page that makes it, what is typed where, and what an answer means.

mod check;
mod mark;
mod selector;
mod written;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::check::PlanFaults;
pub use self::mark::{Mark, Target, WireSign};
use crate::obstacle::{Factor, Obstacle};
use crate::origin::Origin;

/// The version of the file's form that this firstbell reads.
pub const VERSION: u32 = 2;

/// A whole login. Read from TOML, checked, and immutable from then on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A name for logs and evidence.
    pub name: String,
    /// The only origin at which anything may be typed.
    pub origin: Origin,
    /// Hosts beside the origin's that the page may load from.
    pub hosts: Vec<String>,
    /// Seconds until the login page must be there.
    pub open_s: u32,
    /// Seconds for the whole walk.
    pub deadline_s: u32,
    /// Seconds that a quiet page nobody knows is given to become a known one.
    pub patience_s: u32,
    /// What can be seen; other parts speak of marks by their place in this list.
    pub marks: Vec<Mark>,
    /// The pages that are known.
    pub pages: Vec<Page>,
    /// What the page sends.
    pub steps: Vec<StepPlan>,
    /// What answers mean; the first rule that fits decides.
    pub answers: Vec<AnswerRule>,
    /// The plan as it was written: another process reads it, and checks it, for itself.
    pub text: String,
}

/// A request of the login, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The login page itself.
    Open,
    /// User id and password.
    Credentials,
    /// The second factor.
    Code,
    /// The way back to the redirect address.
    Finish,
}

/// The pages that mean something to the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageKind {
    /// User id and password are asked for.
    Credentials,
    /// The code of an external TOTP is asked for.
    Totp,
    /// A code of the broker's own phone app is asked for.
    AppCode,
    /// A code sent by SMS is asked for.
    SmsCode,
    /// A PIN is asked for.
    Pin,
    /// Security questions are asked.
    Questions,
    /// The owner is asked to authorise the app.
    Consent,
    /// Letters in a picture are to be read.
    Captcha,
    /// Somebody in front of the broker asks whether this is a person.
    SecurityCheck,
    /// A new password is asked for.
    ForcedReset,
    /// An earlier session is offered.
    ContinueAs,
    /// The risk disclosure is shown.
    RiskNotice,
    /// The kill switch is on.
    KillSwitch,
    /// The broker's own dashboard.
    Dashboard,
    /// The broker is closed.
    Maintenance,
}

impl PageKind {
    /// The second factor that is asked for, where it is not ours.
    pub fn other_factor(self) -> Option<Factor> {
        match self {
            PageKind::AppCode => Some(Factor::AppCode),
            PageKind::SmsCode => Some(Factor::Sms),
            PageKind::Pin => Some(Factor::Pin),
            PageKind::Questions => Some(Factor::Questions),
            _ => None,
        }
    }

    /// What stands in the way, where something does.
    pub fn obstacle(self) -> Option<Obstacle> {
        match self {
            PageKind::Captcha => Some(Obstacle::Captcha),
            PageKind::SecurityCheck => Some(Obstacle::SecurityCheck),
            PageKind::ForcedReset => Some(Obstacle::ForcedReset),
            PageKind::ContinueAs => Some(Obstacle::ContinueAs),
            PageKind::RiskNotice => Some(Obstacle::RiskNotice),
            PageKind::KillSwitch => Some(Obstacle::KillSwitch),
            PageKind::Dashboard => Some(Obstacle::Dashboard),
            PageKind::Maintenance => Some(Obstacle::Maintenance),
            _ => None,
        }
    }

    /// Whether this is a page into which something is typed.
    pub fn is_form(self) -> bool {
        matches!(self, PageKind::Credentials | PageKind::Totp)
    }
}

/// A page: how it is known, and what is typed into it.
#[derive(Clone, Debug)]
pub struct Page {
    /// Which page it is.
    pub kind: PageKind,
    /// Marks that are all there.
    pub has: Vec<usize>,
    /// Marks of which none is there.
    pub lacks: Vec<usize>,
    /// What is typed, for the pages into which something is.
    pub entry: Option<Entry>,
}

/// What is typed into a page.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The request that the page then sends.
    pub step: Step,
    /// The fields in the order of typing.
    pub fields: Vec<Field>,
    /// How the page is told to send.
    pub submit: Submit,
    /// Seconds until the next page must be there.
    pub deadline_s: u32,
}

/// One field of a page.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What belongs into it.
    pub role: Role,
    /// Where it is.
    pub mark: usize,
}

/// What belongs into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The client id.
    UserId,
    /// The password.
    Password,
    /// The six digits.
    Code,
}

/// How a page is told to send what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Submit {
    /// The Enter key in the last field.
    Enter,
    /// By the last character typed; nothing else is pressed.
    Itself,
    /// By the last character typed; where nothing has left a moment later, the Enter key.
    ItselfOrEnter,
}

/// What one step sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPlan {
    /// Which step.
    pub name: Step,
    /// Path below the origin.
    pub path: String,
    /// Form fields; `{…}` is filled in.
    pub form: BTreeMap<String, String>,
    /// Parts of the reply to hold on to, by JSON pointer.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
    /// Where the page goes by itself after a good answer; `{…}` is filled in.
    pub then: Option<String>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// The password is wrong.
    PasswordRejected,
    /// The code is wrong.
    CodeRejected,
    /// The account is blocked.
    Blocked,
    /// This kind of second factor is not the account's.
    OtherFactor,
    /// The user is not linked to the app.
    NotEnabled,
    /// The API key is unknown.
    UnknownKey,
    /// A new password is wanted.
    ForcedReset,
    /// Letters in a picture are to be read.
    Captcha,
    /// Somebody in front of the broker asks whether this is a person.
    SecurityCheck,
    /// The broker is closed.
    Maintenance,
}

/// When an answer has a meaning: all parts that are given must fit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// The request that was answered.
    pub after: Step,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The broker's error type.
    pub error: Option<String>,
    /// Texts of which one is in the message, in lower case.
    #[serde(default)]
    pub says: Vec<String>,
    /// Whether it is a page (HTML) in the place of the login's own answer; a rule is for one or the other.
    #[serde(default)]
    pub page: bool,
    /// What it then means.
    pub means: Meaning,
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line where that is known: its form, marks that do not exist, a secret
    /// without a place or with two, a place that is not the origin's own.
    pub fn parse(text: &str) -> Result<Plan, PlanFaults> {
        written::read(text)
    }

    /// The same plan at another origin: tests and rehearsals on a loopback address.
    pub fn at(mut self, origin: Origin) -> Plan {
        self.origin = origin;
        self
    }

    /// The page that these counts of marks make, when they make exactly one.
    pub fn recognise(&self, counts: &[u32]) -> Option<&Page> {
        let there = |mark: &usize| counts.get(*mark).is_some_and(|n| *n > 0);
        let mut fit = self.pages.iter().filter(|p| p.has.iter().all(there) && !p.lacks.iter().any(there));
        let first = fit.next();
        if fit.next().is_some() { None } else { first }
    }

    /// What the plan says of a step's request.
    pub fn step(&self, step: Step) -> Option<&StepPlan> {
        self.steps.iter().find(|s| s.name == step)
    }

    /// The ids of the marks that are there, for people.
    pub fn describe(&self, counts: &[u32]) -> String {
        let there: Vec<_> = self
            .marks
            .iter()
            .zip(counts)
            .filter(|(_, n)| **n > 0)
            .map(|(mark, n)| if *n == 1 { mark.id.clone() } else { format!("{} ×{n}", mark.id) })
            .collect();
        if there.is_empty() {
            "no field that the plan knows".into()
        } else {
            format!("seen: {}", there.join(", "))
        }
    }

    /// How often each mark is there, as a reply to a step shows it: 0 or 1.
    pub fn shown_by(&self, after: Step, body: &Value) -> Vec<u32> {
        let shows = |sign: &WireSign| {
            let there = sign.pointer.as_ref().and_then(|p| body.pointer(p)).and_then(Value::as_str);
            sign.after == after && there.is_some() && there == sign.equals.as_deref()
        };
        self.marks.iter().map(|mark| u32::from(mark.wire.as_ref().is_some_and(shows))).collect()
    }
}
