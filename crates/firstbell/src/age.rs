//! The vault's side of the age format: what this seals, the programs `age` and `rage` open, and the other way round. X25519 keys and
//! passphrases; no plugins, no SSH keys.
//!
//! The format itself is the `age` crate's. It wipes keys and what it opens; of what it seals, the last 64 KiB at most are left in
//! freed memory unwiped, which is why that memory is kept from dumps and, where it may be, from swap.

use std::io::{Read, Write};
use std::iter;

use age::armor::ArmoredReader;
use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, Decryptor, Encryptor, scrypt, x25519};
use firstbell_core::secret::{Secret, SecretBytes};
use zeroize::Zeroizing;

/// How each identity begins.
const PREFIX: &str = "AGE-SECRET-KEY-1";
/// 256 MiB of memory and about a second: what the age program takes too.
const WORK: u8 = 18;
/// 1 GiB: more is an attack on the machine, and no caution.
const WORK_MAX: u8 = 20;

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

/// What opens a file: written `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

/// What a file is written for: `age1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(x25519::Recipient);

/// Encrypts for these recipients, one at least; any one of them can open it.
pub fn seal(plain: &SecretBytes, to: &[Recipient]) -> Vec<u8> {
    finish(plain, to.iter().map(|recipient| &recipient.0 as &dyn age::Recipient))
}

/// Encrypts with a passphrase.
pub fn seal_with_passphrase(plain: &SecretBytes, passphrase: &Secret) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.expose()));
    recipient.set_work_factor(WORK);
    finish(plain, iter::once(&recipient as &dyn age::Recipient))
}

fn finish<'r>(plain: &SecretBytes, to: impl Iterator<Item = &'r dyn age::Recipient>) -> Vec<u8> {
    let encryptor = Encryptor::with_recipients(to).expect("there is a recipient, and all are of one kind");
    let sealed = encryptor.wrap_output(Vec::new()).and_then(|mut file| {
        file.write_all(plain.expose())?;
        file.finish()
    });
    sealed.expect("memory takes all that is written")
}

/// Opens a file with whichever of these identities it was written for.
///
/// # Errors
/// [`Fault`].
pub fn open(file: &[u8], identities: &[Identity]) -> Result<SecretBytes, Fault> {
    with(file, identities.iter().map(|identity| &identity.0 as &dyn age::Identity))
}

/// Opens a file with a passphrase.
///
/// # Errors
/// [`Fault`].
pub fn open_with_passphrase(file: &[u8], passphrase: &Secret) -> Result<SecretBytes, Fault> {
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.expose()));
    identity.set_max_work_factor(WORK_MAX);
    with(file, iter::once(&identity as &dyn age::Identity))
}

fn with<'i>(
    file: &[u8],
    identities: impl Iterator<Item = &'i dyn age::Identity>,
) -> Result<SecretBytes, Fault> {
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(file)).map_err(|e| fault(&e))?;
    let mut reader = decryptor.decrypt(identities).map_err(|e| fault(&e))?;
    // What is opened is shorter than its file: the buffer never grows and leaves no copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(file.len()));
    reader.read_to_end(&mut plain).map_err(|_| Fault::Damaged)?;
    Ok(SecretBytes::new(std::mem::take(&mut *plain)))
}

fn fault(error: &DecryptError) -> Fault {
    match error {
        // Of a passphrase, the library cannot tell a wrong one from a harmed stanza.
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            Fault::NotOurs
        }
        DecryptError::InvalidMac => Fault::Damaged,
        DecryptError::ExcessiveWork { .. } => {
            Fault::Form("asks for more memory than this machine should give")
        }
        DecryptError::InvalidHeader | DecryptError::UnknownFormat | DecryptError::Io(_) => {
            Fault::Form("is no age file of version 1, or its head is harmed")
        }
    }
}

impl Identity {
    /// A new one.
    pub fn random() -> Identity {
        Identity(x25519::Identity::generate())
    }

    /// Reads the identities of a file as `age-keygen` writes it: one on a line, comments and empty lines between.
    ///
    /// # Errors
    /// What is wrong with it, to be read after "it".
    pub fn read_all(text: &Secret) -> Result<Vec<Identity>, &'static str> {
        let lines = text.expose().lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let found = lines.map(|line| line.parse().map(Identity)).collect::<Result<Vec<_>, _>>();
        match found {
            Err(_) => Err("holds something else than age identities, as age-keygen writes them"),
            Ok(none) if none.is_empty() => Err("holds no age identity, as age-keygen writes one"),
            Ok(found) => Ok(found),
        }
    }

    /// As it is written.
    pub fn text(&self) -> Secret {
        Secret::new(self.0.to_string().expose_secret().to_owned())
    }

    /// The part of its text that is another one's in each: what stands before it may be in any message.
    pub fn own_part(&self) -> Secret {
        Secret::new(self.0.to_string().expose_secret().trim_start_matches(PREFIX).to_owned())
    }

    /// What one writes for it.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }
}

impl Recipient {
    /// Reads `age1…`.
    ///
    /// # Errors
    /// Where it is none of ours, to be read after its name.
    pub fn parse(text: &str) -> Result<Recipient, &'static str> {
        text.parse()
            .map(Recipient)
            .map_err(|_| "must be an age recipient such as age1…, as age-keygen -y prints it (no plugin's, no SSH key)")
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
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
