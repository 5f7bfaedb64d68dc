//! `firstbell history`: what happened to an account, and what the last failed login looked like.

use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::HistoryArgs;
use super::context::Context;
use super::exit::Exit;
use super::say;
use crate::album::FolderAlbum;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ports::{Clock, Flaw};
use crate::shape::india;

pub(super) fn run(context: &Context, args: HistoryArgs, as_json: bool) -> Exit {
    let account = match context.account(args.account.account.as_deref()) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    if args.last {
        return last(context, account, as_json);
    }
    if args.verify {
        return verify(context, account, as_json);
    }
    match events(context, account, args.number) {
        Ok(events) => {
            if !as_json {
                for (at, event) in &events {
                    say::out(&format!("{}  {}", india(*at), event));
                }
            }
            let events: Vec<Value> = events.iter().map(|(at, event)| row(*at, event)).collect();
            Exit::done(json!({ "account": account.name, "events": events }))
        }
        Err(failure) => Exit::failed(&failure),
    }
}

pub(super) fn events(
    context: &Context,
    account: &Account,
    number: usize,
) -> Result<Vec<(Timestamp, Event)>, Failure> {
    let mut all = context.stores()?.store().history(&account.app.user())?;
    Ok(all.split_off(all.len().saturating_sub(number)))
}

/// Whether every event is as it was written.
fn verify(context: &Context, account: &Account, as_json: bool) -> Exit {
    let look = || context.stores()?.store().verify(&account.app.user());
    let found = match look() {
        Ok(found) => found,
        Err(failure) => return Exit::failed(&failure),
    };
    let report = json!({
        "account": account.name, "whole": found.flaw.is_none(), "events": found.events, "pruned": found.pruned,
        "from": found.from.map(india), "until": found.until.map(india),
        "broken_at": found.flaw.as_ref().map(|flaw| flaw.seq),
    });
    if let Some(Flaw { seq, why }) = found.flaw {
        let failure = Failure::Broken {
            part: Part::Store,
            why: format!("the history of {} is not whole: event {seq} {why}", account.name),
            cure: "firstbell does not log in on it. If you put a backup back or moved the store here, run firstbell login: \
                   it counts as spent what may be missing. Else find out who wrote to the state folder, and put it back \
                   from a backup."
                .into(),
        };
        return Exit::failed(&failure).with(report);
    }
    if !as_json {
        let span = match (found.from, found.until) {
            (Some(from), Some(until)) => format!(", from {} to {}", india(from), india(until)),
            _ => String::new(),
        };
        let before = match found.pruned {
            0 => String::new(),
            n => format!("; {n} before them were pruned, and a snapshot stands for them"),
        };
        say::out(&format!("{}: the history is whole: {} events{span}{before}", account.name, found.events));
    }
    Exit::done(report)
}

/// The newest evidence: its text, and where its picture is.
fn last(context: &Context, account: &Account, as_json: bool) -> Exit {
    let album = FolderAlbum::of(&context.config.state_dir, &account.name, MachineClock::start().now());
    let Some(entry) = album.entries().pop() else {
        if !as_json {
            say::out("no failed login of the last 14 days left a page behind");
        }
        return Exit::done(json!({ "account": account.name, "evidence": null }));
    };
    let text = std::fs::read_to_string(&entry.text).unwrap_or_default();
    if !as_json {
        say::out(text.trim_end());
        if let Some(picture) = &entry.picture {
            say::out(&format!("\nThe same as a picture: {}", picture.display()));
        }
    }
    Exit::done(json!({ "account": account.name, "evidence": {
        "at": india(entry.at), "text": text, "file": entry.text, "picture": entry.picture } }))
}

pub(super) fn row(at: Timestamp, event: &Event) -> Value {
    json!({ "at": india(at), "event": event.to_string() })
}
