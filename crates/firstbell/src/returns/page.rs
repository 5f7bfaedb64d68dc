//! What the listener shows: pages that are whole in themselves, that run nothing, and that nothing keeps.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// What became of a login: its token works, or what came was dropped or came to nothing.
pub(super) fn outcome(accepted: bool) -> Response<Full<Bytes>> {
    if accepted { done() } else { dropped() }
}

/// Sends the browser on, so that what is in the address bar is not the request token.
pub(super) fn elsewhere(target: &str) -> Response<Full<Bytes>> {
    let mut response = page(StatusCode::SEE_OTHER, "Done here", "The browser goes on by itself.");
    let target = HeaderValue::from_str(target).expect("the path of a parsed address is printable");
    response.headers_mut().insert(LOCATION, target);
    response
}

fn done() -> Response<Full<Bytes>> {
    page(StatusCode::OK, "Done", "The new token works and is stored. You can close this window.")
}

fn dropped() -> Response<Full<Bytes>> {
    let what = "This login was not accepted. Where firstbell told you of it (the terminal, the newest message, the log) it \
                says why, and has the link that counts.";
    page(StatusCode::FORBIDDEN, "Not accepted", what)
}

/// Nothing of this listener's.
pub(super) fn nothing(status: StatusCode) -> Response<Full<Bytes>> {
    let mut page = page(
        status,
        "Nothing here",
        "firstbell waits here for the way back from a login, and for nothing else.",
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        page.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    page
}

/// Every text is ours: nothing of a request is shown.
fn page(status: StatusCode, title: &str, text: &str) -> Response<Full<Bytes>> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} – firstbell</title><style>body{{font:1.1rem/1.5 sans-serif;\
         max-width:32rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}}</style></head>\
         <body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
