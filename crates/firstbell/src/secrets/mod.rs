//! Where a secret comes from: the shelf of sources.

mod env;
mod file;
mod vault;

use std::path::PathBuf;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;

use crate::ports::Vault;
use crate::written::Section;

/// The secrets that an account has, by the names that `firstbell secrets` and the configuration use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The password of the broker's account.
    Password,
    /// The key of the external TOTP.
    TotpSeed,
    /// The secret that belongs to the API key.
    ApiSecret,
}

impl Name {
    /// All of them, in the order in which a person is asked.
    pub const ALL: [Name; 3] = [Name::Password, Name::TotpSeed, Name::ApiSecret];

    /// As it is typed and written.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Password => "password",
            Name::TotpSeed => "totp_seed",
            Name::ApiSecret => "api_secret",
        }
    }

    /// What it is and where its owner finds it.
    pub fn hint(self) -> &'static str {
        match self {
            Name::Password => "the password with which you log in at kite.zerodha.com",
            Name::TotpSeed => {
                "the 32 letters and digits that Kite shows beside the QR picture under My profile → Password & \
                 security → External TOTP"
            }
            Name::ApiSecret => "the API secret of your app on the Kite developer console",
        }
    }
}

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
        let Some(mut table) = section.section(key) else { return Source::Vault };
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
    pub fn fetch(&self, account: &str, name: Name, vault: &dyn Vault) -> Result<Secret, Failure> {
        let secret = match self {
            Source::Vault => vault::fetch(account, name, vault)?,
            Source::Env(variable) => env::fetch(variable, name)?,
            Source::File(path) => file::fetch(path, name)?,
        };
        if secret.is_blank() {
            return Err(missing(name, "is empty".into(), self.cure(account, name)));
        }
        Ok(secret)
    }

    /// The source for people: where it is, never what it holds.
    pub fn describe(&self) -> String {
        match self {
            Source::Vault => "vault".into(),
            Source::Env(variable) => format!("environment variable {variable}"),
            Source::File(path) => format!("file {}", path.display()),
        }
    }

    fn cure(&self, account: &str, name: Name) -> String {
        match self {
            Source::Vault => format!("Run firstbell secrets set {} --account {account}.", name.as_str()),
            Source::Env(variable) => format!("Set {variable} in the environment of firstbell."),
            Source::File(path) => format!("Write it to {} with mode 600.", path.display()),
        }
    }
}

fn missing(name: Name, why: String, cure: String) -> Failure {
    Failure::Broken { part: Part::Secret, why: format!("the secret {} {why}", name.as_str()), cure }
}
