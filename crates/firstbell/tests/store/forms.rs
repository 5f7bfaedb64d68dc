//! A store of form 1, as older programs left it, becomes one of form 2.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use firstbell::stores;
use firstbell_core::secret::Secret;
use rusqlite::Connection;

use crate::{Machine, at, keep_token, refusal};

/// The tables of form 1, word for word as they lie on disks.
const FORM_1: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE event (account TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, version INTEGER NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (account, seq)) STRICT;
    CREATE TABLE token (account TEXT NOT NULL, slot TEXT NOT NULL, api_key TEXT NOT NULL,
        generation INTEGER NOT NULL,
        issued_ms INTEGER NOT NULL, trusted_until_ms INTEGER NOT NULL, suspect_from_ms INTEGER NOT NULL,
        dead_from_ms INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (account, slot)) STRICT;
    CREATE TABLE secret (account TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (account, name)) STRICT;
    PRAGMA user_version = 1;";

/// Turns a store into what firstbell of form 1 would have left.
fn age(machine: &Machine) {
    let (new, old) = (machine.state().join("store.db"), machine.state().join("old.db"));
    let db = Connection::open(&old).unwrap();
    db.execute_batch(FORM_1).unwrap();
    db.execute("ATTACH ?1 AS new", [new.to_str().unwrap()]).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         INSERT INTO meta SELECT * FROM new.meta WHERE name = 'probe';
         INSERT INTO event SELECT account, seq, at_ms, version, body FROM new.event;
         INSERT INTO token SELECT * FROM new.token; INSERT INTO secret SELECT * FROM new.secret; DETACH new;",
    )
    .unwrap();
    drop(db);
    fs::rename(old, new).unwrap();
    fs::set_permissions(machine.state().join("store.db"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(machine.state().join("store.previous.db")).unwrap();
    fs::remove_file(machine.mark()).unwrap();
}

#[test]
fn a_store_of_form_1_becomes_one_of_form_2_once_whoever_comes() {
    let machine = Machine::new();
    machine.live("a", 1..20);
    machine.live("b", 1..3);
    keep_token(machine.open().store(), 1);
    machine.open().vault().keep("a", "password", &Secret::new("pw".into())).unwrap();
    let history = machine.open().store().history("a").unwrap();
    age(&machine);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(machine.open().store().history("a").unwrap(), history));
        }
    });
    let stores = machine.open();
    assert_eq!(stores.vault().fetch("a", "password").unwrap().unwrap().expose(), "pw");
    assert_eq!(stores.store().current("a").unwrap().unwrap().generation, 1);
    assert!(stores.store().verify("a").unwrap().flaw.is_none(), "there were no marks then");
    assert_eq!((machine.stop("a"), machine.stop("b"), machine.restorations("a")), (None, None, 0));
    machine.database().execute("UPDATE event SET at_ms = 7 WHERE seq = 2 AND account = 'b'", []).unwrap();
    assert!(stores.store().state("b").is_err());
}

#[test]
fn a_store_of_form_1_with_a_hole_or_of_another_key_is_refused_as_before() {
    let machine = Machine::new();
    machine.live("a", 1..4);
    keep_token(machine.open().store(), 1);
    age(&machine);
    let (kept, other) = (machine.back_up(), Machine::new());
    drop(other.open());
    let vault = ["identity.txt", "vault.age"];
    let copy = |from: &Path| vault.map(|name| fs::copy(from.join(name), machine.state().join(name)).unwrap());
    copy(&other.state());
    assert!(stores::open(&machine.state()).unwrap_err().to_string().contains("does not open"));
    copy(kept.path());
    machine.database().execute("DELETE FROM event WHERE seq = 3", []).unwrap();
    assert!(refusal(machine.open().store().attest("a", at(1))).contains("event 3"));
}
