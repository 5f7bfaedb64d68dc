//! Whom a bot obeys: one private chat, paired on the host with a one-time code. Both are kept sealed.

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use jiff::{SignedDuration, Timestamp};

use crate::alerts::{ChannelConfig, Spoken};
use crate::ports::Vault;

/// How long a code is good.
pub const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How many wrong codes end it: whoever guesses has 5 in 2^60.
pub const TRIES: u8 = 5;

/// No letter that looks like a digit or like another letter: 32 of them, 5 bits each.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const CODE_LETTERS: usize = 12;

const PAIRED: &str = "paired";
const PAIRING: &str = "pairing";

/// The chat that a bot obeys, and the person in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    pub(super) chat: i64,
    user: i64,
    since: Timestamp,
}

/// How a pairing stands that somebody began on the host.
#[derive(Clone, Debug)]
pub enum Pairing {
    /// Its code is awaited.
    Open {
        /// The code, without marks between its groups.
        code: Secret,
        /// When it is good no more.
        until: Timestamp,
        /// How many wrong ones may still come.
        left: u8,
    },
    /// Its code came, and this chat is paired.
    Done(Paired),
    /// It ended without a pair.
    Ended(Ended),
}

/// Why a pairing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Too many wrong codes came.
    Wrong,
    /// The code came where others read it too.
    Seen,
}

impl Pairing {
    /// A new code, good from now on.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn new(now: Timestamp) -> Result<Pairing, Failure> {
        let mut random = [0; CODE_LETTERS];
        getrandom::fill(&mut random).map_err(|e| Failure::Broken {
            part: Part::Key,
            why: format!("the system gives no random numbers: {e}"),
            cure: "See that /dev/urandom can be read.".into(),
        })?;
        let code = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
        Ok(Pairing::Open { code: Secret::new(code), until: now + LIFE, left: TRIES })
    }

    /// How the pairing of a channel stands, where one was begun.
    ///
    /// # Errors
    /// Where the vault cannot be read.
    pub fn of(channel: &ChannelConfig, vault: &dyn Vault) -> Result<Option<Pairing>, Failure> {
        let kept = vault.fetch(channel.wanted(PAIRING).owner, PAIRING)?;
        Ok(kept.and_then(|kept| read(kept.expose())))
    }

    /// Keeps it for whoever reads the bot's messages, in the place of an earlier one.
    ///
    /// # Errors
    /// Where the vault cannot be written.
    pub fn keep(&self, channel: &ChannelConfig, vault: &dyn Vault) -> Result<(), Failure> {
        let text = match self {
            Pairing::Open { code, until, left } => {
                return vault.keep(
                    channel.wanted(PAIRING).owner,
                    PAIRING,
                    &Secret::new(format!("open {} {} {left}", code.expose(), until.as_second())),
                );
            }
            Pairing::Done(Paired { chat, user, since }) => {
                format!("done {chat} {user} {}", since.as_second())
            }
            Pairing::Ended(Ended::Wrong) => "ended wrong".to_owned(),
            Pairing::Ended(Ended::Seen) => "ended seen".to_owned(),
        };
        vault.keep(channel.wanted(PAIRING).owner, PAIRING, &Secret::new(text))
    }

    /// Forgets it.
    ///
    /// # Errors
    /// As above.
    pub fn forget(channel: &ChannelConfig, vault: &dyn Vault) -> Result<bool, Failure> {
        vault.forget(channel.wanted(PAIRING).owner, PAIRING)
    }

    /// The code in groups, as a person reads it.
    pub fn shown(&self) -> String {
        let Pairing::Open { code, .. } = self else { return String::new() };
        let letters = code.expose();
        [&letters[..4], &letters[4..8], &letters[8..]].join("-")
    }

    /// Whether it is the same one: another may have been begun in its place.
    pub fn is(&self, other: &Pairing) -> bool {
        match (self, other) {
            (Pairing::Open { code: one, .. }, Pairing::Open { code: other, .. }) => {
                same(one.expose(), other.expose())
            }
            _ => false,
        }
    }

    /// What a message of a chat that is not paired makes of it; none where it is no code, or comes when none is awaited.
    pub(super) fn hear(&self, spoken: &Spoken, now: Timestamp) -> Option<Pairing> {
        let Pairing::Open { code, until, left } = self else { return None };
        let said = written(spoken.text.expose()).filter(|_| spoken.own && now < *until)?;
        // Everybody in a group would be obeyed, and everybody there has read it now.
        match (same(&said, code.expose()), spoken.private) {
            (true, true) => Some(Pairing::Done(Paired { chat: spoken.chat, user: spoken.from, since: now })),
            (true, false) => Some(Pairing::Ended(Ended::Seen)),
            (false, false) => None,
            (false, true) if *left <= 1 => Some(Pairing::Ended(Ended::Wrong)),
            (false, true) => Some(Pairing::Open { code: code.clone(), until: *until, left: left - 1 }),
        }
    }
}

impl Paired {
    /// The number of the chat, as a configuration has it.
    pub fn chat_id(&self) -> String {
        self.chat.to_string()
    }

    /// The chat that this channel's bot obeys.
    ///
    /// # Errors
    /// Where the vault cannot be read.
    pub fn of(channel: &ChannelConfig, vault: &dyn Vault) -> Result<Option<Paired>, Failure> {
        let kept = vault.fetch(channel.wanted(PAIRED).owner, PAIRED)?;
        Ok(kept.and_then(|kept| paired(&mut kept.expose().split(' '))))
    }

    pub(super) fn keep(&self, channel: &ChannelConfig, vault: &dyn Vault) -> Result<(), Failure> {
        let text = format!("{} {} {}", self.chat, self.user, self.since.as_second());
        vault.keep(channel.wanted(PAIRED).owner, PAIRED, &Secret::new(text))
    }

    /// Forgets it; says whether there was one.
    ///
    /// # Errors
    /// Where the vault cannot be written.
    pub fn forget(channel: &ChannelConfig, vault: &dyn Vault) -> Result<bool, Failure> {
        vault.forget(channel.wanted(PAIRED).owner, PAIRED)
    }

    /// Whether a message is of this person in this chat.
    pub(super) fn spoke(&self, spoken: &Spoken) -> bool {
        spoken.private && spoken.chat == self.chat && spoken.from == self.user
    }
}

fn read(text: &str) -> Option<Pairing> {
    let mut words = text.split(' ');
    match words.next()? {
        "open" => Some(Pairing::Open {
            code: Secret::new(written(words.next()?)?),
            until: moment(words.next()?)?,
            left: words.next()?.parse().ok()?,
        }),
        "done" => paired(&mut words).map(Pairing::Done),
        _ => match words.next()? {
            "seen" => Some(Pairing::Ended(Ended::Seen)),
            _ => Some(Pairing::Ended(Ended::Wrong)),
        },
    }
}

fn paired<'t>(words: &mut impl Iterator<Item = &'t str>) -> Option<Paired> {
    let mut next = || words.next();
    Some(Paired { chat: next()?.parse().ok()?, user: next()?.parse().ok()?, since: moment(next()?)? })
}

fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

/// A text that has the form of a code, as it is kept. Phones write small letters, and a link to the bot writes `/start` before it.
fn written(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("/start ").unwrap_or(text);
    // Nobody writes more marks than letters.
    if text.len() > 2 * CODE_LETTERS {
        return None;
    }
    let letters = text.chars().filter(|c| !matches!(c, '-' | ' '));
    let code: String = letters.map(|c| c.to_ascii_uppercase()).collect();
    let is_code = code.len() == CODE_LETTERS && code.bytes().all(|b| LETTERS.contains(&b));
    is_code.then_some(code)
}

/// Takes the same time wherever they differ: each of both has the length of a code.
fn same(one: &str, other: &str) -> bool {
    let differ = one.bytes().zip(other.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    std::hint::black_box(differ) == 0 && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str, private: bool) -> Spoken {
        let text = Secret::new(text.to_owned());
        Spoken { message: 1, chat: 5, from: 5, private, own: true, at: Timestamp::UNIX_EPOCH, text }
    }

    fn open() -> (Pairing, String) {
        let pairing = Pairing::new(Timestamp::UNIX_EPOCH).unwrap();
        let shown = pairing.shown();
        (pairing, shown)
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_code_has_sixty_bits_and_is_never_the_same() {
        let codes: std::collections::BTreeSet<String> = (0..500).map(|_| open().1).collect();
        assert_eq!(codes.len(), 500);
        for code in &codes {
            assert!(code.len() == 14 && code.split('-').all(|group| group.len() == 4), "{code}");
        }
    }

    #[test]
    fn the_code_pairs_in_every_way_in_which_a_person_writes_it() {
        let (pairing, shown) = open();
        let bare = shown.replace('-', "");
        let spaced = shown.to_lowercase().replace('-', " ");
        for text in [&shown, &bare, &spaced, &format!("/start {bare}"), &format!("  {shown}\n")] {
            let heard = pairing.hear(&spoken(text, true), at(9));
            assert!(matches!(heard, Some(Pairing::Done(Paired { chat: 5, user: 5, .. }))), "{text}");
        }
        assert!(pairing.hear(&spoken(&shown, true), at(10)).is_none(), "its ten minutes are over");
        let forwarded = Spoken { own: false, ..spoken(&shown, true) };
        assert!(pairing.hear(&forwarded, at(1)).is_none());
        let group = pairing.hear(&spoken(&shown, false), at(1));
        assert!(matches!(group, Some(Pairing::Ended(Ended::Seen))), "{group:?}");
    }

    #[test]
    fn five_wrong_codes_end_it_and_what_is_no_code_does_not_count() {
        let (mut pairing, shown) = open();
        for text in ["/start", "hello", "", &"A".repeat(5_000), "AAAA-AAAA-AAA", "ÀÀÀÀÀÀÀÀÀÀÀÀ"] {
            assert!(pairing.hear(&spoken(text, true), at(1)).is_none(), "{text}");
        }
        let wrong = if shown.starts_with('A') { "B" } else { "A" }.to_owned() + &shown[1..];
        assert!(pairing.hear(&spoken(&wrong, false), at(1)).is_none(), "a group's word");
        for left in [4, 3, 2, 1] {
            pairing = pairing.hear(&spoken(&wrong, true), at(1)).unwrap();
            assert!(matches!(&pairing, Pairing::Open { left: l, .. } if *l == left), "{pairing:?}");
        }
        let last = pairing.hear(&spoken(&wrong, true), at(1)).unwrap();
        assert!(matches!(last, Pairing::Ended(Ended::Wrong)), "{last:?}");
        assert!(last.hear(&spoken(&shown, true), at(1)).is_none(), "the right one comes too late");
    }

    #[test]
    fn comparison_sees_every_letter_and_the_length() {
        let code = "ABCDEFGHJKLM";
        assert!(same(code, code));
        for i in 0..code.len() {
            let mut other = code.to_owned();
            other.replace_range(i..=i, "9");
            assert!(!same(code, &other), "{other}");
        }
        assert!(!same(code, "ABCDEFGHJKL") && !same("", code));
    }
}
