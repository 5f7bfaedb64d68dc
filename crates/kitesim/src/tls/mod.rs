//! TLS for the pretended names: a private authority that may speak for them alone, and what goes wrong in handshakes.

mod authority;

pub(crate) use authority::Authority;

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, ServerConfig};

use crate::faults::{Deed, Place};
use crate::names::NAMES;
use crate::world::World;

/// The certificates of one run.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// For all pretended names.
    good: Arc<CertifiedKey>,
    /// The same, but its time is over.
    expired: Arc<CertifiedKey>,
    /// For a name that nobody asks for.
    other: Arc<CertifiedKey>,
    /// For all pretended names, from some days ahead on.
    early: Arc<CertifiedKey>,
    /// For all pretended names, of an authority that nobody knows.
    stranger: Arc<CertifiedKey>,
}

/// Chooses the certificate of each handshake.
struct Chooser {
    certificates: Certificates,
    world: Arc<World>,
}

impl std::fmt::Debug for Chooser {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Chooser(…)")
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A client that asks for no name, or for a foreign one, gets an alert and no certificate.
        let name = hello.server_name()?;
        if !NAMES.contains(&name) {
            return None;
        }
        let mut truth = self.world.lock();
        let now = truth.clock.now();
        let strike = truth.faults.strike(Place::Handshake, now);
        if strike.has(&Deed::HandshakeRefused) {
            return None;
        }
        let chosen = strike.deeds().find_map(|deed| match deed {
            Deed::CertificateExpired => Some(&self.certificates.expired),
            Deed::CertificateOtherName => Some(&self.certificates.other),
            Deed::CertificateEarly => Some(&self.certificates.early),
            Deed::CertificateStranger => Some(&self.certificates.stranger),
            _ => None,
        });
        Some(Arc::clone(chosen.unwrap_or(&self.certificates.good)))
    }
}

/// What accepts TLS on the port of the pretended Kite.
pub(crate) fn acceptor(certificates: Certificates, world: Arc<World>) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let chooser = Arc::new(Chooser { certificates, world });
    let mut config = config.with_no_client_auth().with_cert_resolver(chooser);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
