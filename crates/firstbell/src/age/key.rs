//! Keys of the age format: an identity opens, its recipient is what one writes for.

use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::primitives::hrp::Hrp;
use data_encoding::BASE64_NOPAD;
use firstbell_core::secret::Secret;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::stanza::{FileKey, Stanza};
use super::{Fault, derive};

const KIND: &str = "X25519";
const PURPOSE: &[u8] = b"age-encryption.org/v1/X25519";
const LEN: usize = 32;
const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";

/// What opens a file: written `AGE-SECRET-KEY-1…`.
pub struct Identity(StaticSecret);

/// What a file is written for: `age1…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient(PublicKey);

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn random() -> Result<Identity, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; LEN]);
        getrandom::fill(&mut *bytes)?;
        Ok(Identity(StaticSecret::from(*bytes)))
    }

    /// Reads the identities of a file as `age-keygen` writes it: one on a line, comments and empty lines between.
    ///
    /// # Errors
    /// What is wrong with it, to be read after "it".
    pub fn read_all(text: &Secret) -> Result<Vec<Identity>, &'static str> {
        let lines =
            text.expose().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let found = lines.map(Identity::read).collect::<Option<Vec<_>>>();
        match found {
            None => Err("holds something else than an age identity (AGE-SECRET-KEY-1…)"),
            Some(none) if none.is_empty() => Err("holds no age identity (AGE-SECRET-KEY-1…)"),
            Some(found) => Ok(found),
        }
    }

    fn read(text: &str) -> Option<Identity> {
        Some(Identity(StaticSecret::from(*decode(IDENTITY, text)?)))
    }

    /// As it is written.
    pub fn text(&self) -> Secret {
        let hrp = Hrp::parse(IDENTITY).expect("it is a good prefix");
        Secret::new(bech32::encode_upper::<Bech32>(hrp, self.0.as_bytes()).expect("it is short"))
    }

    /// What one writes for it.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }

    /// The file's key, where this stanza was written for us.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, Fault> {
        let [kind, share] = stanza.words.as_slice() else {
            let is_ours = stanza.words.first().is_some_and(|kind| kind == KIND);
            return if is_ours {
                Err(Fault::Form("has a stanza that is not as the format says"))
            } else {
                Ok(None)
            };
        };
        if kind != KIND {
            return Ok(None);
        }
        let share =
            BASE64_NOPAD.decode(share.as_bytes()).ok().and_then(|share| <[u8; LEN]>::try_from(share).ok());
        let share = PublicKey::from(share.ok_or(Fault::Form("has a stanza that is not as the format says"))?);
        let shared = self.0.diffie_hellman(&share);
        if !shared.was_contributory() {
            return Err(Fault::Form("has a stanza that anybody could open"));
        }
        FileKey::unwrap(&stanza.body, &wrapping(shared.as_bytes(), &share, &self.recipient()))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl Recipient {
    /// Reads `age1…`.
    ///
    /// # Errors
    /// Where it is none of ours, to be read after its name.
    pub fn parse(text: &str) -> Result<Recipient, &'static str> {
        let wrong =
            "must be an age recipient such as age1…, as age-keygen -y prints it (no plugin's, no SSH key)";
        decode(RECIPIENT, text).map(|bytes| Recipient(PublicKey::from(*bytes))).ok_or(wrong)
    }

    pub(super) fn wrap(&self, key: &FileKey) -> Result<Stanza, getrandom::Error> {
        let own = Identity::random()?;
        let share = own.recipient().0;
        let shared = own.0.diffie_hellman(&self.0);
        let words = vec![KIND.to_owned(), BASE64_NOPAD.encode(share.as_bytes())];
        Ok(Stanza { words, body: key.wrap(&wrapping(shared.as_bytes(), &share, self)) })
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hrp = Hrp::parse(RECIPIENT).expect("it is a good prefix");
        f.write_str(&bech32::encode::<Bech32>(hrp, self.0.as_bytes()).expect("it is short"))
    }
}

fn wrapping(shared: &[u8; LEN], share: &PublicKey, recipient: &Recipient) -> Zeroizing<[u8; 32]> {
    derive(shared, &[share.as_bytes().as_slice(), recipient.0.as_bytes()].concat(), PURPOSE)
}

fn decode(prefix: &str, text: &str) -> Option<Zeroizing<[u8; LEN]>> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    if checked.hrp() != Hrp::parse(prefix).ok()? {
        return None;
    }
    let mut bytes = Zeroizing::new([0; LEN]);
    let mut found = checked.byte_iter();
    for byte in bytes.iter_mut() {
        *byte = found.next()?;
    }
    found.next().is_none().then_some(bytes)
}
