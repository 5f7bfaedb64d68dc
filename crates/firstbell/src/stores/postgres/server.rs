//! The address of the shared database: what it must say, and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use zeroize::Zeroizing;

use super::super::folder::broken;
use super::tls::Tls;

/// Longer, and a login's page is gone.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

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
    /// What the driver needs to connect. A connection that leaves this machine is encrypted, and the server's name proven,
    /// whatever `sslmode` says; one that must not be encrypted must not leave it.
    pub(super) fn config(&self) -> Result<(Config, Tls), Failure> {
        // What the driver says of an address that it cannot read may quote it.
        let wrong = |why: &str| {
            let why = format!("the address of the store's database {why}");
            broken(
                Part::Store,
                why,
                "Write it as postgres://USER:PASSWORD@HOST/DATABASE; see [store] in the README.",
            )
        };
        let mut config: Config =
            known_mode(self.url.expose()).parse().map_err(|_| wrong("cannot be read"))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("names no host"));
        }
        match (is_near(&config), config.get_ssl_mode()) {
            (true, SslMode::Require) => {}
            (true, _) => drop(config.ssl_mode(SslMode::Disable)),
            (false, SslMode::Disable) => {
                return Err(wrong("asks for a connection to another machine without encryption"));
            }
            (false, _) => drop(config.ssl_mode(SslMode::Require)),
        }
        config.connect_timeout(CONNECT).tcp_user_timeout(2 * CONNECT).keepalives_idle(2 * CONNECT);
        config.application_name("firstbell").target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok((config, Tls::new(self.authority.as_deref())?))
    }
}

/// Modes that the driver does not know, as one that asks no less: [`Tls`] proves authority and name always.
fn known_mode(url: &str) -> Zeroizing<String> {
    let Some((address, settings)) = url.split_once('?') else { return Zeroizing::new(url.to_owned()) };
    let settings = settings.replace("sslmode=verify-full", "sslmode=require");
    Zeroizing::new(format!("{address}?{}", settings.replace("sslmode=verify-ca", "sslmode=require")))
}

fn is_near(config: &Config) -> bool {
    let near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    };
    config.get_hosts().iter().all(near) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, Failure> {
        let server = Server { url: Secret::new(url.into()), authority: None, lease_ms: 1 };
        server.config().map(|(config, _)| config.get_ssl_mode())
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted() {
        for (url, want) in [
            ("postgres://u:hunter2@127.0.0.1/d", SslMode::Disable),
            ("postgres://u:hunter2@localhost/d?sslmode=require", SslMode::Require),
            ("postgres://u:hunter2@%2Frun%2Fpostgresql/d", SslMode::Disable),
            ("postgres://u:hunter2@db.example/d", SslMode::Require),
            ("postgres://u:hunter2@db.example/d?sslmode=prefer", SslMode::Require),
            ("postgres://u:hunter2@db.example/d?sslmode=verify-full", SslMode::Require),
            ("postgres://u:hunter2@localhost,db.example/d", SslMode::Require),
            ("postgres://u:hunter2@localhost/d?hostaddr=10.0.0.1", SslMode::Require),
        ] {
            assert_eq!(mode(url).unwrap(), want, "{url}");
        }
    }

    #[test]
    fn an_address_that_is_wrong_is_refused_and_not_repeated() {
        for url in ["postgres://u:hunter2@db.example/d?sslmode=disable", "u:hunter2", "postgres://u:hunter2@"]
        {
            let failure = mode(url).unwrap_err();
            let said = format!("{failure} {} {failure:?}", failure.cure());
            assert!(said.contains("the address") && !said.contains("hunter2"), "{said}");
        }
    }
}
