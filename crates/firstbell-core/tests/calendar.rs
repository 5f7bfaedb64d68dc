//! Any text is a list or a number of faults, never a panic; and whatever a list says, the days of its year are answered.

use firstbell_core::calendar::{Calendar, Day, Edition, Exchange};
use jiff::Span;
use jiff::civil::Date;

const LISTS: [&str; 2] =
    [include_str!("../../../calendar/nse-2026.toml"), include_str!("../../../calendar/mcx-2025.toml")];

/// Pieces that mean something, put where they do not belong.
const PIECES: [&str; 24] = [
    "[[day]]\n",
    "[day]\n",
    "date = ",
    "\"2026-02-29\"",
    "\"2026-12-31\"",
    "2026-01-26",
    "\"-009999-01-01\"",
    "kind = \"session\"\n",
    "kind = \"evening\"\n",
    "opens = \"24:00\"\n",
    "closes = \"00:00\"\n",
    "sure = false\n",
    "why = \"\"\n",
    "replace = true\n",
    "year = 9999999999999999999\n",
    "year = -1\n",
    "form = 0x1\n",
    "exchange = \"bse\"\n",
    "\u{0}",
    "\u{7f}é–",
    "\"\"\"",
    "[[[[[[[[",
    "{a={a={a={",
    "\r\n",
];

/// A small generator of numbers, so that a failure can be repeated from its seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }
}

fn mutant(seed: u64) -> String {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text: Vec<char> = LISTS[chance.below(LISTS.len())].chars().collect();
    for _ in 0..=chance.below(6) {
        let at = chance.below(text.len() + 1);
        let end = (at + chance.below(12)).min(text.len());
        match chance.below(4) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, PIECES[chance.below(PIECES.len())].chars())),
            2 => {
                let copy: Vec<char> = text[at..(at + chance.below(200)).min(text.len())].to_vec();
                let to = chance.below(text.len() + 1);
                drop(text.splice(to..to, copy));
            }
            _ => {
                if let Some(c) = text.get_mut(at) {
                    *c = char::from(b' ' + u8::try_from(chance.below(95)).unwrap_or(0));
                }
            }
        }
    }
    text.into_iter().collect()
}

fn answers_every_day(edition: &Edition) {
    let (exchange, year) = (edition.exchange(), edition.year());
    let calendar = Calendar::compiled().clone().with(edition.clone());
    assert!(calendar.knows(exchange, year));
    let first = Date::new(year, 1, 1).expect("the year of a list has a first day");
    for day in first.series(Span::new().days(1)).take_while(|day| day.year() == year) {
        assert_ne!(calendar.day(exchange, day), Day::Unknown, "{day}");
        let _ = calendar.morning(&Exchange::ALL, day);
    }
}

#[test]
fn any_text_is_a_list_or_faults() {
    let (mut good, mut bad) = (0, 0);
    for seed in 0..4_000 {
        match Calendar::read(&mutant(seed)) {
            Ok(edition) => {
                good += 1;
                answers_every_day(&edition);
            }
            Err(faults) => {
                bad += 1;
                assert!(!faults.is_empty(), "seed {seed}");
                assert!(faults.iter().all(|f| f.starts_with("line ")), "seed {seed}: {faults:?}");
            }
        }
    }
    assert!(
        good > 100 && bad > 1_000,
        "{good} lists and {bad} refusals: the mutations are too mild or too wild"
    );
}

#[test]
fn a_large_text_that_is_wrong_everywhere_is_refused() {
    for piece in ["[", "{a=", "[[day]]\n", "\"", "a=1\n", "[[day]]\ndate=2026-01-26\n", "\u{feff}", "\n"] {
        let text = piece.repeat(256 * 1024 / piece.len());
        assert!(Calendar::read(&text).is_err_and(|faults| !faults.is_empty()), "{piece:?}");
    }
}

#[test]
fn a_list_stays_the_same_when_it_is_laid_over_itself() {
    for text in LISTS {
        let edition = Calendar::read(text).expect("the list is compiled in too");
        let twice = Calendar::default().with(edition.clone()).with(edition.clone());
        let once = Calendar::default().with(edition.clone());
        let first = Date::new(edition.year(), 1, 1).expect("the year has a first day");
        for day in first.series(Span::new().days(1)).take(365) {
            assert_eq!(twice.day(edition.exchange(), day), once.day(edition.exchange(), day));
        }
    }
}
