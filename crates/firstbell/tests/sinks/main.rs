//! Sinks with a real daemon, real servers where Debian has them, and faithful ones where not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/certificate.rs"]
mod certificate;
#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../support/desk.rs"]
mod desk;
mod faults;
mod hooks;
mod mornings;
#[path = "../support/postgres.rs"]
mod postgres;
mod races;
#[path = "../support/receiver.rs"]
mod receiver;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/mod.rs"]
mod support;
mod town;
#[path = "../support/vault.rs"]
mod vault;
#[path = "../support/web.rs"]
mod web;
