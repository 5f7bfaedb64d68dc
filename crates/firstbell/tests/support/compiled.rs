//! Programs in C that stand beside this file: for what Rust can only do by `unsafe`.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the program of this name into a folder.
pub fn compiled(folder: &Path, name: &str) -> PathBuf {
    built(folder, name, &[])
}

/// Builds what a program can be started with in the place of functions of the C library.
pub fn preloaded(folder: &Path, name: &str) -> PathBuf {
    built(folder, name, &["-shared", "-fPIC"])
}

fn built(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/support/{name}.c"));
    let program = folder.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror"]).args(more).arg("-o").arg(&program).arg(source);
    let built = cc.output().expect("cc is there wherever Rust links");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}
