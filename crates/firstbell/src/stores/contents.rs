//! What is in the vault: the key of the store, and secrets by owner and name. In the clear it is JSON that a person can read,
//! because its owner may open the file without us.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER;
use firstbell_core::secret::{Secret, SecretBytes};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::seal::Key;

const ABOUT: &str = "The vault of firstbell. Secrets by owner and name; store_key opens the tokens and the history beside it.";
const FORM: u32 = 1;
const KEY_LEN: usize = 32;
/// What JSON puts around one secret, by far.
const AROUND: usize = 256;

/// The vault, opened.
#[derive(Debug)]
pub(super) struct Contents {
    store_key: Text,
    /// While the store is being sealed anew: what it is sealed with then.
    next_key: Option<Text>,
    /// The store's first key, where it has another one now.
    fingerprint_key: Option<Text>,
    secrets: BTreeMap<(String, String), Text>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    about: String,
    form: u32,
    store_key: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_key: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint_key: Option<Text>,
    secrets: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    owner: String,
    name: String,
    value: Text,
}

impl Contents {
    /// An empty vault around this key.
    pub(super) fn of(key: &SecretBytes) -> Contents {
        Contents { store_key: hex(key), next_key: None, fingerprint_key: None, secrets: BTreeMap::new() }
    }

    /// An empty vault around a new key.
    pub(super) fn fresh() -> Result<Contents, getrandom::Error> {
        Ok(Contents::of(&random()?))
    }

    /// Reads what a vault says; none where it was not written by us.
    pub(super) fn read(plain: &SecretBytes) -> Option<Contents> {
        let written: Written = serde_json::from_slice(plain.expose()).ok()?;
        let rows = written.secrets.into_iter().map(|row| ((row.owner, row.name), row.value));
        let Written { form, store_key, next_key, fingerprint_key, .. } = written;
        let contents = Contents { store_key, next_key, fingerprint_key, secrets: rows.collect() };
        let others = [&contents.next_key, &contents.fingerprint_key].into_iter().flatten();
        let are_keys = others.chain([&contents.store_key]).all(|key| bytes(key).is_some());
        (form == FORM && are_keys).then_some(contents)
    }

    pub(super) fn write(&self) -> SecretBytes {
        let row = |((owner, name), value): (&(String, String), &Text)| Row {
            owner: owner.clone(),
            name: name.clone(),
            value: value.clone(),
        };
        let secrets = self.secrets.iter().map(row).collect();
        let written = Written {
            about: ABOUT.into(),
            form: FORM,
            store_key: self.store_key.clone(),
            next_key: self.next_key.clone(),
            fingerprint_key: self.fingerprint_key.clone(),
            secrets,
        };
        // JSON writes a letter in six at most; room for all, so that nothing is left behind by growing.
        let letters = |row: &Row| row.owner.len() + row.name.len() + row.value.0.expose().len();
        let len = written.secrets.iter().map(|row| AROUND + 6 * letters(row)).sum::<usize>() + 4 * AROUND;
        let mut plain = Zeroizing::new(Vec::with_capacity(len));
        serde_json::to_writer_pretty(&mut *plain, &written).expect("text is written to memory");
        plain.push(b'\n');
        SecretBytes::new(std::mem::take(&mut *plain))
    }

    /// The key of the store; and the next one, which may be the store's already, while it is being sealed anew.
    pub(super) fn keys(&self) -> (Key, Option<Key>) {
        let first = known(self.fingerprint_key.as_ref().unwrap_or(&self.store_key));
        let key = |text: &Text| Key::new(known(text)).with_fingerprints_of(&first);
        (key(&self.store_key), self.next_key.as_ref().map(key))
    }

    /// Whether the store's key is this one.
    pub(super) fn is_of(&self, key: &SecretBytes) -> bool {
        known(&self.store_key).expose() == key.expose()
    }

    /// The store gets another key.
    pub(super) fn begin_rekey(&mut self) -> Result<(), getrandom::Error> {
        self.next_key = Some(hex(&random()?));
        Ok(())
    }

    pub(super) fn is_rekeying(&self) -> bool {
        self.next_key.is_some()
    }

    /// The store has its next key, or keeps its own.
    pub(super) fn end_rekey(&mut self, is_sealed: bool) {
        if let Some(next) = self.next_key.take().filter(|_| is_sealed) {
            let before = std::mem::replace(&mut self.store_key, next);
            self.fingerprint_key.get_or_insert(before);
        }
    }

    pub(super) fn secret(&self, owner: &str, name: &str) -> Option<&Secret> {
        self.secrets.get(&(owner.to_owned(), name.to_owned())).map(|text| &text.0)
    }

    pub(super) fn keep(&mut self, owner: &str, name: &str, secret: &Secret) {
        self.secrets.insert((owner.to_owned(), name.to_owned()), Text(secret.clone()));
    }

    /// Says whether there was one.
    pub(super) fn forget(&mut self, owner: &str, name: &str) -> bool {
        self.secrets.remove(&(owner.to_owned(), name.to_owned())).is_some()
    }
}

fn random() -> Result<SecretBytes, getrandom::Error> {
    let mut bytes = vec![0; KEY_LEN];
    getrandom::fill(&mut bytes)?;
    Ok(SecretBytes::new(bytes))
}

fn hex(key: &SecretBytes) -> Text {
    let mut hex = String::with_capacity(2 * KEY_LEN);
    HEXLOWER.encode_append(key.expose(), &mut hex);
    Text(Secret::new(hex))
}

fn known(text: &Text) -> SecretBytes {
    bytes(text).expect("checked when it was read or made")
}

fn bytes(text: &Text) -> Option<SecretBytes> {
    let mut bytes = vec![0; KEY_LEN];
    let text = text.0.expose().as_bytes();
    let is_long = HEXLOWER.decode_len(text.len()) == Ok(KEY_LEN);
    (is_long && HEXLOWER.decode_mut(text, &mut bytes).is_ok()).then(|| SecretBytes::new(bytes))
}

/// A secret as text of JSON; nowhere else is one written down so.
#[derive(Clone, Debug)]
struct Text(Secret);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Texts;
        impl Visitor<'_> for Texts {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Secret::new(text.to_owned())))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(Secret::new(text)))
            }
        }
        deserializer.deserialize_string(Texts)
    }
}
