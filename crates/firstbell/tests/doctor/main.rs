//! `firstbell doctor`: every probe on machines made of text, and whole visits of the real command.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asked;
#[path = "../support/certificate.rs"]
mod certificate;
#[path = "../support/daemon.rs"]
mod daemon;
mod kernel;
mod outside;
mod roots;
#[path = "../support/scanner.rs"]
mod scanner;
#[path = "../support/mod.rs"]
mod support;
mod visits;
