//! The memory of a process, as root reads it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::scanner::{Find, Scanner};

const CHUNK: usize = 1 << 16;
/// Chunks overlap by more than any form of a secret that is looked for.
const OVERLAP: usize = 512;

/// A copy of what a process holds and could have changed. The look at it takes longer than a login may wait.
#[derive(Default)]
pub struct Memory(Vec<Vec<u8>>);

impl Memory {
    /// Of a process that is gone there is nothing.
    pub fn of(id: u32) -> Memory {
        let (Ok(memory), Ok(maps)) =
            (File::open(format!("/proc/{id}/mem")), fs::read_to_string(format!("/proc/{id}/smaps")))
        else {
            return Memory::default();
        };
        let mut parts = Vec::new();
        for (from, to) in resident(&maps) {
            let mut at = from;
            while at < to {
                let mut bytes = vec![0; usize::try_from(to - at).unwrap().min(CHUNK + OVERLAP)];
                // What is not there any more, and what was never written, holds nothing.
                if memory.read_exact_at(&mut bytes, at).is_ok() && bytes != vec![0; bytes.len()] {
                    parts.push(bytes);
                }
                at += CHUNK as u64;
            }
        }
        Memory(parts)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the secrets that stand in it.
    pub fn search(&self, scanner: &Scanner) -> BTreeSet<String> {
        let finds = self.0.iter().flat_map(|bytes| scanner.search("memory", bytes));
        finds.map(|Find { secret, .. }| secret).collect()
    }
}

/// The parts that may be written and of which anything is there at all.
fn resident(maps: &str) -> Vec<(u64, u64)> {
    let mut parts = Vec::new();
    let mut part = None;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if let Some((from, to)) = first.split_once('-') {
            let hex = |text| u64::from_str_radix(text, 16).unwrap();
            part = second.starts_with("rw").then(|| (hex(from), hex(to)));
        } else if first == "Rss:" && second != "0" {
            parts.extend(part.take());
        }
    }
    parts
}
