//! Programs in C that stand beside this file: for what Rust can only do by `unsafe`.
#![allow(unreachable_pub, reason = "each test file uses its own part of this one")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the one of this name into a folder.
pub fn compiled(folder: &Path, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/support/{name}.c"));
    let program = folder.join(name);
    let built = Command::new("cc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program).arg(source).output();
    let built = built.expect("cc is there wherever Rust links");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}
