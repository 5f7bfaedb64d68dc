//! Exit codes: one for each class of failure, stable, because scripts rely on them.

use std::path::Path;

use firstbell_core::failure::Failure;

use super::say;
use crate::config::ConfigFaults;

pub(super) const DONE: u8 = 0;
pub(super) const USAGE: u8 = 2;

pub(super) const HELP: &str = "Exit codes: 0 done; 2 usage or configuration; 3 the broker refused the credentials, or \
    the account is stopped until unlock; 4 a page that no sign matches; 5 network or broker down; 6 no valid token; 7 a \
    local part is missing or broken (browser, store, key, clock); 130 interrupted.";

/// How a command ended.
#[derive(Debug)]
#[must_use]
pub(super) struct Exit(u8);

impl Exit {
    pub(super) const DONE: Exit = Exit(DONE);

    pub(super) fn code(&self) -> u8 {
        self.0
    }

    /// Says what went wrong and what to do, and is the code for it.
    pub(super) fn failed(failure: &Failure) -> Exit {
        say::error(&format!("firstbell: {failure}.\n  What to do: {}", failure.cure()));
        Exit(code(failure))
    }

    /// A fault of the configuration or of an argument.
    pub(super) fn usage(what: &str) -> Exit {
        say::error(&format!("firstbell: {what}"));
        Exit(USAGE)
    }

    pub(super) fn configuration(faults: &ConfigFaults) -> Exit {
        say::error(&format!("firstbell: the configuration cannot be used:\n  {}", faults.0.join("\n  ")));
        Exit(USAGE)
    }

    pub(super) fn internal(what: &str) -> Exit {
        say::error(&format!("firstbell: {what}"));
        Exit(7)
    }

    /// A program that `exec` was to become could not be started.
    pub(super) fn not_started(program: &Path, error: &std::io::Error) -> Exit {
        say::error(&format!("firstbell: {} cannot be started: {error}", program.display()));
        // As shells say it: 127 where there is no such program, 126 where it cannot be run.
        Exit(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
    }
}

/// The exit code of a failure.
pub(super) fn code(failure: &Failure) -> u8 {
    use Failure::*;
    match failure {
        PasswordRejected { .. } | CodeRejected { .. } | Blocked | Stopped(_) | OtherFactor { .. } => 3,
        NotEnabled | UnknownKey | SecretRefused | ForeignToken => 3,
        ConsentWanted | UnknownPage { .. } | WrongOrigin { .. } | WrongReturn { .. } => 4,
        Unreachable { .. } | BrokerDown { .. } | Throttled { .. } | Slow { .. } | Unanswered { .. } => 5,
        GrantRefused | DeadOnArrival | NoToken { .. } => 6,
        ClockWrong { .. } | Broken { .. } => 7,
        Interrupted => 130,
    }
}
