//! What is known of a browser's page, whichever engine shows it, and what may pass between that page and the world.

use std::collections::HashSet;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::obstacle::TlsFault;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Step};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Answer, Rest, Seen, Sight};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

/// An engine that broke before anything of this step was sent.
pub(super) fn broke(why: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!("{why}; nothing of this step was sent"),
        cure: "Run firstbell login again; if it stays so, look for memory running out, install the browser anew, \
               or log in without one: --driver http."
            .into(),
    }
}

/// How far the one submission of a fill has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Submission {
    /// Nothing was typed yet.
    None,
    /// A secret is in the page, and nothing may leave.
    Typing,
    /// One request of this step may leave.
    Armed(Step),
    /// It left.
    Sent(Step),
    /// Its answer has come.
    Answered(Step),
}

impl Submission {
    /// Whether it left and nobody knows what became of it. An armed request waits for our word, so that it has not.
    pub(super) fn in_flight(self) -> bool {
        matches!(self, Submission::Sent(_))
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The page itself, at the top.
    Page,
    /// Something that is only shown or run: pictures, styles, fonts, scripts.
    Passive,
    /// Anything that could carry what was typed.
    Active,
}

/// What becomes of a request that wants to leave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It may.
    Pass,
    /// It may not.
    Stop,
    /// It may not, and the walk hears that the page wants to go elsewhere.
    Away,
}

/// The page as the messages of its engine tell it.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) plan: &'a Plan,
    pub(super) origin: Option<Origin>,
    counts: Vec<u32>,
    /// What the replies to the login's own requests showed of the marks that no page shows.
    wired: Vec<u32>,
    pub(super) rest: Rest,
    /// What the page's scripts asked the broker for before anything was typed, and have not got yet.
    asking: HashSet<String>,
    pub(super) changed: bool,
    pub(super) answer: Option<Answer>,
    pub(super) date: Option<Timestamp>,
    pub(super) away: Option<Secret>,
    pub(super) lost: Option<(bool, String)>,
    pub(super) insecure: Option<TlsFault>,
    pub(super) submission: Submission,
    /// The answer to the submission has begun to arrive, and only its body is still to be read.
    pub(super) answering: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(plan: &'a Plan) -> View<'a> {
        View {
            plan,
            origin: None,
            counts: vec![0; plan.marks.len()],
            wired: vec![0; plan.marks.len()],
            rest: Rest::Loading,
            asking: HashSet::new(),
            changed: false,
            answer: None,
            date: None,
            away: None,
            lost: None,
            insecure: None,
            submission: Submission::None,
            answering: false,
        }
    }

    /// What there is to report: an answer before what followed from it.
    pub(super) fn news(&mut self) -> Option<Seen> {
        if self.answer.is_some() && self.origin.is_some() {
            return Some(Seen::Page(self.sight()));
        }
        if let Some(url) = self.away.take() {
            return Some(Seen::Away(url));
        }
        if let Some(fault) = self.insecure.take() {
            return Some(Seen::Insecure(fault));
        }
        if let Some((left, why)) = self.lost.take() {
            return Some(Seen::Lost { left, why });
        }
        (self.changed && self.origin.is_some()).then(|| Seen::Page(self.sight()))
    }

    fn sight(&mut self) -> Sight {
        self.changed = false;
        Sight {
            origin: self.origin.clone(),
            counts: self.all_counts(),
            answer: self.answer.take(),
            date: self.date.take(),
            rest: self.rest,
            busy: !self.asking.is_empty(),
        }
    }

    /// A script's own request was let out.
    pub(super) fn asks(&mut self, purpose: Purpose, request: &str) {
        if purpose == Purpose::Page {
            self.asking.clear();
        } else if purpose == Purpose::Active && self.submission == Submission::None {
            self.asking.insert(request.to_owned());
        }
    }

    /// A request is over, well or not.
    pub(super) fn ended(&mut self, request: &str) {
        if self.asking.remove(request) {
            self.changed = true;
        }
    }

    /// Marks that have no way to be found in a page are there as the wire last said.
    fn all_counts(&self) -> Vec<u32> {
        let seen = self.counts.iter().zip(&self.wired).zip(&self.plan.marks);
        seen.map(|((seen, wired), mark)| if mark.find.is_empty() { *wired } else { *seen }).collect()
    }

    /// What our script tells. The page cannot speak here: the way to us exists in our script's world only.
    pub(super) fn told(&mut self, text: &str) {
        let report: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        self.origin = report["origin"].as_str().and_then(|origin| Origin::parse(origin).ok());
        let counts = report["counts"].as_array().into_iter().flatten();
        self.counts =
            counts.map(|n| n.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX)).collect();
        self.changed = true;
    }

    /// The browser is no more, or does not react any more. Where a submission is under way that is a lost answer; else
    /// nothing has left, and the engine is at fault.
    pub(super) fn gone(&self, why: &str) -> Result<Seen, Failure> {
        // Also where its answer came and nobody has been told of it yet.
        if self.submission.in_flight() || self.answer.is_some() {
            return Ok(Seen::Lost { left: true, why: why.into() });
        }
        Err(broke(why))
    }

    /// Whether a fill was waited for in vain: what it typed never left.
    pub(super) fn never_sent(&self) -> bool {
        matches!(self.submission, Submission::Armed(_))
    }

    /// Takes the permission to leave back: what is told of as never sent must not be sent afterwards.
    pub(super) fn disarm(&mut self) {
        self.submission = Submission::Typing;
    }

    /// Rules on a request before it leaves: the plan's hosts, one submission for each that was paid for, and nothing
    /// towards the redirect address.
    pub(super) fn rule(&mut self, text: &str, method: &str, purpose: Purpose) -> Ruling {
        let url = Url::parse(text).ok();
        let own = url.as_ref().and_then(Origin::of).as_ref() == Some(&self.plan.origin);
        if purpose == Purpose::Page {
            if !own {
                self.away = Some(Secret::new(text.to_owned()));
                return Ruling::Away;
            }
            if self.is_guarded() {
                // A form without its script would put what was typed into an address.
                let left = self.submission.in_flight();
                self.lost = Some((left, "the page left instead of sending the form".into()));
                return Ruling::Stop;
            }
            return Ruling::Pass;
        }
        if let Some(step) = self.submission_to(url.as_ref()) {
            if method != "POST" || self.submission != Submission::Armed(step) {
                return Ruling::Stop;
            }
            self.submission = Submission::Sent(step);
            self.answering = false;
            return Ruling::Pass;
        }
        if self.is_guarded() && (method != "GET" || purpose == Purpose::Active) {
            return Ruling::Stop;
        }
        let listed = url.as_ref().is_some_and(|url| {
            url.scheme() == "https"
                && url.host_str().is_some_and(|host| self.plan.hosts.iter().any(|h| h == host))
        });
        // While a secret is in the page, its own origin alone may see what the page asks for.
        if own || (listed && !self.is_guarded()) { Ruling::Pass } else { Ruling::Stop }
    }

    /// Whether a secret is in the page that is not answered yet: nothing but the armed request may carry anything away.
    pub(super) fn is_guarded(&self) -> bool {
        !self.answering
            && matches!(self.submission, Submission::Typing | Submission::Armed(_) | Submission::Sent(_))
    }

    /// The step whose request goes to this address.
    pub(super) fn submission_to(&self, url: Option<&Url>) -> Option<Step> {
        let url = url.filter(|url| Origin::of(url).as_ref() == Some(&self.plan.origin))?;
        self.plan.steps.iter().find(|step| step.path == url.path()).map(|step| step.name)
    }

    /// The connection of the page's own document or of a submission failed.
    pub(super) fn broke(&mut self, step: Option<Step>, never_left: bool, why: &str) {
        let left = self.submission.in_flight() && !(step.is_some() && never_left);
        if let Some(step) = step {
            self.submission = Submission::Answered(step);
        }
        self.lost = Some((left, why.into()));
    }

    /// An answer whose body is still to be read: of a submission, or of the document in its place.
    pub(super) fn answer_of(
        &self,
        step: Option<Step>,
        (status, media): (u16, &str),
        retry_after_s: Option<u32>,
    ) -> Answer {
        let after_code = self.submission == Submission::Answered(Step::Code);
        let after = step.unwrap_or(if after_code { Step::Finish } else { Step::Open });
        let page = media == "text/html";
        Answer { after, status, page, good: false, error: None, message: None, retry_after_s }
    }

    /// Takes the body of an answer in, and with it what the reply says of marks that no page shows.
    pub(super) fn read(&mut self, answer: &mut Answer, json: bool, bytes: &[u8]) {
        let body = answer.read(json, bytes);
        if answer.good {
            self.wired = self.plan.shown_by(answer.after, &body);
        }
    }

    pub(super) fn tell(&mut self, answer: Answer) {
        if self.submission == Submission::Sent(answer.after) {
            self.submission = Submission::Answered(answer.after);
        }
        self.answering = false;
        self.answer = Some(answer);
        self.changed = true;
    }
}
