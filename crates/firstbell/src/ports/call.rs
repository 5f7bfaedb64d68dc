//! One request over HTTP and what comes of it.

use firstbell_core::obstacle::TlsFault;
use firstbell_core::secret::{Secret, SecretBytes};
use jiff::Timestamp;

use super::Soon;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Gives.
    Post,
    /// Changes a part of what is there.
    Patch,
}

/// One HTTP request.
#[derive(Debug)]
pub struct Call {
    /// What it does.
    pub method: Method,
    /// Where to.
    pub url: Secret,
    /// Headers that are nobody's secret.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Further headers, by the names that a provider or the owner gives them.
    pub own_headers: Vec<(String, Secret)>,
    /// The `Authorization` header.
    pub authorization: Option<Secret>,
    /// The `Cookie` header.
    pub cookie: Option<Secret>,
    /// The body, and its media type.
    pub body: Option<(&'static str, Secret)>,
}

/// The media type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

impl Call {
    /// Asks for what is at an address.
    pub fn get(url: Secret) -> Call {
        Call {
            method: Method::Get,
            url,
            headers: Vec::new(),
            own_headers: Vec::new(),
            authorization: None,
            cookie: None,
            body: None,
        }
    }

    /// Gives an address a body of this media type.
    pub fn post(url: Secret, media: &'static str, body: Secret) -> Call {
        Call { method: Method::Post, body: Some((media, body)), ..Call::get(url) }
    }
}

/// One HTTP reply, read whole.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The media type without parameters, in lower case.
    pub media: String,
    /// Where a redirect leads.
    pub location: Option<Secret>,
    /// Name and value of each cookie that was set.
    pub cookies: Vec<(String, Secret)>,
    /// The other side's clock.
    pub date: Option<Timestamp>,
    /// How long the other side asks us to wait.
    pub retry_after_s: Option<u32>,
    /// The body.
    pub body: SecretBytes,
}

/// A request without a reply.
#[derive(Clone, Debug)]
pub struct WireFault {
    /// Whether any byte of the request may have left this machine.
    pub left: bool,
    /// What happened, without the address: addresses may carry secrets.
    pub why: String,
    /// What is wrong with the encrypted connection, where that is it.
    pub tls: Option<TlsFault>,
}

/// Calls out. A request is sent once: never resent after a fault, never redirected, and no proxy of the environment is
/// used. Replies are bounded in size and time.
pub trait Http {
    /// Sends one request and reads its reply whole.
    fn send(&self, call: Call) -> Soon<'_, Result<Received, WireFault>>;
}
