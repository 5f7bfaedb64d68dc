//! What a source gave is six digits and nothing else, or it is no code.

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use zeroize::Zeroizing;

/// More than a code and what surrounds it ever has.
pub(super) const BYTES_MAX: u64 = 64;

/// The code in an output: six digits, with nothing but white space around them.
pub(super) fn read(bytes: &[u8], from: &str) -> Result<Secret, Failure> {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    let code = text.trim();
    if code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Secret::new(code.to_owned()));
    }
    let what = if code.is_empty() { "nothing" } else { "something else than six digits" };
    Err(failed(format!("{from} gave {what}"), "It must give the six digits of this moment and nothing else."))
}

/// No code could be had.
pub(super) fn failed(why: String, cure: &str) -> Failure {
    let cure = format!("{cure} Or store the TOTP key itself: firstbell secrets set totp_seed.");
    Failure::Broken { part: Part::Secret, why: format!("no code for the second factor: {why}"), cure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_and_nothing_else() {
        for good in ["123456", "123456\n", "  000000 \r\n"] {
            assert!(read(good.as_bytes(), "x").is_ok(), "{good:?}");
        }
        for bad in ["", "12345", "1234567", "123 456", "١٢٣٤٥٦", "code 123456", "12345a", "123456\n654321"]
        {
            let failure = read(bad.as_bytes(), "the program").unwrap_err();
            assert!(!failure.to_string().contains("12345"), "{failure}");
        }
    }
}
