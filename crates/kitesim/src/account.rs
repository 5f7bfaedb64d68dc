//! The one account of a simulation: made at random, or read from JSON.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::chance;
use crate::totp::Seed;

/// More than any account needs; a wrong file must not fill the memory.
const LONGEST_BYTES: u64 = 64 * 1024;

const KEYS: [&str; 5] = ["user_id", "password", "totp_seed", "api_key", "api_secret"];

/// Credentials of the pretended user and of the pretended app. Serialized once at most: in the announcement.
#[derive(Clone, Serialize)]
pub(crate) struct Account {
    pub(crate) user_id: String,
    pub(crate) password: String,
    pub(crate) totp_seed: String,
    pub(crate) api_key: String,
    pub(crate) api_secret: String,
}

impl Account {
    /// Throw-away credentials in the shapes that Kite's have.
    pub(crate) fn made() -> Account {
        Account {
            user_id: chance::user_id(),
            password: chance::alphanumeric(16),
            totp_seed: chance::base32(32),
            api_key: chance::lower(16),
            api_secret: chance::lower(32),
        }
    }

    /// Reads the account from a file, or one line from stdin when the path is `-`.
    pub(crate) fn read(path: &Path) -> Result<Account, Vec<String>> {
        let text = if path == Path::new("-") {
            let mut line = String::new();
            io::stdin().lock().take(LONGEST_BYTES).read_line(&mut line).map(|_bytes| line)
        } else {
            let mut text = String::new();
            fs::File::open(path)
                .and_then(|file| file.take(LONGEST_BYTES).read_to_string(&mut text))
                .map(|_bytes| text)
        };
        Account::from_json(&text.map_err(|error| vec![error.to_string()])?)
    }

    /// Complaints name keys only: serde's own sentences quote values, and these are secrets.
    fn from_json(text: &str) -> Result<Account, Vec<String>> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            vec![format!("it is not JSON (line {}, column {})", error.line(), error.column())]
        })?;
        let Value::Object(given) = value else {
            return Err(vec!["it must be one JSON object".to_owned()]);
        };
        let mut complaints = Vec::new();
        if given.keys().any(|key| !KEYS.contains(&key.as_str())) {
            complaints.push(format!("it has a key that is none of {}", KEYS.join(", ")));
        }
        let mut text_of = |key: &str| match given.get(key).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                complaints.push(format!("`{key}` must be a text that is not empty"));
                String::new()
            }
        };
        let account = Account {
            user_id: text_of("user_id"),
            password: text_of("password"),
            totp_seed: text_of("totp_seed"),
            api_key: text_of("api_key"),
            api_secret: text_of("api_secret"),
        };
        if !account.totp_seed.is_empty() && Seed::parse(&account.totp_seed).is_none() {
            complaints.push("`totp_seed` must be base32 (letters A to Z, digits 2 to 7)".to_owned());
        }
        if !account.api_key.is_empty() && account.api_key.len() < 6 {
            complaints.push("`api_key` must have at least 6 characters".to_owned());
        }
        if complaints.is_empty() { Ok(account) } else { Err(complaints) }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Account(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn made_accounts_have_the_usual_shapes() {
        let account = Account::made();
        assert_eq!(account.user_id.len(), 6);
        assert_eq!(account.password.len(), 16);
        assert_eq!(account.totp_seed.len(), 32);
        assert_eq!(account.api_key.len(), 16);
        assert_eq!(account.api_secret.len(), 32);
        assert_eq!(format!("{account:?}"), "Account(…)");
    }

    #[test]
    fn every_complaint_is_told_and_no_value() {
        let text =
            r#"{"user_id":"AB1234","password":7777,"totp_seed":"hunter2!","api_key":"k","more":"hunter3"}"#;
        let complaints = Account::from_json(text).unwrap_err();
        assert_eq!(complaints.len(), 5, "{complaints:?}");
        let all = complaints.join("\n");
        assert!(!all.contains("7777") && !all.contains("hunter"), "{all}");
    }

    #[test]
    fn a_whole_account_is_read() {
        let text = r#"{"user_id":"AB1234","password":"p","totp_seed":"JBSW Y3DP-EHPK3PXP","api_key":"abcdef","api_secret":"s"}"#;
        let account = Account::from_json(text).unwrap();
        assert_eq!(account.user_id, "AB1234");
    }

    fn steady(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(steady(1_000))]

        #[test]
        fn no_account_ends_its_reader(text in ".{0,80}", value in "[ -~]{0,12}") {
            let whole = format!(r#"{{"user_id":"AB1234","password":"p","totp_seed":{value:?},"api_key":"abcdef","api_secret":"s"}}"#);
            for text in [&text, &whole] {
                match Account::from_json(text) {
                    Ok(account) => prop_assert!(Seed::parse(&account.totp_seed).is_some()),
                    Err(complaints) => prop_assert!(!complaints.is_empty()),
                }
            }
        }
    }
}
