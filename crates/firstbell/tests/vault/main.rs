//! The vault file: what the age program makes of it and we of what that writes, damage, refusals, keys held elsewhere, what earlier
//! versions left, and kills at any moment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod copies;
#[path = "../support/daemon.rs"]
mod daemon;
mod exports;
#[path = "../support/failing.rs"]
#[allow(dead_code, reason = "the other test file that uses it is a crate of its own")]
mod failing;
mod format;
mod holders;
mod kills;
mod old;
mod rekey;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/terminal.rs"]
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use firstbell::ports::Vault;
use firstbell::stores::{self, Stores};
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a state folder in it.
struct Machine(TempDir);

impl Machine {
    fn new() -> Machine {
        Machine(TempDir::with_prefix("fb-test-").unwrap())
    }

    /// With one secret in its vault.
    fn with_password(password: &str) -> Machine {
        let machine = Machine::new();
        machine.open().vault().keep("a", "password", &secret(password)).unwrap();
        machine
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.state().join(name)
    }

    fn open(&self) -> Stores {
        stores::open(&self.state()).unwrap()
    }

    fn refusal(&self) -> Failure {
        stores::open(&self.state()).unwrap_err()
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

fn fetched(vault: &dyn Vault, owner: &str, name: &str) -> Option<String> {
    vault.fetch(owner, name).unwrap().map(|secret| secret.expose().to_owned())
}

/// A run of the age program; what it wrote.
fn age(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    try_age(arguments, input).unwrap_or_else(|said| panic!("age {arguments:?}: {said}"))
}

fn try_age(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = Command::new("age");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("age is installed: make age");
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // One that refuses the file's head does not read on.
        scope.spawn(move || drop(std::io::Write::write_all(&mut stdin, input)));
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    })
}

/// What the age program finds in a vault with this identity.
fn opened_by_age(vault: &Path, identity: &Path) -> Value {
    let plain = age(&["-d", "-i", identity.to_str().unwrap(), vault.to_str().unwrap()], b"");
    serde_json::from_slice(&plain).unwrap()
}

/// A new identity's file, by the program of that format; and its recipient.
fn keygen(folder: &Path, name: &str) -> (PathBuf, String) {
    let path = folder.join(name);
    let made = Command::new("age-keygen").arg("-o").arg(&path).output().expect("age is installed: make age");
    assert!(made.status.success());
    support::private(&path);
    let text = fs::read_to_string(&path).unwrap();
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    (path, recipient.to_owned())
}
