//! A login without a browser: the requests that the page itself would send, by the same plan.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use firstbell_core::broker::App;
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Role, Step, StepPlan, WireSign};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Answer, Fill, Rest, Seen, Sight};

use crate::ports::{Call, Driver, FORM, Method, Reach, Received, Soon};

/// Redirects followed within the broker's own origin. Kite's longest known chain has four.
const HOPS_MAX: usize = 5;

/// One login over plain requests. Cookies and what a form needs later live here, and die with it.
pub(super) struct HttpDriver<'a> {
    plan: &'a Plan,
    reach: Reach<'a>,
    cookies: BTreeMap<String, Secret>,
    kept: BTreeMap<String, Secret>,
    /// Where the page would go by itself after a good code.
    next: Option<String>,
    /// What the last page showed: a refused form leaves it as it was.
    counts: Vec<u32>,
}

impl<'a> HttpDriver<'a> {
    pub(super) fn new(plan: &'a Plan, app: &App, reach: Reach<'a>) -> HttpDriver<'a> {
        let kept = BTreeMap::from([("api_key".to_owned(), Secret::new(app.api_key.clone()))]);
        HttpDriver { plan, reach, cookies: BTreeMap::new(), kept, next: None, counts: Vec::new() }
    }

    async fn step(&mut self, action: Action) -> Seen {
        match action {
            Action::Open { url, .. } => self.follow(url, Step::Open).await,
            Action::Fill(fill) => self.submit(fill).await,
            // There is no page to look at.
            Action::Witness | Action::Draw { .. } => Seen::Unchanged,
            Action::Look { wait_ms } => match self.next.take() {
                Some(url) => self.follow(url, Step::Finish).await,
                None => {
                    self.reach.clock.rest(wait_ms).await;
                    Seen::Unchanged
                }
            },
        }
    }

    /// Reads an address of the plan's origin, and follows its redirects as long as they stay there.
    async fn follow(&mut self, mut url: String, step: Step) -> Seen {
        for _ in 0..HOPS_MAX {
            let reply = match self.send(false, url.clone(), None).await {
                Ok(reply) => reply,
                Err(seen) => return seen,
            };
            let Some(location) = reply.location.as_ref().filter(|_| (300..400).contains(&reply.status))
            else {
                return self.page(&reply, step);
            };
            match Url::parse(&url).and_then(|here| here.join(location.expose())) {
                Ok(to) if Origin::of(&to).as_ref() == Some(&self.plan.origin) => {
                    for (name, value) in to.query_pairs() {
                        self.kept.insert(name.into_owned(), Secret::new(value.into_owned()));
                    }
                    url = to.into();
                }
                Ok(to) => return Seen::Away(Secret::new(to.into())),
                Err(_) => return Seen::Lost { left: true, why: "a redirect that cannot be read".into() },
            }
        }
        Seen::Lost { left: true, why: "too many redirects".into() }
    }

    /// A page as a browser would show it, told by what its text holds.
    fn page(&mut self, reply: &Received, step: Step) -> Seen {
        let text = String::from_utf8_lossy(reply.body.expose());
        // What stands at the end of the way back is a page that comes after the code.
        let after = if step == Step::Finish { Step::Code } else { step };
        let shows =
            |sign: &WireSign| sign.after == after && sign.contains.as_ref().is_some_and(|t| text.contains(t));
        let good = reply.status == 200 && reply.media == "text/html";
        let (answer, _) = answer(step, reply, false);
        self.counts = self.count(shows);
        self.sight(reply, Answer { good, ..answer }, Rest::Final)
    }

    /// Sends one form, once.
    async fn submit(&mut self, fill: Fill) -> Seen {
        let Some(step) = self.plan.step(fill.step) else {
            return Seen::Lost { left: false, why: "the plan has no such request".into() };
        };
        let form = self.form(step, &fill);
        let reply = match self.send(true, self.plan.origin.join(&step.path), Some(form)).await {
            Ok(reply) => reply,
            Err(seen) => return seen,
        };
        let (answer, body) = answer(fill.step, &reply, reply.media == "application/json");
        let good = answer.good;
        if good {
            for (name, pointer) in &step.keep {
                if let Some(value) = body.pointer(pointer).and_then(Value::as_str) {
                    self.kept.insert(name.clone(), Secret::new(value.to_owned()));
                }
            }
            self.next = step.then.as_ref().map(|then| self.plan.origin.join(&self.fill_in(then)));
        }
        if good {
            self.counts = self.plan.shown_by(fill.step, &body);
        }
        let rest = if self.next.is_some() { Rest::Loading } else { Rest::Final };
        self.sight(&reply, answer, rest)
    }

    fn form(&mut self, step: &StepPlan, fill: &Fill) -> Secret {
        for (role, _, text) in &fill.fields {
            let name = match role {
                Role::UserId => "user-id",
                Role::Password => "password",
                Role::Code => "code",
            };
            self.kept.insert(name.into(), text.clone());
        }
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (name, text) in &step.form {
            let braced = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
            match braced {
                Some(key) => form.append_pair(name, self.kept.get(key).map_or("", Secret::expose)),
                None => form.append_pair(name, text),
            };
        }
        // A credential is needed for one form only.
        for name in ["password", "code"] {
            self.kept.remove(name);
        }
        Secret::new(form.finish())
    }

    /// A path with its `{…}` filled in, percent-encoded.
    fn fill_in(&self, path: &str) -> String {
        self.kept.iter().fold(path.to_owned(), |path, (name, value)| {
            let encoded: String = url::form_urlencoded::byte_serialize(value.expose().as_bytes()).collect();
            path.replace(&format!("{{{name}}}"), &encoded)
        })
    }

    async fn send(&mut self, post: bool, url: String, form: Option<Secret>) -> Result<Received, Seen> {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
        let cookie = (!pairs.is_empty()).then(|| Secret::new(pairs.join("; ")));
        let body = form.map(|form| (FORM, form));
        let method = if post { Method::Post } else { Method::Get };
        let call = Call { method, cookie, body, ..Call::get(Secret::new(url)) };
        let reply = self.reach.http.send(call).await.map_err(|fault| match fault.tls {
            Some(tls) if !fault.left => Seen::Insecure(tls),
            _ => Seen::Lost { left: fault.left, why: fault.why },
        })?;
        for (name, value) in &reply.cookies {
            self.cookies.insert(name.clone(), value.clone());
        }
        Ok(reply)
    }

    fn count(&self, shows: impl Fn(&WireSign) -> bool) -> Vec<u32> {
        self.plan.marks.iter().map(|mark| u32::from(mark.wire.as_ref().is_some_and(&shows))).collect()
    }

    fn sight(&self, reply: &Received, answer: Answer, rest: Rest) -> Seen {
        let (origin, counts) = (Some(self.plan.origin.clone()), self.counts.clone());
        Seen::Page(Sight { origin, counts, answer: Some(answer), date: reply.date, rest, busy: false })
    }
}

fn answer(after: Step, reply: &Received, json: bool) -> (Answer, Value) {
    let mut answer = Answer {
        after,
        status: reply.status,
        page: reply.media == "text/html",
        good: false,
        error: None,
        message: None,
        retry_after_s: reply.retry_after_s,
    };
    let body = answer.read(json, reply.body.expose());
    (answer, body)
}

impl Driver for HttpDriver<'_> {
    fn perform(&mut self, action: Action) -> Soon<'_, Result<Seen, Failure>> {
        Box::pin(async { Ok(self.step(action).await) })
    }

    fn close(self: Box<Self>) -> Soon<'static, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}
