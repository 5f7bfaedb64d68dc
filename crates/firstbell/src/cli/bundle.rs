//! `firstbell doctor --bundle`: what a report of a fault takes along, in one file that its owner reads before anybody else does.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use firstbell_core::failure::Failure;
use serde_json::{Map, Value, json};

use super::context::{self, Context};
use super::exit::Exit;
use super::history;
use crate::censor;
use crate::doctor::finding::Report;
use crate::hands::Hands;
use crate::ports::Clock;
use crate::shape::india;
use crate::standing::{self, Standing};

/// Events of each account, the newest ones.
const EVENTS: usize = 200;
/// Of a status: what says nothing of who the owner is, or what his things are called.
const KEPT: [&str; 11] = [
    "token",
    "generation",
    "issued",
    "trusted_until",
    "served",
    "pending",
    "paused",
    "last_failure",
    "tries_left",
    "next",
    "next_login",
];

/// What it is made from.
pub(super) struct Sources<'a> {
    pub(super) report: &'a Report,
    pub(super) context: Option<&'a Context>,
    pub(super) hands: &'a [Hands<'a>],
    pub(super) clock: &'a dyn Clock,
}

/// Writes it for its owner alone. A file that is there is left alone.
///
/// # Errors
/// Where it cannot be written, or where a secret would get into it: then nothing is written.
pub(super) fn write(path: &Path, sources: &Sources<'_>) -> Result<(), Exit> {
    // Where an account cannot be looked at, that is what the report is about.
    let unseen = |failure: Failure| json!({ "failure": failure.code() });
    let accounts: Vec<Value> =
        sources.hands.iter().map(|hands| account(sources, hands).unwrap_or_else(unseen)).collect();
    let bundle = json!({
        "form": 1,
        "firstbell": env!("CARGO_PKG_VERSION"),
        "made": india(sources.clock.now()),
        "system": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
        "findings": sources.report.json(),
        "accounts": accounts,
    });
    let text = serde_json::to_string_pretty(&bundle).expect("texts and numbers are JSON") + "\n";
    if text.lines().any(|line| censor::passed(line) == censor::HELD) {
        return Err(Exit::internal("a secret would have got into the bundle, so nothing was written"));
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| {
        let path = path.display();
        Exit::usage(&format!("{path}: {e}. Name a file that is not there yet, in a folder of yours"))
    })
}

/// One account: how it stands, and what happened.
fn account(sources: &Sources<'_>, hands: &Hands<'_>) -> Result<Value, Failure> {
    let context = sources.context.expect("there are accounts where there is a configuration");
    // Whatever is missing is in the findings; what is there is known to the censor from here on.
    let _ = hands.lacks_secret();
    let standing = Standing::of(hands, &standing::marks(hands))?;
    let schedule = context::schedule_of(&context.config, hands.account, &context.kite());
    let view = standing.view(&schedule, &context.config.calendar, None);
    let words = standing::words(hands, &standing, &view, sources.clock.now());
    let status: Map<String, Value> =
        KEPT.iter().filter_map(|key| Some(((*key).to_owned(), words.get(*key)?.clone()))).collect();
    let events: Vec<Value> = history::events(context, hands.account, EVENTS)?
        .iter()
        .map(|(at, event)| history::row(*at, event))
        .collect();
    Ok(json!({ "status": status, "events": events }))
}
