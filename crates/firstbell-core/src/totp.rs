//! A seed and a moment give six digits and the life they have left (RFC 6238).

use std::fmt;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Shortest seed taken, in bytes. Kite's keys are 32 letters of base32, 20 bytes (public login scripts, 2021–2026);
/// RFC 4226 §4 asks for 16, and some issuers give 10.
const SEED_LEN_MIN: usize = 10;

/// The hash under the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// What Kite and nearly every authenticator use.
    Sha1,
    /// Named by an `otpauth://` address.
    Sha256,
    /// Named by an `otpauth://` address.
    Sha512,
}

/// What the authenticator and the broker share: the key, and how a code is made from it.
#[derive(Clone)]
pub struct Seed {
    key: Zeroizing<Vec<u8>>,
    hash: Hash,
    digits: u32,
    period_s: u64,
}

/// One code: its digits, the time step that it belongs to, and how long that step still lasts.
#[derive(Clone, Debug)]
pub struct Code {
    /// The digits, with leading zeros.
    pub digits: Secret,
    /// Number of the time step since 1970. A step is submitted once at most.
    pub step: u64,
    /// Milliseconds until the step ends.
    pub life_ms: u64,
}

/// Why a text is not a seed. Each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedFault {
    /// Six or eight digits: the changing code, not the key behind it.
    IsCode,
    /// Characters that base32 does not have.
    NotBase32,
    /// Fewer bytes than any issuer gives.
    TooShort,
    /// An `otpauth://` address that is not for TOTP, or whose parts make no sense.
    BadAddress,
}

impl fmt::Display for SeedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SeedFault::IsCode => {
                "this is a code that changes every 30 seconds, not the key behind it. The key has 32 letters and \
                 digits, such as ABCD EFGH 2345 …; Kite shows it beside the QR picture when you set up external TOTP \
                 (My profile → Password & security → External TOTP → \"Can't scan? Copy the key\"). Kite shows it \
                 once: if it was not kept, disable external TOTP there and set it up again"
            }
            SeedFault::NotBase32 => {
                "a TOTP key has the letters A to Z and the digits 2 to 7 only; look for a 0, 1, 8 or 9 that is an O, \
                 I, B or g, and copy it again"
            }
            SeedFault::TooShort => "this TOTP key is too short: Kite's has 32 letters and digits. Copy all of it",
            SeedFault::BadAddress => {
                "this otpauth:// address is not one for TOTP with 6 to 8 digits and SHA1, SHA256 or SHA512"
            }
        })
    }
}

impl Seed {
    /// Reads a key as people paste it (spaces, dashes, lower case, with or without padding) or a whole `otpauth://`
    /// address.
    ///
    /// # Errors
    /// Says why it is no seed; a pasted code is told apart, because it is the commonest mistake.
    pub fn parse(text: &Secret) -> Result<Seed, SeedFault> {
        let text = text.expose().trim();
        if text.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("otpauth://")) {
            return Seed::parse_address(text);
        }
        Ok(Seed { key: read_key(text)?, hash: Hash::Sha1, digits: 6, period_s: 30 })
    }

    fn parse_address(text: &str) -> Result<Seed, SeedFault> {
        // The part with the key is not given to `Url`, which would keep a copy that nobody wipes.
        let (place, query) = text.split_once('?').ok_or(SeedFault::BadAddress)?;
        let place = Url::parse(place).map_err(|_| SeedFault::BadAddress)?;
        if place.host_str() != Some("totp") {
            return Err(SeedFault::BadAddress);
        }
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let (mut key, mut hash, mut digits, mut period_s) = (None, Hash::Sha1, 6, 30);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                // Which of two would a telephone take?
                "secret" if key.is_some() => return Err(SeedFault::BadAddress),
                "secret" => key = Some(read_key(&Zeroizing::new(value.into_owned()))?),
                "algorithm" => hash = read_hash(&value)?,
                "digits" => digits = value.parse().map_err(|_| SeedFault::BadAddress)?,
                "period" => period_s = value.parse().map_err(|_| SeedFault::BadAddress)?,
                _ => {}
            }
        }
        if !(6..=8).contains(&digits) || !(10..=300).contains(&period_s) {
            return Err(SeedFault::BadAddress);
        }
        Ok(Seed { key: key.ok_or(SeedFault::BadAddress)?, hash, digits, period_s })
    }

    /// The same key in one spelling, however it was pasted: to tell one seed from another.
    pub fn canonical(&self) -> Secret {
        let key = Zeroizing::new(BASE32_NOPAD.encode(&self.key));
        Secret::new(format!("{}/{:?}/{}/{}", *key, self.hash, self.digits, self.period_s))
    }

    /// The code of the step that `now` falls into.
    pub fn code(&self, now: Timestamp) -> Code {
        let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let period_ms = self.period_s * 1000;
        let step = now_ms / period_ms;
        let digits = format!("{:0width$}", self.number(step), width = self.digits as usize);
        Code { digits: Secret::new(digits), step, life_ms: period_ms - now_ms % period_ms }
    }

    fn number(&self, step: u64) -> u32 {
        let digest = match self.hash {
            Hash::Sha1 => digest::<Hmac<Sha1>>(&self.key, step),
            Hash::Sha256 => digest::<Hmac<Sha256>>(&self.key, step),
            Hash::Sha512 => digest::<Hmac<Sha512>>(&self.key, step),
        };
        // RFC 4226 §5.3: the low four bits of the last byte say where the 31 bits begin.
        let start = usize::from(digest[digest.len() - 1] & 0x0f);
        let word = [digest[start] & 0x7f, digest[start + 1], digest[start + 2], digest[start + 3]];
        u32::from_be_bytes(word) % 10u32.pow(self.digits)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

fn digest<M: Mac + KeyInit>(key: &[u8], step: u64) -> Zeroizing<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&step.to_be_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn read_hash(name: &str) -> Result<Hash, SeedFault> {
    match name.to_ascii_uppercase().as_str() {
        "SHA1" => Ok(Hash::Sha1),
        "SHA256" => Ok(Hash::Sha256),
        "SHA512" => Ok(Hash::Sha512),
        _ => Err(SeedFault::BadAddress),
    }
}

fn read_key(text: &str) -> Result<Zeroizing<Vec<u8>>, SeedFault> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    plain.extend(text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()));
    let bare = plain.trim_end_matches('=');
    if matches!(bare.len(), 6 | 8) && bare.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SeedFault::IsCode);
    }
    let key = BASE32_NOPAD.decode(bare.as_bytes()).or_else(|_| decode_loosely(bare));
    let key = Zeroizing::new(key.map_err(|_| SeedFault::NotBase32)?);
    if key.len() < SEED_LEN_MIN { Err(SeedFault::TooShort) } else { Ok(key) }
}

/// Some issuers leave bits behind the last whole byte set; authenticators ignore them, and so do we.
fn decode_loosely(bare: &str) -> Result<Vec<u8>, data_encoding::DecodeError> {
    let mut rules = BASE32_NOPAD.specification();
    rules.check_trailing_bits = false;
    rules
        .encoding()
        .expect("the specification differs from a valid one in its strictness only")
        .decode(bare.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: (seconds, SHA-1, SHA-256, SHA-512), eight digits.
    const VECTORS: [(i64, &str, &str, &str); 6] = [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ];

    fn seed(hash: Hash, digits: u32) -> Seed {
        let len = match hash {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        };
        let key: Vec<u8> = b"1234567890".iter().copied().cycle().take(len).collect();
        Seed { key: Zeroizing::new(key), hash, digits, period_s: 30 }
    }

    fn parse(text: &str) -> Result<Seed, SeedFault> {
        Seed::parse(&Secret::new(text.into()))
    }

    #[test]
    fn the_rfc_s_own_vectors() {
        for (second, sha1, sha256, sha512) in VECTORS {
            let now = Timestamp::from_second(second).unwrap();
            for (hash, digits) in [(Hash::Sha1, sha1), (Hash::Sha256, sha256), (Hash::Sha512, sha512)] {
                assert_eq!(seed(hash, 8).code(now).digits.expose(), digits, "{hash:?} at {second}");
                assert_eq!(seed(hash, 6).code(now).digits.expose(), &digits[2..], "{hash:?} at {second}");
            }
        }
    }

    #[test]
    fn a_code_knows_its_step_and_its_life() {
        let code = seed(Hash::Sha1, 6).code(Timestamp::from_millisecond(59_001).unwrap());
        assert_eq!((code.step, code.life_ms), (1, 999));
        let code = seed(Hash::Sha1, 6).code(Timestamp::from_millisecond(60_000).unwrap());
        assert_eq!((code.step, code.life_ms), (2, 30_000));
    }

    #[test]
    fn a_seed_is_taken_as_people_paste_it() {
        let plain = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for text in [
            plain,
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ",
            "  GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ====\n",
            "otpauth://totp/Zerodha:AB1234?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Zerodha",
            "OTPAUTH://totp/x?secret=gezdgnbvgy3tqojqgezdgnbvgy3tqojq&algorithm=SHA1&digits=6&period=30",
        ] {
            assert_eq!(*parse(text).unwrap().key, *b"12345678901234567890", "{text}");
        }
        assert_eq!(
            parse(plain).unwrap().canonical().expose(),
            parse(&plain.to_lowercase()).unwrap().canonical().expose()
        );
        assert_eq!(parse("GEZDGNBVGY3TQOJQGF").unwrap().key.len(), 11, "missing padding and left-over bits");
    }

    #[test]
    fn an_address_may_name_hash_digits_and_period() {
        let seed = parse(
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=sha512&digits=8&period=60",
        )
        .unwrap();
        assert_eq!((seed.hash, seed.digits, seed.period_s), (Hash::Sha512, 8, 60));
    }

    #[test]
    fn a_pasted_code_is_told_apart_and_the_seed_described() {
        for text in ["123456", "123 456", "12345678", "000-000"] {
            assert_eq!(parse(text).err(), Some(SeedFault::IsCode), "{text}");
        }
        let sentence = SeedFault::IsCode.to_string();
        assert!(sentence.contains("32 letters") && sentence.contains("Password & security"), "{sentence}");
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!(parse("").err(), Some(SeedFault::TooShort));
        assert_eq!(parse("GEZDGNBV").err(), Some(SeedFault::TooShort));
        assert_eq!(parse("GEZDGNBVGY3TQOJ0GEZDGNBVGY3TQOJQ").err(), Some(SeedFault::NotBase32));
        for text in [
            "otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "otpauth://totp/x",
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=4",
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=0",
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=MD5",
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJR",
        ] {
            assert_eq!(parse(text).err(), Some(SeedFault::BadAddress), "{text}");
        }
    }
}
