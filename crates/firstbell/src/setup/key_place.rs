//! Where the key is kept that opens the vault: what each place protects from and what not, and how a new key gets there.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use toml_edit::{InlineTable, Value};

use crate::age::Identity;
use crate::censor;
use crate::config::{Holder, VaultConfig};
use crate::program::{Around, Feed, Program};
use crate::secrets::{Source, sealed_path};
use crate::stores;

/// Letters of a passphrase, at least: shorter ones are guessed by whoever has the file.
pub const PASSPHRASE_MIN: usize = 12;
/// A keyring that is closed asks its owner.
const TIME: Duration = Duration::from_secs(120);

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A file in the state folder.
    File,
    /// The same, under a passphrase.
    Passphrase,
    /// The keyring of the owner's session.
    Keyring,
    /// A credential of systemd's.
    Credential,
    /// Wherever the owner has it.
    Elsewhere,
}

impl KeyPlace {
    /// Those that a first run offers, the usual one first.
    pub const OFFERED: [KeyPlace; 4] =
        [KeyPlace::File, KeyPlace::Passphrase, KeyPlace::Keyring, KeyPlace::Credential];

    /// Where a configuration has it.
    pub fn of(vault: &VaultConfig) -> KeyPlace {
        match vault.holder() {
            Holder::File => KeyPlace::File,
            Holder::Typed | Holder::Passphrase(_) => KeyPlace::Passphrase,
            Holder::Elsewhere(Source::Keyring(_)) => KeyPlace::Keyring,
            Holder::Elsewhere(Source::Credential(_)) => KeyPlace::Credential,
            Holder::Elsewhere(_) => KeyPlace::Elsewhere,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            KeyPlace::File => "a key file",
            KeyPlace::Passphrase => "a passphrase",
            KeyPlace::Keyring => "the keyring of your desktop",
            KeyPlace::Credential => "a systemd credential",
            KeyPlace::Elsewhere => "a place of yours",
        }
    }

    /// What it protects from, and what not.
    pub fn sentence(self) -> &'static str {
        match self {
            KeyPlace::File => {
                "mode 0600, in the state folder beside the vault. It protects a copied vault or a backup without the key. It does \
                 not protect from root, or from a program that runs as your user and reads both: run firstbell as a user of its own"
            }
            KeyPlace::Passphrase => {
                "asked for at each start. It protects a copy of the whole disk, as far as nobody guesses it. Nothing starts by \
                 itself any more, after a power cut neither"
            }
            KeyPlace::Keyring => {
                "through secret-tool. It protects a copy of the disk while you are logged out, not from programs of your session. \
                 It is open only while you are logged in: for a desktop, not for a server"
            }
            KeyPlace::Credential => {
                "bound to this machine by its TPM, or by its host key where it has none. It protects a copy of the disk (with a \
                 TPM) or of the state folder (with the host key), not from root. For a service of this machine; set up by root"
            }
            KeyPlace::Elsewhere => "named under [vault]: it protects as far as that place does",
        }
    }
}

/// A new key, put where it is kept; and what a configuration says of that.
#[derive(Debug)]
pub struct Kept {
    /// The key under `[vault]`, and its value; none where it is the usual place.
    pub line: Option<(&'static str, Value)>,
    /// The identity, where whoever goes on needs it at hand.
    pub identity: Option<Secret>,
}

/// Puts a new identity into the owner's keyring.
///
/// # Errors
/// Why it is not there.
pub async fn into_keyring() -> Result<Kept, Failure> {
    let (identity, name) = named();
    let label = format!("--label={name}");
    let words = ["secret-tool", "store", &label, "service", "firstbell", "name", &name];
    let cure = "See that secret-tool is there (Debian, Ubuntu: apt install libsecret-tools) and that a keyring is open, as in a \
                desktop session; or choose another place.";
    hand(&words, &identity).await.map_err(|why| broken("the keyring", why, cure))?;
    Ok(Kept { line: Some(("identity", inline("keyring", &name))), identity: None })
}

/// Seals a new identity as a credential of this machine.
///
/// # Errors
/// Why it is not there.
pub async fn into_credential() -> Result<Kept, Failure> {
    let (identity, name) = named();
    let path = sealed_path(&name);
    let cure =
        "Run firstbell setup as root, on a machine with systemd 250 or later; or choose another place.";
    let cannot = |why: String| broken("a systemd credential", why, cure);
    let (name_word, path_word) = (format!("--name={name}"), path.display().to_string());
    let words = ["systemd-creds", "encrypt", &name_word, "-", &path_word];
    // Older systemds make it not (systemd-creds(1) names it only).
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        let made = DirBuilder::new().mode(0o700).create(folder);
        made.map_err(|e| cannot(format!("{}: {e}", folder.display())))?;
    }
    hand(&words, &identity).await.map_err(cannot)?;
    Ok(Kept { line: Some(("identity", inline("credential", &name))), identity: Some(identity) })
}

/// Makes a new identity under this passphrase, in the state folder.
///
/// # Errors
/// Why it is not there.
pub fn under_passphrase(state: &Path, passphrase: &Secret) -> Result<Kept, Failure> {
    censor::know(passphrase);
    stores::make_sealed_identity(state, passphrase)?;
    let identity = stores::SealedIdentity::read(state)?.open(state, passphrase)?;
    Ok(Kept { line: Some(("passphrase", Value::from(true))), identity: Some(identity) })
}

/// A new identity, and a name that no other one has: an entry of the same name would be lost, and another vault with it.
fn named() -> (Secret, String) {
    let identity = Identity::random();
    let recipient = identity.recipient().to_string();
    let own: String = recipient.trim_start_matches("age1").chars().take(8).collect();
    (identity.text(), format!("firstbell-{own}"))
}

async fn hand(words: &[&str], identity: &Secret) -> Result<(), String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let (input, feed, around) = (identity.expose().as_bytes(), Feed::Stdin, Around::Session);
    let program = Program { words: &words, input, feed, around, time: TIME, output_max: 0 };
    program.run().await.map(drop).map_err(|why| format!("{} {why}", words[0]))
}

fn inline(key: &str, name: &str) -> Value {
    let mut table = InlineTable::new();
    table.insert(key, name.into());
    table.into()
}

fn broken(place: &str, why: String, cure: &str) -> Failure {
    Failure::Broken {
        part: Part::Key,
        why: format!("the key was not put into {place}: {why}"),
        cure: cure.into(),
    }
}
