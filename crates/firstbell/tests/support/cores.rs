//! Where the kernel lays the core of whoever dies.
#![allow(unreachable_pub, reason = "each test file uses its own part of this one")]

use std::fs;

/// Whether it lies in the folder of who died, and was not handed to a program: only then can it be looked at. `.ci/run` sees to it
/// that it can be; elsewhere a test does without.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know what was not looked at")]
pub fn lie_beside() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let beside = pattern.starts_with("core");
    assert!(
        beside || std::env::var_os("CI").is_none(),
        "cores cannot be looked at: sysctl kernel.core_pattern=core"
    );
    if !beside {
        eprintln!("this kernel hands cores to a program: none is looked at ({})", pattern.trim());
    }
    beside
}
