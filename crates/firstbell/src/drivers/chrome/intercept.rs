//! Every request of the page, paused before it leaves and when its answer has come.

use std::io;

use serde_json::{Value, json};
use url::Url;

use firstbell_core::obstacle::TlsFault;
use firstbell_core::sight::{Answer, Rest};

use super::super::document;
use super::super::view::{Purpose, Ruling, Submission};
use super::page::Page;
use crate::http::read_date;

/// Answers of the login's own requests are far smaller; a larger one is not read.
const BODY_BYTES: u64 = 64 * 1024;

/// Failures of which the browser says that no connection was made.
const NEVER_LEFT: [&str; 4] =
    ["ConnectionRefused", "NameNotResolved", "InternetDisconnected", "AddressUnreachable"];

/// A command whose reply decides how it goes on.
#[derive(Debug)]
pub(super) enum Awaited {
    /// The body of a paused response.
    Body(Held),
    /// The page, given anew in the place of this response.
    Given(Value),
    /// The end of a page that could not be shown. Where another page has taken its place already, there was nothing to end.
    Ended,
}

/// A paused response.
#[derive(Debug)]
pub(super) struct Held {
    paused: Value,
    /// What the walk is to hear of it.
    told: Option<Told>,
    is_page: bool,
}

#[derive(Debug)]
struct Told {
    answer: Answer,
    /// Whether a good answer of this request is JSON that says success.
    json: bool,
}

impl Page<'_> {
    /// Every request is looked at before it leaves; documents and submissions also when their answer has come.
    pub(super) fn patterns(&self) -> Value {
        let mut patterns = vec![
            json!({ "urlPattern": "*", "requestStage": "Request" }),
            json!({ "urlPattern": "*", "resourceType": "Document", "requestStage": "Response" }),
        ];
        for step in &self.view.plan.steps {
            let url = self.view.plan.origin.join(&step.path);
            patterns.push(json!({ "urlPattern": format!("{url}*"), "requestStage": "Response" }));
        }
        Value::Array(patterns)
    }

    pub(super) async fn paused(&mut self, params: Value) -> io::Result<()> {
        let is_answer =
            params.get("responseStatusCode").is_some() || params.get("responseErrorReason").is_some();
        if is_answer { self.answer_came(&params).await } else { self.wants_out(&params).await }
    }

    async fn wants_out(&mut self, params: &Value) -> io::Result<()> {
        let text = params["request"]["url"].as_str().unwrap_or_default();
        let method = params["request"]["method"].as_str().unwrap_or_default();
        let is = |kinds: &[&str]| kinds.iter().any(|kind| params["resourceType"] == *kind);
        let purpose = if self.is_main_document(params) {
            Purpose::Page
        } else if is(&["XHR", "Fetch", "Ping", "EventSource", "WebSocket", "Document"]) {
            Purpose::Active
        } else {
            Purpose::Passive
        };
        match self.view.rule(text, method, purpose) {
            Ruling::Pass => {
                self.view.asks(purpose, params["networkId"].as_str().unwrap_or_default());
                self.pass(params).await
            }
            Ruling::Stop => self.stop(params, "BlockedByClient").await,
            Ruling::Away => self.stop(params, "Aborted").await,
        }
    }

    async fn answer_came(&mut self, params: &Value) -> io::Result<()> {
        let url = params["request"]["url"].as_str().and_then(|text| Url::parse(text).ok());
        let is_page = self.is_main_document(params);
        let step = self
            .view
            .submission_to(url.as_ref())
            .filter(|step| self.view.submission == Submission::Sent(*step));
        if !is_page && step.is_none() {
            return self.pass(params).await;
        }
        if let Some(reason) = params["responseErrorReason"].as_str() {
            if is_page && reason == "Failed" {
                // The kind of this failure is told a moment later, with the end of the request.
                self.failing = params["networkId"].as_str().map(str::to_owned);
            } else if self.view.away.is_none() && reason != "Aborted" {
                self.view.broke(step, NEVER_LEFT.contains(&reason), words(reason));
            }
            return self.pass(params).await;
        }
        let headers = Headers(params);
        self.view.date = headers.find("date").and_then(read_date).or(self.view.date);
        let status = params["responseStatusCode"].as_u64().and_then(|s| u16::try_from(s).ok()).unwrap_or(0);
        let media =
            headers.find("content-type").unwrap_or("").split(';').next().unwrap_or("").trim().to_lowercase();
        if is_page {
            // The answer itself proves where it came from: only the plan's origin was let through.
            self.view.origin = Some(self.view.plan.origin.clone());
            (self.view.rest, self.loader) = (Rest::Loading, None);
            if document::leads_on(params) {
                return self.pass(params).await;
            }
            if status == 200 && media == "text/html" {
                return self.ask_body(params, None, true).await;
            }
        }
        let retry_after_s = headers.find("retry-after").and_then(|text| text.parse().ok());
        let answer = self.view.answer_of(step, (status, &media), retry_after_s);
        let small =
            headers.find("content-length").and_then(|n| n.parse().ok()).is_none_or(|n: u64| n <= BODY_BYTES);
        if ["application/json", "text/html"].contains(&media.as_str()) && small {
            let told = Told { answer, json: step.is_some() && status == 200 };
            return self.ask_body(params, Some(told), is_page).await;
        }
        self.view.tell(answer);
        if is_page { self.ask_body(params, None, true).await } else { self.pass(params).await }
    }

    async fn ask_body(&mut self, params: &Value, told: Option<Told>, is_page: bool) -> io::Result<()> {
        let id = self.send("Fetch.getResponseBody", json!({ "requestId": params["requestId"] })).await?;
        self.awaited.insert(id, Awaited::Body(Held { paused: params.clone(), told, is_page }));
        Ok(())
    }

    /// The end of a request whose failure had no name yet: a certificate, or the connection.
    pub(super) fn failed(&mut self, params: &Value) {
        if self.failing.is_none() || params["requestId"].as_str() != self.failing.as_deref() {
            return;
        }
        self.failing = None;
        match TlsFault::from_browser(params["errorText"].as_str().unwrap_or_default()) {
            Some(fault) => self.view.insecure = Some(fault),
            None => self.view.broke(None, false, words("Failed")),
        }
    }

    /// Takes in what became of a command.
    pub(super) async fn replied(&mut self, id: u64, result: Option<Value>) -> io::Result<()> {
        match self.awaited.remove(&id) {
            Some(Awaited::Body(held)) => self.body(held, &result.unwrap_or(Value::Null)).await,
            Some(Awaited::Given(paused)) if result.is_none() => self.end(&paused).await,
            Some(Awaited::Ended) if result.is_some() => {
                self.view.broke(None, false, "the connection broke");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes in the body of an answer that was asked for, and lets the page have it.
    async fn body(&mut self, held: Held, said: &Value) -> io::Result<()> {
        let Held { paused, told, is_page } = held;
        let is_told = told.is_some();
        if let Some(Told { mut answer, json }) = told {
            let text = said["body"].as_str().unwrap_or_default();
            let decoded = (said["base64Encoded"] == true)
                .then(|| data_encoding::BASE64.decode(text.as_bytes()).unwrap_or_default());
            let bytes = decoded.as_deref().unwrap_or(text.as_bytes());
            self.view.read(&mut answer, json, bytes);
            self.view.tell(answer);
        }
        if !is_page {
            return self.pass(&paused).await;
        }
        match document::anew(&paused, said) {
            Some(given) => {
                let id = self.send("Fetch.fulfillRequest", given).await?;
                self.awaited.insert(id, Awaited::Given(paused));
                Ok(())
            }
            None if is_told => self.stop(&paused, "Aborted").await,
            None => self.end(&paused).await,
        }
    }

    /// Ends a page that cannot be shown.
    async fn end(&mut self, paused: &Value) -> io::Result<()> {
        let stop = json!({ "requestId": paused["requestId"], "errorReason": "Aborted" });
        let id = self.send("Fetch.failRequest", stop).await?;
        self.awaited.insert(id, Awaited::Ended);
        Ok(())
    }

    fn is_main_document(&self, params: &Value) -> bool {
        params["resourceType"] == "Document" && params["frameId"] == self.frame.as_str()
    }

    async fn pass(&mut self, params: &Value) -> io::Result<()> {
        self.send("Fetch.continueRequest", json!({ "requestId": params["requestId"] })).await.map(drop)
    }

    async fn stop(&mut self, params: &Value, reason: &str) -> io::Result<()> {
        let stop = json!({ "requestId": params["requestId"], "errorReason": reason });
        self.send("Fetch.failRequest", stop).await.map(drop)
    }
}

/// The few headers that are read. Cookies are among the others, and are not looked at.
struct Headers<'a>(&'a Value);

impl<'a> Headers<'a> {
    fn find(&self, name: &str) -> Option<&'a str> {
        let headers = self.0["responseHeaders"].as_array()?;
        let found =
            headers.iter().find(|h| h["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
        found["value"].as_str()
    }
}

/// The browser's reason in plain words.
fn words(reason: &str) -> &'static str {
    match reason {
        "ConnectionRefused" => "connection refused",
        "ConnectionReset" | "ConnectionClosed" | "ConnectionAborted" => "the connection broke",
        "NameNotResolved" => "the address was not found",
        "InternetDisconnected" | "AddressUnreachable" => "no route",
        "TimedOut" => "no answer in time",
        _ => "the connection failed",
    }
}
