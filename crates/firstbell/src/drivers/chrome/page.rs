//! The one page of a browser: opened off the record, watched by a script in a world of its own.

use std::collections::HashMap;
use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Step};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Answer, Rest, Seen, Sight};

use super::super::observer;
use super::intercept::Awaited;
use super::pipe::{Incoming, Pipe};

const WORLD: &str = "firstbell";
const BINDING: &str = "firstbellTell";

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
    /// Whether a secret is in the page that is not answered yet: nothing but the armed request may carry anything away.
    pub(super) fn is_guarded(self) -> bool {
        matches!(self, Submission::Typing | Submission::Armed(_) | Submission::Sent(_))
    }

    /// Whether it left and nobody knows what became of it. An armed request waits for our word, so that it has not.
    pub(super) fn in_flight(self) -> bool {
        matches!(self, Submission::Sent(_))
    }
}

/// What is known of the page, kept up with every message.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) plan: &'a Plan,
    pipe: Pipe,
    session: String,
    pub(super) frame: String,
    world: Option<u64>,
    pub(super) origin: Option<Origin>,
    counts: Vec<u32>,
    pub(super) rest: Rest,
    /// The document that the page shows; what is told of an earlier one does not count.
    pub(super) loader: Option<String>,
    pub(super) changed: bool,
    pub(super) answer: Option<Answer>,
    pub(super) date: Option<Timestamp>,
    pub(super) away: Option<Secret>,
    pub(super) lost: Option<(bool, String)>,
    pub(super) submission: Submission,
    /// Bodies that were asked for, by the number of the command.
    pub(super) awaited: HashMap<u64, Awaited>,
}

impl<'a> Page<'a> {
    /// Opens an empty page in an off-the-record context of its own, and everything that watches over it.
    pub(super) async fn open(plan: &'a Plan, mut pipe: Pipe) -> io::Result<Page<'a>> {
        let context =
            ask(&mut pipe, None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await?;
        let context = context["browserContextId"].as_str().unwrap_or_default();
        let new = json!({ "url": "about:blank", "browserContextId": context });
        let target = ask(&mut pipe, None, "Target.createTarget", new).await?;
        let frame = target["targetId"].as_str().unwrap_or_default().to_owned();
        let attach = json!({ "targetId": frame, "flatten": true });
        let attached = ask(&mut pipe, None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().unwrap_or_default().to_owned();
        let deny = json!({ "behavior": "deny", "browserContextId": context });
        pipe.send(None, "Browser.setDownloadBehavior", deny).await?;
        let mut page = Page {
            plan,
            pipe,
            session,
            frame,
            world: None,
            origin: None,
            counts: vec![0; plan.marks.len()],
            rest: Rest::Loading,
            loader: None,
            changed: false,
            answer: None,
            date: None,
            away: None,
            lost: None,
            submission: Submission::None,
            awaited: HashMap::new(),
        };
        page.watch().await?;
        Ok(page)
    }

    async fn watch(&mut self) -> io::Result<()> {
        let script = observer::script(self.plan, BINDING);
        let mut sent = Vec::new();
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        // Pages that this one opens do not belong to its session: the browser itself must stop them at their first step.
        sent.push(self.pipe.send(None, "Target.setAutoAttach", attach.clone()).await?);
        for (method, params) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Network.enable", json!({})),
            // No connection is used twice: see SWITCHES.
            ("Network.setExtraHTTPHeaders", json!({ "headers": { "Connection": "close" } })),
            ("Network.setBypassServiceWorker", json!({ "bypass": true })),
            ("Runtime.addBinding", json!({ "name": BINDING, "executionContextName": WORLD })),
            ("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script, "worldName": WORLD })),
            ("Page.setLifecycleEventsEnabled", json!({ "enabled": true })),
            ("Target.setAutoAttach", attach),
            ("Fetch.enable", json!({ "patterns": self.patterns() })),
            // A page that is not in front would not take the focus.
            ("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })),
        ] {
            sent.push(self.send(method, params).await?);
        }
        // A page that is opened before all of this holds runs without a part of it.
        while !sent.is_empty() {
            match self.pipe.next().await? {
                Incoming::Reply { id, result: None } if sent.contains(&id) => {
                    return Err(io::Error::other("the browser refused a command that it must know"));
                }
                Incoming::Reply { id, .. } => sent.retain(|s| *s != id),
                event @ Incoming::Event { .. } => self.take(event).await?,
            }
        }
        Ok(())
    }

    pub(super) async fn navigate(&mut self, url: &str) -> io::Result<()> {
        self.send("Page.navigate", json!({ "url": url })).await.map(drop)
    }

    /// Waits for something to report.
    pub(super) async fn news(&mut self) -> io::Result<Seen> {
        loop {
            // An answer comes before what followed from it.
            if self.answer.is_some() && self.origin.is_some() {
                return Ok(Seen::Page(self.sight()));
            }
            if let Some(url) = self.away.take() {
                return Ok(Seen::Away(url));
            }
            if let Some((left, why)) = self.lost.take() {
                return Ok(Seen::Lost { left, why });
            }
            if self.changed && self.origin.is_some() {
                return Ok(Seen::Page(self.sight()));
            }
            let incoming = self.pipe.next().await?;
            self.take(incoming).await?;
        }
    }

    /// The page as it is now.
    pub(super) fn sight(&mut self) -> Sight {
        self.changed = false;
        Sight {
            origin: self.origin.clone(),
            counts: self.counts.clone(),
            answer: self.answer.take(),
            date: self.date.take(),
            rest: self.rest,
        }
    }

    /// The browser is no more, or does not react any more. Where a submission is under way that is a lost answer; else
    /// nothing has left, and the engine is at fault.
    pub(super) fn gone(&self, why: &str) -> Result<Seen, Failure> {
        if self.submission.in_flight() {
            return Ok(Seen::Lost { left: true, why: why.into() });
        }
        Err(Failure::Broken {
            part: Part::Browser,
            why: format!("{why} before anything was sent"),
            cure: "Run firstbell login again; if it stays so, look for memory running out, install the browser anew, \
                   or log in without one: --driver http."
                .into(),
        })
    }

    /// Whether a fill was waited for in vain: what it typed never left.
    pub(super) fn never_sent(&self) -> bool {
        matches!(self.submission, Submission::Armed(_))
    }

    /// Sends a command to the page.
    pub(super) async fn send(&mut self, method: &str, params: Value) -> io::Result<u64> {
        self.pipe.send(Some(&self.session), method, params).await
    }

    /// Sends a command and waits for what becomes of it; everything that happens meanwhile is taken in.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> io::Result<Value> {
        let id = self.send(method, params).await?;
        self.result_of(id).await
    }

    /// Waits for what becomes of a command that was sent.
    pub(super) async fn result_of(&mut self, id: u64) -> io::Result<Value> {
        loop {
            match self.pipe.next().await? {
                Incoming::Reply { id: theirs, result } if theirs == id => {
                    return Ok(result.unwrap_or(Value::Null));
                }
                incoming => self.take(incoming).await?,
            }
        }
    }

    /// Evaluates an expression of our own script in its own world.
    pub(super) async fn evaluate(&mut self, expression: String) -> io::Result<Value> {
        let Some(world) = self.world else { return Ok(Value::Null) };
        let params = json!({ "expression": expression, "contextId": world, "returnByValue": true });
        let mut reply = self.call("Runtime.evaluate", params).await?;
        Ok(reply.pointer_mut("/result/value").map(Value::take).unwrap_or(Value::Null))
    }

    async fn take(&mut self, incoming: Incoming) -> io::Result<()> {
        match incoming {
            Incoming::Reply { id, result } => self.body(id, result).await,
            Incoming::Event { method, params } => self.event(&method, params).await,
        }
    }

    async fn event(&mut self, method: &str, params: Value) -> io::Result<()> {
        // The name only: parameters repeat addresses, headers and texts.
        tracing::trace!(method, "the browser tells");
        match method {
            "Fetch.requestPaused" => return self.paused(params).await,
            "Runtime.executionContextCreated" => {
                let context = &params["context"];
                if context["name"] == WORLD && context["auxData"]["frameId"] == self.frame.as_str() {
                    self.world = context["id"].as_u64();
                }
            }
            "Runtime.executionContextDestroyed" if params["executionContextId"].as_u64() == self.world => {
                self.world = None;
            }
            "Runtime.executionContextsCleared" => self.world = None,
            "Runtime.bindingCalled" if params["executionContextId"].as_u64() == self.world => {
                self.told(params["payload"].as_str().unwrap_or_default());
            }
            "Page.lifecycleEvent" if params["frameId"] == self.frame.as_str() => {
                match params["name"].as_str() {
                    Some("init") => {
                        self.rest = Rest::Loading;
                        self.loader = params["loaderId"].as_str().map(str::to_owned);
                    }
                    Some("networkIdle") if params["loaderId"].as_str() == self.loader.as_deref() => {
                        self.rest = Rest::Quiet;
                        self.changed = true;
                    }
                    _ => {}
                }
            }
            "Page.javascriptDialogOpening" => {
                self.send("Page.handleJavaScriptDialog", json!({ "accept": false })).await?;
            }
            // Windows, workers and frames of other sites: none belongs to a login, and each could carry something away.
            "Target.attachedToTarget" if params["targetInfo"]["targetId"] != self.frame.as_str() => {
                tracing::debug!(kind = params["targetInfo"]["type"].as_str(), "a second target");
                let target = json!({ "targetId": params["targetInfo"]["targetId"] });
                self.pipe.send(None, "Target.closeTarget", target).await?;
            }
            "Inspector.targetCrashed" | "Inspector.detached" => {
                return Err(io::Error::other("the page crashed"));
            }
            _ => {}
        }
        Ok(())
    }

    /// What our script tells. The page cannot speak here: the binding exists in our world only.
    fn told(&mut self, text: &str) {
        let report: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        self.origin = report["origin"].as_str().and_then(|origin| Origin::parse(origin).ok());
        let counts = report["counts"].as_array().into_iter().flatten();
        self.counts =
            counts.map(|n| n.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX)).collect();
        self.changed = true;
    }
}

/// Reads what the browser writes to its error output until it ends: a full pipe would stop it. The text is not kept;
/// it may repeat addresses.
pub(super) fn drain(mut errors: io::PipeReader) {
    std::thread::spawn(move || io::copy(&mut errors, &mut io::sink()));
}

async fn ask(pipe: &mut Pipe, session: Option<&str>, method: &str, params: Value) -> io::Result<Value> {
    let id = pipe.send(session, method, params).await?;
    loop {
        if let Incoming::Reply { id: theirs, result } = pipe.next().await?
            && theirs == id
        {
            return result.ok_or_else(|| io::Error::other(format!("{method} was refused")));
        }
    }
}
