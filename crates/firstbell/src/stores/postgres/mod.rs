//! A store on a PostgreSQL server, for several machines that keep the same accounts.

mod database;
mod fault;
mod lease;
mod link;
mod opening;
mod server;

pub use server::Server;

pub(super) use database::{Fences, turn_of};
pub(super) use lease::{Candidate, Held};
pub(super) use opening::open;
