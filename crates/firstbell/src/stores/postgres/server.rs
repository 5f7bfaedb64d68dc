//! The address of the shared database, and how long a lease in it is good.

use std::path::PathBuf;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use tokio_postgres::Config;

use crate::database::{Address, Tls, Whose};

/// A PostgreSQL server that several machines keep one store in.
#[derive(Clone, Debug)]
pub struct Server {
    /// `postgres://user:password@host/database`.
    pub url: Secret,
    /// The authority that signed the server's certificate; the public ones where there is none.
    pub authority: Option<PathBuf>,
    /// How long a lease is good without being renewed.
    pub lease_ms: u64,
}

impl Server {
    /// What the driver needs to connect.
    pub(super) fn config(&self) -> Result<(Config, Tls), Failure> {
        let whose = Whose { name: "the store's database", table: "[store]", part: Part::Store };
        Address { url: &self.url, authority: self.authority.as_deref(), whose }.config()
    }
}
