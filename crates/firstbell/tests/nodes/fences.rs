//! What the store itself refuses: an intent of whoever has no turn, or had it; and a write whose outcome is unknown is found out.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firstbell::ports::TokenChange;
use firstbell::stores::{Place, Server, Stores};
use firstbell_core::budget::{Cause, Fingerprint};
use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::postgres::{Postgres, address, execute, number};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_404_600 + second).unwrap()
}

fn intent() -> Event {
    Event::Intent { cause: Cause::Password, credential: Fingerprint("p".into()), time_step: None }
}

/// A lease that no renewal touches while a test runs.
const LONG_MS: u64 = 600_000;

fn place(folder: &TempDir, url: &str, lease_ms: u64) -> Place {
    let server = Server { url: Secret::new(url.into()), authority: None, lease_ms };
    Place { server: Some(server), ..Place::of(&folder.path().join("state")) }
}

fn node(url: &str, like: Option<&TempDir>) -> (TempDir, Stores) {
    node_for(url, like, LONG_MS)
}

fn node_for(url: &str, like: Option<&TempDir>, lease_ms: u64) -> (TempDir, Stores) {
    let folder = TempDir::new().unwrap();
    if let Some(like) = like {
        drop(place(&folder, url, lease_ms).heir("x"));
        std::fs::copy(like.path().join("state/key"), folder.path().join("state/key")).unwrap();
    }
    let stores = place(&folder, url, lease_ms).open().unwrap();
    (folder, stores)
}

fn record(stores: &Stores, event: Event) -> Result<(), Failure> {
    stores.store().record("a", &[(at(1), event)], TokenChange::Keep)
}

fn events(stores: &Stores) -> usize {
    stores.store().history("a").unwrap().len()
}

#[test]
fn only_who_has_the_turn_writes_an_intent() {
    let server = Postgres::start();
    let url = server.database(None);
    let (folder, first) = node(&url, None);
    let (_other, second) = node(&url, Some(&folder));
    for event in [intent(), Event::Exchanging, Event::Unlocked] {
        assert!(record(&first, event).is_err(), "nobody has the turn");
    }
    record(&first, Event::Paused).unwrap();
    let turn = first.turns().try_take("a").unwrap().unwrap();
    first.store().attest("a", at(1)).unwrap();
    record(&first, intent()).unwrap();
    assert!(second.turns().try_take("a").unwrap().is_none() && record(&second, intent()).is_err());
    assert!(second.turns().try_take("b").unwrap().is_some(), "another account is another turn");
    record(&second, Event::Resumed).unwrap();

    // As if the first node had not been heard of for too long.
    execute(
        &url,
        "UPDATE firstbell.lease SET ends = clock_timestamp() - interval '1 s' WHERE name = 'login/a'",
    );
    assert!(record(&first, intent()).is_err(), "its time is over, and nobody has taken its place yet");
    let next = second.turns().try_take("a").unwrap().unwrap();
    second.store().attest("a", at(1)).unwrap();
    for event in [intent(), Event::Exchanging, Event::Proven { generation: 1 }] {
        let refused = record(&first, event).unwrap_err();
        assert!(refused.to_string().contains("its turn is over"), "{refused}");
    }
    record(&second, intent()).unwrap();
    drop(turn);
    record(&second, Event::Exchanging).unwrap();
    // As if the database had been turned back, and somebody else had got the same epoch again.
    execute(&url, "UPDATE firstbell.lease SET holder = 'x' || holder WHERE name = 'login/a'");
    assert!(record(&second, intent()).is_err());
    execute(&url, "UPDATE firstbell.lease SET holder = substr(holder, 2) WHERE name = 'login/a'");
    drop(next);
    assert!(record(&second, intent()).is_err(), "a turn that was given back");
    assert!(first.turns().try_take("a").unwrap().is_some(), "and is free at once");
    assert_eq!(events(&first), 5);
}

#[test]
fn a_keeper_that_was_taken_over_writes_nothing_at_all() {
    let server = Postgres::start();
    let url = server.database(None);
    let (folder, first) = node(&url, None);
    let (other, second) = node(&url, Some(&folder));
    let (mut heir, mut next) =
        (place(&folder, &url, LONG_MS).heir("k").unwrap(), place(&other, &url, LONG_MS).heir("k").unwrap());
    let lease = heir.try_lease().unwrap().unwrap();
    first.under(&lease);
    let _turn = first.turns().try_take("a").unwrap().unwrap();
    first.store().attest("a", at(1)).unwrap();
    record(&first, intent()).unwrap();
    assert!(next.try_lease().unwrap().is_none());
    execute(&url, "UPDATE firstbell.lease SET ends = '-infinity' WHERE name = 'k'");
    let new = next.try_lease().unwrap().unwrap();
    second.under(&new);
    assert!(record(&first, intent()).is_err() && record(&first, Event::Paused).is_err());
    record(&second, Event::Paused).unwrap();
    assert_eq!(number(&url, "SELECT epoch FROM firstbell.lease WHERE name = 'k'"), 2);
}

/// Too little is left of the lease for what the intent announces.
#[test]
fn an_intent_needs_half_a_lease() {
    let server = Postgres::start();
    let url = server.database(None);
    let (_folder, first) = node(&url, None);
    let _turn = first.turns().try_take("a").unwrap().unwrap();
    first.store().attest("a", at(1)).unwrap();
    execute(&url, "UPDATE firstbell.lease SET ends = clock_timestamp() + interval '290 s'");
    assert!(record(&first, intent()).is_err());
    record(&first, Event::Paused).unwrap();
    execute(&url, "UPDATE firstbell.lease SET ends = clock_timestamp() + interval '310 s'");
    record(&first, intent()).unwrap();
}

/// What becomes of a `COMMIT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The connection breaks before the server hears it.
    Before,
    /// It breaks before the server's answer arrives.
    After,
    /// It takes so long to arrive.
    Late(Duration),
}

/// Between a node and its server; has this happen to the next `COMMIT` once it is armed.
struct Cutter {
    folder: TempDir,
    armed: Arc<AtomicBool>,
}

impl Cutter {
    fn start(server: &Postgres, cut: Cut) -> Cutter {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (armed, behind) = (Arc::new(AtomicBool::new(false)), server.folder().join(".s.PGSQL.5432"));
        let cuts = Arc::clone(&armed);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), UnixStream::connect(&behind).unwrap());
                let (mut down, mut up) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || drop(std::io::copy(&mut down, &mut up)));
                let cuts = Arc::clone(&cuts);
                std::thread::spawn(move || pass(near, far, &cuts, cut));
            }
        });
        Cutter { folder, armed }
    }
}

fn pass(mut near: UnixStream, mut far: UnixStream, cuts: &AtomicBool, cut: Cut) {
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = near.read(&mut bytes) {
        let last =
            bytes[..count].windows(7).any(|word| word == b"COMMIT\0") && cuts.swap(false, Ordering::SeqCst);
        match cut {
            Cut::Late(pause) if last => std::thread::park_timeout(pause),
            Cut::Before | Cut::After if last => near.shutdown(std::net::Shutdown::Both).unwrap(),
            _ => {}
        }
        if (last && cut == Cut::Before) || far.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn a_write_whose_outcome_is_unknown_is_found_out_and_not_repeated() {
    let server = Postgres::start();
    for cut in [Cut::After, Cut::Before] {
        let hears = cut == Cut::After;
        let url = server.database(None);
        let name = url.rsplit('/').next().unwrap();
        let cutter = Cutter::start(&server, cut);
        let (_folder, stores) = node(&address(cutter.folder.path(), name), None);
        let _turn = stores.turns().try_take("a").unwrap().unwrap();
        stores.store().attest("a", at(1)).unwrap();
        record(&stores, Event::Paused).unwrap();
        cutter.armed.store(true, Ordering::SeqCst);
        let outcome = record(&stores, intent());
        assert!(!cutter.armed.load(Ordering::SeqCst), "the connection was cut");
        assert_eq!(outcome.is_ok(), hears, "{outcome:?}");
        assert_eq!(events(&stores), 1 + usize::from(hears));
        record(&stores, intent()).unwrap();
        assert_eq!(stores.store().verify("a").unwrap().flaw, None);
    }
}

/// A process that was stopped until its lease may be over has announced what it then must not do.
#[test]
fn an_intent_that_took_too_long_to_write_is_not_acted_on() {
    let server = Postgres::start();
    let (url, lease_ms) = (server.database(None), 2000);
    let cutter = Cutter::start(&server, Cut::Late(Duration::from_millis(lease_ms / 2 + 100)));
    let slow = address(cutter.folder.path(), url.rsplit('/').next().unwrap());
    let (_folder, stores) = node_for(&slow, None, lease_ms);
    let _turn = stores.turns().try_take("a").unwrap().unwrap();
    stores.store().attest("a", at(1)).unwrap();
    record(&stores, intent()).unwrap();
    // A renewal may run into it in its stead.
    for _ in 0..20 {
        cutter.armed.store(true, Ordering::SeqCst);
        if let Err(refused) = record(&stores, intent()) {
            assert!(refused.to_string().contains("its turn is over"), "{refused}");
            assert!(events(&stores) > 1, "it counts all the same");
            return;
        }
    }
    panic!("a commit of more than half a lease was taken for one in time");
}

#[test]
fn a_turn_is_renewed_for_as_long_as_it_is_held() {
    let server = Postgres::start();
    let (url, lease_ms) = (server.database(None), 1200);
    let (folder, first) = node_for(&url, None, lease_ms);
    let (_other, second) = node_for(&url, Some(&folder), lease_ms);
    let turn = first.turns().try_take("a").unwrap().unwrap();
    let now = || number(&url, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    let end = now() + 4000;
    while now() < end {
        assert!(second.turns().try_take("a").unwrap().is_none(), "it ran out under its holder");
    }
    first.store().attest("a", at(1)).unwrap();
    record(&first, intent()).unwrap();
    drop(turn);
    assert!(second.turns().try_take("a").unwrap().is_some());
}
