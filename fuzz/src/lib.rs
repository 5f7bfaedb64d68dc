//! What the targets share: an input taken as choices, a planted text, and all that a failure tells anybody.

pub mod bot;
pub mod kept;
pub mod post;
pub mod sealed;
pub mod sights;
pub mod spelling;
pub mod worker;

use std::path::PathBuf;

use firstbell_core::broker::App;
use firstbell_core::failure::Failure;

/// Stands for a secret in what a stranger says. It has digits, which no error type has: those may be shown.
pub const CANARY: &str = "c4n4ry77kq2vx9";

/// An input, taken from its front.
#[derive(Debug)]
pub struct Feed<'a>(&'a [u8]);

impl<'a> Feed<'a> {
    /// The whole of an input.
    pub fn of(data: &'a [u8]) -> Feed<'a> {
        Feed(data)
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 where nothing is left.
    pub fn byte(&mut self) -> u8 {
        self.piece(1).first().copied().unwrap_or(0)
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    /// So many bytes, or those that are left.
    pub fn piece(&mut self, length: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        piece
    }

    /// A text of up to 255 bytes, its length before it; `@@` in it stands for the planted text.
    pub fn text(&mut self) -> String {
        let length = usize::from(self.byte());
        planted(self.piece(length))
    }
}

/// Bytes as text, with the planted text wherever they have `@@`.
pub fn planted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("@@", CANARY)
}

/// All that a failure tells a person, a log or a bug report.
pub fn told(failure: &Failure) -> String {
    format!("{failure}\n{}\n{failure:?}", failure.cure())
}

/// The app of the evidence.
pub fn app() -> App {
    App {
        api_key: "samplekey".into(),
        user_id: "AB1234".into(),
        redirect: "https://example.org/back".parse().expect("the constant is an address"),
    }
}

/// A folder for this process alone; `run.sh` takes it away.
pub fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("state-{}", std::process::id()))
}
