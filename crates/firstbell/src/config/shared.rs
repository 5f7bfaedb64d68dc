//! The `[store]` of a configuration: a database that several machines share, and what a store is opened with.

use std::path::PathBuf;

use firstbell_core::failure::Failure;

use super::{Config, absolute_path};
use crate::secrets::{Source, Wanted};
use crate::stores::{Place, Server};
use crate::written::Section;

/// A node that is gone is replaced after this.
const LEASE_S: u64 = 30;
/// Shorter, and a database that fails over would cost every node its lease; longer, and a dead node costs the morning.
const LEASES_S: std::ops::RangeInclusive<u64> = 5..=300;

/// Where the shared store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    pub(super) source: Source,
    authority: Option<PathBuf>,
    lease_s: u64,
}

impl Shared {
    pub(super) fn read(root: &mut Section<'_>) -> Option<Shared> {
        let mut section = root.section("store")?;
        let source = section.section("postgres").map(Source::of);
        if source.is_none() && !section.asked("postgres") {
            section.fault(
                "says no place: write postgres = { env = \"FIRSTBELL_DATABASE_URL\" } or { file = \"PATH\" }",
            );
        }
        if source == Some(Source::Vault) {
            section.fault("the address of the database cannot be in the vault, which is in the database");
        }
        let authority = section.parsed("authority", absolute_path);
        let lease_s = section.number("lease_s", *LEASES_S.start()).unwrap_or(LEASE_S);
        if lease_s > *LEASES_S.end() {
            section.fault(&format!("lease_s must be {} at most", LEASES_S.end()));
        }
        section.end(&["postgres", "authority", "lease_s"]);
        source.map(|source| Shared { source, authority, lease_s })
    }

    fn server(&self) -> Result<Server, Failure> {
        let store = "the address of the store's database, with its password".into();
        let url = self.source.outside(&Wanted { owner: "", name: "store.postgres", store })?;
        Ok(Server { url, authority: self.authority.clone(), lease_ms: self.lease_s * 1000 })
    }
}

impl Config {
    /// Where the store is, with what opens it.
    ///
    /// # Errors
    /// Where the address of a shared one cannot be had.
    pub fn place(&self) -> Result<Place, Failure> {
        let server = self.shared.as_ref().map(Shared::server).transpose()?;
        let identity = self.vault.opener(&self.store.folder);
        let recipients = self.vault.recipients.clone();
        Ok(Place { server, identity, recipients, ..self.store.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Faults;

    fn read(text: &str) -> Result<Option<Shared>, Vec<String>> {
        let faults = Faults::new("c.toml", text);
        let shared = Shared::read(&mut Section::root(text, faults.clone()));
        if faults.lines().is_empty() { Ok(shared) } else { Err(faults.lines()) }
    }

    #[test]
    fn the_store_is_here_unless_a_database_is_named() {
        assert_eq!(read("").unwrap(), None);
        let shared = read("[store]\npostgres = { env = \"URL\" }\nauthority = \"/ca.pem\"").unwrap().unwrap();
        assert_eq!((shared.source, shared.lease_s), (Source::Env("URL".into()), 30));
    }

    #[test]
    fn what_cannot_work_is_a_fault() {
        for wrong in [
            "[store]",
            "[store]\npostgres = { vault = true }",
            "[store]\npostgres = \"postgres://u:p@h/d\"",
            "[store]\npostgres = { env = \"URL\" }\nlease_s = 4",
            "[store]\npostgres = { env = \"URL\" }\nlease_s = 301",
            "[store]\npostgres = { env = \"URL\" }\nauthority = \"ca.pem\"",
            "[store]\npostgres = { env = \"URL\" }\nsqlite = true",
        ] {
            assert_eq!(read(wrong).unwrap_err().len(), 1, "{wrong}");
        }
    }
}
