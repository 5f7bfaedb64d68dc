//! Sealing: authenticated encryption that binds what it holds to its place, so that no row can stand in for another.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use firstbell_core::budget::Fingerprint;
use firstbell_core::secret::{Secret, SecretBytes};

const NONCE_LEN: usize = 24;
/// Bytes of a fingerprint: enough to tell two passwords of one owner apart, too few to be of use for a guess.
const FINGERPRINT_LEN: usize = 8;

/// The key of a store, split by purpose.
#[derive(Debug)]
pub(super) struct Key {
    sealing: SecretBytes,
    marking: SecretBytes,
    chaining: SecretBytes,
    folding: SecretBytes,
    mark: SecretBytes,
}

/// What a keyed hash is for. One purpose's hash is worth nothing for another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// A link of the chain of events.
    Link,
    /// A snapshot that stands for the events before it.
    Snapshot,
    /// The mark beside the state folder.
    Mark,
}

/// A keyed hash, whole.
pub(super) type Tag = [u8; 32];

/// What was sealed does not open: another key, another place, or damage.
#[derive(Debug)]
pub(super) struct NotOurs;

impl Key {
    pub(super) fn new(root: SecretBytes) -> Key {
        Key {
            sealing: derive(&root, b"firstbell seal v1"),
            marking: derive(&root, b"firstbell fingerprint v1"),
            chaining: derive(&root, b"firstbell chain v1"),
            folding: derive(&root, b"firstbell snapshot v1"),
            mark: derive(&root, b"firstbell mark v1"),
        }
    }

    /// The same, but with the fingerprints of another root: they outlive the key, or a refused password would be a new one.
    pub(super) fn with_fingerprints_of(self, root: &SecretBytes) -> Key {
        Key { marking: derive(root, b"firstbell fingerprint v1"), ..self }
    }

    /// Seals a secret for one place. The nonce is random and 24 bytes long, so it needs no counter that a restored
    /// backup could turn back.
    pub(super) fn seal(&self, place: &str, secret: &Secret) -> Result<Vec<u8>, getrandom::Error> {
        let mut sealed = vec![0; NONCE_LEN];
        getrandom::fill(&mut sealed)?;
        let nonce = XNonce::try_from(&sealed[..]).expect("the slice has the nonce's length");
        let payload = Payload { msg: secret.expose().as_bytes(), aad: place.as_bytes() };
        sealed.extend(
            self.cipher().encrypt(&nonce, payload).expect("a secret is far below the cipher's limit"),
        );
        Ok(sealed)
    }

    /// Opens what was sealed for this place.
    pub(super) fn open(&self, place: &str, sealed: &[u8]) -> Result<Secret, NotOurs> {
        let (nonce, msg) = sealed.split_at_checked(NONCE_LEN).ok_or(NotOurs)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| NotOurs)?;
        let plain =
            self.cipher().decrypt(&nonce, Payload { msg, aad: place.as_bytes() }).map_err(|_| NotOurs)?;
        String::from_utf8(plain).map(Secret::new).map_err(|e| {
            drop(Zeroizing::new(e.into_bytes()));
            NotOurs
        })
    }

    /// A keyed hash of a credential.
    pub(super) fn fingerprint(&self, name: &str, secret: &Secret) -> Fingerprint {
        let mut mac = mac(&self.marking);
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(secret.expose().as_bytes());
        Fingerprint(HEXLOWER.encode(&mac.finalize().into_bytes()[..FINGERPRINT_LEN]))
    }

    /// The keyed hash of these parts, each with its length, so that no part can lend letters to its neighbour.
    pub(super) fn tag(&self, purpose: Purpose, parts: &[&[u8]]) -> Tag {
        self.hashed(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether this is the keyed hash of these parts.
    pub(super) fn fits(&self, purpose: Purpose, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.hashed(purpose, parts).verify_slice(tag).is_ok()
    }

    fn hashed(&self, purpose: Purpose, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = mac(match purpose {
            Purpose::Link => &self.chaining,
            Purpose::Snapshot => &self.folding,
            Purpose::Mark => &self.mark,
        });
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new_from_slice(self.sealing.expose()).expect("the key has 32 bytes")
    }
}

fn derive(root: &SecretBytes, purpose: &[u8]) -> SecretBytes {
    let mut mac = mac(root);
    mac.update(purpose);
    SecretBytes::new(mac.finalize().into_bytes().to_vec())
}

fn mac(key: &SecretBytes) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(SecretBytes::new(vec![byte; 32]))
    }

    #[test]
    fn opens_at_its_own_place_with_its_own_key_only() {
        let sealed = key(1).seal("main/password", &Secret::new("hunter2".into())).unwrap();
        assert_eq!(key(1).open("main/password", &sealed).unwrap().expose(), "hunter2");
        assert!(key(1).open("main/api_secret", &sealed).is_err());
        assert!(key(2).open("main/password", &sealed).is_err());
    }

    #[test]
    fn every_damaged_bit_and_every_shortened_form_is_noticed() {
        let sealed = key(1).seal("p", &Secret::new("hunter2".into())).unwrap();
        for i in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[i] ^= 1;
            assert!(key(1).open("p", &damaged).is_err(), "bit in byte {i}");
            assert!(key(1).open("p", &sealed[..i]).is_err(), "first {i} bytes");
        }
    }

    #[test]
    fn a_fingerprint_tells_values_and_names_apart_and_needs_the_key() {
        let mark = |k: u8, name: &str, text: &str| key(k).fingerprint(name, &Secret::new(text.into()));
        assert_eq!(mark(1, "password", "a"), mark(1, "password", "a"));
        assert_ne!(mark(1, "password", "a"), mark(1, "password", "b"));
        assert_ne!(mark(1, "password", "a"), mark(1, "totp_seed", "a"));
        assert_ne!(mark(1, "password", "a"), mark(2, "password", "a"));
    }

    #[test]
    fn a_tag_fits_its_own_purpose_parts_and_key_only() {
        let tag = key(1).tag(Purpose::Link, &[b"ab", b"c"]);
        assert!(key(1).fits(Purpose::Link, &[b"ab", b"c"], &tag));
        assert!(!key(1).fits(Purpose::Link, &[b"a", b"bc"], &tag));
        assert!(!key(1).fits(Purpose::Mark, &[b"ab", b"c"], &tag));
        assert!(!key(2).fits(Purpose::Link, &[b"ab", b"c"], &tag));
        assert!(!key(1).fits(Purpose::Link, &[b"ab", b"c"], &tag[..31]));
    }
}
