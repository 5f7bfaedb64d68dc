//! What a channel's message stands between: a vault that is text, and a provider that answers what an input says.

use std::cell::RefCell;

use firstbell::alerts::ChannelConfig;
use firstbell::ports::{Call, Http, Method, Received, Soon, Vault, WireFault};
use firstbell::written::{Faults, Section};
use firstbell_core::failure::Failure;
use firstbell_core::secret::{Secret, SecretBytes};

use crate::{CANARY, Feed, planted};

/// Every secret of a channel: an address, so that it serves as one.
pub const KEY: &str = "https://hooks.example/topic-of-tr0ub4dor";
/// Kinds whose provider is asked over HTTP, and what else their tables say. All lead to `hooks.example`.
pub const KINDS: [&str; 8] = [
    "kind = 'telegram'\nserver = 'https://hooks.example'\nchat_id = '5'",
    "kind = 'twilio'\nserver = 'https://hooks.example'\naccount_sid = 'AC0123456789abcdef0123456789abcdef'\nfrom = '+15005550006'\nto = '+919812345678'",
    "kind = 'msg91'\nserver = 'https://hooks.example'\ntemplate_id = 'morning'\nto = ['919812345678']\nvariables = { text = '{title}' }",
    "kind = 'http'\naddress = 'https://hooks.example/send'\nbody = '{\"text\": \"{title}\"}'\nanswer = 'queued'",
    "kind = 'webhook'",
    "kind = 'slack'",
    "kind = 'discord'",
    "kind = 'ntfy'",
];

/// The channel of one such table.
pub fn channel(text: &str) -> ChannelConfig {
    let section = Section::root(text, Faults::new("c.toml", text));
    ChannelConfig::read("phone".into(), section).expect("the constant is a channel")
}

/// Has every secret, and it is [`KEY`].
#[derive(Debug)]
pub struct Text;

impl Vault for Text {
    fn keep(&self, _account: &str, _name: &str, _secret: &Secret) -> Result<(), Failure> {
        Ok(())
    }

    fn fetch(&self, _account: &str, _name: &str) -> Result<Option<Secret>, Failure> {
        Ok(Some(Secret::new(KEY.into())))
    }

    fn forget(&self, _account: &str, _name: &str) -> Result<bool, Failure> {
        Ok(false)
    }
}

/// Answers each request with the next piece of an input; whoever asks once more finds no connection.
#[derive(Debug)]
pub struct Answers<'a> {
    feed: RefCell<Feed<'a>>,
    /// Method and address of every request.
    pub asked: RefCell<Vec<(Method, String)>>,
    /// Status and body of every answer.
    pub given: RefCell<Vec<(u16, String)>>,
}

impl<'a> Answers<'a> {
    /// From the rest of an input.
    pub fn new(feed: Feed<'a>) -> Answers<'a> {
        Answers { feed: RefCell::new(feed), asked: RefCell::default(), given: RefCell::default() }
    }

    fn answer(&self) -> Result<Received, WireFault> {
        const STATUS: [u16; 12] = [200, 200, 200, 201, 204, 302, 400, 401, 404, 429, 500, 599];
        let mut feed = self.feed.borrow_mut();
        if feed.is_over() {
            return Err(WireFault { left: true, why: "no connection".into(), tls: None });
        }
        let (status, wait) = (feed.one_of(&STATUS), feed.byte());
        let retry_after_s = (wait > 0).then(|| u32::from(wait).pow(3));
        let length = usize::from(feed.byte()) * 8;
        let body = planted(feed.piece(length));
        self.given.borrow_mut().push((status, body.clone()));
        let location = (status == 302).then(|| Secret::new(format!("https://elsewhere.example/{CANARY}")));
        let (media, body) = ("application/json".into(), SecretBytes::new(body.into_bytes()));
        Ok(Received { status, media, location, cookies: Vec::new(), date: None, retry_after_s, body })
    }
}

impl Http for Answers<'_> {
    fn send(&self, call: Call) -> Soon<'_, Result<Received, WireFault>> {
        self.asked.borrow_mut().push((call.method, call.url.expose().to_owned()));
        let answer = self.answer();
        Box::pin(async { answer })
    }
}
