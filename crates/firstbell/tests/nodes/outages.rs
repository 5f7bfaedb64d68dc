//! The database goes away and comes back, and what one node spent binds the others.

use serde_json::json;

use crate::daemon::{Daemon, until};
use crate::postgres::{PASSWORD, Postgres};
use crate::support::Sim;
use crate::{arrived, begun, by_hand, due};

/// A login whose store is gone from this place on submits nothing more; the daemon makes another one when the store is back.
fn without_a_store(place: &str, when: &str) -> [[u64; 3]; 3] {
    let mut server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    sim.settings(&json!({ "totp_reuse": true, "second_session": "keep_both" }));
    let home = due(&sim, &url, None);
    home.store_secrets(&sim.account);
    sim.fault(&json!({ "at": place, "do": "hold", "when": when, "call": 1 }));
    let mut daemon = Daemon::start(&home);
    sim.wait_held(place);
    server.stop();
    sim.no_faults();
    sim.post("/release", &json!({}));
    daemon.wait_log("the store's database");
    let away = arrived(&sim);
    server.again();
    daemon.until_account("main", "it has a token", |main| main["served"] == "yes");
    assert!(daemon.lives());
    let said = daemon.log() + &daemon.errors();
    assert!(!said.contains(PASSWORD), "{said}");
    [away, arrived(&sim), begun(&sim, &home, &url)]
}

#[test]
fn a_store_that_goes_away_before_the_password_leaves_keeps_it_from_leaving() {
    assert_eq!(without_a_store("login-page", "before"), [[0; 3], [1; 3], [1; 3]]);
}

#[test]
fn a_store_that_goes_away_with_the_password_out_costs_one_try_and_no_more() {
    assert_eq!(without_a_store("login", "after"), [[1, 0, 0], [2, 1, 1], [2, 1, 1]]);
}

#[test]
fn a_password_that_was_refused_on_one_node_does_not_leave_another() {
    let server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    let first = by_hand(&sim, &url, None);
    first.store_secrets(&sim.account);
    let second = by_hand(&sim, &url, Some(&first));
    let wrong = first.run_with(&["secrets", "set", "password"], "not the password");
    assert_eq!(wrong.code, 0, "{wrong:?}");
    assert_eq!((first.run(&["login"]).code, arrived(&sim)), (3, [1, 0, 0]));
    for home in [&second, &first] {
        let refused = home.run(&["login"]);
        assert_eq!((refused.code, arrived(&sim)), (3, [1, 0, 0]), "{refused:?}");
    }
    // The owner's word on any node is for all of them.
    assert_eq!(second.run_with(&["secrets", "set", "password"], &sim.account.password).code, 0);
    let login = first.run(&["login"]);
    assert_eq!((login.code, arrived(&sim)), (0, [2, 1, 1]), "{login:?}");
}

/// The daemon of one node hears of it without being told.
#[test]
fn what_is_said_on_one_node_is_done_by_the_other() {
    let server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    let first = due(&sim, &url, None);
    first.store_secrets(&sim.account);
    let second = by_hand(&sim, &url, Some(&first));
    assert_eq!(second.run_with(&["secrets", "set", "password"], "not the password").code, 0);
    let daemon = Daemon::start(&first);
    daemon.wait_log("because not logging in");
    assert_eq!(second.run_with(&["secrets", "set", "password"], &sim.account.password).code, 0);
    daemon.until_account("main", "it has a token", |main| main["served"] == "yes");
    assert_eq!(arrived(&sim), [2, 1, 1]);
}

#[test]
fn a_node_without_the_key_or_the_database_says_what_to_do() {
    let mut server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    let first = by_hand(&sim, &url, None);
    first.store_secrets(&sim.account);
    let stranger = by_hand(&sim, &url, None);
    let none = stranger.run(&["login"]);
    assert!(none.code == 7 && none.stderr.contains("Copy the file named key"), "{none:?}");
    let other = server.database(None);
    let elsewhere = by_hand(&sim, &other, None);
    elsewhere.store_secrets(&sim.account);
    let wrong = by_hand(&sim, &url, Some(&elsewhere)).run(&["run"]);
    assert!(wrong.code == 7 && wrong.stderr.contains("Copy the file named key"), "{wrong:?}");
    server.stop();
    let gone = first.run(&["login"]);
    assert!(gone.code == 7 && gone.stderr.contains("cannot be reached"), "{gone:?}");
    assert!(!gone.stderr.contains(PASSWORD) && !wrong.stderr.contains(PASSWORD));
    assert_eq!(arrived(&sim), [0; 3]);
}

/// A standby that cannot ask goes on standing by.
#[test]
fn a_standby_outlives_an_outage() {
    let mut server = Postgres::start();
    let (sim, url) = (Sim::start(), server.database(None));
    let first = due(&sim, &url, None);
    first.store_secrets(&sim.account);
    let second = due(&sim, &url, Some(&first));
    let mut old = Daemon::start(&first);
    old.until_account("main", "it has a token", |main| main["served"] == "yes");
    let mut new = Daemon::start(&second);
    new.wait_log("standing by");
    server.stop();
    new.wait_log("cannot be reached");
    server.again();
    old.kill();
    until("it takes over", || if new.log().contains("keeping 1 of") { Ok(()) } else { Err(new.log()) });
    new.until_account("main", "it has the token", |main| main["served"] == "yes" && main["generation"] == 1);
    assert!(new.lives());
    assert_eq!(arrived(&sim), [1; 3]);
}
