//! Answers: what is sent, and every refusal with its sentence and its cure.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use firstbell_core::failure::Failure;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

/// The host that a request at a socket names. A page in a browser cannot.
pub(super) const NAME: &str = "firstbell";

pub(super) const JSON: &str = "application/json";

/// What is sent: all at once, or as it comes.
#[derive(Debug)]
pub(super) enum Reply {
    Whole(Option<Bytes>),
    Stream(Receiver<Bytes>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Reply::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Reply::Stream(comes) => {
                comes.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Reply::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Reply::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Reply::Stream(_) => SizeHint::default(),
        }
    }
}

/// Why a request is refused before anything is done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its `Host` is not one of ours: a name that was bound to this address, or none at all.
    Host,
    /// It comes from a page in a browser.
    Browser,
    /// Its target is no path, or its version is not 1.1.
    Form,
    /// It has a body.
    Body,
    /// Its address is too long.
    Size,
    /// It shows no key.
    NoKey,
    /// It shows a key that is none of ours.
    WrongKey,
    /// The keys could not be read yet.
    NoRing,
    /// Too many wrong keys are being shown, or all places of such as him at the shared socket are taken.
    Crowd,
    /// Its user is not one of those who may use this socket.
    Stranger,
    /// Its key, or its user, may not do this.
    Scope,
    /// There is no such address.
    Path,
    /// The address is there for another method.
    Method,
    /// Its query is not what the address knows.
    Query,
}

impl Why {
    pub(super) const ALL: [Why; 14] = [
        Why::Host,
        Why::Browser,
        Why::Form,
        Why::Body,
        Why::Size,
        Why::NoKey,
        Why::WrongKey,
        Why::NoRing,
        Why::Crowd,
        Why::Stranger,
        Why::Scope,
        Why::Path,
        Why::Method,
        Why::Query,
    ];

    /// Its name in the metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Why::Host => "host",
            Why::Browser => "browser",
            Why::Form => "form",
            Why::Body => "body",
            Why::Size => "size",
            Why::NoKey => "no_key",
            Why::WrongKey => "wrong_key",
            Why::NoRing => "no_ring",
            Why::Crowd => "crowd",
            Why::Stranger => "stranger",
            Why::Scope => "scope",
            Why::Path => "path",
            Why::Method => "method",
            Why::Query => "query",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Why::Form | Why::Query => StatusCode::BAD_REQUEST,
            Why::NoKey | Why::WrongKey => StatusCode::UNAUTHORIZED,
            Why::Host | Why::Browser | Why::Stranger | Why::Scope => StatusCode::FORBIDDEN,
            Why::Path => StatusCode::NOT_FOUND,
            Why::Method => StatusCode::METHOD_NOT_ALLOWED,
            Why::Body | Why::Size => StatusCode::PAYLOAD_TOO_LARGE,
            Why::Crowd => StatusCode::TOO_MANY_REQUESTS,
            Why::NoRing => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Why::Host => (
                "forbidden",
                "the Host of this request is not this address",
                "Send Host: firstbell at a socket, and the address itself (127.0.0.1:PORT) over TCP.",
            ),
            Why::Browser => (
                "forbidden",
                "this is for programs, not for pages in a browser",
                "Ask from a program, without Origin, Sec-Fetch and Upgrade headers.",
            ),
            Why::Form => {
                ("bad_request", "this is not a request of HTTP/1.1 for a path", "Send GET /v1/… HTTP/1.1.")
            }
            Why::Body => ("too_large", "no request here has a body", "Send the request without one."),
            Why::Size => ("too_large", "the address is too long", "Ask for an address of /openapi.json."),
            Why::NoKey => (
                "unauthorized",
                "over TCP every request needs a key",
                "Make one with firstbell key add NAME, and send Authorization: Bearer fbk_….",
            ),
            Why::WrongKey => (
                "unauthorized",
                "there is no such key",
                "See firstbell key list, and make a new one with firstbell key add NAME.",
            ),
            Why::NoRing => (
                "unavailable",
                "the keys could not be read from the vault yet",
                "See the log of firstbell run; it tries again by itself.",
            ),
            Why::Crowd => (
                "too_many",
                "too many wrong keys are being shown",
                "Mend the program that shows a wrong key; the right one is answered at any time.",
            ),
            Why::Stranger => (
                "forbidden",
                "this user may not use this socket",
                "The owner of firstbell can name it under [api] users.",
            ),
            Why::Scope => (
                "forbidden",
                "this caller may not do that",
                "Use a key with a wider scope (firstbell key add NAME --scope …), or ask as the owner.",
            ),
            Why::Path => ("not_found", "there is no such address", "See /openapi.json for those there are."),
            Why::Method => (
                "method_not_allowed",
                "this address is there for another method",
                "See /openapi.json: GET looks, POST orders.",
            ),
            Why::Query => (
                "bad_request",
                "the query of this address is not understood",
                "See /openapi.json: wait is a generation, timeout_s is 1 to 300.",
            ),
        }
    }
}

/// Trouble behind the gate: its code, its sentence, what to do, and when to ask again.
pub(super) struct Trouble<'t> {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) error: &'t str,
    pub(super) cure: &'t str,
    pub(super) retry_after_s: Option<i64>,
}

/// A refusal. The connection ends with it: whoever is refused has no claim to it.
pub(super) fn refuse(why: Why) -> Response<Reply> {
    let (code, error, cure) = why.words();
    let retry_after_s = match why {
        Why::Crowd => Some(60),
        Why::NoRing => Some(5),
        _ => None,
    };
    let mut response = trouble(&Trouble { status: why.status(), code, error, cure, retry_after_s });
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if matches!(why, Why::NoKey | Why::WrongKey) {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

pub(super) fn trouble(trouble: &Trouble<'_>) -> Response<Reply> {
    let mut body = json!({ "error": trouble.error, "cure": trouble.cure, "code": trouble.code });
    if let Some(seconds) = trouble.retry_after_s {
        body["retry_after_s"] = seconds.into();
    }
    let mut response = json(trouble.status, &body);
    if let Some(seconds) = trouble.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// There is no account of this name, or none that this caller may see.
pub(super) fn no_account() -> Response<Reply> {
    trouble(&Trouble {
        status: StatusCode::NOT_FOUND,
        code: "not_found",
        error: "the daemon keeps no account of this name",
        cure: "See /v1/accounts for those it keeps; after a change of the configuration, have it read anew (SIGHUP).",
        retry_after_s: None,
    })
}

/// Something that cannot be done now.
pub(super) fn unavailable(error: &str, cure: &str, retry_after_s: i64) -> Response<Reply> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    trouble(&Trouble { status, code: "unavailable", error, cure, retry_after_s: Some(retry_after_s) })
}

pub(super) fn failed(failure: &Failure) -> Response<Reply> {
    unavailable(&failure.to_string(), &failure.cure(), 5)
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response<Reply> {
    whole(status, JSON, Bytes::from(body.to_string()))
}

pub(super) fn whole(status: StatusCode, media: &'static str, body: Bytes) -> Response<Reply> {
    reply(status, media, Reply::Whole(Some(body)))
}

pub(super) fn reply(status: StatusCode, media: &'static str, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The time is over, and nothing is newer.
pub(super) fn nothing() -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(None));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
