//! Whom an encrypted connection of ours trusts: the public authorities that are compiled in, or those that the owner names.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// The public authorities.
pub fn public() -> ClientConfig {
    builder().with_webpki_roots().with_no_client_auth()
}

/// The authorities in this PEM file, and no others.
///
/// # Errors
/// Why the file cannot be used.
pub fn trusting(authority: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(authority).map_err(|e| e.to_string())? {
        roots.add(found.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in it".into());
    }
    let builder: ConfigBuilder<ClientConfig, WantsClientCert> = builder().with_root_certificates(roots);
    Ok(builder.with_no_client_auth())
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the versions that rustls does")
}
