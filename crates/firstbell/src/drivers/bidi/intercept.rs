//! Every request of a BiDi session, held before it leaves and when its answer begins.

use std::io;

use serde_json::{Value, json};
use url::Url;

use firstbell_core::obstacle::TlsFault;
use firstbell_core::plan::Step;
use firstbell_core::sight::Rest;

use super::super::view::{Purpose, Ruling, Submission};
use super::page::{Awaited, BODY_BYTES, Page};
use crate::http::read_date;

/// Failures of which the browser says that no connection was made, in Firefox's words and in Chromium's.
const NEVER_LEFT: [&str; 7] = [
    "NS_ERROR_CONNECTION_REFUSED",
    "NS_ERROR_UNKNOWN_HOST",
    "NS_ERROR_OFFLINE",
    "net::ERR_CONNECTION_REFUSED",
    "net::ERR_NAME_NOT_RESOLVED",
    "net::ERR_INTERNET_DISCONNECTED",
    "net::ERR_ADDRESS_UNREACHABLE",
];

/// What is only shown or run, by the words of the Fetch standard.
const PASSIVE: [&str; 5] = ["image", "style", "script", "font", "manifest"];

impl Page<'_> {
    pub(super) async fn wants_out(&mut self, params: &Value) -> io::Result<()> {
        let request = &params["request"];
        let id = text(&request["request"]).to_owned();
        let context = text(&params["context"]);
        let ours = context == self.context || self.frames.contains(context);
        if self.is_page(params) && params["isBlocked"] == true && self.is_reading() {
            // A browser forgets what a page was answered as soon as it leaves the page.
            self.waiting.push(params.clone());
            return Ok(());
        }
        let purpose = if self.is_page(params) {
            Purpose::Page
        } else if PASSIVE.contains(&text(&request["destination"])) {
            Purpose::Passive
        } else {
            Purpose::Active
        };
        let ruling = match ours {
            true => self.view.rule(text(&request["url"]), text(&request["method"]), purpose),
            // Another window, a worker: nothing of theirs belongs to a login.
            false => Ruling::Stop,
        };
        if params["isBlocked"] != true {
            // Nobody asked us, so that we could only have watched it go; what stays in the browser goes nowhere.
            let outward = ["http", "ws"].iter().any(|scheme| text(&request["url"]).starts_with(scheme));
            return match outward && ruling != Ruling::Pass {
                true => {
                    Err(io::Error::other("the page sent what the browser did not let firstbell hold back"))
                }
                false => Ok(()),
            };
        }
        if ruling == Ruling::Pass {
            self.view.asks(purpose, &id);
            self.under_way.insert(id);
            return self
                .send("network.continueRequest", json!({ "request": request["request"] }))
                .await
                .map(drop);
        }
        self.stopped.insert(id);
        self.send("network.failRequest", json!({ "request": request["request"] })).await.map(drop)
    }

    pub(super) async fn answer_began(&mut self, params: &Value) -> io::Result<()> {
        if params["response"]["headers"].as_array().is_some_and(|headers| !headers.is_empty()) {
            self.read_head(params);
        } else if self.is_page(params) || self.step_of(params).is_some() {
            // Chromedriver now and then tells of an answer before it knows its head; the end of the answer brings it.
            self.headless.insert(text(&params["request"]["request"]).to_owned());
        }
        if params["isBlocked"] == true {
            let go_on = json!({ "request": params["request"]["request"] });
            self.send("network.continueResponse", go_on).await?;
        }
        Ok(())
    }

    fn read_head(&mut self, params: &Value) {
        let (document, step) = (self.is_page(params), self.step_of(params));
        let response = &params["response"];
        if !document && step.is_none() {
            return;
        }
        let status = response["status"].as_u64().and_then(|s| u16::try_from(s).ok()).filter(|s| *s > 0);
        // Chromium tells of a connection that failed as of an answer without a status; how it failed comes after.
        let Some(status) = status else { return };
        let headers = Headers(response);
        self.view.date = headers.find("date").and_then(read_date).or(self.view.date);
        let media =
            headers.find("content-type").unwrap_or("").split(';').next().unwrap_or("").trim().to_lowercase();
        if document {
            // The answer itself proves where it came from: only the plan's origin was let through.
            self.view.origin = Some(self.view.plan.origin.clone());
            self.view.rest = Rest::Loading;
            if (300..400).contains(&status) || (status == 200 && media == "text/html") {
                return;
            }
        }
        let retry_after_s = headers.find("retry-after").and_then(|text| text.parse().ok());
        let answer = self.view.answer_of(step, (status, &media), retry_after_s);
        let small =
            headers.find("content-length").and_then(|n| n.parse().ok()).is_none_or(|n: u64| n <= BODY_BYTES);
        if ["application/json", "text/html"].contains(&media.as_str()) && small {
            self.view.answering = step.is_some();
            let awaited = Awaited { answer, json: step.is_some() && status == 200 };
            self.awaited.insert(text(&params["request"]["request"]).to_owned(), awaited);
        } else {
            self.view.tell(answer);
        }
    }

    pub(super) async fn answer_ended(&mut self, params: &Value) -> io::Result<()> {
        let request = text(&params["request"]["request"]);
        self.under_way.remove(request);
        self.view.ended(request);
        if self.headless.remove(request) {
            self.read_head(params);
        }
        let Some(awaited) = self.awaited.remove(request) else { return Ok(()) };
        let wanted = json!({
            "dataType": "response", "request": request, "collector": self.collector, "disown": true,
        });
        let id = self.send("network.getData", wanted).await?;
        self.bodies.insert(id, awaited);
        Ok(())
    }

    /// Whether an answer's body is still to come.
    pub(super) fn is_reading(&self) -> bool {
        !self.awaited.is_empty() || !self.bodies.is_empty() || !self.headless.is_empty()
    }

    /// Lets the page leave as soon as all that it was answered is read.
    pub(super) async fn let_waiting_out(&mut self) -> io::Result<()> {
        while !self.is_reading()
            && let Some(params) = self.waiting.pop()
        {
            self.wants_out(&params).await?;
        }
        Ok(())
    }

    /// Takes in the body of an answer that was asked for.
    pub(super) fn body(&mut self, id: u64, result: Option<Value>) {
        let Some(Awaited { mut answer, json }) = self.bodies.remove(&id) else { return };
        let bytes = &result.as_ref().unwrap_or(&Value::Null)["bytes"];
        let value = text(&bytes["value"]);
        let decoded = (bytes["type"] == "base64")
            .then(|| data_encoding::BASE64.decode(value.as_bytes()).unwrap_or_default());
        self.view.read(&mut answer, json, decoded.as_deref().unwrap_or(value.as_bytes()));
        self.view.tell(answer);
    }

    pub(super) fn failed(&mut self, params: &Value) {
        let request = text(&params["request"]["request"]);
        self.under_way.remove(request);
        self.waiting.retain(|waiting| text(&waiting["request"]["request"]) != request);
        self.headless.remove(request);
        self.view.ended(request);
        let awaited = self.awaited.remove(request);
        if self.stopped.remove(request) || self.view.away.is_some() {
            return;
        }
        let step = self.step_of(params);
        let reason = text(&params["errorText"]);
        if let Some(fault) = TlsFault::from_browser(reason) {
            // A fault of the encryption that is no bad certificate may come after the request.
            match (step, fault) {
                (Some(step), TlsFault::Handshake) => self.view.broke(Some(step), false, words(reason)),
                _ => self.view.insecure = Some(fault),
            }
            return;
        }
        if step.is_none() && awaited.is_none() && !self.is_page(params) {
            return;
        }
        if !matches!(reason, "NS_BINDING_ABORTED" | "net::ERR_ABORTED") {
            self.view.broke(step, NEVER_LEFT.contains(&reason), words(reason));
        }
    }

    fn is_page(&self, params: &Value) -> bool {
        params["context"] == self.context.as_str()
            && !params["navigation"].is_null()
            && matches!(text(&params["request"]["destination"]), "document" | "")
    }

    /// The step whose one request this is.
    fn step_of(&self, params: &Value) -> Option<Step> {
        let url = Url::parse(text(&params["request"]["url"])).ok();
        let step = self.view.submission_to(url.as_ref())?;
        (self.view.submission == Submission::Sent(step)).then_some(step)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The few headers that are read. Cookies are among the others, and are not looked at.
struct Headers<'a>(&'a Value);

impl<'a> Headers<'a> {
    fn find(&self, name: &str) -> Option<&'a str> {
        let headers = self.0["headers"].as_array()?;
        let found =
            headers.iter().find(|h| h["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
        found["value"]["value"].as_str()
    }
}

/// The browser's reason in plain words.
fn words(reason: &str) -> &'static str {
    let has = |part: &str| reason.contains(part);
    if has("CONNECTION_REFUSED") {
        "connection refused"
    } else if has("RESET") || has("INTERRUPT") || has("CLOSED") || has("EMPTY_RESPONSE") {
        "the connection broke"
    } else if has("UNKNOWN_HOST") || has("NAME_NOT_RESOLVED") {
        "the address was not found"
    } else if has("TIMEOUT") || has("TIMED_OUT") {
        "no answer in time"
    } else if has("OFFLINE") || has("DISCONNECTED") || has("UNREACHABLE") {
        "no route"
    } else {
        "the connection failed"
    }
}
