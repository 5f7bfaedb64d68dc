//! What a driver is asked to do, and what it says it sees: the whole language between a walk and a browser.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::budget::Cause;
use crate::obstacle::TlsFault;
use crate::origin::Origin;
use crate::plan::{Role, Step, Submit};
use crate::secret::Secret;

/// What a driver is asked to do; afterwards it says what it sees.
#[derive(Debug)]
pub enum Action {
    /// Open an address of the plan's origin.
    Open {
        /// Where.
        url: String,
        /// How long the first sight may take.
        wait_ms: u64,
    },
    /// Type into the page's fields and have it send them, once.
    Fill(Fill),
    /// Tell what the page is made of. What is told may repeat what was typed.
    Witness,
    /// Leave the page, and take a picture of this in its place.
    Draw {
        /// The whole of an empty page's body.
        html: String,
    },
    /// Report the next change.
    Look {
        /// How long to look for one.
        wait_ms: u64,
    },
}

/// Fields to be typed into one page.
#[derive(Debug)]
pub struct Fill {
    /// The request that the page will send; exactly one may leave.
    pub step: Step,
    /// Role, place (the mark's number in the plan) and text of each field, in the order of typing.
    pub fields: Vec<(Role, usize, Secret)>,
    /// How the page is told to send.
    pub submit: Submit,
    /// The counter at the broker that this may move.
    pub cause: Cause,
    /// The time step of the code, where there is one.
    pub time_step: Option<u64>,
    /// How long the first change may take.
    pub wait_ms: u64,
}

/// What a driver saw.
#[derive(Debug)]
pub enum Seen {
    /// A page, or a reply that stands for one.
    Page(Sight),
    /// The page wants to leave for this address, at another origin; it was not followed.
    Away(Secret),
    /// The connection failed.
    Lost {
        /// Whether what was asked may have left this machine.
        left: bool,
        /// The kind of failure, in our own words.
        why: String,
    },
    /// There is no encrypted connection to the broker; nothing left.
    Insecure(TlsFault),
    /// The fields were not as the walk took them to be, so nothing was sent.
    Untyped {
        /// What was wrong with them, in our own words.
        why: String,
    },
    /// What the page is made of, as JSON; to be masked before anybody sees it.
    Bones(Secret),
    /// A picture, as PNG.
    Picture(Vec<u8>),
    /// Nothing changed in the time given.
    Unchanged,
}

/// A page as a driver sees it, in the plan's terms.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// Origin of the top-level page; none for an address that has no origin firstbell would type into.
    pub origin: Option<Origin>,
    /// For each mark of the plan, how often it is there.
    pub counts: Vec<u32>,
    /// The answer to the last request of the plan, told once.
    pub answer: Option<Answer>,
    /// The broker's own clock, where a reply showed it.
    pub date: Option<Timestamp>,
    /// Whether more is to be expected.
    pub rest: Rest,
    /// Whether the page's own scripts still wait for something that they asked the broker for.
    pub busy: bool,
}

/// How finished a page looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// Parts are still on their way.
    Loading,
    /// All has arrived; only the page's own scripts could change it now.
    Quiet,
    /// Nothing can change it.
    Final,
}

/// An answer of the broker's login, read but not judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The request that it answers.
    pub after: Step,
    /// The HTTP status.
    pub status: u16,
    /// Whether it is a page (HTML) in the place of what the login's own requests are answered.
    pub page: bool,
    /// Whether it is a page where a page is expected, or JSON that says success.
    pub good: bool,
    /// The broker's error type.
    pub error: Option<String>,
    /// The broker's text, or that of the page in its place: a stranger's words, compared and counted, never shown.
    pub message: Option<String>,
    /// How long the broker asks us to wait.
    pub retry_after_s: Option<u32>,
}

/// Of a page in an answer's place so much is compared with the plan's words.
const PAGE_CHARS: usize = 4096;

impl Answer {
    /// Takes the body in: whether it says success, its error type and its text. `json` is whether a good answer of this
    /// request is JSON that says success.
    pub fn read(&mut self, json: bool, bytes: &[u8]) -> Value {
        let body: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        self.good = json && self.status == 200 && text("/status").as_deref() == Some("success");
        self.error = text("/error_type");
        self.message = text("/message");
        if self.page {
            self.message = Some(String::from_utf8_lossy(bytes).chars().take(PAGE_CHARS).collect());
        }
        body
    }
}
