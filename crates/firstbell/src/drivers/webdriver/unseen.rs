//! What chromedriver does not hold back for us, held back on a second connection, to its browser itself.
//!
//! Its BiDi lets go on what has no number in the browser's network log (the downloads that a page begins), says nothing of
//! an address that ends like a favicon's, and cannot give a document anew, which is how it comes into its sandbox.

use std::collections::{HashMap, HashSet};
use std::io;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::super::bidi::{Incoming, Link, Socket};
use super::super::document;

/// The end of an address of which chromedriver tells nobody, with or without the part behind #.
const UNTOLD: &str = "/favicon.ico";

/// The watch over one page: the browser asks it before anything leaves or is shown, for as long as it stands.
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Watches the page with this number, at the browser's own debugging port; in force when this is over.
    pub(super) async fn open(port: u16, page: &str, link: Box<dyn Link>) -> io::Result<Watch> {
        let url = format!("ws://127.0.0.1:{port}/devtools/page/{page}");
        let socket = Socket::open(&url, link).await?;
        let page = page.to_owned();
        let mut watcher = Watcher { socket, page, owed: HashSet::new(), held: HashMap::new() };
        watcher.begin().await?;
        Ok(Watch(tokio::spawn(async move { while watcher.turn().await.is_ok() {} })))
    }

    /// Waits until nobody watches any more.
    pub(super) async fn ended(&mut self) {
        if !self.0.is_finished() {
            let _ = (&mut self.0).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a held document waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its body.
    Asked,
    /// That it is shown.
    Given,
}

struct Watcher {
    socket: Socket,
    page: String,
    /// Commands that must be obeyed.
    owed: HashSet<u64>,
    /// The page's paused documents, by the command that they wait for.
    held: HashMap<u64, (Stage, Value)>,
}

impl Watcher {
    async fn begin(&mut self) -> io::Result<()> {
        let patterns = json!([
            { "urlPattern": "*", "requestStage": "Request" },
            { "urlPattern": "*", "resourceType": "Document", "requestStage": "Response" },
        ]);
        // A frame of another site waits for a word that it never gets, and the page that has one is never at rest: none belongs to
        // a login.
        let frames = json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true });
        for (method, params) in
            [("Fetch.enable", json!({ "patterns": patterns })), ("Target.setAutoAttach", frames)]
        {
            let id = self.socket.send(method, params).await?;
            self.owed.insert(id);
        }
        while !self.owed.is_empty() {
            self.turn().await?;
        }
        Ok(())
    }

    /// Takes in what happens next.
    async fn turn(&mut self) -> io::Result<()> {
        match self.socket.next().await? {
            Incoming::Reply { id, result } => match (self.held.remove(&id), result) {
                (Some((Stage::Asked, paused)), Ok(said)) => self.show(paused, &said).await,
                (Some((_, paused)), Err(_)) => self.fail(&paused["requestId"]).await,
                (None, Err(_)) if self.owed.contains(&id) => {
                    Err(io::Error::other("its browser refused to be watched"))
                }
                _ => {
                    self.owed.remove(&id);
                    Ok(())
                }
            },
            Incoming::Event { method, params } if method == "Fetch.requestPaused" => self.rule(params).await,
            Incoming::Event { .. } => Ok(()),
        }
    }

    async fn rule(&mut self, params: Value) -> io::Result<()> {
        let id = &params["requestId"];
        if params["responseStatusCode"].is_u64() {
            // Frames are in the sandbox of the page around them.
            if params["frameId"] != self.page.as_str() || document::leads_on(&params) {
                return self.go_on(id).await;
            }
            let body = self.socket.send("Fetch.getResponseBody", json!({ "requestId": id })).await?;
            self.held.insert(body, (Stage::Asked, params));
            return Ok(());
        }
        let request = &params["request"];
        let [address, behind] = ["url", "urlFragment"].map(|part| request[part].as_str().unwrap_or_default());
        let is_told = params["networkId"].is_string()
            && !address.ends_with(UNTOLD)
            && !format!("{address}{behind}").ends_with(UNTOLD);
        // A submission that is led on would be one more; chromedriver may not tell of it either.
        let is_led_on = params["redirectedRequestId"].is_string() && request["method"] != "GET";
        // What becomes of one that is told of is decided where chromedriver tells of it.
        if (is_told && !is_led_on) || params["responseErrorReason"].is_string() {
            return self.go_on(id).await;
        }
        self.fail(id).await
    }

    /// Has the page shown in its sandbox.
    async fn show(&mut self, paused: Value, said: &Value) -> io::Result<()> {
        let Some(given) = document::anew(&paused, said) else { return self.fail(&paused["requestId"]).await };
        let id = self.socket.send("Fetch.fulfillRequest", given).await?;
        self.held.insert(id, (Stage::Given, paused));
        Ok(())
    }

    async fn go_on(&mut self, request: &Value) -> io::Result<()> {
        self.socket.send("Fetch.continueRequest", json!({ "requestId": request })).await.map(drop)
    }

    async fn fail(&mut self, request: &Value) -> io::Result<()> {
        let stop = json!({ "requestId": request, "errorReason": "BlockedByClient" });
        self.socket.send("Fetch.failRequest", stop).await.map(drop)
    }
}
