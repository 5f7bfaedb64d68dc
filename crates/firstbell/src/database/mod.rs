//! The address of a PostgreSQL database: what it must say, how it is reached, and why it was not.

mod tls;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use zeroize::Zeroizing;

pub use self::tls::{Encrypted, Named, Tls, Wire};
use crate::tls::{public, trusting};

/// Longer, and a login's page is gone.
pub const CONNECT: Duration = Duration::from_secs(5);

/// Where a database is.
#[derive(Debug)]
pub struct Address<'a> {
    /// `postgres://user:password@host/database`.
    pub url: &'a Secret,
    /// The authority that signed the server's certificate; the public ones where there is none.
    pub authority: Option<&'a Path>,
    /// Whose it is, in messages.
    pub whose: Whose,
}

/// Whose database it is.
#[derive(Clone, Copy, Debug)]
pub struct Whose {
    /// As messages name it.
    pub name: &'static str,
    /// The table of the configuration where it stands.
    pub table: &'static str,
    /// What does not work without it.
    pub part: Part,
}

impl Address<'_> {
    /// What the driver needs to connect. A connection that leaves this machine is encrypted, and the server's name proven,
    /// whatever `sslmode` says; one that must not be encrypted must not leave it.
    ///
    /// # Errors
    /// [`Failure::Broken`] with what to do; the address is not repeated.
    pub fn config(&self) -> Result<(Config, Tls), Failure> {
        let Whose { name, table, part } = self.whose;
        // What the driver says of an address that it cannot read may quote it.
        let wrong = |why: &str| Failure::Broken {
            part,
            why: format!("the address of {name} {why}"),
            cure: format!("Write it as postgres://USER:PASSWORD@HOST/DATABASE; see {table} in the README."),
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
        let tls = match self.authority {
            None => public(),
            Some(path) => trusting(path).map_err(|why| Failure::Broken {
                part,
                why: format!("the authority of {name}, {}, cannot be used: {why}", path.display()),
                cure: format!("Name a PEM file with its certificate: authority = \"/path\" under {table}."),
            })?,
        };
        Ok((config, Tls(Arc::new(tls))))
    }
}

/// What went wrong: the server's own code, or why there is no connection, in our own words: what the server says may quote rows
/// and addresses.
///
/// # Errors
/// Why there is no connection.
pub fn code_of(error: &tokio_postgres::Error) -> Result<SqlState, String> {
    if let Some(code) = error.code() {
        return Ok(code.clone());
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Err(format!("its encrypted connection is not good: {error}"));
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>())
        {
            return Err(error.kind().to_string());
        }
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    Err(if error.is_closed() { "the connection broke" } else { "no connection could be made" }.into())
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
        let whose = Whose { name: "the database", table: "[store]", part: Part::Store };
        let address = Address { url: &Secret::new(url.into()), authority: None, whose };
        address.config().map(|(config, _)| config.get_ssl_mode())
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
