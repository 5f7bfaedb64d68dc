//! Whether the time that a wrong key takes tells how much of it is right: a t-test over two kinds of wrong keys, in pairs, and
//! over a comparison that does tell, so that the measure is seen to work. Prints one JSON object.
//!
//! `timing [--looks 100000]`. After: Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", 2016.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the host's time")]

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use firstbell::serve::{Key, Ring, Scope};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A |t| above this is a difference that chance does not make; dudect's figure.
const THRESHOLD: f64 = 4.5;
/// Calls in one look: one alone is shorter than the clock is fine.
const CALLS: u32 = 16;
/// Characters of the better key that are not right.
const GUESSED: usize = 8;
/// A busy machine makes a difference now and then; one that is there is there most times.
const ROUNDS: usize = 9;
/// Of the pairs, the quickest nine of ten count: the others measure what else the machine did.
const KEPT_PERCENT: usize = 90;

fn main() -> ExitCode {
    match measure(std::env::args().skip(1).filter(|argument| argument != "--bench")) {
        Ok((report, well)) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench/timing: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(mut arguments: impl Iterator<Item = String>) -> Outcome<(Value, bool)> {
    let looks = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => 100_000,
        (Some("--looks"), Some(looks)) => looks.parse()?,
        _ => return Err("usage: timing [--looks NUMBER]".into()),
    };
    let made = "2026-11-26T08:00:00+05:30".to_owned();
    let (key, shown) =
        Key::new(("timing", Scope::Token), None, made).map_err(|failure| failure.to_string())?;
    let ring = Ring { keys: vec![key] };
    let right = shown.expose().as_bytes().to_vec();
    let find = |shown: &[u8]| ring.find(shown).is_some();
    let [mut ours, mut nothing, mut telling] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        ours.push(t_of(looks, &right, [false, true], find));
        nothing.push(t_of(looks, &right, [false, false], find));
        telling.push(t_of(looks, &right, [false, true], |shown| {
            shown.iter().zip(&right).all(|(a, b)| black_box(a) == b)
        }));
    }
    let [ours, nothing, telling] = [ours, nothing, telling].map(middle);
    let report = json!({
        "looks": looks, "calls_in_a_look": CALLS, "rounds": ROUNDS, "threshold": THRESHOLD, "t_of_firstbell": ours,
        "t_of_two_that_know_nothing": nothing, "t_of_a_comparison_that_stops_early": telling,
    });
    Ok((report, ours < THRESHOLD && nothing < THRESHOLD && telling > THRESHOLD))
}

/// The t of the difference between two kinds of wrong keys: of a known one all but a few characters are right. They
/// are looked at one after the other, in an order that chance picks: what else the machine does meets both alike.
fn t_of(looks: usize, right: &[u8], known: [bool; 2], call: impl Fn(&[u8]) -> bool) -> f64 {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    // All are shown in one place: two places in memory differ in time by themselves.
    let (mut shown, mut anything) = (right.to_vec(), right.to_vec());
    let mut pairs = Vec::with_capacity(looks);
    for _ in 0..looks {
        let first = usize::from(chance.next() & 1 == 1);
        let times = [first, 1 - first].map(|kind| {
            // The same work for both kinds: what was done a moment ago shows in what is measured.
            for byte in shown.iter_mut().chain(&mut anything) {
                *byte = b"0123456789abcdef"[(chance.next() >> 60) as usize];
            }
            let begins = if known[kind] { right } else { &anything };
            shown[..right.len() - GUESSED].copy_from_slice(&begins[..right.len() - GUESSED]);
            let began = Instant::now();
            for _ in 0..CALLS {
                assert!(!black_box(call(black_box(&shown))), "a wrong key was taken for a right one");
            }
            began.elapsed().as_secs_f64() * 1e9
        });
        pairs.push(if first == 0 { (times[0], times[1]) } else { (times[1], times[0]) });
    }
    // The first ones warm up.
    settled(&pairs[looks / 20..])
}

/// Marsaglia's xorshift: nobody has to be surprised by it.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// The t of the pairs that count.
fn settled(pairs: &[(f64, f64)]) -> f64 {
    let mut slower: Vec<f64> = pairs.iter().map(|(a, b)| a.max(*b)).collect();
    slower.sort_by(f64::total_cmp);
    let limit = slower[slower.len() * KEPT_PERCENT / 100];
    let kept: Vec<f64> = pairs.iter().filter(|(a, b)| a.max(*b) <= limit).map(|(a, b)| a - b).collect();
    let count = kept.len() as f64;
    let mean = kept.iter().sum::<f64>() / count;
    let variance = kept.iter().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (count - 1.0);
    mean / (variance / count).sqrt()
}

/// The middle one, without its sign, to one place.
fn middle(mut found: Vec<f64>) -> f64 {
    found.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    (found[found.len() / 2].abs() * 10.0).round() / 10.0
}
