//! The keys of programs that ask over TCP: made once, shown once, kept as hashes.

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::ports::Vault;

/// Whose they are in the vault.
const OWNER: &str = "api";
const NAME: &str = "keys";
/// What every key begins with, so that a scanner of leaked secrets knows one.
const PREFIX: &str = "fbk_";
const BYTES: usize = 32;

/// What a caller may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// See how accounts stand.
    Status,
    /// Read tokens.
    Token,
    /// Give orders.
    Admin,
}

impl Scope {
    /// Reads a scope's name.
    ///
    /// # Errors
    /// Names those there are.
    pub fn parse(name: &str) -> Result<Scope, String> {
        match name {
            "status" => Ok(Scope::Status),
            "token" => Ok(Scope::Token),
            "admin" => Ok(Scope::Admin),
            _ => Err("is not known; known scopes: status, token, admin".into()),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Status => "status",
            Scope::Token => "token",
            Scope::Admin => "admin",
        }
    }
}

/// What is kept of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Which program it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The one account that it sees; all where there is none.
    pub account: Option<String>,
    /// When it was made.
    pub made: String,
    sha256: String,
}

impl Key {
    /// A new key, and what its program shows. Nobody can find that out later.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn new(
        (name, scope): (&str, Scope),
        account: Option<&str>,
        made: String,
    ) -> Result<(Key, Secret), Failure> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random).map_err(|e| Failure::Broken {
            part: Part::Key,
            why: format!("the system gives no random numbers: {e}"),
            cure: "See that /dev/urandom can be read.".into(),
        })?;
        let shown = Secret::new(format!("{PREFIX}{}", data_encoding::HEXLOWER.encode(&random)));
        let sha256 = data_encoding::HEXLOWER.encode(&hash(shown.expose().as_bytes()));
        let account = account.map(str::to_owned);
        Ok((Key { name: name.to_owned(), scope, account, made, sha256 }, shown))
    }

    /// One line of JSON with what its program shows, for the one moment in which that is known.
    pub fn card(&self, shown: &Secret) -> Secret {
        let (name, scope, account) = (&self.name, self.scope.name(), &self.account);
        let card = serde_json::json!({
            "ok": true, "name": name, "scope": scope, "account": account, "made": self.made, "key": shown.expose(),
        });
        Secret::new(format!("{card}\n"))
    }

    /// Whether it may do this with that account.
    pub(super) fn sees(&self, account: &str) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
    }
}

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// In the order of their making.
    pub keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    keys: Vec<Key>,
}

impl Ring {
    /// Those in the vault.
    ///
    /// # Errors
    /// Where the vault cannot be read, or what is there is not of this version.
    pub fn of(vault: &dyn Vault) -> Result<Ring, Failure> {
        let Some(kept) = vault.fetch(OWNER, NAME)? else { return Ok(Ring::default()) };
        let written: Option<Written> = serde_json::from_str(kept.expose()).ok();
        let written = written.filter(|written| written.version == 1).ok_or_else(|| Failure::Broken {
            part: Part::Store,
            why: "the keys in the vault were written by another version of firstbell".into(),
            cure: "Use that version, or make new keys: firstbell key rm, firstbell key add.".into(),
        })?;
        Ok(Ring { keys: written.keys })
    }

    /// Puts them into the vault.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep(&self, vault: &dyn Vault) -> Result<(), Failure> {
        let written = Written { version: 1, keys: self.keys.clone() };
        let text = serde_json::to_string(&written).expect("texts are JSON");
        vault.keep(OWNER, NAME, &Secret::new(text))
    }

    /// The key that somebody shows. Looks at every one in the same time: how long it takes tells nothing.
    pub fn find(&self, shown: &[u8]) -> Option<&Key> {
        let hash = data_encoding::HEXLOWER.encode(&hash(shown));
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.sha256.as_bytes().ct_eq(hash.as_bytes())) {
                found = Some(key);
            }
        }
        found
    }

    /// Whether this very key is still there.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }
}

fn hash(shown: &[u8]) -> [u8; 32] {
    Sha256::digest(shown).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> (Key, Secret) {
        Key::new((name, Scope::Token), None, "2026-11-25T08:00:00+05:30".into()).unwrap()
    }

    #[test]
    fn a_key_is_found_by_what_its_program_shows_and_by_nothing_else() {
        let ((one, shown), (other, _)) = (key("one"), key("other"));
        let ring = Ring { keys: vec![other, one] };
        let text = shown.expose().as_bytes();
        assert_eq!((text.len(), &text[..4]), (68, b"fbk_".as_slice()));
        assert_eq!(ring.find(text).map(|key| key.name.as_str()), Some("one"));
        for i in 0..text.len() {
            let mut wrong = text.to_vec();
            wrong[i] ^= 1;
            assert!(ring.find(&wrong).is_none(), "{i}");
            assert!(ring.find(&text[..i]).is_none(), "{i}");
        }
        assert!(ring.find(ring.keys[1].sha256.as_bytes()).is_none(), "its hash is no key");
        assert!(Ring::default().find(text).is_none());
    }

    #[test]
    fn scopes_are_a_ladder() {
        assert!(Scope::Status < Scope::Token && Scope::Token < Scope::Admin);
        for scope in [Scope::Status, Scope::Token, Scope::Admin] {
            assert_eq!(Scope::parse(scope.name()), Ok(scope));
        }
        assert!(Scope::parse("root").is_err());
    }
}
