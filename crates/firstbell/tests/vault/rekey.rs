//! New keys under what lives: the history, the tokens, the mark and the fingerprints stay; killed anywhere it is old or new; a daemon
//! goes on.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firstbell::age::Identity;
use firstbell::ports::{Store, TokenChange};
use firstbell::stores::{self, Opener, Place};
use firstbell_core::budget::{Cause, Verdict};
use firstbell_core::event::Event;
use firstbell_core::state::State;
use firstbell_core::token::{Access, Flush, Life, Token};
use jiff::Timestamp;
use serde_json::json;

use crate::daemon::{Daemon, configure_due, now};
use crate::kills::random_instant;
use crate::support::{Home, Sim, marker};
use crate::{Machine, fetched, keygen, opened_by_age, secret};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_404_600 + second).unwrap()
}

/// Some hundreds of events of two accounts, pruned ones among them; tokens; a mark.
fn lived() -> Machine {
    let machine = Machine::with_password("pw");
    let stores = machine.open();
    let credential = stores.fingerprint("password", &secret("pw"));
    for account in ["a", "b"] {
        stores.store().attest(account, at(0)).unwrap();
        for day in 0..300 {
            let (cause, moment) = (Cause::Password, at(day * 86_400));
            let intent = Event::Intent { cause, credential: credential.clone(), time_step: None };
            let judged = Event::Judged { cause, verdict: Verdict::Accepted };
            stores.store().record(account, &[(moment, intent), (moment, judged)], TokenChange::Keep).unwrap();
        }
    }
    let access = Access::parse(secret(&marker(32))).unwrap();
    let life = Life::of(at(0), Flush { begins_h: 5, ends_h: 8 });
    for slot in ["current", "pending"] {
        let token = Token { access: access.clone(), api_key: "key".into(), generation: 1, life };
        stores
            .store()
            .record("a", &[(at(300 * 86_400), Event::Issued { generation: 1 })], TokenChange::Pend(&token))
            .unwrap();
        if slot == "current" {
            let proven = (at(300 * 86_400), Event::Proven { generation: 1 });
            stores.store().record("a", &[proven], TokenChange::Promote).unwrap();
        }
    }
    let place = Place { keep_days: 100, ..Place::of(&machine.state()) };
    place.open().unwrap().store().tidy(at(300 * 86_400)).unwrap();
    machine
}

/// All that must be the same before and after.
#[derive(PartialEq)]
struct Picture {
    states: [State; 2],
    histories: [Vec<(Timestamp, Event)>; 2],
    tokens: [Option<String>; 2],
}

fn picture(store: &dyn Store) -> Picture {
    let accounts = ["a", "b"];
    let text = |token: Option<Token>| token.map(|token| token.access.secret().expose().to_owned());
    let verified = accounts.map(|account| store.verify(account).unwrap());
    assert!(verified.iter().all(|found| found.flaw.is_none() && found.pruned > 0), "{verified:?}");
    Picture {
        states: accounts.map(|account| store.attest(account, at(301 * 86_400)).unwrap()),
        histories: accounts.map(|account| store.history(account).unwrap()),
        tokens: [text(store.current("a").unwrap()), text(store.pending("a").unwrap())],
    }
}

fn identity(machine: &Machine) -> String {
    fs::read_to_string(machine.file("identity.txt")).unwrap()
}

fn store_key(machine: &Machine) -> String {
    let seen = opened_by_age(&machine.file("vault.age"), &machine.file("identity.txt"));
    assert!(seen.get("next_key").is_none(), "the rekeying is not over");
    seen["store_key"].as_str().unwrap().to_owned()
}

#[test]
fn everything_is_as_before_under_new_keys_and_the_old_ones_open_nothing() {
    let machine = lived();
    let living = machine.open();
    let before = picture(living.store());
    let fingerprint = living.fingerprint("password", &secret("pw"));
    let (old_identity, backup) = (identity(&machine), machine.0.path().join("old.txt"));
    fs::write(&backup, &old_identity).unwrap();
    let mut keys = BTreeSet::from([store_key(&machine)]);
    for round in 0..3 {
        assert!(machine.open().rekey().unwrap().identity);
        assert!(keys.insert(store_key(&machine)), "a new key");
        for stores in [&living, &machine.open()] {
            assert!(before == picture(stores.store()), "round {round}");
            assert_eq!(
                stores.fingerprint("password", &secret("pw")),
                fingerprint,
                "a refused password stays refused"
            );
            assert_eq!(fetched(stores.vault(), "a", "password").as_deref(), Some("pw"));
        }
        // Whoever lived through it writes on.
        living.vault().keep("b", "x", &secret("y")).unwrap();
    }
    living.store().record("b", &[(at(302 * 86_400), Event::Unlocked)], TokenChange::Keep).unwrap();
    assert!(machine.open().store().verify("b").unwrap().flaw.is_none());
    assert_eq!(identity(&machine).matches("AGE-SECRET-KEY-1").count(), 1);
    for file in ["vault.age", "vault.previous.age"] {
        let sealed = fs::read(machine.file(file)).unwrap();
        assert!(crate::try_age(&["-d", "-i", backup.to_str().unwrap()], &sealed).is_err(), "{file}");
    }
    // The copy of the store is under the new key too.
    drop(living);
    fs::write(machine.file("store.db"), "damaged").unwrap();
    assert!(machine.open().healed());
}

/// Whoever has read the vault, and not yet looked at the store, when both get new keys.
#[test]
fn a_rekey_between_two_looks_is_no_alarm() {
    let machine = Machine::new();
    let (mine, _) = keygen(machine.0.path(), "mine");
    let right = fs::read_to_string(mine).unwrap();
    let text = right.clone();
    let place =
        Place { identity: Some(Opener::new(move || Ok(secret(&text)))), ..Place::of(&machine.state()) };
    place.open().unwrap().vault().keep("a", "password", &secret("pw")).unwrap();
    // An identity that does not fit is asked for again when the vault was read: that is the moment.
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, other) = (Arc::clone(&asked), place.clone());
    let slow = Opener::new(move || match count.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(Identity::random().text()),
        1 => {
            other.open()?.rekey()?;
            Ok(secret(&right))
        }
        _ => Ok(secret(&right)),
    });
    let slow = Place { identity: Some(slow), ..place };
    let stores = slow.open().unwrap();
    assert_eq!(fetched(stores.vault(), "a", "password").as_deref(), Some("pw"));
    assert!(asked.swap(0, Ordering::Relaxed) >= 2);
    stores.proves_key().unwrap();
    assert!(asked.load(Ordering::Relaxed) >= 2, "it was asked for anew, while there were new keys again");
}

#[test]
fn an_identity_that_is_kept_elsewhere_stays() {
    let machine = Machine::new();
    let (mine, _) = keygen(machine.0.path(), "mine");
    let text = secret(&fs::read_to_string(mine).unwrap());
    let place =
        Place { identity: Some(Opener::new(move || Ok(text.clone()))), ..Place::of(&machine.state()) };
    place.open().unwrap().vault().keep("a", "password", &secret("pw")).unwrap();
    assert!(!place.open().unwrap().rekey().unwrap().identity);
    assert_eq!(fetched(place.open().unwrap().vault(), "a", "password").as_deref(), Some("pw"));
    assert!(!machine.file("identity.txt").exists());
}

/// Whoever put an identity of his own beside ours finds it there again.
#[test]
fn an_identity_of_the_owner_s_stays_beside_ours() {
    let machine = lived();
    let (mine, _) = keygen(machine.0.path(), "mine");
    let own = fs::read_to_string(mine).unwrap();
    let ours = identity(&machine);
    fs::write(machine.file("identity.txt"), format!("{ours}{own}")).unwrap();
    machine.open();
    assert_eq!(identity(&machine), format!("{ours}{own}"), "nothing was asked of it");
    assert!(machine.open().rekey().unwrap().identity);
    let key = |text: &str| text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().to_owned();
    let after = identity(&machine);
    assert!(after.contains(&key(&own)) && !after.contains(&key(&ours)), "ours is new, and his is there");
    assert_eq!(after.matches("AGE-SECRET-KEY-1").count(), 2);
    assert_eq!(fetched(machine.open().vault(), "a", "password").as_deref(), Some("pw"));
}

/// The key of a node that shares a store lies alone in its state folder, and a command without that store leaves it there.
#[test]
fn a_key_without_a_store_beside_it_stays() {
    let machine = Machine::new();
    fs::create_dir(machine.state()).unwrap();
    fs::set_permissions(machine.state(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(machine.file("key"), [7; 32]).unwrap();
    crate::support::private(&machine.file("key"));
    machine.open().vault().keep("a", "password", &secret("pw")).unwrap();
    assert_eq!(fs::read(machine.file("key")).unwrap(), [7; 32]);
    assert_eq!(fetched(machine.open().vault(), "a", "password").as_deref(), Some("pw"));
    assert_eq!(fs::read(machine.file("key")).unwrap(), [7; 32]);
}

#[test]
fn a_history_that_is_not_whole_gets_no_new_key() {
    let machine = lived();
    let (key, before) = (store_key(&machine), identity(&machine));
    let db = rusqlite::Connection::open(machine.file("store.db")).unwrap();
    db.execute("UPDATE event SET at_ms = 7 WHERE account = 'b' AND seq = 600", []).unwrap();
    let failure = machine.open().rekey().unwrap_err();
    assert!(failure.to_string().contains("event 600 of b"), "{failure}");
    assert_eq!(store_key(&machine), key);
    assert_eq!(identity(&machine), before, "a backup of it stays good");
    assert!(machine.open().store().verify("b").unwrap().flaw.is_some(), "it is no better afterwards");
    assert!(machine.open().store().verify("a").unwrap().flaw.is_none());
}

#[test]
fn killed_at_any_moment_it_goes_on_or_back() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let machine = lived();
    let before = picture(machine.open().store());
    let (mut changed, mut last, mut half) = (0, store_key(&machine), 0);
    let start = || {
        let mut command = home.command(&["secrets", "rekey"]);
        command.env("FIRSTBELL_STATE_DIR", machine.state()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let began = now();
    assert!(start().wait().unwrap().success());
    let usual = began.elapsed();
    for round in 0..100 {
        let mut child = start();
        random_instant(usual);
        child.kill().unwrap();
        child.wait().unwrap();
        half += u32::from(identity(&machine).matches("AGE-SECRET-KEY-1").count() > 1);
        let stores = stores::open(&machine.state()).unwrap();
        assert!(!stores.healed() && before == picture(stores.store()), "round {round}");
        assert_eq!(fetched(stores.vault(), "a", "password").as_deref(), Some("pw"), "round {round}");
        drop(stores);
        assert_eq!(identity(&machine).matches("AGE-SECRET-KEY-1").count(), 1, "round {round}");
        assert!(!machine.file("vault.damaged.age").exists(), "round {round}");
        let key = store_key(&machine);
        changed += u32::from(key != last);
        last = key;
    }
    println!("{changed} of 100 came to a new key, {half} were killed half way");
    assert!(changed > 5 && changed < 95 && half > 5, "{changed} changed, {half} half way");
}

#[test]
fn a_daemon_goes_on_and_logs_in_with_the_new_keys() {
    let sim = Sim::start();
    sim.settings(&json!({ "totp_reuse": true }));
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", "");
    let mut daemon = Daemon::start(&home);
    let served = daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let ended = home.run(&["secrets", "rekey", "--json"]);
    assert_eq!((ended.code, &ended.json()["identity"]), (0, &json!(true)), "{ended:?}");
    assert_eq!(home.run(&["secrets", "list"]).code, 0);
    let token = home.token().unwrap();
    assert_eq!(token["access_token"].as_str().unwrap().len(), 32);
    // The broker ends the token, and the daemon is to see that and log in again.
    let again = home.login("http");
    assert_eq!(again.code, 0, "{again:?}");
    let generation = served["generation"].as_u64().unwrap();
    daemon
        .until_account("main", "the next token", |account| account["generation"].as_u64() > Some(generation));
    assert!(daemon.lives() && !daemon.errors().contains("does not open"), "{}", daemon.errors());
    assert_eq!(home.run(&["pause"]).code, 0);
    daemon.until_account("main", "paused", |account| account["paused"] == true);
    assert_eq!(daemon.end().0, 0);
    assert_eq!(home.run(&["history", "--verify"]).code, 0);
}

/// A daemon lives on with what it has in memory; the check before the login says that the next one would not.
#[test]
fn a_key_that_would_not_open_the_store_at_the_next_start_is_noticed_before() {
    let machine = lived();
    let stores = machine.open();
    stores.proves_key().unwrap();
    let identity = machine.file("identity.txt");
    let away = machine.0.path().join("away");
    fs::rename(&identity, &away).unwrap();
    assert!(stores.proves_key().unwrap_err().to_string().contains("identity.txt is gone"));
    assert!(stores.store().current("a").unwrap().is_some(), "it goes on");
    fs::rename(&away, &identity).unwrap();
    stores.proves_key().unwrap();
    let other = Machine::with_password("pw");
    for name in ["vault.age", "vault.previous.age", "identity.txt"] {
        fs::copy(other.file(name), machine.file(name)).unwrap();
    }
    assert!(stores.proves_key().unwrap_err().to_string().contains("does not open"));
}
