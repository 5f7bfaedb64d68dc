//! The fields of a form or a query, and the cookies of a request.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use url::form_urlencoded;

use crate::envelope::{self, Kind};

/// No form of Kite's comes near this.
const LONGEST_BODY_BYTES: usize = 64 * 1024;

/// The pairs of a query or of an urlencoded form, decoded, in their order.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Decodes urlencoded text; whatever it is, something comes out.
    pub(crate) fn decode(text: &[u8]) -> Fields {
        Fields(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of a field, when it is there at all.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a field, when it is there and not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.first(name).filter(|value| !value.is_empty())
    }

    /// Every value of a field, in order.
    pub(crate) fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All pairs.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

/// The fields of the query string.
#[derive(Debug)]
pub(crate) struct Query(pub(crate) Fields);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query, Response> {
        Ok(Query(Fields::decode(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// The fields of an urlencoded body. A body of another type has no fields, as the real API treats JSON.
#[derive(Debug)]
pub(crate) struct Form(pub(crate) Fields);

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Form, Response> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let body = read_body(request).await?;
        let form = kind == "application/x-www-form-urlencoded";
        Ok(Form(if form { Fields::decode(&body) } else { Fields::default() }))
    }
}

/// The body, when it is short enough and arrives whole.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, Response> {
    to_bytes(request.into_body(), LONGEST_BODY_BYTES).await.map_err(|_error| {
        let message = "The request body is cut short or longer than 64 KiB.";
        envelope::refusal_with(StatusCode::PAYLOAD_TOO_LARGE, Kind::Input, message)
    })
}

/// The same request with its body read. A reply to a body that nobody read would cost the client its open connection, and
/// without a word: its next request would find it closed.
pub(crate) async fn whole(request: Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(Request::new(body)).await?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// The first cookie of a name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let fields = Fields::decode(b"v&api_key=a%2Bb&api_key=2&empty=");
        assert_eq!(fields.first("v"), Some(""));
        assert_eq!(fields.first("api_key"), Some("a+b"));
        assert_eq!(fields.filled("empty"), None);
        assert_eq!(fields.into_pairs().len(), 4);
        assert!(Fields::decode(&[0xff, b'=', 0xfe]).first("x").is_none());
    }

    #[test]
    fn cookies_are_found_in_any_line() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; enctoken=x/+=="));
        headers.append(header::COOKIE, HeaderValue::from_static("kf_session=s"));
        assert_eq!(cookie(&headers, "enctoken"), Some("x/+=="));
        assert_eq!(cookie(&headers, "kf_session"), Some("s"));
        assert_eq!(cookie(&headers, "b"), None);
    }

    fn steady(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(steady(2_000))]

        /// Whatever was encoded comes back, and whatever else there is ends in some list of pairs.
        #[test]
        fn no_form_ends_its_reader(pairs in prop::collection::vec((".{0,8}", ".{0,8}"), 0..6), bytes: Vec<u8>) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(Fields::decode(text.as_bytes()).into_pairs(), pairs);
            let ends = bytes.split(|byte| *byte == b'&').count();
            prop_assert!(Fields::decode(&bytes).into_pairs().len() <= ends);
        }

        #[test]
        fn no_cookie_ends_its_reader(line in "[ -~]{0,40}", name in "[a-z_]{1,4}") {
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_str(&line).unwrap());
            headers.append(header::COOKIE, HeaderValue::from_str(&format!("{name}=value")).unwrap());
            prop_assert!(cookie(&headers, &name).is_some_and(|value| !value.is_empty()));
        }
    }
}
