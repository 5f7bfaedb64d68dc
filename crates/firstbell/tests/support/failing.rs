//! The disk that fails on purpose (failing.c), built once, and one use of it.
#![allow(unreachable_pub, reason = "the test file that uses it is a crate of its own")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What happens at the n-th call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The process is killed before it.
    Dies,
    /// The process is killed in the middle of it, where it is a write.
    Tears,
    /// It fails with this errno, once.
    Once(i32),
    /// It fails, and so does every later one.
    FromThenOn(i32),
}

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;
pub const EROFS: i32 = 30;

/// All of them.
pub const HOWS: [How; 8] = [
    How::Dies,
    How::Tears,
    How::Once(EIO),
    How::Once(ENOSPC),
    How::Once(EROFS),
    How::FromThenOn(EIO),
    How::FromThenOn(ENOSPC),
    How::FromThenOn(EROFS),
];

/// The shared object, in a folder that goes with it.
pub struct Failing {
    folder: TempDir,
}

impl Failing {
    pub fn build() -> Failing {
        let failing = Failing { folder: TempDir::with_prefix("fb-test-").unwrap() };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/failing.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(failing.object()).arg(source);
        let built = cc.output().expect("cc is there wherever Rust links");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        failing
    }

    fn object(&self) -> PathBuf {
        self.folder.path().join("failing.so")
    }

    /// Puts a command on the failing disk: `at` is the call at which it happens, 0 for never.
    pub fn arm<'c>(&self, command: &'c mut Command, under: &Path, at: u64, how: How) -> &'c mut Command {
        let (number, on) = match how {
            How::Dies => (0, 0),
            How::Tears => (-1, 0),
            How::Once(errno) => (errno, 0),
            How::FromThenOn(errno) => (errno, 1),
        };
        command.env("LD_PRELOAD", self.object()).env("FAIL_UNDER", under).env("FAIL_LOG", log(under));
        command
            .env("FAIL_AT", at.to_string())
            .env("FAIL_HOW", number.to_string())
            .env("FAIL_ON", on.to_string())
    }
}

/// Beside what fails, under a name that does not begin with it.
fn log(under: &Path) -> PathBuf {
    under.with_file_name("failing.log")
}

/// Whether it happened, and how many calls there were if the process came to its regular end; begins a new log.
pub fn happened(under: &Path) -> (bool, Option<u64>) {
    let text = fs::read_to_string(log(under)).unwrap_or_default();
    let _ = fs::remove_file(log(under));
    let calls = text.lines().find_map(|line| line.strip_prefix("calls ")?.parse().ok());
    (text.lines().any(|line| line.starts_with("fired ")), calls)
}
