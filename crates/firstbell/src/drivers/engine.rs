//! What an engine is asked to do: an action without its texts, each of which it asks for when its place is proven.

use std::io;

use serde::{Deserialize, Serialize};

use firstbell_core::failure::Failure;
use firstbell_core::plan::{Step, Submit};
use firstbell_core::secret::Secret;
use firstbell_core::sight::Seen;

use super::bounds::Bounds;
use crate::ports::Soon;

/// An action, without anything that is secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Deed {
    /// Open an address.
    Open { url: String, wait_ms: u64 },
    /// Type into fields and have the page send them, once.
    Fill(Form),
    /// Tell what the page is made of.
    Witness,
    /// Leave the page, and take a picture of this in its place.
    Draw { html: String },
    /// Report the next change.
    Look { wait_ms: u64 },
}

/// Fields to be typed into one page.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    /// The request that the page will send; exactly one may leave.
    pub(super) step: Step,
    /// The place of each field (its mark's number in the plan), in the order of typing.
    pub(super) marks: Vec<usize>,
    /// How the page is told to send.
    pub(super) submit: Submit,
    /// How long the first change may take.
    pub(super) wait_ms: u64,
}

/// Who holds the texts of the form that is being filled in.
pub(super) trait Texts {
    /// Gives the text of a field, counted from 0: each once, in the order of typing.
    fn text(&mut self, field: usize) -> Soon<'_, io::Result<Secret>>;
}

/// A browser and its one page. The same promises as those of a driver; what it types it does not hold beforehand.
pub(super) trait Engine {
    /// Performs the deed, and says what it sees next.
    fn perform<'s>(&'s mut self, deed: Deed, texts: &'s mut dyn Texts) -> Soon<'s, Result<Seen, Failure>>;
    /// Whether its sandbox is in force, asked of the kernel.
    fn prove(&self) -> Result<(), Failure>;
    /// Why its control port stands open to this machine's users, where the owner accepted that.
    fn open_port(&self) -> Option<&str>;
    /// What the kernel holds it to.
    fn bounds(&self) -> Bounds;
    /// Ends it. When this is over no process and no file of it is left. The hand is on it until it is dead: a browser that is
    /// let go of before lets out what it was held back from.
    fn close<'e>(self: Box<Self>) -> Soon<'e, Result<(), Failure>>
    where
        Self: 'e;
}
