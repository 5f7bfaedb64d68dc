//! A value that never prints and is wiped from memory when it is dropped.

#[cfg(doctest)]
mod refused;

use std::fmt;

use zeroize::Zeroizing;

/// Text that must not reach a log, an error, a file in the clear or another process. It has no `Display`, its `Debug`
/// shows nothing of it (not even its length), and it cannot be serialized. [`Secret::expose`] is called in a short
/// list of files only, which `house.rs` holds.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over without a copy; what the caller held is now ours to wipe.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The same text with more behind it.
    pub fn followed_by(&self, more: &str) -> Secret {
        Secret::new([self.expose(), more].concat())
    }

    /// The text itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        self.expose() == text
    }

    /// Whether both hold the same text.
    pub fn is_same(&self, other: &Secret) -> bool {
        self.is(other.expose())
    }

    /// How many letters it has.
    pub fn letters(&self) -> usize {
        self.expose().chars().count()
    }

    /// Whether there is nothing in it but white space: such a secret was forgotten, not chosen.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Bytes under the same promise as [`Secret`]: keys, and bodies of replies that hold a token.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over without a copy.
    pub fn new(bytes: Vec<u8>) -> SecretBytes {
        SecretBytes(Zeroizing::new(bytes))
    }

    /// The bytes themselves, under the same rule as [`Secret::expose`].
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_text_nor_length() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2".into()), SecretBytes::new(vec![1; 7]));
        assert_eq!(shown, "Secret(…) SecretBytes(…)");
    }

    #[test]
    fn blank_is_white_space_only() {
        assert!(Secret::new(" \n".into()).is_blank());
        assert!(!Secret::new(" a ".into()).is_blank());
    }
}
