//! Tells what was measured: as a table on stdout, and into bench/README.md when asked.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::ticks::Ticks;

const BEGIN: &str = "<!-- kitesim's table: cargo bench -p kitesim --bench kitesim -- --write replaces everything down to the next mark. -->";
const END: &str = "<!-- kitesim's table ends. -->";

/// Everything that was measured.
pub(crate) struct Measured {
    /// Profile calls a second.
    pub(crate) profiles: f64,
    /// Whole logins a second.
    pub(crate) logins: f64,
    pub(crate) ticks: Ticks,
    /// A year of daily logins.
    pub(crate) year: Duration,
    /// The most memory of the whole run, in MiB.
    pub(crate) most_memory: f64,
}

/// Prints the table, and writes it down if asked; true when every target is met.
pub(crate) fn tell(measured: &Measured, write: bool) -> Outcome<bool> {
    let ticks = &measured.ticks;
    let year_s = measured.year.as_secs_f64();
    let full = ticks.connections as f64 * 0.98;
    let rows = [
        ("profile calls a second", "≥ 20,000", thousands(measured.profiles), measured.profiles >= 20_000.0),
        (
            "whole logins over HTTP a second",
            "≥ 2,000",
            thousands(measured.logins),
            measured.logins >= 2_000.0,
        ),
        ("ticks: frames a second", "64", format!("{:.1}", ticks.frames), ticks.frames >= full),
        ("ticks: cores", "< 0.5", format!("{:.2}", ticks.cores), ticks.cores < 0.5),
        ("ticks: memory at most, MiB", "< 100", format!("{:.0}", ticks.memory), ticks.memory < 100.0),
        ("a year of daily logins, s", "< 10", format!("{year_s:.2}"), year_s < 10.0),
    ];
    let mut text = format!("{}\n\n| what | target | reached |     |\n|---|---:|---:|---|\n", machine());
    for (what, target, reached, met) in &rows {
        let met = if *met { "met" } else { "missed" };
        text += &format!("| {what} | {target} | {reached} | {met} |\n");
    }
    text += &format!(
        "\nTicks: {} connections, each with {} shares in full mode, {:.1} MB a second in all. Memory of the whole run at \
         most {:.0} MiB.\n",
        ticks.connections,
        ticks.instruments,
        ticks.frames * f64::from(ticks.instruments) * 186.0 / 1e6,
        measured.most_memory
    );
    writeln!(io::stdout().lock(), "{text}")?;
    if write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/README.md");
        let old = fs::read_to_string(&path)?;
        let (before, rest) = old.split_once(BEGIN).ok_or("bench/README.md has lost its mark")?;
        let (_, after) = rest.split_once(END).ok_or("bench/README.md has lost its second mark")?;
        fs::write(&path, format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))?;
    }
    Ok(rows.iter().all(|(.., met)| *met))
}

pub(crate) fn say_to_stderr(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}

/// The day and the machine.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("?", |(_, m)| m);
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let kernel = kernel.trim();
    format!(
        "{day}. {model}, {cores} cores, Linux {kernel}; the load of the machine at the end, this benchmark included: {load}."
    )
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
