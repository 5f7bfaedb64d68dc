//! The secrets that an account has, by name.

use firstbell_core::failure::{Failure, Part};

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

/// Whose secret it is.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// What the store knows the account by.
    pub id: &'a str,
    /// What its owner calls it.
    pub name: &'a str,
}

/// A secret that somebody needs: where the vault has it, and how a person puts it there.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What the store knows its owner by.
    pub owner: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The command that stores it, and what it is.
    pub store: String,
}

impl Wanted<'_> {
    /// This secret cannot be had.
    pub(super) fn missing(&self, why: String, cure: String) -> Failure {
        Failure::Broken { part: Part::Secret, why: format!("the secret {} {why}", self.name), cure }
    }
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

    /// The secret of this name that an account has.
    pub fn wanted(self, owner: Owner<'_>) -> Wanted<'_> {
        let store = format!("firstbell secrets set {} {}: {}", self.as_str(), owner.name, self.hint());
        Wanted { owner: owner.id, name: self.as_str(), store }
    }
}
