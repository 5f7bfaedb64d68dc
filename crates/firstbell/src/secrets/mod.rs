//! Where a secret comes from: the shelf of sources.

mod env;
mod file;
mod name;
mod vault;

use std::path::PathBuf;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

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
}

impl Source {
    /// Reads `{ vault = true }`, `{ env = "NAME" }` or `{ file = "PATH" }`.
    pub fn read(section: &mut Section<'_>, key: &str) -> Source {
        section.section(key).map_or(Source::Vault, Source::of)
    }

    /// Reads a table of that form.
    pub fn of(mut table: Section<'_>) -> Source {
        let vault = table.flag("vault");
        let env = table.text("env").map(Source::Env);
        let file = table.text("file").map(|path| Source::File(path.into()));
        let mut given: Vec<_> =
            [vault.filter(|v| *v).map(|_| Source::Vault), env, file].into_iter().flatten().collect();
        if given.len() != 1 {
            table.fault("needs exactly one of vault = true, env = \"NAME\", file = \"PATH\"");
        }
        table.end(&["vault", "env", "file"]);
        given.pop().unwrap_or(Source::Vault)
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
        self.from(wanted, Some(vault))
    }

    /// Fetches a secret that is needed before there is a vault.
    ///
    /// # Errors
    /// As above.
    pub fn outside(&self, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
        self.from(wanted, None)
    }

    fn from(&self, wanted: &Wanted<'_>, vault: Option<&dyn Vault>) -> Result<Secret, Failure> {
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
        };
        if secret.is_blank() {
            return Err(
                wanted.missing("is empty".into(), "Store it anew; see firstbell secrets list.".into())
            );
        }
        censor::know(&secret);
        Ok(secret)
    }

    /// The environment variable that it comes from, if it does.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Source::Env(variable) => Some(variable),
            _ => None,
        }
    }

    /// The source for people: where it is, never what it holds.
    pub fn describe(&self) -> String {
        match self {
            Source::Vault => "vault".into(),
            Source::Env(variable) => format!("environment variable {variable}"),
            Source::File(path) => format!("file {}", path.display()),
        }
    }
}
