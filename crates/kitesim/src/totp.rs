//! Time-based codes as RFC 6238 has them: HMAC-SHA-1, six digits, steps of 30 seconds.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;

const STEP_S: i64 = 30;

/// A decoded seed.
#[derive(Clone)]
pub(crate) struct Seed(Vec<u8>);

impl Seed {
    /// Decodes base32; people paste seeds with spaces, dashes, small letters and padding.
    pub(crate) fn parse(text: &str) -> Option<Seed> {
        let letters = text.chars().filter(|letter| !matches!(letter, ' ' | '-' | '='));
        let letters: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
        let bytes = BASE32_NOPAD.decode(letters.as_bytes()).ok()?;
        (!bytes.is_empty()).then_some(Seed(bytes))
    }

    /// The code of one step.
    pub(crate) fn code(&self, step: i64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let start = usize::from(digest[19] & 0x0f);
        let word = [digest[start] & 0x7f, digest[start + 1], digest[start + 2], digest[start + 3]];
        format!("{:06}", u32::from_be_bytes(word) % 1_000_000)
    }

    /// The step within the window around `step` whose code this is; the nearest one when several match.
    pub(crate) fn matched(&self, code: &str, step: i64, window: i64) -> Option<i64> {
        let around = (0..=window).flat_map(|far| [step.saturating_sub(far), step.saturating_add(far)]);
        around.into_iter().find(|step| self.code(*step) == code)
    }
}

/// The number of the step in which a moment lies.
pub(crate) fn step_at(moment: Timestamp) -> i64 {
    moment.as_second().div_euclid(STEP_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_published_vectors_hold() {
        let seed = Seed::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(seed.code(step_at(Timestamp::from_second(second).unwrap())), code);
        }
    }

    #[test]
    fn a_window_is_as_wide_as_it_says() {
        let seed = Seed::parse("gezd gnbv-gy3tqojq").unwrap();
        assert_eq!(seed.matched(&seed.code(99), 100, 1), Some(99));
        assert_eq!(seed.matched(&seed.code(102), 100, 1), None);
        assert_eq!(seed.matched("12345", 100, 1), None);
        assert!(Seed::parse("not base32!").is_none());
        assert!(Seed::parse(" -").is_none());
    }
}
