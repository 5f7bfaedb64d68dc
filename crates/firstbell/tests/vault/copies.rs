//! The vault and its copy: what the owner sees with his own program, damage, and files that are not as they should be.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use firstbell::stores::Place;

use crate::{Machine, age, fetched, keygen, opened_by_age, secret, try_age};

type Harm = (&'static str, fn(&Path));

const HARM: [Harm; 5] = [
    ("emptied", |path| fs::write(path, "").unwrap()),
    ("cut", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }),
    ("a bit of its head", |path| flip(path, 30)),
    ("a bit of its body", |path| flip(path, usize::MAX)),
    ("removed", |path| fs::remove_file(path).unwrap()),
];
const FOREIGN: Harm = ("somebody else's", |path| {
    let other = Machine::with_password("other");
    fs::copy(other.file("vault.age"), path).unwrap();
});

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn its_owner_opens_it_with_his_own_program() {
    let machine = Machine::with_password("pässwörd \"1\"\n");
    let (mine, recipient) = keygen(machine.0.path(), "mine");
    assert!(
        try_age(&["-d", "-i", mine.to_str().unwrap(), machine.file("vault.age").to_str().unwrap()], b"")
            .is_err()
    );
    let recipients = vec![recipient.parse_recipient()];
    let stores = Place { recipients, ..Place::of(&machine.state()) }.open().unwrap();
    stores.vault().keep("b", "token", &secret("42")).unwrap();
    for (vault, identity) in
        [("vault.age", mine.clone()), ("vault.previous.age", machine.file("identity.txt"))]
    {
        let seen = opened_by_age(&machine.file(vault), &identity);
        let rows: Vec<_> =
            seen["secrets"].as_array().unwrap().iter().map(|row| (&row["owner"], &row["value"])).collect();
        assert_eq!(rows[0].0, "a");
        assert_eq!(rows[0].1, "pässwörd \"1\"\n");
        assert_eq!((rows[1].1.as_str(), rows.len()), (Some("42"), 2));
        assert_eq!(seen["store_key"].as_str().unwrap().len(), 64);
    }
    for name in ["vault.age", "vault.previous.age", "identity.txt", "vault.lock"] {
        let mode = fs::metadata(machine.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // What he writes with it, we read.
    let identity = machine.file("identity.txt");
    let plain = age(&["-d", "-i", mine.to_str().unwrap(), machine.file("vault.age").to_str().unwrap()], b"");
    let plain = String::from_utf8(plain).unwrap().replace("\"42\"", "\"43\"");
    let own = fs::read_to_string(&identity).unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    for armor in [&[][..], &["-a"]] {
        fs::write(machine.file("vault.age"), age(&[&["-r", own], armor].concat(), plain.as_bytes())).unwrap();
        assert_eq!(fetched(machine.open().vault(), "b", "token").as_deref(), Some("43"));
    }
}

trait ParseRecipient {
    fn parse_recipient(&self) -> firstbell::age::Recipient;
}

impl ParseRecipient for String {
    fn parse_recipient(&self) -> firstbell::age::Recipient {
        firstbell::age::Recipient::parse(self).unwrap()
    }
}

#[test]
fn a_damaged_vault_is_healed_from_its_copy_once() {
    for (how, harm) in HARM {
        let machine = Machine::with_password("pw");
        let living = machine.open();
        harm(&machine.file("vault.age"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    assert_eq!(
                        fetched(machine.open().vault(), "a", "password").as_deref(),
                        Some("pw"),
                        "{how}"
                    )
                });
            }
        });
        assert_eq!(machine.file("vault.damaged.age").exists(), how != "removed", "{how}");
        assert_eq!(fetched(living.vault(), "a", "password").as_deref(), Some("pw"), "{how}");
        living.vault().keep("a", "password", &secret("new")).unwrap();
        assert_eq!(fetched(machine.open().vault(), "a", "password").as_deref(), Some("new"), "{how}");
    }
}

#[test]
fn without_a_whole_copy_it_is_refused_and_stays_where_it_is() {
    let all = [&HARM[..], &[FOREIGN]].concat();
    for (how, harm) in &all {
        for (copy, spoil) in &all {
            let machine = Machine::with_password("pw");
            harm(&machine.file("vault.age"));
            spoil(&machine.file("vault.previous.age"));
            let before = fs::read(machine.file("vault.age")).ok();
            let failure = machine.refusal();
            assert!(failure.cure().contains("backup"), "{how}, the copy {copy}: {failure}");
            assert_eq!(fs::read(machine.file("vault.age")).ok(), before, "{how}, the copy {copy}");
            assert!(machine.file("store.db").exists() && machine.file("identity.txt").exists());
        }
    }
}

/// Somebody may have laid it there on purpose, and forgotten the key: a copy that opens is no reason to take his file away.
#[test]
fn somebody_else_s_vault_is_refused_and_stays_where_it_is() {
    let machine = Machine::with_password("pw");
    let living = machine.open();
    let (path, own) = (machine.file("vault.age"), fs::read(machine.file("vault.age")).unwrap());
    FOREIGN.1(&path);
    let theirs = fs::read(&path).unwrap();
    let identity = fs::read_to_string(machine.file("identity.txt")).unwrap();
    let recipient = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let refusals = [
        machine.refusal(),
        living.vault().fetch("a", "password").unwrap_err(),
        living.vault().keep("a", "password", &secret("new")).unwrap_err(),
        living.vault().forget("a", "password").unwrap_err(),
        living.proves_key().unwrap_err(),
    ];
    for failure in refusals {
        let (said, cure) = (failure.to_string(), failure.cure().to_string());
        assert!(said.contains("somebody else's file") && said.contains(recipient), "{said}");
        assert!(cure.contains("identity.txt") && cure.contains("vault.previous.age opens"), "{cure}");
    }
    assert_eq!(fs::read(&path).unwrap(), theirs);
    assert_eq!(fs::read(machine.file("vault.previous.age")).unwrap(), own);
    assert!(!machine.file("vault.damaged.age").exists());
    // What the sentence says helps.
    fs::remove_file(&path).unwrap();
    assert_eq!(fetched(machine.open().vault(), "a", "password").as_deref(), Some("pw"));
}

/// As a kill between the two writings leaves it, or a disk that is full for the second one.
#[test]
fn what_was_forgotten_by_halves_is_gone_after_the_next_opening_and_the_next_change() {
    let ways: [fn(&Machine, &firstbell::stores::Stores); 2] = [
        |machine, _| drop(machine.open()),
        |_, living| assert!(!living.vault().forget("a", "password").unwrap()),
    ];
    for way in ways {
        let machine = Machine::with_password("pw");
        let (vault, previous) = (machine.file("vault.age"), machine.file("vault.previous.age"));
        let stores = machine.open();
        let before = fs::read(&previous).unwrap();
        stores.vault().forget("a", "password").unwrap();
        fs::write(&previous, before).unwrap();
        way(&machine, &stores);
        assert_eq!(fs::read(&vault).unwrap(), fs::read(&previous).unwrap());
        let seen = opened_by_age(&previous, &machine.file("identity.txt"));
        assert_eq!(seen["secrets"], serde_json::json!([]));
    }
}

#[test]
fn what_is_forgotten_is_gone_from_the_copy_too() {
    let machine = Machine::with_password("pw");
    let stores = machine.open();
    assert!(stores.vault().forget("a", "password").unwrap());
    fs::remove_file(machine.file("vault.age")).unwrap();
    assert_eq!(fetched(machine.open().vault(), "a", "password"), None);
}

#[test]
fn links_open_modes_and_other_owners_are_refused() {
    for name in ["vault.age", "identity.txt"] {
        let machine = Machine::with_password("pw");
        let (path, away) = (machine.file(name), machine.0.path().join("away"));
        for mode in [0o640, 0o604, 0o660, 0o622] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(machine.refusal().to_string().contains("mode 600"), "{name} {mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::rename(&path, &away).unwrap();
        symlink(&away, &path).unwrap();
        machine.refusal();
        fs::remove_file(&path).unwrap();
        fs::rename(&away, &path).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4_321), None).unwrap();
            machine.refusal();
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
        assert_eq!(fetched(machine.open().vault(), "a", "password").as_deref(), Some("pw"), "{name}");
    }
}

#[test]
fn eight_first_openers_make_one_vault_and_many_writers_lose_nothing() {
    let machine = Machine::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let machine = &machine;
            scope.spawn(move || {
                for name in ["x", "y", "z"] {
                    machine.open().vault().keep(&format!("{number}"), name, &secret(name)).unwrap();
                }
            });
        }
    });
    let stores = machine.open();
    for number in 0..8 {
        for name in ["x", "y", "z"] {
            assert_eq!(fetched(stores.vault(), &number.to_string(), name).as_deref(), Some(name));
        }
    }
}
