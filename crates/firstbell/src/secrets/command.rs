//! Secrets from a program, such as a password manager: little around it, little time, and the first line of what it writes.

use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use zeroize::Zeroizing;

use super::name::Wanted;
use crate::program::{Around, Feed, Program};

/// A program that asks a server takes seconds; whoever keeps accounts waits for it, and must not wait long.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// Far more than a password manager writes of one entry.
const BYTES_MAX: u64 = 16 * 1024;

/// A program, and what it gets of our environment beside the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name or path, and its arguments. No shell reads them. Never empty.
    pub words: Vec<String>,
    /// Further variables of ours that it gets.
    pub with: Vec<String>,
}

pub(super) fn fetch(asked: &Asked, wanted: &Wanted<'_>, time: Duration) -> Result<Secret, Failure> {
    let name = asked.words.first().expect("checked when it was read");
    ask(&asked.words, &asked.with, time).map_err(|why| {
        let cure = "See that it runs by hand, as the same user, without a question, and writes the secret as its first line.";
        wanted.missing(format!("did not come from {name}: it {why}"), cure.into())
    })
}

/// What a program writes first, or why that cannot be had, to be read after its name.
pub(super) fn ask(words: &[String], with: &[String], time: Duration) -> Result<Secret, String> {
    let bytes = all(words, with, time)?;
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    text(first.strip_suffix(b"\r").unwrap_or(first))
}

/// The same, and all of what it writes.
pub(super) fn ask_all(words: &[String], time: Duration) -> Result<Secret, String> {
    text(&all(words, &[], time)?)
}

fn text(bytes: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "wrote what is no text".to_owned());
    text.map(|text| Secret::new(text.to_owned()))
}

fn all(words: &[String], with: &[String], time: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let (feed, around) = (Feed::Stdin, Around::SessionWith(with));
    let program = Program { words, input: &[], feed, around, time, output_max: BYTES_MAX };
    // Secrets are fetched in the middle of other work, which stands still meanwhile: a thread of its own has a loop of its own.
    let work = || -> Result<_, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| format!("cannot be started: {e}"))?.block_on(program.run())
    };
    let bytes = std::thread::scope(|scope| scope.spawn(work).join());
    let bytes = bytes.map_err(|_| "broke off".to_owned())??;
    if bytes.len() as u64 > BYTES_MAX {
        return Err("wrote far more than a secret".into());
    }
    Ok(bytes)
}
