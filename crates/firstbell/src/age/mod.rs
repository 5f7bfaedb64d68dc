//! The age file format, version 1 (age-encryption.org/v1): what this writes, the programs `age` and `rage` open, and the other way
//! round. X25519 recipients and passphrases; no plugins.
//!
//! The format is a page of text over primitives that are in the tree already. The library of its name would bring some seventy
//! further crates, a second generation of most ciphers and hashes among them; the program of its name is in the tests.

mod armor;
mod header;
mod key;
mod payload;
mod stanza;

use firstbell_core::secret::{Secret, SecretBytes};
use zeroize::Zeroizing;

pub use self::key::{Identity, Recipient};

use self::header::Header;
use self::stanza::FileKey;

/// Why a file does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no age file, or not one of a form that we know; to be read after "it".
    Form(&'static str),
    /// It was written for somebody else.
    NotOurs,
    /// It was written for us, and is not as it was written.
    Damaged,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Form(why) => write!(f, "it {why}"),
            Fault::NotOurs => f.write_str("this key does not open it"),
            Fault::Damaged => f.write_str("it is damaged or was changed"),
        }
    }
}

/// Encrypts for these recipients, one at least; any one of them can open it.
///
/// # Errors
/// Where the system gives no random bytes.
pub fn seal(plain: &SecretBytes, to: &[Recipient]) -> Result<Vec<u8>, getrandom::Error> {
    let key = FileKey::random()?;
    let stanzas = to.iter().map(|recipient| recipient.wrap(&key)).collect::<Result<Vec<_>, _>>()?;
    finish(plain, &key, &stanzas)
}

/// Encrypts with a passphrase.
///
/// # Errors
/// As above.
pub fn seal_with_passphrase(plain: &SecretBytes, passphrase: &Secret) -> Result<Vec<u8>, getrandom::Error> {
    let key = FileKey::random()?;
    let stanza = stanza::wrap_with_passphrase(&key, passphrase)?;
    finish(plain, &key, &[stanza])
}

fn finish(
    plain: &SecretBytes,
    key: &FileKey,
    stanzas: &[stanza::Stanza],
) -> Result<Vec<u8>, getrandom::Error> {
    let mut file = header::write(stanzas, key);
    payload::write(plain, key, &mut file)?;
    Ok(file)
}

/// Opens a file with whichever of these identities it was written for.
///
/// # Errors
/// [`Fault`].
pub fn open(file: &[u8], identities: &[Identity]) -> Result<SecretBytes, Fault> {
    with(file, &|header| {
        let pairs = identities.iter().flat_map(|one| header.stanzas.iter().map(move |stanza| (one, stanza)));
        for (identity, stanza) in pairs {
            if let Some(key) = identity.unwrap(stanza)? {
                return Ok(key);
            }
        }
        Err(Fault::NotOurs)
    })
}

/// Opens a file with a passphrase.
///
/// # Errors
/// [`Fault`].
pub fn open_with_passphrase(file: &[u8], passphrase: &Secret) -> Result<SecretBytes, Fault> {
    with(file, &|header| stanza::unwrap_with_passphrase(&header.stanzas, passphrase))
}

fn with(file: &[u8], unwrap: &dyn Fn(&Header<'_>) -> Result<FileKey, Fault>) -> Result<SecretBytes, Fault> {
    let binary = armor::read(file).map_err(Fault::Form)?;
    let header = header::read(&binary).map_err(Fault::Form)?;
    let key = unwrap(&header)?;
    if !header.is_whole(&key) {
        return Err(Fault::Damaged);
    }
    payload::read(header.payload, &key)
}

/// HKDF with SHA-256 (RFC 5869), for keys of its hash's length.
fn derive(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = |key: &[u8]| {
        <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length")
    };
    let mut extract = mac(salt);
    extract.update(secret);
    let drawn: Zeroizing<[u8; 32]> = Zeroizing::new(extract.finalize().into_bytes().into());
    let mut expand = mac(&*drawn);
    expand.update(purpose);
    expand.update(&[1]);
    Zeroizing::new(expand.finalize().into_bytes().into())
}
