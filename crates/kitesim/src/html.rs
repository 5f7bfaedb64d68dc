//! The pages that are no login page, and the banner that stands on every page.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// Says on every page what it is. It stands after the page's own content, so that no XPath shifts.
pub(crate) const BANNER: &str = "<aside style=\"position:fixed;bottom:0;left:0;right:0;padding:8px;\
    background:#7a1f1f;color:#fff;font:14px sans-serif;text-align:center\">\
    SIMULATION \u{2013} kitesim, not Zerodha</aside>";

/// A whole page with the banner at its end. Title and content must be escaped already.
pub(crate) fn page(status: StatusCode, title: &str, content: &str) -> Response {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\"></head>\n<body>\n{content}\n{BANNER}\n</body>\n</html>\n"
    );
    (status, Html(text)).into_response()
}

/// Text as it may stand between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
