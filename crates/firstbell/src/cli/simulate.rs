//! `firstbell simulate`: random lives of one account against the real decisions, on every core, and what they came to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use clap::Args;
use firstbell_core::days::{self, Breach, LIFE_DAYS, MISSES, Report};
use serde_json::{Value, json};

use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::ports::Clock;

/// Days that are lived where nobody says how many.
const USUAL_DAYS: u64 = 100_000;

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// How many days, in lives of 250 [default: 100000; with --tell 250].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    days: Option<u64>,
    /// The seed of the first life; the next life has the next one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tell one life, line by line.
    #[arg(long)]
    tell: bool,
    /// How many threads live [default: as many as there are cores]. The report is the same.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
}

pub(super) fn run(args: &SimulateArgs, as_json: bool) -> Exit {
    if args.tell {
        return tell(args, as_json);
    }
    let total = args.days.unwrap_or(USUAL_DAYS);
    let threads = args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| u64::try_from(cores.get()).unwrap_or(1)),
        u64::from,
    );
    let clock = MachineClock::start();
    let outcome = live(args.seed, total, threads);
    let took_ms = clock.run_ms().max(1);
    match outcome {
        Ok(report) => {
            // Not a part of the report: that is the same at every run.
            say::error(&format!(
                "{} days in {} (--threads {threads}): {} days a second",
                grouped(total),
                say::seconds(took_ms),
                grouped(total.saturating_mul(1_000) / took_ms)
            ));
            print(&report, args.seed, as_json)
        }
        Err(breach) => broken(&breach),
    }
}

fn tell(args: &SimulateArgs, as_json: bool) -> Exit {
    let asked = args.days.unwrap_or(LIFE_DAYS.into());
    let Some(total) = u32::try_from(asked).ok().filter(|total| *total <= LIFE_DAYS) else {
        return Exit::usage(&format!("--tell tells one life: --days must be {LIFE_DAYS} at most"));
    };
    let mut told = Vec::new();
    let outcome = days::tell(args.seed, total, &mut |line| {
        if as_json { told.push(line) } else { say::out(&line) }
    });
    let exit = match outcome {
        Ok(report) => print(&report, args.seed, as_json),
        Err(breach) => broken(&breach),
    };
    if as_json { exit.with(json!({ "told": told })) } else { exit }
}

/// Lives so many days, each life on whichever thread is free. A sum does not depend on the order of its parts, and lives
/// are begun in the order of their seeds: so the breach of the least seed is found whatever the threads do.
fn live(seed: u64, total: u64, threads: u64) -> Result<Report, Breach> {
    let (next, breached) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let lives = total.div_ceil(LIFE_DAYS.into());
    let some_lives = || {
        let mut report = Report::default();
        loop {
            let life = next.fetch_add(1, Ordering::Relaxed);
            if life >= lives || life > breached.load(Ordering::Relaxed) {
                return Ok(report);
            }
            let left = total - life * u64::from(LIFE_DAYS);
            let length = u32::try_from(left).map_or(LIFE_DAYS, |left| left.min(LIFE_DAYS));
            match days::live(seed.wrapping_add(life), length) {
                Ok(one) => report.add(&one),
                Err(breach) => {
                    breached.fetch_min(life, Ordering::Relaxed);
                    return Err((life, breach));
                }
            }
        }
    };
    let parts: Vec<Result<Report, (u64, Breach)>> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads.min(lives)).map(|_| scope.spawn(some_lives)).collect();
        running.into_iter().map(|one| one.join().expect("a life that fails ends with a breach")).collect()
    });
    let mut sum = Report::default();
    let mut first: Option<(u64, Breach)> = None;
    for part in parts {
        match part {
            Ok(report) => sum.add(&report),
            Err(found) => first = first.into_iter().chain([found]).min_by_key(|(life, _)| *life),
        }
    }
    first.map_or(Ok(sum), |(_, breach)| Err(breach))
}

fn broken(breach: &Breach) -> Exit {
    let (seed, day, what) = (breach.seed, breach.day, &breach.what);
    Exit::internal(&breach.to_string()).with(json!({ "seed": seed, "day": day, "breach": what }))
}

fn print(report: &Report, seed: u64, as_json: bool) -> Exit {
    if !as_json {
        say::out(&table(report));
    }
    let missed: Vec<Value> = MISSES
        .iter()
        .zip(report.missed)
        .map(|(cause, mornings)| json!({ "because": cause, "mornings": mornings }))
        .collect();
    Exit::done(json!({
        "seed": seed,
        "days": report.days,
        "mornings": report.mornings,
        "in_time": report.in_time,
        "missed": missed,
        "logins": report.logins,
        "submissions": report.submissions,
        "failed": report.failed,
        "probes": report.probes,
        "blows": report.blows,
    }))
}

fn table(report: &Report) -> String {
    let row = |name: &str, number: u64| format!("{name:<50}{:>14}", grouped(number));
    let mut lines = vec![
        row("days", report.days),
        row("mornings with a deadline", report.mornings),
        row("  a good token in time", report.in_time),
    ];
    lines.extend(MISSES.iter().zip(report.missed).map(|(cause, n)| row(&format!("  none: {cause}"), n)));
    lines.extend([
        row("logins", report.logins),
        row("  that ended without a token", report.failed),
        row("submissions of a credential", report.submissions),
        row("questions about a token", report.probes),
        row("deaths, sleeps, wrong clocks, old backups", report.blows),
    ]);
    lines.join("\n")
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_the_same_on_any_number_of_threads() {
        let one = live(7, 2_600, 1).unwrap();
        assert_eq!(one.days, 2_600);
        assert_eq!(live(7, 2_600, 4).unwrap(), one);
        let mut sum = Report::default();
        for life in 0..11 {
            sum.add(&days::live(7 + life, if life < 10 { 250 } else { 100 }).unwrap());
        }
        assert_eq!(sum, one);
    }

    #[test]
    fn a_breach_ends_with_its_code_and_says_how_it_is_replayed() {
        let exit = broken(&Breach { seed: 9, day: 70, what: "two logins at once".into() });
        assert_eq!(exit.code(), 7);
        let report = exit.report();
        assert!(report["message"].as_str().unwrap().ends_with("firstbell simulate --seed 9 --days 70"));
        assert_eq!((&report["seed"], &report["day"]), (&json!(9), &json!(70)));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
