//! What is masked on a page: by the shape of each word, and by the secrets of this login, in every form.

use std::collections::BTreeSet;

use data_encoding::{BASE64, HEXLOWER};

use crate::secret::Secret;

/// What stands in the place of a word that is not shown. Its length says nothing.
pub(super) const MASK: &str = "▒▒▒▒▒";
/// A word longer than this may be a key; no word of a login page is.
const WORD_MAX: usize = 20;
/// So many digits in a word may be a code, a number of a person, or a part of either.
const DIGITS_MAX: usize = 2;
/// Part of a live secret of this length gives away too much of it.
const WINDOW: usize = 8;
/// A secret that is shorter is told from nothing.
const SHORTEST: usize = 4;
/// The digits of a code.
const CODE: usize = 6;
/// Words that stand on every login page. They are shown whatever the secrets are: a mask in their place would say that a
/// secret has them in it.
const OPEN: [&str; 12] = [
    "account",
    "authorise",
    "continue",
    "external",
    "forgot",
    "invalid",
    "kite",
    "login",
    "password",
    "submit",
    "userid",
    "zerodha",
];
/// Secrets in every form in which a page may repeat them: their letters and digits alone, small, forward and backward.
pub(super) struct Masks {
    forms: Vec<String>,
    raw: Vec<String>,
}

impl Masks {
    pub(super) fn of(secrets: &[&Secret]) -> Masks {
        let (mut forms, mut raw) = (Vec::new(), Vec::new());
        for secret in secrets {
            let text = secret.expose();
            let mut written = vec![text.to_owned(), HEXLOWER.encode(text.as_bytes())];
            // Three bytes make four letters, wherever the secret begins among them.
            for before in 0..3 {
                let bytes = [&vec![0; before], text.as_bytes()].concat();
                let inside = (before * 8).div_ceil(6)..(bytes.len() * 8) / 6;
                written.push(BASE64.encode(&bytes)[inside].to_owned());
            }
            raw.push(text.split_whitespace().collect::<String>().to_lowercase());
            for form in written.iter().map(|form| bare(form)) {
                forms.push(form.chars().rev().collect());
                forms.push(form);
            }
        }
        forms.retain(|form: &String| form.chars().count() >= SHORTEST);
        raw.retain(|text: &String| text.chars().count() >= SHORTEST);
        Masks { forms, raw }
    }

    /// The text with every word masked that may be secret, or the whole of it where a secret is spread over its words.
    pub(super) fn text(&self, text: &str) -> String {
        if self.is_spread(text) {
            return MASK.into();
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let digits = runs(&words.iter().map(|word| digits_alone(word)).collect::<Vec<_>>());
        let masked = words.iter().zip(digits);
        let mut shown: Vec<&str> = masked
            .map(|(word, run)| if run > DIGITS_MAX || self.is_secret(word) { MASK } else { word })
            .collect();
        shown.dedup_by(|after, before| *after == MASK && *before == MASK);
        shown.join(" ")
    }

    fn is_spread(&self, text: &str) -> bool {
        let whole: String = text.split_whitespace().collect::<String>().to_lowercase();
        // With its signs, too: a password of signs alone has no letters by which to know it.
        if self.raw.iter().any(|raw| !OPEN.contains(&raw.as_str()) && whole.contains(raw)) {
            return true;
        }
        let joined = bare(text);
        self.forms.iter().any(|form| !OPEN.contains(&form.as_str()) && joined.contains(form))
    }

    /// Whether a secret of this login stands there, or digits that could be its code.
    pub(super) fn is_live(&self, text: &str) -> bool {
        let words: Vec<&str> = text.split_whitespace().collect();
        let digits = runs(&words.iter().map(|word| digits_alone(word)).collect::<Vec<_>>());
        let code = |word: &&str| word.chars().filter(char::is_ascii_digit).count() == CODE;
        self.is_spread(text)
            || digits.contains(&CODE)
            || words.iter().any(|word| code(word) || self.has_part(word))
    }

    /// Which of these texts a secret, or a code, is spread over.
    pub(super) fn spread_over(&self, texts: &[&str]) -> Vec<bool> {
        let letters = texts
            .iter()
            .enumerate()
            .flat_map(|(i, text)| bare(text).chars().map(move |c| (c, i)).collect::<Vec<_>>());
        let (joined, places): (Vec<char>, Vec<usize>) = letters.unzip();
        let mut spread = vec![false; texts.len()];
        let forms: Vec<Vec<char>> = self.forms.iter().map(|form| form.chars().collect()).collect();
        let parts: BTreeSet<&[char]> =
            forms.iter().flat_map(|form| form.windows(WINDOW.min(form.len()))).collect();
        let lengths: BTreeSet<usize> = parts.iter().map(|part| part.len()).collect();
        for length in lengths {
            for (at, _) in joined.windows(length).enumerate().filter(|(_, part)| parts.contains(part)) {
                let (first, last) = (places[at], places[at + length - 1]);
                if first != last {
                    spread[first..=last].fill(true);
                }
            }
        }
        // Elements that say nothing stand between those that say one digit each.
        let speaking: Vec<usize> = (0..texts.len()).filter(|i| !texts[*i].trim().is_empty()).collect();
        let alone: Vec<usize> = speaking.iter().map(|i| digits_alone(texts[*i])).collect();
        for (i, (run, own)) in speaking.iter().zip(runs(&alone).into_iter().zip(&alone)) {
            spread[*i] |= run > DIGITS_MAX && run > *own;
        }
        spread
    }

    fn is_secret(&self, word: &str) -> bool {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        digits > DIGITS_MAX || word.chars().count() > WORD_MAX || is_mixed(word) || self.has_part(word)
    }

    fn has_part(&self, word: &str) -> bool {
        let word = bare(word);
        if OPEN.contains(&word.as_str()) {
            return false;
        }
        let word: Vec<char> = word.chars().collect();
        word.windows(WINDOW).any(|window| {
            let window: String = window.iter().collect();
            self.forms.iter().any(|form| form.contains(&window))
        })
    }
}

/// Letters and digits, small.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many digits a text has that has no letters; none where it has any.
fn digits_alone(text: &str) -> usize {
    if text.chars().any(char::is_alphabetic) { 0 } else { text.chars().filter(char::is_ascii_digit).count() }
}

/// For each of these counts the sum of the unbroken run that it stands in.
fn runs(counts: &[usize]) -> Vec<usize> {
    counts
        .split_inclusive(|count| *count == 0)
        .flat_map(|run| {
            let sum: usize = run.iter().sum();
            run.iter().map(move |count| if *count == 0 { 0 } else { sum })
        })
        .collect()
}

/// Capitals amid small letters, as keys have and words have not.
fn is_mixed(word: &str) -> bool {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let capitals = letters.iter().skip(1).filter(|c| c.is_uppercase()).count();
    letters.len() > 5 && capitals > 1 && letters.iter().any(|c| c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(text: &str) -> String {
        let secrets = ["tr0ub4dor-horse", "jbswy3dpehpk3pxp"].map(|text| Secret::new(text.into()));
        Masks::of(&secrets.each_ref()).text(text)
    }

    #[test]
    fn a_person_can_read_what_the_page_says_and_no_secret_is_in_it() {
        for open in [
            "Login to Kite",
            "Invalid account credentials. 4 attempts remain",
            "Forgot user ID or password?",
            "External TOTP",
            "Set a new password: 8 to 12 characters.",
        ] {
            assert_eq!(mask(open), open);
        }
        for secret in [
            "123456",
            "tr0ub4dor-horse",
            "Tr0uB4dor-HORSE",
            "esroh-rod4bu0rt",
            "JBSWY3DPEHPK3PXP",
            "aGVsbG8gd29ybGQ",
            "0123456789abcdef0123456789abcdef",
            "r0ub4dorh",
            "tr0ub4dor",
        ] {
            let shown = mask(&format!("your secret is {secret} indeed"));
            assert!(!shown.contains(secret) && shown.contains(MASK), "{shown}");
        }
        // A mask would say that the secret has this word in it.
        assert_eq!(mask("Password"), "Password");
        // Written with spaces between.
        assert_eq!(mask("t r 0 u b 4 d o r - h o r s e"), MASK);
        assert_eq!(mask("code 1 2 3 4 5 6 sent"), format!("code {MASK} sent"));
        assert_eq!(mask("2 of 5 tries"), "2 of 5 tries");
    }
}
