//! The one place that calls out: one request, one reply, bounded in size and time.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    SET_COOKIE, USER_AGENT,
};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use rustls::ClientConfig;

use firstbell_core::obstacle::TlsFault;
use firstbell_core::secret::{Secret, SecretBytes};

use crate::ports::{Call, Http, Method, Received, Soon, WireFault};
use crate::tls;

/// A TCP and TLS connection must stand within this.
const CONNECT: Duration = Duration::from_secs(8);
/// The whole reply must be there within this.
const REPLY: Duration = Duration::from_secs(15);
/// A connection is not used again after this: the other side might be closing it, and a request that meets a closing
/// connection is one whose fate nobody knows.
const IDLE: Duration = Duration::from_secs(2);
/// No reply of a login or of the calls around it comes near this.
const BODY_BYTES: usize = 512 * 1024;
/// We never pretend to be a browser.
const AGENT: &str = concat!("firstbell/", env!("CARGO_PKG_VERSION"));

/// HTTP over rustls with the roots that are compiled in, or one authority of the owner's: a root that somebody added to this
/// machine counts nothing.
#[derive(Debug)]
pub struct HyperHttp {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HyperHttp {
    /// A client with no connections yet.
    pub fn unconnected() -> HyperHttp {
        HyperHttp::over(tls::public())
    }

    /// The same for a server whose certificate an authority in this PEM file signed, and for no other.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub fn trusting(authority: &Path) -> Result<HyperHttp, String> {
        tls::trusting(authority).map(HyperHttp::over)
    }

    fn over(tls: ClientConfig) -> HyperHttp {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .retry_canceled_requests(false)
            .build(tls);
        HyperHttp { client }
    }

    async fn exchange(&self, call: Call) -> Result<Received, WireFault> {
        let request = build(&call).map_err(|why| WireFault { left: false, why, tls: None })?;
        let reply = tokio::time::timeout(REPLY, self.client.request(request))
            .await
            .map_err(|_| after("no answer in time"))?
            .map_err(|e| WireFault { left: !e.is_connect(), why: reason(&e), tls: tls_fault(&e) })?;
        let (head, body) = reply.into_parts();
        let body = tokio::time::timeout(REPLY, Limited::new(body, BODY_BYTES).collect())
            .await
            .map_err(|_| after("the answer did not end in time"))?
            .map_err(|_| after("the answer broke off or is too large"))?;
        let headers = &head.headers;
        Ok(Received {
            status: head.status.as_u16(),
            media: media(headers),
            location: text(headers, LOCATION).map(|t| Secret::new(t.to_owned())),
            cookies: headers.get_all(SET_COOKIE).iter().filter_map(cookie).collect(),
            date: text(headers, DATE).and_then(read_date),
            retry_after_s: text(headers, RETRY_AFTER).and_then(|t| t.parse().ok()),
            body: SecretBytes::new(body.to_bytes().to_vec()),
        })
    }
}

impl Http for HyperHttp {
    fn send(&self, call: Call) -> Soon<'_, Result<Received, WireFault>> {
        Box::pin(self.exchange(call))
    }
}

/// Reads a `Date` header (RFC 9110 §5.6.7; RFC 2822 with the zone's old name).
pub fn read_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn build(call: &Call) -> Result<hyper::Request<Full<Bytes>>, String> {
    let method = match call.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
    };
    let mut request =
        hyper::Request::builder().method(method).uri(call.url.expose()).header(USER_AGENT, AGENT);
    for (name, value) in &call.headers {
        request = request.header(*name, *value);
    }
    for (name, value) in [(AUTHORIZATION, &call.authorization), (COOKIE, &call.cookie)] {
        if let Some(value) = value {
            let mut header =
                HeaderValue::from_str(value.expose()).map_err(|_| format!("{name} cannot be sent"))?;
            header.set_sensitive(true);
            request = request.header(name, header);
        }
    }
    for (name, value) in &call.own_headers {
        let mut header =
            HeaderValue::from_str(value.expose()).map_err(|_| format!("the header {name} cannot be sent"))?;
        header.set_sensitive(true);
        request = request.header(name, header);
    }
    let body = match &call.body {
        Some((media, body)) => {
            request = request.header(CONTENT_TYPE, *media);
            Bytes::copy_from_slice(body.expose().as_bytes())
        }
        None => Bytes::new(),
    };
    request.body(Full::new(body)).map_err(|_| "the address cannot be sent to".to_owned())
}

fn after(why: &str) -> WireFault {
    WireFault { left: true, why: why.into(), tls: None }
}

/// The kind of fault in our own words: the error's own text may repeat the address.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.raw_os_error().is_some()
        {
            return io.kind().to_string();
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>()
            && hyper.is_incomplete_message()
        {
            return "the connection was closed before an answer".into();
        }
        let text = cause.to_string();
        if text.contains("certificate") {
            return "the certificate is not valid, or something on this network opens encrypted connections"
                .into();
        }
        if text.contains("dns") || text.contains("lookup") {
            return "the address was not found".into();
        }
        source = cause.source();
    }
    if error.is_connect() { "no connection".into() } else { "the connection broke".into() }
}

/// What is wrong with the encrypted connection, by the library's own kinds.
fn tls_fault(error: &hyper_util::client::legacy::Error) -> Option<TlsFault> {
    use rustls::{CertificateError as Bad, Error as Tls};
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        match cause.downcast_ref::<Tls>() {
            Some(Tls::InvalidCertificate(fault)) => {
                return Some(match fault {
                    Bad::Expired | Bad::ExpiredContext { .. } => TlsFault::Date,
                    Bad::NotValidYet | Bad::NotValidYetContext { .. } => TlsFault::Date,
                    Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFault::Name,
                    Bad::UnknownIssuer => TlsFault::Issuer,
                    _ => TlsFault::Certificate,
                });
            }
            Some(_) => return Some(TlsFault::Handshake),
            None => {}
        }
        // An error of the connection carries the library's inside it, and does not name it as its source.
        let io = cause.downcast_ref::<std::io::Error>();
        let inside = io.and_then(std::io::Error::get_ref).map(|e| e as &(dyn std::error::Error + 'static));
        next = inside.or_else(|| cause.source());
    }
    None
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn media(headers: &HeaderMap) -> String {
    let whole = text(headers, CONTENT_TYPE).unwrap_or("");
    whole.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn cookie(value: &HeaderValue) -> Option<(String, Secret)> {
    let pair = value.to_str().ok()?.split(';').next()?;
    let (name, value) = pair.split_once('=')?;
    Some((name.trim().to_owned(), Secret::new(value.trim().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_read() {
        let at = read_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(at.to_string(), "1994-11-06T08:49:37Z");
        assert!(read_date("yesterday").is_none());
    }

    #[test]
    fn a_cookie_is_its_first_pair() {
        let (name, value) = cookie(&HeaderValue::from_static("kf_session=a=b; Path=/; HttpOnly")).unwrap();
        assert_eq!((name.as_str(), value.expose()), ("kf_session", "a=b"));
        assert!(cookie(&HeaderValue::from_static("nothing")).is_none());
    }
}
