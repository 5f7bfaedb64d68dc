//! What a broker must tell us: where a login begins, how to read the way back, and which calls to make with it.

use url::Url;

use crate::failure::Failure;
use crate::origin::Origin;
use crate::plan::Plan;
use crate::secret::{Secret, SecretBytes};
use crate::token::{Access, Flush, Grant};

/// The app that logs in, and whom for.
#[derive(Clone, Debug)]
pub struct App {
    /// The key of the app.
    pub api_key: String,
    /// The client id that the token must belong to.
    pub user_id: String,
    /// Where the broker sends the browser back to, as it was registered.
    pub redirect: Url,
}

impl App {
    /// Whom attempts are counted for: the user, whatever the account is called and whichever app logs in.
    pub fn user(&self) -> String {
        self.user_id.to_uppercase()
    }
}

/// What tells the way back from one login from that of any other: 128 bits of chance, as hex. No secret of the account, and
/// worth nothing once its attempt is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Made of random bytes.
    pub fn of(random: [u8; 16]) -> Nonce {
        Nonce(data_encoding::HEXLOWER.encode(&random))
    }

    /// Its 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A broker: a document, not a program. It says what to do and how to read what comes back, and calls nothing.
pub trait Broker: Sync {
    /// How a person logs in.
    fn plan(&self) -> &Plan;
    /// Where the login begins.
    fn entry(&self, app: &App) -> String;
    /// Reads the address that the login leaves for.
    ///
    /// # Errors
    /// [`Failure::WrongReturn`] for anything but the registered address with one whole request token and success.
    fn capture(&self, app: &App, url: &Secret) -> Result<Grant, Failure>;
    /// Where a login begins that a person makes, so that its way back carries the nonce.
    fn invite(&self, app: &App, nonce: &Nonce) -> String;
    /// Reads an address that a person's login came back to, or that somebody else sent.
    ///
    /// # Errors
    /// As [`Broker::capture`]; and for an address that does not carry the nonce, exactly once.
    fn capture_invited(&self, app: &App, url: &Secret, nonce: &Nonce) -> Result<Grant, Failure>;
    /// The calls of the broker's API that a login needs.
    fn calls(&self) -> &dyn Calls;
}

/// The calls of a broker's API that a login needs: each a request, and how to read its reply.
pub trait Calls: Sync {
    /// Request token and checksum for an access token. To be sent once.
    fn exchange(&self, app: &App, grant: &Grant, api_secret: &Secret) -> Request;
    /// Reads the reply to [`Calls::exchange`]; whatever is not expected is a refusal.
    ///
    /// # Errors
    /// The failure that the reply means.
    fn read_exchange(&self, app: &App, reply: &Reply) -> Result<Access, Failure>;
    /// The cheapest call that shows that a token works and whose it is.
    fn proof(&self, app: &App, access: &Access) -> Request;
    /// Reads the reply to [`Calls::proof`].
    ///
    /// # Errors
    /// The failure that the reply means; a token of another user is [`Failure::ForeignToken`].
    fn read_proof(&self, app: &App, reply: &Reply) -> Result<Owner, Failure>;
}

/// What is fixed about a broker beside its calls.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Where its API answers.
    pub api: Origin,
    /// Where its ticker answers, as the address of the handshake.
    pub ticker: Origin,
    /// When it ends tokens.
    pub flush: Flush,
}

/// Whom a token belongs to, as the broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The client id.
    pub user_id: String,
}

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes.
    Post,
}

/// A request of a broker's API. The address holds nothing secret; header and form may.
#[derive(Debug)]
pub struct Request {
    /// How it is sent.
    pub method: Method,
    /// Path below the API's origin.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<Secret>,
    /// Headers that are nobody's secret.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body, as a form.
    pub form: Option<Secret>,
}

/// A reply of a broker's API, read whole and bounded.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type, without parameters.
    pub media: String,
    /// The body.
    pub body: SecretBytes,
}
