//! How a command ends: an exit code for each class of failure, stable because scripts rely on them, and one object.

use std::path::Path;

use firstbell_core::failure::Failure;
use firstbell_core::obstacle::Obstacle;
use serde_json::{Map, Value, json};

use super::say;
use crate::config::ConfigFaults;

pub(super) const DONE: u8 = 0;
pub(super) const USAGE: u8 = 2;
pub(super) const INTERRUPTED: u8 = 130;

pub(super) const HELP: &str = "Exit codes: 0 done; 2 usage or configuration; 3 the broker refused the credentials, or \
    the account is stopped until unlock; 4 a page that no sign matches; 5 network, broker or a channel of alerts down; 6 no valid token; 7 a \
    local part is missing or broken (browser, store, key, clock); 130 interrupted.";

/// How a command ended: its exit code, and what `--json` prints.
#[derive(Debug)]
#[must_use]
pub(super) struct Exit {
    code: u8,
    report: Map<String, Value>,
}

impl Exit {
    /// Done; the report of a command that has something to say.
    pub(super) fn done(report: Value) -> Exit {
        Exit { code: DONE, report: Map::new() }.with(json!({ "ok": true })).with(report)
    }

    pub(super) fn code(&self) -> u8 {
        self.code
    }

    /// What `--json` prints.
    pub(super) fn report(self) -> Value {
        Value::Object(self.report)
    }

    /// The same with more to report.
    pub(super) fn with(mut self, more: Value) -> Exit {
        if let Value::Object(more) = more {
            self.report.extend(more);
        }
        self
    }

    /// Says what went wrong and what to do, and is the code for it.
    pub(super) fn failed(failure: &Failure) -> Exit {
        say::error(&format!("firstbell: {failure}.\n  What to do: {}", failure.cure()));
        Exit::bad(code(failure), failure.code(), &failure.to_string()).with(json!({ "cure": failure.cure() }))
    }

    /// Left by its owner, who can go on later.
    pub(super) fn left(what: &str) -> Exit {
        say::error(&format!("\n{what}"));
        Exit::bad(INTERRUPTED, firstbell_core::failure::INTERRUPTED, what)
    }

    /// The short name of what went wrong, where something did.
    pub(super) fn failure(&self) -> Option<&str> {
        self.report.get("failure").and_then(Value::as_str)
    }

    /// A fault of an argument.
    pub(super) fn usage(what: &str) -> Exit {
        say::error(&format!("firstbell: {what}"));
        Exit::bad(USAGE, "usage", what)
    }

    pub(super) fn configuration(faults: &ConfigFaults) -> Exit {
        Exit::faults("the configuration cannot be used", &faults.0)
    }

    /// All that is wrong with a file.
    pub(super) fn faults(what: &str, lines: &[String]) -> Exit {
        say::error(&format!("firstbell: {what}:\n  {}", lines.join("\n  ")));
        Exit::bad(USAGE, "configuration", what).with(json!({ "faults": lines }))
    }

    /// A page into which a plan would type nothing.
    pub(super) fn refused_page(why: &str) -> Exit {
        say::error(&format!("firstbell: {why}"));
        Exit::bad(4, "unknown-page", why)
    }

    /// Channels that did not take a message.
    pub(super) fn untold(failed: usize, all: usize) -> Exit {
        let what = format!("{failed} of {all} channels did not take the message");
        say::error(&format!("firstbell: {what}"));
        Exit::bad(5, "untold", &what)
    }

    /// Something on this machine must be mended first; what it is was said.
    pub(super) fn unwell(bad: usize) -> Exit {
        Exit::bad(7, "unwell", &format!("{bad} findings are bad"))
    }

    /// A bot that has no chat to take commands from.
    pub(super) fn unpaired(why: &str) -> Exit {
        say::error(&format!(
            "firstbell: no chat was paired: {why}.\n  What to do: run firstbell alerts pair again."
        ));
        Exit::bad(5, "unpaired", why)
    }

    pub(super) fn internal(what: &str) -> Exit {
        say::error(&format!("firstbell: {what}"));
        Exit::bad(7, "broken", what)
    }

    /// What the daemon says where it hands out no token.
    pub(super) fn withheld(error: &str, cure: &str, retry_after_s: Option<u64>) -> Exit {
        say::error(&format!("firstbell: {error}.\n  What to do: {cure}"));
        Exit::bad(6, "no-token", error).with(json!({ "cure": cure, "retry_after_s": retry_after_s }))
    }

    /// A program that `exec` was to become could not be started.
    pub(super) fn not_started(program: &Path, error: &std::io::Error) -> Exit {
        let what = format!("{} cannot be started: {error}", program.display());
        say::error(&format!("firstbell: {what}"));
        // As shells say it: 127 where there is no such program, 126 where it cannot be run.
        Exit::bad(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }, "not-started", &what)
    }

    /// As the program ended that `exec` ran.
    pub(super) fn of_program(code: u8) -> Exit {
        Exit { code, report: Map::new() }.with(json!({ "ok": code == DONE, "exit": code }))
    }

    fn bad(code: u8, failure: &str, message: &str) -> Exit {
        let report = json!({ "ok": false, "failure": failure, "message": message, "exit": code });
        Exit { code, report: Map::new() }.with(report)
    }
}

/// The exit code of what stands in the way.
fn barred(obstacle: Obstacle) -> u8 {
    match obstacle {
        Obstacle::ForcedReset => 3,
        Obstacle::Maintenance | Obstacle::NetworkSignIn | Obstacle::PrivateAddress => 5,
        _ => 4,
    }
}

/// The exit code of a failure.
fn code(failure: &Failure) -> u8 {
    use Failure::*;
    match failure {
        Barred(obstacle) => barred(*obstacle),
        Ladder { said } => said.iter().find(|(_, f)| f.code() == failure.code()).map_or(7, |(_, f)| code(f)),
        Insecure { .. } => 5,
        PasswordRejected { .. } | CodeRejected { .. } | Blocked | Stopped(_) | OtherFactor { .. } => 3,
        NotEnabled | UnknownKey | SecretRefused | ForeignToken => 3,
        ConsentWanted | UnknownPage { .. } | WrongOrigin { .. } | WrongReturn { .. } => 4,
        Unreachable { .. } | BrokerDown { .. } | Throttled { .. } | Slow { .. } | Unanswered { .. } => 5,
        GrantRefused | DeadOnArrival | NobodyCame { .. } | NoToken { .. } => 6,
        ClockWrong { .. } | Broken { .. } => 7,
        Interrupted => INTERRUPTED,
    }
}
