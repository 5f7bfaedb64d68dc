//! Who signed a certificate that nobody should believe: asked on a connection that is given up as soon as that is known.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::doors::plain;

/// The organisation, or else the name, that stands in the certificate as its issuer. It is a stranger's word.
pub(super) async fn of(host: &str, port: u16) -> Option<String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let reader = Arc::new(Reader { provider: Arc::clone(&provider), seen: Mutex::default() });
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let verifier = Arc::clone(&reader) as Arc<dyn ServerCertVerifier>;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.ok()?;
    // It never succeeds: the reader believes nobody.
    let _ = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let seen = reader.seen.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    issuer(&seen).map(|name| plain(&name)).filter(|name| !name.trim().is_empty())
}

/// Keeps the first certificate, and refuses it: nothing can be sent on a connection that it looked at.
#[derive(Debug)]
struct Reader {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Reader {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The tags of DER that a certificate's beginning is made of (X.690; RFC 5280, section 4.1).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
/// id-at-organizationName and id-at-commonName (RFC 5280, appendix A.1).
const NAMES: [[u8; 5]; 2] = [[0x06, 0x03, 0x55, 0x04, 0x0a], [0x06, 0x03, 0x55, 0x04, 0x03]];

fn issuer(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(certificate)?;
    let (_, body, _) = element(certificate)?;
    let (tag, _, after_first) = element(body)?;
    // The version is left out in certificates of the first one; then the serial number, then the algorithm.
    let rest = if tag == VERSION { element(after_first)?.2 } else { after_first };
    let (_, _, rest) = element(rest)?;
    let (tag, issuer, _) = element(rest)?;
    if tag != SEQUENCE {
        return None;
    }
    NAMES.iter().find_map(|name| {
        let at = issuer.windows(name.len()).position(|window| window == name)?;
        let (_, text, _) = element(&issuer[at + name.len()..])?;
        Some(String::from_utf8_lossy(text).into_owned())
    })
}

/// The first element: its tag, what is in it, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(first) {
        short if short < 0x80 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long & 0x7f).filter(|(bytes, _)| bytes.len() <= 4)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn certificate(issuer: &[u8]) -> Vec<u8> {
        let body =
            [wrap(VERSION, &wrap(2, &[2])), wrap(2, &[7]), wrap(SEQUENCE, &[]), wrap(SEQUENCE, issuer)];
        wrap(SEQUENCE, &wrap(SEQUENCE, &body.concat()))
    }

    #[test]
    fn the_organisation_is_read_before_the_name_and_nonsense_is_nobody() {
        let name = |which: usize, text: &str| {
            wrap(0x31, &wrap(SEQUENCE, &[NAMES[which].to_vec(), wrap(0x0c, text.as_bytes())].concat()))
        };
        let both = certificate(&[name(1, "Proxy CA"), name(0, "Example Corp")].concat());
        assert_eq!(issuer(&both).as_deref(), Some("Example Corp"));
        assert_eq!(issuer(&certificate(&name(1, "Proxy CA"))).as_deref(), Some("Proxy CA"));
        for length in 0..both.len() {
            assert_eq!(issuer(&both[..length]), None, "{length}");
        }
        assert_eq!(issuer(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 1]), None);
    }
}
