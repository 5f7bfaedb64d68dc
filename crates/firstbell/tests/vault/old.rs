//! What earlier versions left, a key file and sealed rows, goes into the vault, wherever that is broken off.

use std::fs;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rusqlite::Connection;
use sha2::Sha256;

use crate::support::private;
use crate::{Machine, fetched, opened_by_age, secret};

/// What a vault is made of.
const FILES: [&str; 3] = ["vault.age", "vault.previous.age", "identity.txt"];

/// Seals as those versions did.
fn seal(root: &[u8], place: &str, text: &str) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(root).unwrap();
    mac.update(b"firstbell seal v1");
    let cipher = XChaCha20Poly1305::new_from_slice(&mac.finalize().into_bytes()).unwrap();
    let nonce = [7; 24];
    let sealed =
        cipher.encrypt(&XNonce::from(nonce), Payload { msg: text.as_bytes(), aad: place.as_bytes() });
    [&nonce[..], &sealed.unwrap()].concat()
}

/// A state folder as those versions left it, with two secrets.
fn old() -> Machine {
    let machine = Machine::new();
    drop(machine.open());
    let seen = opened_by_age(&machine.file("vault.age"), &machine.file("identity.txt"));
    let root = data_encoding::HEXLOWER.decode(seen["store_key"].as_str().unwrap().as_bytes()).unwrap();
    fs::write(machine.file("key"), &root).unwrap();
    private(&machine.file("key"));
    let db = Connection::open(machine.file("store.db")).unwrap();
    for (name, text) in [("password", "pw"), ("api_secret", "sé\0cret")] {
        let sealed = seal(&root, &format!("secret/a/{name}"), text);
        db.execute("INSERT INTO secret VALUES ('a', ?1, ?2)", rusqlite::params![name, sealed]).unwrap();
    }
    FILES.iter().for_each(|name| fs::remove_file(machine.file(name)).unwrap());
    machine
}

fn rows(machine: &Machine, file: &str) -> i64 {
    let db = Connection::open(machine.file(file)).unwrap();
    db.query_row("SELECT count(*) FROM secret", [], |row| row.get(0)).unwrap()
}

fn is_moved(machine: &Machine) {
    let stores = machine.open();
    assert_eq!(fetched(stores.vault(), "a", "password").as_deref(), Some("pw"));
    assert_eq!(fetched(stores.vault(), "a", "api_secret").as_deref(), Some("sé\0cret"));
    drop(stores);
    assert!(!machine.file("key").exists(), "the key lies in the clear");
    assert_eq!((rows(machine, "store.db"), rows(machine, "store.previous.db")), (0, 0));
}

#[test]
fn an_old_store_is_taken_over_by_whoever_comes() {
    let machine = old();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                assert_eq!(fetched(machine.open().vault(), "a", "password").as_deref(), Some("pw"))
            });
        }
    });
    is_moved(&machine);
    // What is forgotten afterwards does not come back from anywhere.
    machine.open().vault().forget("a", "password").unwrap();
    assert_eq!(fetched(machine.open().vault(), "a", "password"), None);
}

#[test]
fn broken_off_between_any_two_steps_it_goes_on() {
    // The identity is there, and no vault.
    let machine = old();
    let identity = firstbell::age::Identity::random();
    fs::write(machine.file("identity.txt"), identity.text().expose()).unwrap();
    private(&machine.file("identity.txt"));
    is_moved(&machine);
    assert!(fs::read_to_string(machine.file("identity.txt")).unwrap() == identity.text().expose());
    // The vault is there; the rows and the key are not gone yet.
    let machine = old();
    let (key, store) = (fs::read(machine.file("key")).unwrap(), fs::read(machine.file("store.db")).unwrap());
    is_moved(&machine);
    fs::write(machine.file("key"), &key).unwrap();
    private(&machine.file("key"));
    is_moved(&machine);
    for log in ["store.db-wal", "store.db-shm"] {
        assert!(!machine.file(log).exists());
    }
    fs::write(machine.file("store.db"), store).unwrap();
    is_moved(&machine);
}

#[test]
fn an_old_key_that_is_not_right_is_refused_as_before_and_a_strangers_is_left_alone() {
    let machine = old();
    let key = fs::read(machine.file("key")).unwrap();
    fs::write(machine.file("key"), &key[..31]).unwrap();
    assert!(machine.refusal().to_string().contains("has 31 bytes, not 32"));
    fs::set_permissions(machine.file("key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(machine.refusal().to_string().contains("mode 600"));
    fs::remove_file(machine.file("key")).unwrap();
    assert!(machine.refusal().to_string().contains("vault.age is gone"));
    assert!(FILES.iter().all(|name| !machine.file(name).exists()), "nothing was made");
    fs::write(machine.file("key"), &key).unwrap();
    private(&machine.file("key"));
    is_moved(&machine);
    fs::write(machine.file("key"), [9; 32]).unwrap();
    private(&machine.file("key"));
    machine.open().vault().keep("a", "x", &secret("y")).unwrap();
    assert!(machine.file("key").exists());
}
