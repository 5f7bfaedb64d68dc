//! A damaged file is healed from its copy or refused, and never lost.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use firstbell::stores;
use firstbell_core::failure::Stop;

use crate::{Harm, Machine, keep_token, refusal};

const HARM: [Harm; 5] = [
    ("overwritten", |db| fs::write(db, vec![0x55; 8192]).unwrap()),
    ("emptied", |db| fs::write(db, "").unwrap()),
    ("cut in a page", |db| cut(db, |len| len / 2 + 77)),
    ("cut between pages", |db| cut(db, |len| len - 4096)),
    ("removed", |db| fs::remove_file(db).unwrap()),
];

#[test]
fn a_damaged_store_is_replaced_by_its_previous_generation() {
    for (how, harm) in HARM {
        for spent in [false, true] {
            let machine = Machine::new();
            machine.live("a", 1..4);
            keep_token(machine.open().store(), 1);
            if spent {
                machine.live("a", 4..5);
            }
            for log in ["store.db-wal", "store.db-shm"] {
                assert!(!machine.state().join(log).exists(), "nobody has it open");
            }
            harm(&machine.state().join("store.db"));
            assert_eq!(machine.open().store().current("a").unwrap().unwrap().generation, 1, "{how}");
            assert_eq!(machine.stop("a"), spent.then_some(Stop::Restored), "{how}, spent since: {spent}");
            assert_eq!(damaged(&machine), usize::from(how != "removed"), "{how}: the damaged file stays");
        }
    }
}

fn damaged(machine: &Machine) -> usize {
    let names = fs::read_dir(machine.state()).unwrap().flatten().map(|e| e.file_name());
    names.filter(|name| name.to_str().unwrap().starts_with("store.damaged-")).count()
}

#[test]
fn a_damaged_store_without_a_whole_copy_is_refused_and_stays_where_it_is() {
    let spoil: [Harm; 3] = [
        ("damaged", |copy| fs::write(copy, "x").unwrap()),
        ("of another key", |copy| {
            let other = Machine::new();
            keep_token(other.open().store(), 1);
            fs::copy(other.state().join("store.previous.db"), copy).unwrap();
        }),
        ("not there", |copy| fs::remove_file(copy).unwrap()),
    ];
    for (how, harm) in HARM {
        for (copy, spoil) in spoil {
            let machine = Machine::new();
            machine.live("a", 1..4);
            keep_token(machine.open().store(), 1);
            harm(&machine.state().join("store.db"));
            spoil(&machine.state().join("store.previous.db"));
            if copy == "not there" && matches!(how, "removed" | "emptied") {
                // It looks like a new one; the mark knows better.
                assert_eq!(machine.stop("a"), Some(Stop::Restored), "{how}");
                continue;
            }
            let before = fs::read(machine.state().join("store.db")).ok();
            refusal(stores::open(&machine.state()));
            let same = fs::read(machine.state().join("store.db")).ok() == before;
            assert!(same, "{how}, the copy {copy}");
            assert_eq!(damaged(&machine), 0);
        }
    }
}

fn cut(file: &Path, to: fn(u64) -> u64) {
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(to(file.metadata().unwrap().len())).unwrap();
}

#[test]
fn two_damaged_files_are_kept_and_eight_openers_heal_once() {
    let machine = Machine::new();
    keep_token(machine.open().store(), 1);
    for _ in 0..4 {
        fs::write(machine.state().join("store.db"), "damaged").unwrap();
        let healed: Vec<bool> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| machine.open().healed())).collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        assert_eq!(healed.iter().filter(|healed| **healed).count(), 1, "{healed:?}");
    }
    assert_eq!(damaged(&machine), 2);
}

/// Locks of SQLite belong to the process: a second opening in the same one must not take the first one's away, or another
/// process would take itself for the last one, and remove the log from under it.
#[test]
fn a_second_opening_keeps_the_locks_of_the_first() {
    let machine = Machine::new();
    let first = machine.open();
    keep_token(first.store(), 1);
    let file = fs::metadata(machine.state().join("store.db")).unwrap().ino();
    let locked = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|lock| lock.contains("POSIX") && lock.contains(&format!(":{file} ")))
    };
    assert!(locked(), "the first one holds its lock while it is open");
    drop(machine.open());
    assert!(locked());
    drop(first);
    assert!(!locked());
}
