//! Nobody without the key changes what happened.

use firstbell_core::budget::Cause;

use crate::postgres::Postgres;
use crate::{Machine, at, fp, keep_token, refusal};

/// A machine with a file, and one with a database.
fn kinds(server: &Postgres) -> [Machine; 2] {
    [Machine::new(), Machine::on(server)]
}

#[test]
fn no_edit_of_an_event_goes_unnoticed_and_the_stored_token_can_still_be_read() {
    let edits = [
        ("UPDATE event SET body = replace(body, 'accepted', 'rejected') WHERE seq = 4", 4),
        ("UPDATE event SET at_ms = at_ms - 1 WHERE seq = 3", 3),
        ("UPDATE event SET version = 2 WHERE seq = 5", 5),
        ("DELETE FROM event WHERE seq = 2", 2),
        ("DELETE FROM event WHERE seq = 1", 1),
        ("DELETE FROM event WHERE seq = 5; UPDATE event SET seq = seq - 1 WHERE seq > 5", 5),
        (
            "UPDATE event SET seq = -3 WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 4;
          UPDATE event SET seq = 4 WHERE seq = -3",
            3,
        ),
        ("INSERT INTO event SELECT account, 99, at_ms, version, body, link FROM event WHERE seq = 2", 9),
        ("UPDATE event SET link = x'' WHERE seq = 1", 1),
        (
            "UPDATE event SET account = 'c' WHERE account = 'a'; UPDATE event SET account = 'a' WHERE account = 'b'",
            1,
        ),
        // The end: only the mark knows that there was more.
        ("DELETE FROM event WHERE seq > 6", 7),
    ];
    let server = Postgres::start();
    for ((edit, flaw), machine) in
        edits.iter().flat_map(|edit| kinds(&server).map(|machine| (*edit, machine)))
    {
        machine.live("a", 1..4);
        machine.live("b", 1..4);
        keep_token(machine.open().store(), 1);
        assert!(machine.open().store().verify("a").unwrap().flaw.is_none());
        machine.edit(edit);
        let stores = machine.open();
        let found = stores.store().verify("a").unwrap();
        assert_eq!(found.flaw.as_ref().map(|flaw| flaw.seq), Some(flaw), "{edit}: {found:?}");
        if !edit.contains("seq > 6") {
            assert!(refusal(stores.store().attest("a", at(9))).contains(&format!("event {flaw}")), "{edit}");
            assert!(stores.store().history("a").is_err() && stores.store().state("a").is_err(), "{edit}");
        }
        assert!(stores.store().current("a").unwrap().is_some(), "{edit}");
    }
}

#[test]
fn no_edit_of_a_snapshot_goes_unnoticed() {
    let edits = [
        "UPDATE snapshot SET body = replace(body, '\"bad\":0', '\"bad\":1')",
        "UPDATE snapshot SET seq = seq + 1",
        "UPDATE snapshot SET seq = -seq",
        "UPDATE snapshot SET link = (SELECT link FROM event WHERE seq = 7)",
        "UPDATE snapshot SET tag = zeroblob(32)",
        // It stands for what is not there.
        "DELETE FROM event WHERE seq > 250",
    ];
    let server = Postgres::start();
    for (edit, machine) in edits.iter().flat_map(|edit| kinds(&server).map(|machine| (*edit, machine))) {
        machine.live("a", 1..130);
        assert!(machine.open().store().verify("a").unwrap().flaw.is_none());
        machine.edit(edit);
        let stores = machine.open();
        assert!(stores.store().verify("a").unwrap().flaw.is_some(), "{edit}");
        let refused = stores
            .store()
            .attest("a", at(0))
            .map_or(true, |s| s.budget.admits(Cause::Code, &fp("x")).is_err());
        assert!(refused, "{edit}");
    }
}
