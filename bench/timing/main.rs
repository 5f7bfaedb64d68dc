//! Whether the time that a wrong key takes tells how much of it is right: a t-test over two kinds of wrong keys, in pairs, and
//! over a comparison that does tell, so that the measure is seen to work. Prints one JSON object.
//!
//! `timing [--looks 200000]`. After: Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", 2016.
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
        (None, _) => 200_000,
        (Some("--looks"), Some(looks)) => looks.parse()?,
        _ => return Err("usage: timing [--looks NUMBER]".into()),
    };
    let made = "2026-11-26T08:00:00+05:30".to_owned();
    let (key, shown) =
        Key::new(("timing", Scope::Token), None, made).map_err(|failure| failure.to_string())?;
    let ring = Ring { keys: vec![key] };
    let right = shown.expose().as_bytes().to_vec();
    // Wrong in its first character, and wrong in its last one only.
    let wrong = |at: usize| {
        let mut wrong = right.clone();
        wrong[at] ^= 1;
        wrong
    };
    let kinds = [wrong(0), wrong(right.len() - 1)];
    let ours = t_of(looks, &kinds, |shown| ring.find(shown).is_some());
    let telling = t_of(looks, &kinds, |shown| shown.iter().zip(&right).all(|(a, b)| black_box(a) == b));
    let report = json!({
        "looks": looks, "calls_in_a_look": CALLS, "threshold": THRESHOLD,
        "t_of_firstbell": round(ours), "t_of_a_comparison_that_stops_early": round(telling),
    });
    Ok((report, ours.abs() < THRESHOLD && telling.abs() > THRESHOLD))
}

/// The t of the difference between the two kinds, which are looked at one after the other, in an order that chance picks: what
/// else the machine does meets both alike.
fn t_of(looks: usize, kinds: &[Vec<u8>; 2], call: impl Fn(&[u8]) -> bool) -> f64 {
    // Both are shown in one place: two places in memory differ in time by themselves.
    let mut shown = kinds[0].clone();
    let mut look = |kind: usize| {
        shown.copy_from_slice(&kinds[kind]);
        let began = Instant::now();
        for _ in 0..CALLS {
            assert!(!black_box(call(black_box(&shown))), "a wrong key was taken for a right one");
        }
        began.elapsed().as_secs_f64() * 1e9
    };
    let mut chance = 0x9E37_79B9_7F4A_7C15_u64;
    let mut pairs = Vec::with_capacity(looks);
    for _ in 0..looks {
        // xorshift
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let first = usize::from(chance & 1 == 1);
        let (a, b) = (look(first), look(1 - first));
        pairs.push(if first == 0 { (a, b) } else { (b, a) });
    }
    // The first ones warm up.
    settled(&pairs[looks / 20..])
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

fn round(t: f64) -> f64 {
    (t * 10.0).round() / 10.0
}
