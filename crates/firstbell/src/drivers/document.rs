//! What Chromium shows a document under: a sandbox from which nothing can be downloaded.
//!
//! A browser whose every request is held for us still lets downloads go: of several that a page begins at once it holds the
//! first alone. Where the document may have none, none is begun. The sandbox counts only in a response that is given anew; a
//! header that is put onto one that goes on is not read any more.

use serde_json::{Value, json};

/// All that a document may do without it, but downloads and addresses of other programs.
const SANDBOX: &str = "sandbox allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups \
                       allow-popups-to-escape-sandbox allow-presentation allow-same-origin allow-scripts \
                       allow-storage-access-by-user-activation allow-top-navigation";

/// Headers that are true of the first response only: its body came decoded and whole, its cookies are in the jar.
const SPENT: [&str; 4] = ["content-encoding", "content-length", "set-cookie", "transfer-encoding"];

/// The parameters of `Fetch.fulfillRequest` that give a paused document anew, with what `Fetch.getResponseBody` said; none
/// where it said nothing.
pub(super) fn anew(paused: &Value, said: &Value) -> Option<Value> {
    let body = said["body"].as_str()?;
    let body = match said["base64Encoded"] == true {
        true => body.to_owned(),
        false => data_encoding::BASE64.encode(body.as_bytes()),
    };
    let is_spent = |name: &str| SPENT.iter().any(|spent| name.eq_ignore_ascii_case(spent));
    let headers = paused["responseHeaders"].as_array().into_iter().flatten();
    let kept = headers.filter(|header| !is_spent(header["name"].as_str().unwrap_or_default()));
    let sandbox = json!({ "name": "Content-Security-Policy", "value": SANDBOX });
    let headers: Vec<Value> = kept.cloned().chain([sandbox]).collect();
    Some(json!({
        "requestId": paused["requestId"], "responseCode": paused["responseStatusCode"],
        "responseHeaders": headers, "body": body,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_given_anew_in_a_sandbox_without_downloads() {
        let paused = json!({ "requestId": "r", "responseStatusCode": 200, "responseHeaders": [
            { "name": "Content-Type", "value": "text/html" }, { "name": "Set-Cookie", "value": "a=b" },
            { "name": "CONTENT-ENCODING", "value": "br" }, { "name": "Content-Security-Policy", "value": "default-src 'self'" },
        ]});
        let given = anew(&paused, &json!({ "body": "<p>", "base64Encoded": false })).unwrap();
        assert_eq!(given["body"], "PHA+");
        let headers: Vec<_> = given["responseHeaders"].as_array().unwrap().iter().collect();
        let values: Vec<_> = headers.iter().map(|header| header["value"].as_str().unwrap()).collect();
        assert_eq!(
            values,
            ["text/html", "default-src 'self'", SANDBOX],
            "the page's own policy stays beside ours"
        );
        assert!(SANDBOX.starts_with("sandbox ") && !SANDBOX.contains("downloads"));
        assert_eq!(anew(&paused, &json!({ "body": "PHA+", "base64Encoded": true })).unwrap()["body"], "PHA+");
        assert_eq!(anew(&paused, &Value::Null), None);
    }
}
