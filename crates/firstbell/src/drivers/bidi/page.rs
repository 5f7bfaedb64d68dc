//! The one page of a BiDi session: opened empty, watched by a script in a sandbox of its own.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use firstbell_core::plan::Plan;
use firstbell_core::sight::{Answer, Rest, Seen};

use super::super::observer;
use super::super::view::View;
use super::Kind;
use super::socket::{Incoming, Socket};

/// The name of our script's sandbox, and of the way by which it tells.
const WORLD: &str = "firstbell";
/// A page that has loaded and asks for nothing more for this long has gone quiet; DevTools uses the same figure.
const QUIET: Duration = Duration::from_millis(500);
/// Answers of the login's own requests are far smaller; a larger one is not read.
pub(super) const BODY_BYTES: u64 = 64 * 1024;

/// An answer whose body was asked for.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) answer: Answer,
    /// Whether a good answer of this request is JSON that says success.
    pub(super) json: bool,
}

/// What is known of the page, kept up with every message.
pub(super) struct Page<'a> {
    pub(super) view: View<'a>,
    socket: Socket,
    pub(super) context: String,
    /// Frames of the page.
    pub(super) frames: HashSet<String>,
    realm: Option<String>,
    pub(super) collector: String,
    loaded: bool,
    /// Requests that have begun and not ended.
    pub(super) under_way: HashSet<String>,
    /// Requests that we stopped: their failure is no news.
    pub(super) stopped: HashSet<String>,
    /// Answers that wait for their body, by the request …
    pub(super) awaited: HashMap<String, Awaited>,
    /// … and by the command that asked for it.
    pub(super) bodies: HashMap<u64, Awaited>,
    /// Answers that began without their head, by the request.
    pub(super) headless: HashSet<String>,
    /// Documents that the page asked for meanwhile; they wait until all is read.
    pub(super) waiting: Vec<Value>,
}

impl<'a> Page<'a> {
    /// Sets up everything that watches before any page is opened.
    pub(super) async fn open(plan: &'a Plan, mut socket: Socket, engine: Kind) -> io::Result<Page<'a>> {
        if engine == Kind::BareFirefox {
            ask(&mut socket, "session.new", json!({ "capabilities": {} })).await?;
        }
        let tree = ask(&mut socket, "browsingContext.getTree", json!({ "maxDepth": 0 })).await?;
        // A page of our own: the one that a browser starts with need not be in front, and would then not take the focus.
        let mut wanted = json!({ "type": "tab" });
        if engine == Kind::Chromium {
            // Off the record: chromedriver's own profile keeps cookies, documents, scripts and what pages store. Firefox is private whole.
            let apart = ask(&mut socket, "browser.createUserContext", json!({})).await?;
            let apart =
                apart["userContext"].as_str().ok_or_else(|| io::Error::other("no context of its own"))?;
            wanted["userContext"] = apart.into();
        }
        let ours = ask(&mut socket, "browsingContext.create", wanted).await?;
        let context = ours["context"].as_str().ok_or_else(|| io::Error::other("no page"))?.to_owned();
        for other in tree["contexts"].as_array().into_iter().flatten() {
            ask(&mut socket, "browsingContext.close", json!({ "context": other["context"] })).await?;
        }
        let collect = json!({ "dataTypes": ["response"], "maxEncodedDataSize": BODY_BYTES });
        let collector = ask(&mut socket, "network.addDataCollector", collect).await?;
        let mut page = Page {
            view: View::new(plan),
            context,
            frames: HashSet::new(),
            realm: None,
            collector: collector["collector"].as_str().unwrap_or_default().to_owned(),
            loaded: false,
            under_way: HashSet::new(),
            stopped: HashSet::new(),
            awaited: HashMap::new(),
            bodies: HashMap::new(),
            headless: HashSet::new(),
            waiting: Vec::new(),
            socket,
        };
        page.watch(engine).await?;
        Ok(page)
    }

    async fn watch(&mut self, engine: Kind) -> io::Result<()> {
        let script = observer::script(self.view.plan, "firstbellTell");
        // Told things wait until somebody listens; the page sees neither the script nor the listener.
        let script = format!(
            "() => {{ let hear = null; const waiting = [];
                const firstbellTell = (text) => hear ? hear(text) : waiting.push(text);
                globalThis.firstbellHear = (listener) => {{ hear = listener; waiting.splice(0).forEach(hear); }};
                {script} }}"
        );
        let events = [
            "network.beforeRequestSent",
            "network.responseStarted",
            "network.responseCompleted",
            "network.fetchError",
            "script.message",
            "script.realmCreated",
            "script.realmDestroyed",
            "browsingContext.contextCreated",
            "browsingContext.contextDestroyed",
            "browsingContext.navigationStarted",
            "browsingContext.load",
            "browsingContext.userPromptOpened",
        ];
        let mut sent = Vec::new();
        for (method, params) in [
            ("session.subscribe", json!({ "events": events })),
            ("network.addIntercept", json!({ "phases": ["beforeRequestSent", "responseStarted"] })),
            ("network.setCacheBehavior", json!({ "cacheBehavior": "bypass" })),
            ("script.addPreloadScript", json!({ "functionDeclaration": script, "sandbox": WORLD })),
            ("script.addPreloadScript", json!({ "functionDeclaration": observer::TAKEN_AWAY })),
        ] {
            sent.push(self.send(method, params).await?);
        }
        if engine == Kind::Chromium {
            // Chromium sends a POST again when a connection breaks that was used before, so that none may be used twice.
            let close = json!({ "name": "Connection", "value": { "type": "string", "value": "close" } });
            sent.push(self.send("network.setExtraHeaders", json!({ "headers": [close] })).await?);
        }
        // A page that is opened before all of this holds runs without a part of it.
        while !sent.is_empty() {
            match self.socket.next().await? {
                Incoming::Reply { id, result: Err(e) } if sent.contains(&id) => {
                    return Err(io::Error::other(format!(
                        "the browser refused what keeps a login safe: {e}"
                    )));
                }
                Incoming::Reply { id, .. } => sent.retain(|s| *s != id),
                event @ Incoming::Event { .. } => self.take(event).await?,
            }
        }
        Ok(())
    }

    /// Begins to open an address; that it is there is told by what follows.
    pub(super) async fn navigate(&mut self, url: &str) -> io::Result<()> {
        let params = json!({ "context": self.context, "url": url, "wait": "none" });
        self.send("browsingContext.navigate", params).await.map(drop)
    }

    /// Waits for something to report. An answer that waits for its body comes before what followed from it.
    pub(super) async fn news(&mut self) -> io::Result<Seen> {
        loop {
            if !self.is_reading()
                && let Some(seen) = self.view.news()
            {
                return Ok(seen);
            }
            let settling = self.loaded && self.under_way.is_empty() && self.view.rest == Rest::Loading;
            let incoming = if settling {
                match tokio::time::timeout(QUIET, self.socket.next()).await {
                    Ok(incoming) => incoming?,
                    Err(_) => {
                        self.view.rest = Rest::Quiet;
                        self.view.changed = true;
                        continue;
                    }
                }
            } else {
                self.socket.next().await?
            };
            self.take(incoming).await?;
        }
    }

    /// Takes in what happens next.
    pub(super) async fn take_next(&mut self) -> io::Result<()> {
        let incoming = self.socket.next().await?;
        self.take(incoming).await
    }

    /// Sends a command.
    pub(super) async fn send(&mut self, method: &str, params: Value) -> io::Result<u64> {
        self.socket.send(method, params).await
    }

    /// Waits for what becomes of a command that was sent; everything that happens meanwhile is taken in.
    pub(super) async fn result_of(&mut self, id: u64) -> io::Result<Option<Value>> {
        loop {
            match self.socket.next().await? {
                Incoming::Reply { id: theirs, result } if theirs == id => return Ok(result.ok()),
                incoming => self.take(incoming).await?,
            }
        }
    }

    /// Leaves the page for an empty one, and takes a picture of this in it.
    pub(super) async fn draw(&mut self, html: String) -> io::Result<Option<Vec<u8>>> {
        let blank = json!({ "context": self.context, "url": "about:blank", "wait": "complete" });
        let id = self.send("browsingContext.navigate", blank).await?;
        if self.result_of(id).await?.is_none() {
            return Ok(None);
        }
        let set = json!({
            "functionDeclaration": "(html) => { document.documentElement.innerHTML = html; }",
            "arguments": [{ "type": "string", "value": html }],
            "target": { "context": self.context }, "awaitPromise": false,
        });
        let id = self.send("script.callFunction", set).await?;
        self.result_of(id).await?;
        let id = self.send("browsingContext.captureScreenshot", json!({ "context": self.context })).await?;
        let shot = self.result_of(id).await?.unwrap_or(Value::Null);
        Ok(shot["data"].as_str().and_then(|data| data_encoding::BASE64.decode(data.as_bytes()).ok()))
    }

    /// Evaluates an expression of our own script in its own sandbox; it must give what JSON can say.
    pub(super) async fn ask_script(&mut self, expression: &str) -> io::Result<Value> {
        let Some(realm) = &self.realm else { return Ok(Value::Null) };
        let params = json!({
            "expression": format!("JSON.stringify({expression})"),
            "target": { "realm": realm }, "awaitPromise": false,
        });
        let id = self.send("script.evaluate", params).await?;
        let reply = self.result_of(id).await?.unwrap_or(Value::Null);
        let text = reply["result"]["value"].as_str().unwrap_or("null");
        Ok(serde_json::from_str(text).unwrap_or(Value::Null))
    }

    async fn take(&mut self, incoming: Incoming) -> io::Result<()> {
        match incoming {
            Incoming::Reply { id, result } => self.body(id, result.ok()),
            Incoming::Event { method, params } => self.event(&method, &params).await?,
        }
        self.let_waiting_out().await
    }

    async fn event(&mut self, method: &str, params: &Value) -> io::Result<()> {
        // The name only: parameters repeat addresses, headers and texts.
        tracing::trace!(method, "the browser tells");
        let ours = params["context"] == self.context.as_str();
        match method {
            "network.beforeRequestSent" => return self.wants_out(params).await,
            "network.responseStarted" => return self.answer_began(params).await,
            "network.responseCompleted" => return self.answer_ended(params).await,
            "network.fetchError" => self.failed(params),
            "script.realmCreated" if ours && params["sandbox"] == WORLD => {
                let realm = params["realm"].as_str().unwrap_or_default();
                self.realm = Some(realm.to_owned());
                let listener =
                    json!({ "type": "channel", "value": { "channel": WORLD, "ownership": "none" } });
                let hear = json!({
                    "functionDeclaration": "(listener) => { globalThis.firstbellHear?.(listener); }",
                    "arguments": [listener], "target": { "realm": realm }, "awaitPromise": false,
                });
                self.send("script.callFunction", hear).await?;
            }
            "script.realmDestroyed" if params["realm"].as_str() == self.realm.as_deref() => self.realm = None,
            "script.message"
                if params["channel"] == WORLD
                    && params["source"]["realm"].as_str() == self.realm.as_deref() =>
            {
                self.view.told(params["data"]["value"].as_str().unwrap_or_default());
            }
            "browsingContext.navigationStarted" if ours => {
                (self.view.rest, self.loaded) = (Rest::Loading, false);
            }
            "browsingContext.load" if ours => self.loaded = true,
            // Windows and tabs: none belongs to a login, and each could carry something away.
            "browsingContext.contextCreated" if !ours && params["parent"].is_null() => {
                tracing::debug!("a second page");
                let close = json!({ "context": params["context"] });
                self.send("browsingContext.close", close).await?;
            }
            "browsingContext.contextCreated" if params["parent"] == self.context.as_str() => {
                self.frames.insert(params["context"].as_str().unwrap_or_default().to_owned());
            }
            "browsingContext.contextDestroyed" if ours => return Err(io::Error::other("the page crashed")),
            "browsingContext.userPromptOpened" => {
                // A page that asks to stay is left all the same.
                let leaves = params["type"] == "beforeunload";
                let dismiss = json!({ "context": params["context"], "accept": leaves });
                self.send("browsingContext.handleUserPrompt", dismiss).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

async fn ask(socket: &mut Socket, method: &str, params: Value) -> io::Result<Value> {
    let id = socket.send(method, params).await?;
    loop {
        if let Incoming::Reply { id: theirs, result } = socket.next().await?
            && theirs == id
        {
            return result.map_err(|e| io::Error::other(format!("the browser does not know {method}: {e}")));
        }
    }
}
