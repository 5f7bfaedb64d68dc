//! The censor: the last gate before a line is written or a message sent. It knows what is secret now by keyed hashes of its
//! parts, and holds back whatever repeats one, also written in another way.
//!
//! Everything before it takes care that no secret gets here; this is for the day on which something did not. So it stops, and
//! says that it did: a line that is held back is a fault of firstbell's.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::io;
use std::sync::{LazyLock, PoisonError, RwLock};

use data_encoding::{BASE64_NOPAD, Encoding, HEXLOWER_PERMISSIVE};
use firstbell_core::secret::Secret;
use url::Url;

/// What stands in the place of what was held back.
pub const HELD: &str = "firstbell: a line was held back, because a secret was in it. That is a fault of firstbell's: please \
                        report what you see around this line.";

/// Secrets are known in parts of so many bytes, so that a piece of one is found too; one that is shorter is known whole, and so is one
/// that is made of words: pieces of it stand in ordinary sentences.
const PART: usize = 12;
/// Parts of an address are known from so many bytes on: a host and words of a path are shorter, and stand in many lines.
const KEY: usize = 16;
/// What is shorter than this (a code, a number) may stand in a line by chance, and is not looked for.
const SHORTEST: usize = 8;
/// So many parts are known at most, the newest ones: yesterday's tokens are of no use to anybody.
const PARTS_MAX: usize = 1 << 17;

static CENSOR: LazyLock<Censor> = LazyLock::new(Censor::default);

/// A base64 text that something else stands behind has no end of its own.
static BASE64_CUT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut form = BASE64_NOPAD.specification();
    form.check_trailing_bits = false;
    form.encoding().expect("base64 without a check is base64")
});

/// From here on nothing that repeats this is let through. Of an address only the password, and long parts of its path and its
/// query are secret.
pub fn know(secret: &Secret) {
    CENSOR.know(secret.expose());
}

/// The text, or what stands in its place.
pub fn passed(text: &str) -> Cow<'_, str> {
    if CENSOR.stops(text.as_bytes()) { Cow::Borrowed(HELD) } else { Cow::Borrowed(text) }
}

/// A writer of lines that are looked at first. Each write is a whole line, as the log's are.
#[derive(Debug)]
pub struct Censored<W>(pub W);

impl<W: io::Write> io::Write for Censored<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if CENSOR.stops(line) {
            writeln!(self.0, "{HELD}")?;
        } else {
            self.0.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Keyed hashes of what is secret. Whoever reads them learns nothing without their key, which is new in each process.
#[derive(Default)]
struct Censor {
    key: RandomState,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    parts: HashSet<u64>,
    oldest_first: VecDeque<u64>,
    /// Lengths that there are parts of.
    lengths: BTreeSet<usize>,
}

impl Known {
    fn add(&mut self, part: u64, length: usize) {
        self.lengths.insert(length);
        if !self.parts.insert(part) {
            return;
        }
        self.oldest_first.push_back(part);
        if self.oldest_first.len() > PARTS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.parts.remove(&oldest);
        }
    }
}

impl Censor {
    fn know(&self, text: &str) {
        let text = text.trim();
        match Url::parse(text) {
            Ok(url) if text.contains("://") => {
                // Before a web host a name alone is a key; before a database it is whoever asks.
                let key = (url.scheme() == "https" && url.password().is_none()).then(|| url.username());
                for part in [url.password(), url.fragment(), key].into_iter().flatten() {
                    self.take(part);
                    self.take(&String::from_utf8_lossy(&percent_decoded(part.as_bytes())));
                }
                let long = |part: &str| part.len() >= KEY;
                url.path_segments().into_iter().flatten().filter(|s| long(s)).for_each(|s| self.take(s));
                url.query_pairs().filter(|(_, value)| long(value)).for_each(|(_, value)| self.take(&value));
            }
            _ => self.take(text),
        }
    }

    fn take(&self, text: &str) {
        let bytes = text.as_bytes();
        if bytes.len() < SHORTEST {
            return;
        }
        let is_word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b' ';
        let length = if bytes.iter().all(is_word) { bytes.len() } else { bytes.len().min(PART) };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.windows(length) {
            known.add(self.key.hash_one(part), length);
        }
    }

    /// Whether something secret is in it, as it stands or written in another way.
    fn stops(&self, line: &[u8]) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.parts.is_empty() {
            return false;
        }
        let holds = |bytes: &[u8]| self.holds(&known, bytes);
        holds(line)
            || plainer(line).is_some_and(|bytes| holds(&bytes))
            || unpercented(line).is_some_and(|bytes| holds(&bytes))
            || decoded(line).any(|bytes| holds(&bytes))
    }

    fn holds(&self, known: &Known, bytes: &[u8]) -> bool {
        let parts = known.lengths.iter().flat_map(|length| bytes.windows(*length));
        parts.map(|part| self.key.hash_one(part)).any(|part| known.parts.contains(&part))
    }
}

/// Without what JSON and UTF-16 put between characters.
fn plainer(line: &[u8]) -> Option<Vec<u8>> {
    let between = |byte: &u8| matches!(byte, 0 | b'\\');
    line.iter().any(between).then(|| line.iter().copied().filter(|byte| !between(byte)).collect())
}

fn unpercented(line: &[u8]) -> Option<Vec<u8>> {
    line.contains(&b'%').then(|| percent_decoded(line))
}

fn percent_decoded(line: &[u8]) -> Vec<u8> {
    let digit = |at: usize| line.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(line.len());
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

/// What long words come to where they are read as hexadecimal or base64, from wherever those may have begun.
fn decoded(line: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let words = |is: fn(&u8) -> bool, least: usize| {
        line.split(move |byte| !is(byte)).filter(move |word| word.len() >= least)
    };
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let of_hex = words(u8::is_ascii_hexdigit, 2 * SHORTEST).flat_map(|word| {
        (0..2).filter_map(|from| {
            HEXLOWER_PERMISSIVE.decode(&word[from..word.len() - (word.len() - from) % 2]).ok()
        })
    });
    let of_base64 = words(base64, SHORTEST * 4 / 3 + 1).flat_map(|word| {
        let word: Vec<u8> = word.iter().map(|byte| standard(*byte)).collect();
        (0..4).filter_map(move |from| {
            // One letter alone behind the last four decides no byte.
            let end = word.len() - usize::from((word.len() - from) % 4 == 1);
            BASE64_CUT.decode(&word[from..end]).ok()
        })
    });
    of_hex.chain(of_base64)
}

/// The one alphabet of base64's two.
fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

    use super::*;

    const TOKEN: &str = "q8ZVxJ1w0sYk2mPf7RtL9uCb4nHd6eGa";

    fn knowing(secrets: &[&str]) -> Censor {
        let censor = Censor::default();
        secrets.iter().for_each(|secret| censor.know(secret));
        censor
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let censor = knowing(&[TOKEN, "pass/wörd \"9"]);
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let wide: Vec<u8> = TOKEN.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for line in [
            format!("the token {TOKEN}, as it stands"),
            format!("its middle …{}…", &TOKEN[9..9 + PART]),
            format!("hex {}", HEXLOWER.encode(TOKEN.as_bytes())),
            format!("hex{}", HEXUPPER.encode(TOKEN.as_bytes())),
            format!("0{}", HEXLOWER.encode(TOKEN.as_bytes())),
            format!("Basic {}", BASE64.encode(format!("k:{TOKEN}").as_bytes())),
            format!("Basic {}", BASE64URL.encode(format!("key:{TOKEN}").as_bytes())),
            format!("Basic+{}", BASE64.encode(format!("ke:{TOKEN}").as_bytes())),
            format!("?token={}&x=%zz", percent(TOKEN)),
            serde_json::json!({ "is": "pass/wörd \"9" }).to_string(),
        ] {
            assert!(censor.stops(line.as_bytes()), "{line}");
        }
        assert!(censor.stops(&[b"wide ".as_slice(), &wide].concat()));
    }

    #[test]
    fn a_short_one_is_found_in_base64_at_every_alignment() {
        for length in SHORTEST..=16 {
            let secret = &TOKEN[..length];
            let censor = knowing(&[secret]);
            for before in ["", "a", "ab", "abc", "AB1234:"] {
                for after in ["", "z", "zz"] {
                    let text = BASE64.encode(format!("{before}{secret}{after}").as_bytes());
                    assert!(
                        censor.stops(format!("Basic {text}").as_bytes()),
                        "{before}{secret}{after}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn one_that_is_made_of_words_is_known_whole() {
        let censor = knowing(&["not the password at all"]);
        assert!(!censor.stops(b"event main: the password was accepted"));
        assert!(censor.stops(b"it was 'not the password at all'"));
    }

    #[test]
    fn what_is_not_secret_passes() {
        let censor = knowing(&[TOKEN, "hunter22", "123456"]);
        for line in [
            "2026-11-25T08:02:11+05:30 event main: a code was accepted, 123456 seconds ago",
            "q8ZVxJ1w0sY is only the beginning",
            "hunter2 and hunter3",
            "https://kite.zerodha.com/connect/login?v=3&api_key=%6b%65%79",
            "",
        ] {
            assert!(!censor.stops(line.as_bytes()), "{line}");
        }
        assert!(censor.stops(b"hunter22"));
    }

    #[test]
    fn of_an_address_only_what_is_secret_in_it_is_known() {
        let censor = knowing(&[
            "postgres://firstbell:correct-horse@db.example/firstbell",
            "postgres://firstbell@%2Frun%2Fpostgresql/firstbell",
            "https://hooks.example/services/9f8e7d6c5b4a39281706f5e4?key=abcdefghijklmnopqrs7",
            "https://a1b2c3d4e5f6@errors.example/7#fragment-77",
            "redis://default:p%40ss%2Fw0rd1@cache.example/0",
        ]);
        for open in [
            "the database at db.example/firstbell cannot be reached",
            "https://hooks.example/services answers 500",
        ] {
            assert!(!censor.stops(open.as_bytes()), "{open}");
        }
        for secret in [
            "correct-horse",
            "9f8e7d6c5b4a39281706f5e4",
            "key=abcdefghijklmnopqrs7",
            "a1b2c3d4e5f6",
            "fragment-77",
            "p%40ss%2Fw0rd1",
            "p@ss/w0rd1",
        ] {
            assert!(censor.stops(secret.as_bytes()), "{secret}");
        }
    }

    #[test]
    fn only_the_newest_are_known() {
        let censor = knowing(&[TOKEN]);
        (0..PARTS_MAX).for_each(|n| censor.know(&format!("{n:012}")));
        assert!(!censor.stops(TOKEN.as_bytes()));
        assert!(censor.stops(format!("{:012}", PARTS_MAX - 1).as_bytes()));
        assert_eq!(censor.known.read().unwrap().parts.len(), PARTS_MAX);
    }

    #[test]
    fn a_line_that_is_held_back_leaves_a_word_in_its_place() {
        let mut out = Vec::new();
        know(&Secret::new("only this test knows it".into()));
        let mut censored = Censored(&mut out);
        censored.write_all(b"a line\n").unwrap();
        censored.write_all(b"with 'only this test knows it' in it\n").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("a line\n{HELD}\n"));
        assert_eq!(passed("only this test knows it"), HELD);
        assert_eq!(passed("a line"), "a line");
    }
}
