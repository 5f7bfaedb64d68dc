//! A login as data: what can be seen, which page that makes it, what is typed where, and what an answer means.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::origin::Origin;

/// A whole login. Read from TOML, checked, and immutable from then on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A name for logs and evidence.
    pub name: String,
    /// The only origin at which anything may be typed.
    pub origin: Origin,
    /// Hosts beside the origin's that the page may load from.
    pub hosts: Vec<String>,
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
}

/// Something that can be seen, by a browser or on the wire.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its name in the plan.
    pub id: String,
    /// Selectors in order of preference: the first one that matches anything visible decides.
    pub css: Vec<String>,
    /// How the page's own requests show the same thing.
    pub wire: Option<WireSign>,
}

/// How a reply shows a mark.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSign {
    /// The request that was answered.
    pub after: Step,
    /// Text that the body holds.
    pub contains: Option<String>,
    /// A JSON pointer into the body …
    pub pointer: Option<String>,
    /// … and the text that stands there.
    pub equals: Option<String>,
}

/// A request of the login, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
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
    /// The owner is asked to authorise the app.
    Consent,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Submit {
    /// The Enter key in the last field.
    Enter,
    /// By the last character typed; nothing else is pressed.
    Itself,
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
    /// What it then means.
    pub means: Meaning,
}

/// Why a plan cannot be used.
#[derive(Debug)]
pub struct PlanFault(String);

impl fmt::Display for PlanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the login plan cannot be used: {}", self.0)
    }
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// Says what is wrong with the file: its form, a mark that does not exist, a form without its secret, an origin
    /// that is not secure.
    pub fn parse(text: &str) -> Result<Plan, PlanFault> {
        let written: Written = toml::from_str(text).map_err(|e| PlanFault(e.to_string()))?;
        if written.version != 1 {
            return Err(PlanFault(format!("version {} is not known to this firstbell", written.version)));
        }
        let origin = Origin::parse(&written.origin).map_err(|e| PlanFault(format!("origin {e}")))?;
        let pages = written.page.iter().map(|p| p.place(&written.mark)).collect::<Result<_, _>>()?;
        let plan = Plan {
            name: written.name,
            origin,
            hosts: written.hosts,
            deadline_s: written.deadline_s,
            patience_s: written.patience_s,
            marks: written.mark,
            pages,
            steps: written.step,
            answers: written.answer,
        };
        plan.check()?;
        Ok(plan)
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

    fn check(&self) -> Result<(), PlanFault> {
        for entry in self.pages.iter().filter_map(|p| p.entry.as_ref()) {
            let step = self.step(entry.step).ok_or_else(|| PlanFault(format!("no step {:?}", entry.step)))?;
            if !step.path.starts_with('/') || step.path.starts_with("//") {
                return Err(PlanFault(format!("path {} must begin with one /", step.path)));
            }
            let secret = if entry.step == Step::Code { Role::Code } else { Role::Password };
            if !entry.fields.iter().any(|f| f.role == secret) {
                return Err(PlanFault(format!(
                    "the page of step {:?} has no field for {secret:?}",
                    entry.step
                )));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    name: String,
    origin: String,
    hosts: Vec<String>,
    deadline_s: u32,
    patience_s: u32,
    mark: Vec<Mark>,
    page: Vec<WrittenPage>,
    step: Vec<StepPlan>,
    answer: Vec<AnswerRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPage {
    kind: PageKind,
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    step: Option<Step>,
    #[serde(default)]
    fields: Vec<WrittenField>,
    submit: Option<Submit>,
    deadline_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenField {
    role: Role,
    mark: String,
}

impl WrittenPage {
    fn place(&self, marks: &[Mark]) -> Result<Page, PlanFault> {
        let find = |id: &String| {
            marks
                .iter()
                .position(|m| m.id == *id)
                .ok_or_else(|| PlanFault(format!("there is no mark {id:?}")))
        };
        let entry = match (self.step, self.submit, self.deadline_s) {
            (None, None, None) if self.fields.is_empty() => None,
            (Some(step), Some(submit), Some(deadline_s)) => {
                let place = |f: &WrittenField| find(&f.mark).map(|mark| Field { role: f.role, mark });
                let fields = self.fields.iter().map(place).collect::<Result<_, _>>()?;
                Some(Entry { step, fields, submit, deadline_s })
            }
            _ => {
                let why = "a page has step, fields, submit and deadline_s together, or none of them";
                return Err(PlanFault(format!("{:?}: {why}", self.kind)));
            }
        };
        let places = |ids: &[String]| ids.iter().map(find).collect::<Result<Vec<_>, _>>();
        Ok(Page { kind: self.kind, has: places(&self.has)?, lacks: places(&self.lacks)?, entry })
    }
}
