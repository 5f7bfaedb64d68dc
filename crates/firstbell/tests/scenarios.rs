//! Canaries through every bad day that the simulator has ready, with a browser and without, under full logs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/folders.rs"]
mod folders;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bench::{Bench, Ran};
use support::{DRIVERS, ended};

/// What the simulator has ready of bad days, but for what needs its certificates or a hand that lets go.
fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kitesim/scenarios");
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_for_us = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        path.extension() == Some(OsStr::new("toml"))
            && !text.contains("needs --tls")
            && !text.contains("\"hold\"")
    };
    let mut all: Vec<PathBuf> = all.filter(is_for_us).collect();
    all.sort();
    assert!(all.len() > 50, "{all:?}");
    all
}

/// Each one without a browser and in one. Several at a time: most of a bad day is waiting.
#[test]
fn every_scenario_of_the_simulator() {
    let days = scenarios().into_iter().flat_map(|path| DRIVERS.map(|driver| (path.clone(), driver)));
    let days = Mutex::new(days.collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((path, driver)) = { days.lock().unwrap().pop() } {
                    let mut bench = Bench::under(driver, &["--faults", path.to_str().unwrap()]);
                    let ended = ended(bench.login().output().unwrap());
                    let seen = bench.sim.seen();
                    assert!(
                        seen["requests"].as_array().is_some_and(|all| !all.is_empty()),
                        "{path:?}: {ended:?}"
                    );
                    let ran = Ran { ended, samples: Vec::new(), id: 0, gives_token: false };
                    bench.nothing_shows_of_login(&path.display().to_string(), vec![ran]);
                }
            });
        }
    });
}
