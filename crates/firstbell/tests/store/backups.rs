//! An older history than the last one seen counts as spent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use firstbell::ports::TokenChange;
use firstbell::stores::Place;
use firstbell_core::event::Event;
use firstbell_core::failure::Stop;

use crate::postgres::Postgres;
use crate::{Harm, Machine, at, intent};

#[test]
fn a_restored_backup_counts_as_spent_until_the_owner_says_otherwise() {
    let machine = Machine::new();
    machine.live("a", 1..3);
    let backup = machine.back_up();
    assert_eq!(machine.stop("a"), None);
    machine.live("a", 3..4);
    machine.restore(&backup);
    let flaw = machine.open().store().verify("a").unwrap().flaw.unwrap();
    assert_eq!(flaw.seq, 5, "{flaw:?}");
    assert_eq!(machine.stop("a"), Some(Stop::Restored));
    // Once, and for good: the mark is brought up, and the event is durable.
    assert_eq!((machine.stop("a"), machine.restorations("a")), (Some(Stop::Restored), 1));
    let state = machine.open().store().state("a").unwrap();
    assert_eq!(state.budget.last_step, Some(u64::try_from(at(50_000).as_second()).unwrap() / 30));
    machine.open().store().record("a", &[(at(50_001), Event::Unlocked)], TokenChange::Keep).unwrap();
    assert_eq!((machine.stop("a"), machine.restorations("a")), (None, 1));
    assert_eq!(machine.open().store().state("a").unwrap().budget.last_step, state.budget.last_step);
}

/// Also where the restored history has grown past the mark, and for every account of the store.
#[test]
fn each_account_of_a_restored_store_is_in_doubt_and_another_history_is_not_a_longer_one() {
    let machine = Machine::new();
    machine.live("a", 1..3);
    machine.live("b", 1..3);
    let backup = machine.back_up();
    machine.live("a", 3..4);
    machine.live("b", 3..4);
    let mark = fs::read(machine.mark()).unwrap();
    machine.restore(&backup);
    fs::remove_file(machine.mark()).unwrap();
    for account in ["a", "b"] {
        assert_eq!(machine.stop(account), Some(Stop::Restored), "the mark is gone");
    }
    machine.open().store().record("a", &[(at(60_000), Event::Unlocked)], TokenChange::Keep).unwrap();
    machine.live("a", 4..9);
    fs::write(machine.mark(), mark).unwrap();
    assert_eq!(machine.stop("a"), Some(Stop::Restored), "the mark saw another event at its place");
    assert_eq!((machine.stop("b"), machine.restorations("b")), (Some(Stop::Restored), 2));
}

#[test]
fn a_mark_that_is_missing_or_means_nothing_counts_as_a_restored_backup() {
    let spoil: [Harm; 5] = [
        ("removed", |mark| fs::remove_file(mark).unwrap()),
        ("empty", |mark| fs::write(mark, "").unwrap()),
        ("no text", |mark| fs::write(mark, [0xff; 40]).unwrap()),
        ("forged", |mark| {
            let text = fs::read_to_string(mark).unwrap();
            fs::write(mark, text.replacen("\"seq\":4", "\"seq\":2", 1)).unwrap();
        }),
        ("of another key", |mark| {
            let other = Machine::new();
            other.live("a", 1..3);
            fs::copy(other.mark(), mark).unwrap();
        }),
    ];
    for (how, spoil) in spoil {
        let machine = Machine::new();
        machine.live("a", 1..3);
        spoil(&machine.mark());
        assert!(machine.open().store().verify("a").unwrap().flaw.is_some(), "{how}");
        // A record without a look before it must not heal the mark.
        assert!(
            machine.open().store().record("a", &[(at(1), intent(9))], TokenChange::Keep).is_err(),
            "{how}"
        );
        assert_eq!(machine.stop("a"), Some(Stop::Restored), "{how}");
        // An account that the new mark does not know may have lost something too.
        assert_eq!(machine.stop("new"), Some(Stop::Restored), "{how}");
        assert!(machine.open().store().verify("a").unwrap().flaw.is_none(), "{how}");
    }
    let machine = Machine::new();
    machine.live("a", 1..3);
    fs::remove_dir_all(machine.state()).unwrap();
    assert_eq!(machine.stop("a"), Some(Stop::Restored), "a state folder that was deleted forgets nothing");
}

#[test]
fn a_mark_that_stays_behind_a_commit_is_no_finding() {
    let machine = Machine::new();
    machine.live("a", 1..3);
    let mark = fs::read(machine.mark()).unwrap();
    machine.live("a", 3..4);
    fs::write(machine.mark(), mark).unwrap();
    assert!(machine.open().store().verify("a").unwrap().flaw.is_none());
    assert_eq!((machine.stop("a"), machine.restorations("a")), (None, 0));
}

#[test]
fn without_a_place_for_the_mark_nothing_is_spent() {
    let machine = Machine::new();
    let place = |mark: PathBuf| Place { mark, ..Place::of(&machine.state()) };
    fs::create_dir(machine.0.path().join("taken")).unwrap();
    let link = machine.0.path().join("link");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for mark in [machine.0.path().join("no/such/mark"), machine.0.path().join("taken"), link] {
        let stores = place(mark.clone()).open().unwrap();
        let failure = stores.store().attest("a", at(1)).unwrap_err();
        assert!(failure.to_string().contains(&mark.display().to_string()), "{failure}");
        assert!(failure.cure().contains("mark ="), "{}", failure.cure());
        assert!(stores.store().history("a").unwrap().is_empty());
    }
    machine.live("a", 1..2);
    let mode = fs::metadata(machine.mark()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A restored database is seen by every node that saw more of it; a node that is new to it saw nothing, and one that lost its mark
/// does not know.
#[test]
fn each_node_sees_that_a_shared_store_was_turned_back() {
    let server = Postgres::start();
    let mut first = Machine::on(&server);
    first.live("a", 1..3);
    let mut second = Machine::beside(&first);
    assert_eq!((second.stop("a"), second.restorations("a")), (None, 0), "a node that joins");
    second.live("a", 3..4);
    let backup = server.database(first.1.as_deref());
    first.live("a", 4..5);
    assert_eq!(second.stop("a"), None, "what the other one did is no news of a backup");
    for machine in [&mut first, &mut second] {
        machine.1 = Some(backup.clone());
    }
    assert_eq!(first.open().store().verify("a").unwrap().flaw.unwrap().seq, 7);
    assert_eq!(first.stop("a"), Some(Stop::Restored));
    assert_eq!((second.stop("a"), second.restorations("a")), (Some(Stop::Restored), 2));
    second.record("a", at(60_000), Event::Unlocked);
    assert_eq!((first.stop("a"), second.stop("a")), (None, None));
    fs::remove_file(second.mark()).unwrap();
    assert_eq!((first.stop("a"), second.stop("a")), (None, Some(Stop::Restored)));
}
