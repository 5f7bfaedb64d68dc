//! What may stand between a login and its end that is nobody's fault of the credentials: each with its sentence and cure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A second factor that is not the code of an external TOTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// A code that the broker's phone app shows.
    AppCode,
    /// A code sent by SMS.
    Sms,
    /// A PIN, as until October 2021.
    Pin,
    /// Security questions, as until 2018.
    Questions,
    /// The broker says that the kind that was sent is not the account's.
    Another,
}

impl Factor {
    /// Short and stable, for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Factor::AppCode => "app-code",
            Factor::Sms => "sms",
            Factor::Pin => "pin",
            Factor::Questions => "questions",
            Factor::Another => "another",
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Factor::AppCode => "a code of the Kite phone app",
            Factor::Sms => "a code sent by SMS",
            Factor::Pin => "a PIN",
            Factor::Questions => "the answers to security questions",
            Factor::Another => "another second factor",
        })
    }
}

/// A page or an answer that is known and that no program gets past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Letters in a picture are to be read.
    Captcha,
    /// The content network in front of the broker asks whether this is a person.
    SecurityCheck,
    /// The password has expired, or the broker wants a new one.
    ForcedReset,
    /// An earlier session is offered; a fresh browser has none.
    ContinueAs,
    /// The exchange's risk disclosure is to be acknowledged.
    RiskNotice,
    /// The owner's kill switch is on.
    KillSwitch,
    /// The broker's page ended on its own dashboard.
    Dashboard,
    /// The broker is closed for maintenance.
    Maintenance,
    /// The network wants a sign-in of its own first.
    NetworkSignIn,
    /// The broker's name leads to an address of a private network.
    PrivateAddress,
}

impl Obstacle {
    /// Every one there is.
    pub const ALL: [Obstacle; 10] = [
        Obstacle::Captcha,
        Obstacle::SecurityCheck,
        Obstacle::ForcedReset,
        Obstacle::ContinueAs,
        Obstacle::RiskNotice,
        Obstacle::KillSwitch,
        Obstacle::Dashboard,
        Obstacle::Maintenance,
        Obstacle::NetworkSignIn,
        Obstacle::PrivateAddress,
    ];

    /// A short name for events, JSON and metrics. Stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Obstacle::Captcha => "captcha",
            Obstacle::SecurityCheck => "security-check",
            Obstacle::ForcedReset => "forced-reset",
            Obstacle::ContinueAs => "continue-as",
            Obstacle::RiskNotice => "risk-notice",
            Obstacle::KillSwitch => "kill-switch",
            Obstacle::Dashboard => "dashboard",
            Obstacle::Maintenance => "maintenance",
            Obstacle::NetworkSignIn => "network-sign-in",
            Obstacle::PrivateAddress => "private-address",
        }
    }

    /// What the owner can do now.
    pub fn cure(self) -> &'static str {
        match self {
            Obstacle::Captcha => {
                "Log in once at kite.zerodha.com by hand; a captcha usually goes away after that. Then run firstbell login."
            }
            Obstacle::SecurityCheck => {
                "Log in once at kite.zerodha.com by hand, from this network; then run firstbell login."
            }
            Obstacle::ForcedReset => {
                "Set a new password at kite.zerodha.com, then run firstbell secrets set password."
            }
            Obstacle::ContinueAs => "Run firstbell login again: each login has a fresh browser.",
            Obstacle::RiskNotice => {
                "Log in once at kite.zerodha.com by hand, read the disclosure and acknowledge it; then run firstbell login."
            }
            Obstacle::KillSwitch => {
                "See My profile → Kill switch at kite.zerodha.com; only the account's owner turns it off."
            }
            Obstacle::Dashboard => {
                "Compare api_key in the configuration with the developer console, then run firstbell login again."
            }
            Obstacle::Maintenance => "Wait until Zerodha is open again, then run firstbell login.",
            Obstacle::NetworkSignIn => {
                "Open any page in a browser on this computer, sign in to the network, then run firstbell login again."
            }
            Obstacle::PrivateAddress => {
                "Check this computer's name servers and hosts file: dig kite.zerodha.com. Nothing was sent."
            }
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obstacle::Captcha => "Zerodha shows a captcha, which only a person reads",
            Obstacle::SecurityCheck => "Zerodha shows a security check, which only a person passes",
            Obstacle::ForcedReset => "Zerodha wants a new password before anybody logs in",
            Obstacle::ContinueAs => {
                "Zerodha offers to continue an earlier session, and this browser had none"
            }
            Obstacle::RiskNotice => "Zerodha wants its risk disclosure acknowledged by the owner",
            Obstacle::KillSwitch => "the kill switch of this account is on, and the login did not come back",
            Obstacle::Dashboard => "the login ended on Zerodha's dashboard and not at the redirect address",
            Obstacle::Maintenance => "Zerodha is closed for maintenance",
            Obstacle::NetworkSignIn => {
                "a sign-in page of this network is in the way; nothing was typed there"
            }
            Obstacle::PrivateAddress => {
                "the name server gives an address of a private network for Zerodha; nothing was sent there"
            }
        })
    }
}

/// Why an encrypted connection is not one to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// The certificate's time is over, or has not begun.
    Date,
    /// The certificate is for another name.
    Name,
    /// Nobody whom this program trusts vouches for the certificate.
    Issuer,
    /// The certificate is wrong in another way: revoked, too weak, malformed.
    Certificate,
    /// The two sides agree on no version or cipher.
    Handshake,
}

impl TlsFault {
    /// From a browser's own name for it, such as `net::ERR_CERT_DATE_INVALID` or `SEC_ERROR_UNKNOWN_ISSUER`.
    pub fn from_browser(text: &str) -> Option<TlsFault> {
        let is = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if is(&["CERT_DATE_INVALID", "EXPIRED_CERTIFICATE", "EXPIRED_ISSUER", "NOT_YET_VALID"]) {
            Some(TlsFault::Date)
        } else if is(&["CERT_COMMON_NAME_INVALID", "BAD_CERT_DOMAIN"]) {
            Some(TlsFault::Name)
        } else if is(&[
            "CERT_AUTHORITY_INVALID",
            "UNKNOWN_ISSUER",
            "SELF_SIGNED",
            "MITM_DETECTED",
            "UNTRUSTED_ISSUER",
        ]) {
            Some(TlsFault::Issuer)
        } else if is(&["ERR_CERT_", "SEC_ERROR_", "PINNED_KEY", "MOZILLA_PKIX_ERROR"]) {
            Some(TlsFault::Certificate)
        } else {
            is(&["ERR_SSL_", "SSL_ERROR_", "ERR_BAD_SSL"]).then_some(TlsFault::Handshake)
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsFault::Date => "its time is over or has not begun, or this computer's clock is wrong",
            TlsFault::Name => "it is for another name",
            TlsFault::Issuer => {
                "nobody who is trusted vouches for it, or something on this network opens encrypted connections"
            }
            TlsFault::Certificate => "it is damaged, revoked or too weak",
            TlsFault::Handshake => "the two sides agree on no version or cipher",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_names_for_bad_certificates_are_read() {
        for (text, want) in [
            ("net::ERR_CERT_DATE_INVALID", Some(TlsFault::Date)),
            ("SEC_ERROR_EXPIRED_CERTIFICATE", Some(TlsFault::Date)),
            ("net::ERR_CERT_COMMON_NAME_INVALID", Some(TlsFault::Name)),
            ("net::ERR_CERT_AUTHORITY_INVALID", Some(TlsFault::Issuer)),
            ("MOZILLA_PKIX_ERROR_SELF_SIGNED_CERT", Some(TlsFault::Issuer)),
            ("net::ERR_CERT_REVOKED", Some(TlsFault::Certificate)),
            ("net::ERR_SSL_VERSION_OR_CIPHER_MISMATCH", Some(TlsFault::Handshake)),
            ("net::ERR_CONNECTION_REFUSED", None),
        ] {
            assert_eq!(TlsFault::from_browser(text), want, "{text}");
        }
    }

    #[test]
    fn each_obstacle_has_a_name_a_sentence_and_a_cure_of_its_own() {
        for (i, one) in Obstacle::ALL.iter().enumerate() {
            for other in &Obstacle::ALL[..i] {
                assert_ne!(one.as_str(), other.as_str());
                assert_ne!(one.to_string(), other.to_string());
            }
            assert!(one.cure().ends_with('.'), "{one:?}");
        }
    }
}
