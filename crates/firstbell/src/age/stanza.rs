//! What an age file's key is wrapped in: one stanza for each way to open the file.

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};
use data_encoding::BASE64_NOPAD;
use firstbell_core::secret::Secret;
use zeroize::Zeroizing;

use super::Fault;

const KEY_LEN: usize = 16;
const PASSPHRASE: &str = "scrypt";
const SALT_LEN: usize = 16;
/// 256 MiB of memory and about a second: what the age program takes too.
const WORK: u8 = 18;
/// 1 GiB: more is an attack on the machine, and no caution.
const WORK_MAX: u8 = 20;

/// One stanza of a header.
#[derive(Debug)]
pub(super) struct Stanza {
    pub(super) words: Vec<String>,
    pub(super) body: Vec<u8>,
}

/// The key of one file.
pub(super) struct FileKey(Zeroizing<[u8; KEY_LEN]>);

impl FileKey {
    pub(super) fn random() -> Result<FileKey, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(&mut *bytes)?;
        Ok(FileKey(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Wraps it in a key that is used for nothing else; hence the nonce of zeros.
    pub(super) fn wrap(&self, with: &[u8; 32]) -> Vec<u8> {
        let cipher = ChaCha20Poly1305::new_from_slice(with).expect("the key has 32 bytes");
        cipher.encrypt(&[0; 12].into(), &self.0[..]).expect("a key is far below the cipher's limit")
    }

    /// Takes it out again; none where this is not the key for it.
    pub(super) fn unwrap(body: &[u8], with: &[u8; 32]) -> Result<Option<FileKey>, Fault> {
        // The length first, so that one file cannot be made to open with several keys.
        if body.len() != KEY_LEN + 16 {
            return Err(Fault::Form("has a stanza of a wrong length"));
        }
        let cipher = ChaCha20Poly1305::new_from_slice(with).expect("the key has 32 bytes");
        let Ok(plain) = cipher.decrypt(&[0; 12].into(), body) else { return Ok(None) };
        let plain = Zeroizing::new(plain);
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        bytes.copy_from_slice(&plain);
        Ok(Some(FileKey(bytes)))
    }
}

pub(super) fn wrap_with_passphrase(key: &FileKey, passphrase: &Secret) -> Result<Stanza, getrandom::Error> {
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt)?;
    let words = vec![PASSPHRASE.into(), BASE64_NOPAD.encode(&salt), WORK.to_string()];
    Ok(Stanza { words, body: key.wrap(&stretch(passphrase, &salt, WORK)) })
}

pub(super) fn unwrap_with_passphrase(stanzas: &[Stanza], passphrase: &Secret) -> Result<FileKey, Fault> {
    let [Stanza { words, body }] = stanzas else { return Err(Fault::NotOurs) };
    let [kind, salt, work] = words.as_slice() else { return Err(Fault::NotOurs) };
    if kind != PASSPHRASE {
        return Err(Fault::NotOurs);
    }
    let wrong = Fault::Form("has a stanza that is not as the format says");
    let salt =
        BASE64_NOPAD.decode(salt.as_bytes()).ok().filter(|salt| salt.len() == SALT_LEN).ok_or(wrong)?;
    let is_number = work.bytes().all(|b| b.is_ascii_digit()) && !work.starts_with('0');
    let work: u8 = work.parse().ok().filter(|_| is_number).ok_or(wrong)?;
    if work > WORK_MAX {
        return Err(Fault::Form("asks for more memory than this machine should give"));
    }
    FileKey::unwrap(body, &stretch(passphrase, &salt, work))?.ok_or(Fault::NotOurs)
}

fn stretch(passphrase: &Secret, salt: &[u8], work: u8) -> Zeroizing<[u8; 32]> {
    let params = scrypt::Params::new(work, 8, 1).expect("the work is within the limits");
    let salt = [b"age-encryption.org/v1/scrypt", salt].concat();
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.expose().as_bytes(), &salt, &params, &mut *key)
        .expect("32 bytes are a good length");
    key
}
