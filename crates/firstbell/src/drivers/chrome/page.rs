//! The one page of a browser: opened off the record, watched by a script in a world of its own.

use std::collections::HashMap;
use std::io;

use serde_json::{Value, json};

use firstbell_core::plan::Plan;
use firstbell_core::sight::{Rest, Seen};

use super::super::observer;
use super::super::view::View;
use super::intercept::Awaited;
use super::pipe::{Incoming, Pipe};

const WORLD: &str = "firstbell";
const BINDING: &str = "firstbellTell";

/// What is known of the page, kept up with every message.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) view: View<'a>,
    pipe: Pipe,
    session: String,
    pub(super) frame: String,
    world: Option<u64>,
    /// The document that the page shows; what is told of an earlier one does not count.
    pub(super) loader: Option<String>,
    /// The request for the page itself that failed, while it is not known yet how.
    pub(super) failing: Option<String>,
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
            view: View::new(plan),
            pipe,
            session,
            frame,
            world: None,
            loader: None,
            failing: None,
            awaited: HashMap::new(),
        };
        page.watch().await?;
        Ok(page)
    }

    async fn watch(&mut self) -> io::Result<()> {
        let script = observer::script(self.view.plan, BINDING);
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
            (
                "Page.addScriptToEvaluateOnNewDocument",
                json!({ "source": format!("({})()", observer::TAKEN_AWAY) }),
            ),
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
            if let Some(seen) = self.view.news() {
                return Ok(seen);
            }
            self.take_next().await?;
        }
    }

    /// Takes in what happens next.
    pub(super) async fn take_next(&mut self) -> io::Result<()> {
        let incoming = self.pipe.next().await?;
        self.take(incoming).await
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

    /// Leaves the page for an empty one, and takes a picture of this in it.
    pub(super) async fn draw(&mut self, html: String) -> io::Result<Option<Vec<u8>>> {
        self.call("Page.navigate", json!({ "url": "about:blank" })).await?;
        self.call("Page.setDocumentContent", json!({ "frameId": self.frame, "html": html })).await?;
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" })).await?;
        Ok(shot["data"].as_str().and_then(|data| data_encoding::BASE64.decode(data.as_bytes()).ok()))
    }

    /// Evaluates an expression of our own script in its own world.
    pub(super) async fn ask_script(&mut self, expression: String) -> io::Result<Value> {
        let Some(world) = self.world else { return Ok(Value::Null) };
        let params = json!({ "expression": expression, "contextId": world, "returnByValue": true });
        let mut reply = self.call("Runtime.evaluate", params).await?;
        Ok(reply.pointer_mut("/result/value").map(Value::take).unwrap_or(Value::Null))
    }

    async fn take(&mut self, incoming: Incoming) -> io::Result<()> {
        match incoming {
            Incoming::Reply { id, result } => self.replied(id, result).await,
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
                self.view.told(params["payload"].as_str().unwrap_or_default());
            }
            "Page.lifecycleEvent" if params["frameId"] == self.frame.as_str() => {
                match params["name"].as_str() {
                    Some("init") => {
                        self.view.rest = Rest::Loading;
                        self.loader = params["loaderId"].as_str().map(str::to_owned);
                    }
                    Some("networkIdle") if params["loaderId"].as_str() == self.loader.as_deref() => {
                        self.view.rest = Rest::Quiet;
                        self.view.changed = true;
                    }
                    _ => {}
                }
            }
            "Network.loadingFinished" => self.view.ended(params["requestId"].as_str().unwrap_or_default()),
            "Network.loadingFailed" => {
                self.view.ended(params["requestId"].as_str().unwrap_or_default());
                self.failed(&params);
            }
            "Page.javascriptDialogOpening" => {
                // A page that asks to stay is left all the same.
                let leaves = params["type"] == "beforeunload";
                self.send("Page.handleJavaScriptDialog", json!({ "accept": leaves })).await?;
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
