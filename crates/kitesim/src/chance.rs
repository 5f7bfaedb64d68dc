//! Random text for throw-away credentials, tokens and session ids.

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Letters of both cases and digits, as in Kite's tokens.
pub(crate) fn alphanumeric(length: usize) -> String {
    draw(ALPHANUMERIC, length)
}

/// Lower-case letters and digits, as in Kite's API keys.
pub(crate) fn lower(length: usize) -> String {
    draw(LOWER, length)
}

/// A user id of the usual form: two letters and four digits.
pub(crate) fn user_id() -> String {
    draw(LETTERS, 2) + &draw(DIGITS, 4)
}

/// A base32 text, as in a TOTP seed.
pub(crate) fn base32(length: usize) -> String {
    draw(BASE32, length)
}

/// Text that looks like base64 with its padding, as in Kite's enctoken.
pub(crate) fn enctoken() -> String {
    draw(BASE64, 86) + "=="
}

fn draw(alphabet: &[u8], length: usize) -> String {
    // Bytes at or above the largest multiple of the alphabet's size would favour its first letters.
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).expect("the operating system has randomness to give");
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
        text.extend(fair.take(length - text.len()).map(|byte| char::from(alphabet[byte % alphabet.len()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_length_and_letters() {
        assert_eq!(alphanumeric(64).len(), 64);
        assert!(lower(200).bytes().all(|byte| LOWER.contains(&byte)));
        assert!(base32(200).bytes().all(|byte| BASE32.contains(&byte)));
        let id = user_id();
        assert!(id[..2].bytes().all(|byte| byte.is_ascii_uppercase()));
        assert!(id[2..].bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(enctoken().len(), 88);
        assert_ne!(alphanumeric(32), alphanumeric(32));
    }
}
