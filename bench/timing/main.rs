//! Whether the time that a wrong key takes tells how much of it is right: Welch's t-test over two kinds of wrong keys, as dudect
//! does it, and over a comparison that does tell, so that the measure is seen to work. Prints one JSON object.
//!
//! `timing [--looks 200000]`. The method: Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", 2016.
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
/// Of the looks, the quickest nine of ten count: the others measure what else the machine did.
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

/// The t of the two kinds' times, each look of a kind that chance picks.
fn t_of(looks: usize, kinds: &[Vec<u8>; 2], call: impl Fn(&[u8]) -> bool) -> f64 {
    let mut times = [Vec::with_capacity(looks), Vec::with_capacity(looks)];
    let mut chance = 0x9E37_79B9_7F4A_7C15_u64;
    for look in 0..looks {
        // xorshift: which kind it is must not follow a rhythm of the machine.
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let kind = usize::from(chance & 1 == 1);
        let began = Instant::now();
        for _ in 0..CALLS {
            assert!(!black_box(call(black_box(&kinds[kind]))), "a wrong key was taken for a right one");
        }
        let taken = began.elapsed();
        // The first ones warm up.
        if look > looks / 20 {
            times[kind].push(taken.as_secs_f64() * 1e9);
        }
    }
    let [(mean_a, spread_a), (mean_b, spread_b)] = times.map(settled);
    (mean_a - mean_b) / (spread_a + spread_b).sqrt()
}

/// The mean of the times that count, and its variance.
fn settled(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    times.truncate((times.len() * KEPT_PERCENT / 100).max(2));
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

fn round(t: f64) -> f64 {
    (t * 10.0).round() / 10.0
}
