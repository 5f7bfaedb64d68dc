//! A certificate of the owner's, for a listener at an https address.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::written::Section;

/// Where the certificate is, and where to listen with it. Read anew for each login: a renewed one is used without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    listen: Option<SocketAddr>,
}

/// Why a certificate cannot be used.
#[derive(Debug)]
pub struct Unusable(String);

impl Certificate {
    /// Reads `[account.NAME.callback]`.
    pub fn read(mut section: Section<'_>) -> Option<Certificate> {
        let path = |text: &str| match PathBuf::from(text) {
            path if path.is_absolute() => Ok(path),
            _ => Err("must be an absolute path".to_owned()),
        };
        let chain = section.parsed("certificate", path);
        let key = section.parsed("key", path);
        for needed in ["certificate", "key"] {
            if !section.asked(needed) {
                section.fault(&format!("{needed} is missing: the path of a file in PEM form"));
            }
        }
        let listen = section.parsed("listen", |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| "must be an address and a port such as \"0.0.0.0:443\"".to_owned())
        });
        section.end(&["certificate", "key", "listen"]);
        Some(Certificate { chain: chain?, key: key?, listen })
    }

    /// Where it is listened: at every address of this machine, unless the owner names one.
    pub(super) fn address(&self, port: u16) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    }

    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Unusable> {
        let cannot =
            |path: &PathBuf, why: String| Unusable(format!("{} cannot be used: {why}", path.display()));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&self.chain).and_then(Iterator::collect);
        let chain = chain.map_err(|e| cannot(&self.chain, e.to_string()))?;
        let meta = std::fs::metadata(&self.key).map_err(|e| cannot(&self.key, e.to_string()))?;
        // Whoever has it can take the way back of a login for himself.
        if meta.permissions().mode() & 0o007 != 0 {
            return Err(cannot(&self.key, "others can read it; run chmod o-rwx".into()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| cannot(&self.key, e.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|e| cannot(&self.chain, e.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
