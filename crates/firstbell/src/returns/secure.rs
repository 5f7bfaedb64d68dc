//! A certificate of the owner's, for a listener at an https address.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::written::Section;

/// No key in PEM form comes near this.
const PEM_BYTES_MAX: usize = 64 * 1024;

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
        let key = private(&self.key).map_err(|why| cannot(&self.key, why))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|e| cannot(&self.chain, e.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// The key in this file. Whoever else has it can take the way back of a login for himself, and whoever else may write it can put his
/// own there. Programs that renew certificates lay a link to the newest one, so that links are followed; what is looked at is what was
/// opened.
fn private(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let only = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag of open fits in an int");
    let file = OpenOptions::new().read(true).custom_flags(only).open(path).map_err(|e| e.to_string())?;
    let meta = file.metadata().map_err(|e| e.to_string())?;
    if !meta.is_file() {
        return Err("it is not a plain file".into());
    }
    if ![0, rustix::process::geteuid().as_raw()].contains(&meta.uid()) {
        return Err("it is another user's; run chown".into());
    }
    if meta.mode() & 0o027 != 0 {
        return Err("others can read or change it; run chmod g-w,o-rwx".into());
    }
    let mut text = Zeroizing::new(Vec::with_capacity(PEM_BYTES_MAX));
    file.take(PEM_BYTES_MAX as u64).read_to_end(&mut text).map_err(|e| e.to_string())?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|e| e.to_string())
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
