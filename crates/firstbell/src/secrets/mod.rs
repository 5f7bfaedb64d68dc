//! Where a secret comes from: the shelf of sources.

mod command;
mod credential;
mod env;
mod file;
mod keyring;
mod links;
mod name;
mod vault;

use std::path::{Path, PathBuf};
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

pub use command::Asked;
pub use credential::sealed_path;
pub use name::{Name, Owner, Wanted};

use crate::censor;
use crate::ports::Vault;
use crate::written::Section;

/// Where one secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The sealed vault in the store.
    Vault,
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
    /// A program.
    Command(Asked),
    /// The keyring of the owner's session, by this name.
    Keyring(String),
    /// A credential that systemd hands to the service, by this name.
    Credential(String),
}

/// A person who sits somewhere else hears of a question late (systemd-ask-password gives up after 90 s by itself).
const PERSON: Duration = Duration::from_secs(300);

/// The ways to write a source.
const FORMS: &str = "vault = true, env = \"NAME\", file = \"PATH\", command = [\"PROGRAM\", …], keyring = \"NAME\", \
    credential = \"NAME\"";

impl Source {
    /// Reads a source at this key: `{ vault = true }` and its like. The vault, where nothing is written.
    pub fn read(section: &mut Section<'_>, key: &str) -> Source {
        section.section(key).map_or(Source::Vault, Source::of)
    }

    /// Reads a table of that form.
    pub fn of(mut table: Section<'_>) -> Source {
        let vault = table.flag("vault").filter(|yes| *yes).map(|_| Source::Vault);
        let env = table.text("env").map(Source::Env);
        let file = table.text("file").map(|path| Source::File(path.into()));
        let command = read_command(&mut table).map(Source::Command);
        let keyring = table.parsed("keyring", keyring::read_label).map(Source::Keyring);
        let credential = table.parsed("credential", keyring::read_label).map(Source::Credential);
        let asked = ["keyring", "credential"].iter().filter(|key| table.asked(key)).count();
        let given = [vault, env, file, command, keyring, credential];
        let named = asked + given[..4].iter().flatten().count();
        if named != 1 {
            table.fault(&format!("needs exactly one of {FORMS}"));
        }
        table.end(&["vault", "env", "file", "command", "with", "keyring", "credential"]);
        given.into_iter().flatten().next_back().unwrap_or(Source::Vault)
    }

    /// Fetches the secret.
    ///
    /// # Errors
    /// [`Failure::Broken`] where it is missing, blank, or lies open to others, with what to do.
    pub fn fetch(&self, owner: Owner<'_>, name: Name, vault: &dyn Vault) -> Result<Secret, Failure> {
        self.take(&name.wanted(owner), vault)
    }

    /// Fetches a secret that is no account's own.
    ///
    /// # Errors
    /// As above.
    pub fn take(&self, wanted: &Wanted<'_>, vault: &dyn Vault) -> Result<Secret, Failure> {
        self.from(wanted, Some(vault), command::TIME)
    }

    /// Fetches a secret that is needed before there is a vault.
    ///
    /// # Errors
    /// As above.
    pub fn outside(&self, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
        self.from(wanted, None, command::TIME)
    }

    /// The same, where its program may ask a person who takes his time.
    ///
    /// # Errors
    /// As above.
    pub fn asked(&self, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
        self.from(wanted, None, PERSON)
    }

    /// Fetches a text with a secret in it, which has words as any message has: whoever reads it tells the censor.
    ///
    /// # Errors
    /// As above.
    pub fn text(&self, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
        self.unread(wanted, None, command::TIME)
    }

    fn from(
        &self,
        wanted: &Wanted<'_>,
        vault: Option<&dyn Vault>,
        time: Duration,
    ) -> Result<Secret, Failure> {
        let secret = self.unread(wanted, vault, time)?;
        censor::know(&secret);
        Ok(secret)
    }

    fn unread(
        &self,
        wanted: &Wanted<'_>,
        vault: Option<&dyn Vault>,
        time: Duration,
    ) -> Result<Secret, Failure> {
        let secret = match self {
            Source::Vault => match vault {
                Some(vault) => vault::fetch(wanted, vault)?,
                None => {
                    let cure = "Take it from the environment or a file.".into();
                    return Err(wanted.missing("cannot come from the vault".into(), cure));
                }
            },
            Source::Env(variable) => env::fetch(variable, wanted)?,
            Source::File(path) => file::fetch(path, wanted)?,
            Source::Command(asked) => command::fetch(asked, wanted, time)?,
            Source::Keyring(label) => keyring::fetch(label, wanted)?,
            Source::Credential(name) => credential::fetch(name, wanted)?,
        };
        if secret.is_blank() {
            return Err(
                wanted.missing("is empty".into(), "Store it anew; see firstbell secrets list.".into())
            );
        }
        Ok(secret)
    }

    /// The environment variables that it comes from, or is fetched with.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Source::Env(variable) => vec![variable],
            Source::Command(asked) => asked.with.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The source for people: where it is, never what it holds.
    pub fn describe(&self) -> String {
        match self {
            Source::Vault => "vault".into(),
            Source::Env(variable) => format!("environment variable {variable}"),
            Source::File(path) => format!("file {}", path.display()),
            // Its name alone: an owner may have written more into the arguments than he should.
            Source::Command(asked) => format!("program {}", asked.words[0]),
            Source::Keyring(label) => format!("keyring entry {label}"),
            Source::Credential(name) => format!("systemd credential {name}"),
        }
    }
}

/// Whether a secret of this user's would be taken from a file, as far as its owner, its mode and its links go.
pub fn is_taken(path: &Path, us: u32) -> bool {
    file::is_taken(path, us)
}

/// Reads `command` and what it gets of our environment.
fn read_command(table: &mut Section<'_>) -> Option<Asked> {
    let word = |text: &str| match text.contains('\0') {
        true => Err("cannot hold a zero byte".to_owned()),
        false => Ok(text.to_owned()),
    };
    let words = table.texts("command", word);
    let name = |text: &str| match text.is_empty() || text.contains(['=', '\0']) {
        true => Err("must be the name of a variable".to_owned()),
        false => Ok(text.to_owned()),
    };
    let with = table.texts("with", name).unwrap_or_default();
    if !table.asked("command") {
        if table.asked("with") {
            table.fault("with is for a command: what it gets of the environment of firstbell");
        }
        return None;
    }
    let mut words = words.unwrap_or_default();
    if words.first().is_none_or(String::is_empty) {
        table.fault("command needs a program: [\"pass\", \"show\", \"kite\"]; no shell reads it");
        words = vec!["?".into()];
    }
    Some(Asked { words, with })
}
