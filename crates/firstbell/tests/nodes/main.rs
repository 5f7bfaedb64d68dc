//! Several nodes with one store on a PostgreSQL server: one of them logs in, one that was taken over spends nothing more, and a
//! server that goes away costs no second submission.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/daemon.rs"]
mod daemon;
mod encrypted;
mod fences;
mod outages;
#[path = "../support/postgres.rs"]
mod postgres;
mod rounds;
mod stopped;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/trials.rs"]
mod trials;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use firstbell::stores::{Place, Server, Stores};
use firstbell_core::broker::App;
use firstbell_core::budget::Cause;
use firstbell_core::event::Event;
use firstbell_core::secret::Secret;
use support::{Home, Sim, private};

/// The shortest lease that a configuration may ask for.
const LEASE_S: u64 = 5;

/// The lines of a configuration that name the database, whose address lies in a file.
fn store_lines(home: &Home, url: &str) -> String {
    let file = home.dir.path().join("database");
    fs::write(&file, url).unwrap();
    private(&file);
    format!("[store]\npostgres = {{ file = '{}' }}\nlease_s = {LEASE_S}\n", file.display())
}

/// A node with the key of another one, if there is one.
fn node(sim: &Sim, like: Option<&Home>) -> Home {
    let home = Home::bare(sim);
    if let Some(like) = like {
        fs::create_dir(home.state()).unwrap();
        fs::set_permissions(home.state(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::copy(like.state().join("key"), home.state().join("key")).unwrap();
    }
    home
}

/// A node that is configured for logins by hand.
fn by_hand(sim: &Sim, url: &str, like: Option<&Home>) -> Home {
    let home = node(sim, like);
    daemon::configure(&home, sim, "", &store_lines(&home, url));
    home
}

/// A node whose daemon has a login to make at once.
fn due(sim: &Sim, url: &str, like: Option<&Home>) -> Home {
    let home = node(sim, like);
    daemon::configure_due(&home, sim, "", &store_lines(&home, url));
    home
}

/// The store as a node sees it.
fn open(home: &Home, url: &str) -> Stores {
    let server = Server { url: Secret::new(url.into()), authority: None, lease_ms: LEASE_S * 1000 };
    Place { server: Some(server), ..Place::of(&home.state()) }.open().unwrap()
}

fn user(sim: &Sim) -> String {
    let (api_key, user_id) = (sim.account.api_key.clone(), sim.account.user_id.clone());
    App { api_key, user_id, redirect: sim.redirect.parse().unwrap() }.user()
}

/// Intents of password and code, and exchanges, that the history holds. It is whole.
fn begun(sim: &Sim, home: &Home, url: &str) -> [u64; 3] {
    let (stores, user) = (open(home, url), user(sim));
    assert_eq!(stores.store().verify(&user).unwrap().flaw, None);
    let history = stores.store().history(&user).unwrap();
    let count = |is: fn(&Event) -> bool| history.iter().filter(|(_, event)| is(event)).count() as u64;
    [
        count(|event| matches!(event, Event::Intent { cause: Cause::Password, .. })),
        count(|event| matches!(event, Event::Intent { cause: Cause::Code, .. })),
        count(|event| *event == Event::Exchanging),
    ]
}

/// Passwords, codes and exchanges that arrived.
fn arrived(sim: &Sim) -> [u64; 3] {
    [sim.passwords(), sim.codes(), sim.seen()["exchanges"].as_array().unwrap().len() as u64]
}
