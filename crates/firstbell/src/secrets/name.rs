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

    /// This secret cannot be had.
    pub(super) fn missing(self, why: String, cure: String) -> Failure {
        Failure::Broken { part: Part::Secret, why: format!("the secret {} {why}", self.as_str()), cure }
    }
}
