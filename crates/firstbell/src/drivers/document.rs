//! How a Chromium is given the documents that it shows: each anew, in a sandbox from which nothing can be downloaded and no window
//! opened, with what a login does not need switched off.
//!
//! A Chromium whose every request is held for us still lets downloads go: of several that a page begins at once it holds the
//! first alone. It holds no socket either. Where the document may have none, none is begun. All of this counts only in a
//! response that is given anew; a header that is put onto one that goes on is not read any more.

use serde_json::{Value, json};

/// No downloads, windows or other programs' addresses; requests over HTTP only; no workers.
const POLICY: &str = "sandbox allow-forms allow-modals allow-same-origin allow-scripts; \
                      connect-src http: https: data: blob:; worker-src 'none'";

/// What a browser asks somebody by itself when a page says so, or takes out of the page.
const PERMISSIONS: &str = "identity-credentials-get=(), publickey-credentials-get=(), publickey-credentials-create=(), \
                           payment=(), deferred-fetch=(), deferred-fetch-minimal=(), clipboard-read=(), clipboard-write=(), \
                           browsing-topics=(), join-ad-interest-group=(), run-ad-auction=(), shared-storage=(), \
                           camera=(), microphone=(), display-capture=(), geolocation=()";

/// Headers that are true of the first response only (its body came decoded and whole, its cookies are in the jar), that have the
/// browser send reports, or that do not go with a sandbox.
const SPENT: [&str; 8] = [
    "content-encoding",
    "content-length",
    "cross-origin-opener-policy",
    "nel",
    "report-to",
    "reporting-endpoints",
    "set-cookie",
    "transfer-encoding",
];

/// Whether a paused response leads elsewhere, and is no document itself. One that says so without saying where is one.
pub(super) fn leads_on(paused: &Value) -> bool {
    let status = paused["responseStatusCode"].as_u64().unwrap_or(0);
    let place = headers(paused).find(|header| is(header, "location"));
    let place = place.and_then(|header| header["value"].as_str()).unwrap_or_default();
    [301, 302, 303, 307, 308].contains(&status) && !place.is_empty()
}

/// The parameters of `Fetch.fulfillRequest` that give a paused document anew, with what `Fetch.getResponseBody` said; none
/// where it said nothing.
pub(super) fn anew(paused: &Value, said: &Value) -> Option<Value> {
    let body = said["body"].as_str()?;
    let body = match said["base64Encoded"] == true {
        true => body.to_owned(),
        false => data_encoding::BASE64.encode(body.as_bytes()),
    };
    let kept = headers(paused).filter(|header| !SPENT.iter().any(|spent| is(header, spent))).cloned();
    let ours = [("Content-Security-Policy", POLICY), ("Permissions-Policy", PERMISSIONS)];
    let ours = ours.map(|(name, value)| json!({ "name": name, "value": value }));
    let headers: Vec<Value> = kept.chain(ours).collect();
    // A status that Chromium has no phrase for is refused without one.
    let phrase = paused["responseStatusText"].as_str().filter(|phrase| !phrase.is_empty()).unwrap_or("-");
    Some(json!({
        "requestId": paused["requestId"], "responseCode": paused["responseStatusCode"], "responsePhrase": phrase,
        "responseHeaders": headers, "body": body,
    }))
}

fn headers(paused: &Value) -> impl Iterator<Item = &Value> {
    paused["responseHeaders"].as_array().into_iter().flatten()
}

fn is(header: &Value, name: &str) -> bool {
    header["name"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_given_anew_in_a_sandbox_without_downloads() {
        let paused = json!({ "requestId": "r", "responseStatusCode": 522, "responseHeaders": [
            { "name": "Content-Type", "value": "text/html" }, { "name": "Set-Cookie", "value": "a=b" },
            { "name": "CONTENT-ENCODING", "value": "br" }, { "name": "Content-Security-Policy", "value": "default-src 'self'" },
        ]});
        let given = anew(&paused, &json!({ "body": "<p>", "base64Encoded": false })).unwrap();
        assert_eq!((&given["body"], &given["responsePhrase"]), (&json!("PHA+"), &json!("-")));
        let headers: Vec<_> = given["responseHeaders"].as_array().unwrap().iter().collect();
        let values: Vec<_> = headers.iter().map(|header| header["value"].as_str().unwrap()).collect();
        assert_eq!(
            values,
            ["text/html", "default-src 'self'", POLICY, PERMISSIONS],
            "the page's own stays beside ours"
        );
        assert!(
            !POLICY.contains("downloads") && !POLICY.contains("popups") && !POLICY.contains("navigation")
        );
        assert_eq!(anew(&paused, &json!({ "body": "PHA+", "base64Encoded": true })).unwrap()["body"], "PHA+");
        assert_eq!(anew(&paused, &Value::Null), None);
    }

    #[test]
    fn only_a_response_that_says_where_to_leads_on() {
        let paused =
            |status: u16, headers: Value| json!({ "responseStatusCode": status, "responseHeaders": headers });
        let place = json!([{ "name": "LOCATION", "value": "/next" }]);
        assert!([301, 302, 303, 307, 308].into_iter().all(|status| leads_on(&paused(status, place.clone()))));
        assert!(
            [200, 300, 304, 305, 404].into_iter().all(|status| !leads_on(&paused(status, place.clone())))
        );
        assert!(!leads_on(&paused(302, json!([]))));
        assert!(!leads_on(&paused(302, json!([{ "name": "location", "value": "" }]))));
    }
}
