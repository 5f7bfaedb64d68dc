//! The private authority: made once, kept in a folder of its own, and bound to the pretended names.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE64;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring::sign::any_ecdsa_type;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::Certificates;
use crate::clock;
use crate::names::NAMES;

/// A name below one of the pretended ones, so that the authority may vouch for it, and that nobody asks for.
const OTHER_NAME: &str = "other.kite.trade";
const AUTHORITY_YEARS: i64 = 10;
/// A leaf lives as long as one run; nobody rehearses for longer.
const LEAF_DAYS: i64 = 90;
/// Larger than any key of ours.
const LONGEST_KEY_BYTES: u64 = 16 * 1024;

/// A private authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The file to be trusted.
    pub(crate) certificate: PathBuf,
}

impl Authority {
    /// Reads the authority in a folder, or makes one there; `today` is the host's, for clients judge by that.
    pub(crate) fn keep(folder: &Path, today: Timestamp) -> Result<Authority, String> {
        let told = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| format!("{path}: {error}")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told(folder))?;
        let (key_path, certificate) = (folder.join("ca.key"), folder.join("ca.pem"));
        if !key_path.exists() && certificate.exists() {
            return Err(format!("{}: its key is gone; remove it too", certificate.display()));
        }
        if !key_path.exists() {
            let key = made_key()?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key_path);
            let text = pem("PRIVATE KEY", key.serialized_der());
            file.as_mut().map_err(|error| format!("{}: {error}", key_path.display()))?;
            file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(told(&key_path))?;
        }
        let key = read_key(&key_path)?;
        let params = authority_params();
        if !certificate.exists() {
            let made = params.self_signed_from(&key, today)?;
            fs::write(&certificate, pem("CERTIFICATE", &made)).map_err(told(&certificate))?;
        }
        Ok(Authority { issuer: Issuer::new(params.0, key), certificate })
    }

    /// The certificates of one run, good and bad, all with keys of their own that are never written down.
    pub(crate) fn certificates(&self, today: Timestamp) -> Result<Certificates, String> {
        let today = clock::in_india(today).date();
        let stranger = Issuer::new(authority_params().0, made_key()?);
        Ok(Certificates {
            good: leaf(&self.issuer, &NAMES, (today, -2), LEAF_DAYS)?,
            expired: leaf(&self.issuer, &NAMES, (today, -30), -2)?,
            other: leaf(&self.issuer, &[OTHER_NAME], (today, -2), LEAF_DAYS)?,
            early: leaf(&self.issuer, &NAMES, (today, 2), LEAF_DAYS)?,
            stranger: leaf(&stranger, &NAMES, (today, -2), LEAF_DAYS)?,
        })
    }
}

fn leaf(
    issuer: &Issuer<'_, KeyPair>,
    names: &[&str],
    since: (Date, i64),
    until: i64,
) -> Result<Arc<CertifiedKey>, String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(|error| error.to_string())?;
    params.distinguished_name = name("kitesim, a simulation");
    let (from, to) = (moved(since.0, since.1), moved(since.0, until));
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = made_key()?;
    let leaf = params.signed_by(&key, issuer).map_err(|error| error.to_string())?;
    let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = any_ecdsa_type(&pkcs8).map_err(|error| error.to_string())?;
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    Ok(Arc::new(CertifiedKey::new(chain, signer)))
}

/// The authority's own parameters; its issuer's name and constraints must be the same at every start.
struct AuthorityParams(CertificateParams);

impl AuthorityParams {
    fn self_signed_from(&self, key: &KeyPair, today: Timestamp) -> Result<Vec<u8>, String> {
        let today = clock::in_india(today).date();
        let mut params = self.0.clone();
        let (from, to) = (moved(today, -2), moved(today, AUTHORITY_YEARS * 365));
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        let made = params.self_signed(key).map_err(|error| error.to_string())?;
        Ok(made.der().to_vec())
    }
}

fn authority_params() -> AuthorityParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("kitesim private authority (simulation)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Whoever steals the key can pretend to be these hosts only, and only to those who trust the authority.
    let permitted_subtrees = NAMES.iter().map(|name| GeneralSubtree::DnsName((*name).to_owned())).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    AuthorityParams(params)
}

fn name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

/// Year, month and day, so many days away.
fn moved(from: Date, days: i64) -> (i32, u8, u8) {
    let day = from.saturating_add(Span::new().days(days));
    let number = |part: i8| u8::try_from(part).unwrap_or(1);
    (i32::from(day.year()), number(day.month()), number(day.day()))
}

fn made_key() -> Result<KeyPair, String> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| format!("make a key: {error}"))
}

fn read_key(path: &Path) -> Result<KeyPair, String> {
    let wrong = |what: &str| format!("{}: {what}", path.display());
    let file = fs::File::open(path).map_err(|error| wrong(&error.to_string()))?;
    let mode = file.metadata().map_err(|error| wrong(&error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(wrong(&format!("others may read it (mode {:o}); it must be 600", mode & 0o777)));
    }
    let mut text = String::new();
    file.take(LONGEST_KEY_BYTES).read_to_string(&mut text).map_err(|error| wrong(&error.to_string()))?;
    let der = unpem(&text).ok_or_else(|| wrong("it holds no private key"))?;
    let der = PrivatePkcs8KeyDer::from(der);
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
        .map_err(|_error| wrong("it holds no key that this program has made"))
}

/// RFC 7468: base64 in lines of 64 between two marks.
fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut lines = format!("-----BEGIN {kind}-----\n");
    for line in text.as_bytes().chunks(64) {
        lines.extend(line.iter().copied().map(char::from));
        lines.push('\n');
    }
    lines + &format!("-----END {kind}-----\n")
}

fn unpem(text: &str) -> Option<Vec<u8>> {
    let lines = text.lines().map(str::trim);
    let inner: String = lines.filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
    BASE64.decode(inner.as_bytes()).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let der: Vec<u8> = (0..200).collect();
        let text = pem("PRIVATE KEY", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(unpem(&text), Some(der));
        assert_eq!(unpem("-----BEGIN X-----\n!\n"), None);
        assert_eq!(unpem(""), None);
    }
}
