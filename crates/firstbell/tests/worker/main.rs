//! The process that drives the browser: what it holds, what it is given and when, and how it and its keeper end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/family.rs"]
mod family;
#[path = "../support/memory.rs"]
mod memory;
#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/scanner.rs"]
mod scanner;
#[path = "../support/stranger.rs"]
mod stranger;
#[path = "../support/mod.rs"]
mod support;

mod ends;
mod handed;
mod holds;
mod obeys;
