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

/// The end of an address that chromedriver keeps to itself.
const KEPT_BACK: &str = "/favicon.ico";

/// The watch over one page: the browser asks it before anything leaves or is shown, for as long as it stands.
pub(super) struct Watch(JoinHandle<()>);

impl Watch {
    /// Watches the page with this number, at the browser's own debugging port; in force when this is over.
    pub(super) async fn open(port: u16, page: &str, link: Box<dyn Link>) -> io::Result<Watch> {
        let url = format!("ws://127.0.0.1:{port}/devtools/page/{page}");
        let socket = Socket::open(&url, link).await?;
        let mut watcher = Watcher { socket, owed: HashSet::new(), documents: HashMap::new() };
        watcher.begin().await?;
        Ok(Watch(tokio::spawn(async move { while watcher.turn().await.is_ok() {} })))
    }

    /// Whether nobody watches any more.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Watcher {
    socket: Socket,
    /// Commands that must be obeyed.
    owed: HashSet<u64>,
    /// Paused documents, by the command that asked for their body.
    documents: HashMap<u64, Value>,
}

impl Watcher {
    async fn begin(&mut self) -> io::Result<()> {
        let patterns = json!([
            { "urlPattern": "*", "requestStage": "Request" },
            { "urlPattern": "*", "resourceType": "Document", "requestStage": "Response" },
        ]);
        // A frame of another site waits for a word that it never gets: none belongs to a login.
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
            Incoming::Reply { id, result } => {
                if let Some(paused) = self.documents.remove(&id) {
                    return self.show(&paused, &result.unwrap_or(Value::Null)).await;
                }
                match (self.owed.remove(&id), result) {
                    (true, Err(_)) => Err(io::Error::other("its browser refused to be watched")),
                    _ => Ok(()),
                }
            }
            Incoming::Event { method, params } if method == "Fetch.requestPaused" => self.rule(params).await,
            Incoming::Event { .. } => Ok(()),
        }
    }

    async fn rule(&mut self, params: Value) -> io::Result<()> {
        let id = &params["requestId"];
        if let Some(status) = params["responseStatusCode"].as_u64() {
            if (300..400).contains(&status) {
                return self.go_on(id).await;
            }
            let body = self.socket.send("Fetch.getResponseBody", json!({ "requestId": id })).await?;
            self.documents.insert(body, params);
            return Ok(());
        }
        let request = &params["request"];
        let address = ["url", "urlFragment"].map(|part| request[part].as_str().unwrap_or_default()).concat();
        let is_told = params["networkId"].is_string() && !address.ends_with(KEPT_BACK);
        // What becomes of one that is told of is decided where chromedriver tells of it.
        if is_told || params["responseErrorReason"].is_string() {
            return self.go_on(id).await;
        }
        self.fail(id).await
    }

    /// Has a document shown in its sandbox.
    async fn show(&mut self, paused: &Value, said: &Value) -> io::Result<()> {
        match document::anew(paused, said) {
            Some(given) => self.socket.send("Fetch.fulfillRequest", given).await.map(drop),
            None => self.fail(&paused["requestId"]).await,
        }
    }

    async fn go_on(&mut self, request: &Value) -> io::Result<()> {
        self.socket.send("Fetch.continueRequest", json!({ "requestId": request })).await.map(drop)
    }

    async fn fail(&mut self, request: &Value) -> io::Result<()> {
        let stop = json!({ "requestId": request, "errorReason": "BlockedByClient" });
        self.socket.send("Fetch.failRequest", stop).await.map(drop)
    }
}
