//! Two nodes that begin in the same instant: one login.

use std::sync::Barrier;

use jiff::Timestamp;
use serde_json::json;

use crate::daemon::{Daemon, clock, configure, leap, standing_sim, until, wait_for};
use crate::postgres::{Postgres, number};
use crate::support::{Home, Sim};
use crate::trials::trading_days;
use crate::{arrived, by_hand, node, store_lines};

const ROUNDS: usize = 24;
/// Each node has one for its store, and one for the turn that it has or asks for.
const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'firstbell'";

fn together<T: Send>(nodes: &[Home; 2], start: impl Fn(&Home) -> T + Sync) -> [T; 2] {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let seats = nodes.each_ref().map(|home| {
            let (barrier, start) = (&barrier, &start);
            scope.spawn(move || {
                barrier.wait();
                start(home)
            })
        });
        seats.map(|seat| seat.join().unwrap())
    })
}

#[test]
fn of_two_daemons_on_two_nodes_one_logs_in() {
    let server = Postgres::start();
    let sim = standing_sim("2026-01-01T07:00:00+05:30");
    let prepared = server.database(None);
    let first = by_hand(&sim, &prepared, None);
    first.store_secrets(&sim.account);
    for (number, date) in trading_days().take(ROUNDS).enumerate() {
        let at = |time: &str| format!("{date}T{time}:00+05:30").parse::<Timestamp>().unwrap();
        clock(&sim, &json!({ "set": at("08:29") }));
        let url = server.database(Some(&prepared));
        let nodes = [node(&sim, Some(&first)), node(&sim, Some(&first))];
        for home in &nodes {
            let lines = store_lines(home, &url);
            configure(home, &sim, "", &format!("{lines}{}", leap(&sim, at("08:52"))));
        }
        let before = arrived(&sim);
        let mut daemons = together(&nodes, Daemon::start);
        let keepers = |daemons: &[Daemon; 2]| {
            (0..2).filter(|number| daemons[*number].log().contains("keeping 1 of")).collect::<Vec<_>>()
        };
        until("one keeps the account", || match keepers(&daemons).as_slice() {
            [] => Err(format!("nobody: {}{}", daemons[0].errors(), daemons[1].errors())),
            _ => Ok(()),
        });
        let keeper = keepers(&daemons)[0];
        wait_for(&sim, at("08:52"), &mut daemons[keeper]);
        daemons[1 - keeper].wait_log("standing by");
        assert_eq!(keepers(&daemons).len(), 1, "round {number}: two keep one account");
        let served = daemons[keeper].until_account("main", "it has a token", |main| main["served"] == "yes");
        assert_eq!(served["generation"], 1);
        assert_eq!(arrived(&sim), before.map(|count| count + 1), "round {number}: {}", daemons[keeper].log());
        assert!(daemons.iter_mut().all(Daemon::lives), "round {number}");
    }
}

#[test]
fn of_two_logins_by_hand_on_two_nodes_one_submits_and_both_have_its_token() {
    let server = Postgres::start();
    let sim = Sim::start();
    sim.settings(&json!({ "totp_reuse": true, "second_session": "keep_both" }));
    let prepared = server.database(None);
    let first = by_hand(&sim, &prepared, None);
    first.store_secrets(&sim.account);
    for round in 0..ROUNDS {
        let url = server.database(Some(&prepared));
        let nodes = [by_hand(&sim, &url, Some(&first)), by_hand(&sim, &url, Some(&first))];
        let before = arrived(&sim);
        // The first one's login page comes when the second one stands in line.
        sim.fault(&json!({ "at": "login-page", "do": "hold", "call": 1 }));
        let line = || {
            until("both ask for the turn", || match number(&url, CONNECTIONS) {
                4.. => Ok(()),
                fewer => Err(fewer.to_string()),
            });
            sim.wait_held("login-page");
            sim.post("/release", &json!({}));
        };
        let ended = std::thread::scope(|scope| {
            scope.spawn(line);
            together(&nodes, |home| home.run(&["login", "--json"]))
        });
        for ended in &ended {
            assert_eq!(ended.code, 0, "round {round}: {ended:?}");
        }
        assert_eq!(arrived(&sim), before.map(|count| count + 1), "round {round}: {ended:?}");
        let tokens = nodes.each_ref().map(|home| home.token().unwrap()["access_token"].clone());
        assert_eq!(tokens[0], tokens[1], "round {round}");
    }
}
