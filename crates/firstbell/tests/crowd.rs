//! Eight daemons that start in the same instant on one state folder: one of them logs in, seven stand by, and when the first is
//! killed another takes its place without a second login.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/folders.rs"]
mod folders;
mod support;
#[path = "support/trials.rs"]
mod trials;

use std::sync::Barrier;

use daemon::{Daemon, clock, configure, leap, standing_sim, until, wait_for};
use jiff::Timestamp;
use jiff::civil::Date;
use rustix::process::Signal;
use serde_json::json;
use support::{Home, Sim};
use trials::trading_days;

const ROUNDS: usize = 200;
const CROWD: usize = 8;
const LANES: usize = 4;

/// Passwords, codes and exchanges that arrived.
fn arrived(sim: &Sim) -> [u64; 3] {
    let seen = sim.seen();
    let number = |key: &str| seen[key].as_u64().unwrap();
    [
        number("password_submissions"),
        number("code_submissions"),
        seen["exchanges"].as_array().unwrap().len() as u64,
    ]
}

fn start_together(home: &Home) -> Vec<Daemon> {
    let barrier = Barrier::new(CROWD);
    std::thread::scope(|scope| {
        let seat = |number: usize| {
            let barrier = &barrier;
            scope.spawn(move || {
                let command = home.command(&["run"]);
                barrier.wait();
                Daemon::spawn(home, command, &format!("log-{number}"))
            })
        };
        let seats: Vec<_> = (0..CROWD).map(seat).collect();
        seats.into_iter().map(|seat| seat.join().unwrap()).collect()
    })
}

/// Which of them keep the account, by their own word.
fn keepers(crowd: &[Daemon]) -> Vec<usize> {
    (0..crowd.len()).filter(|number| crowd[*number].log().contains("keeping 1 of")).collect()
}

fn round(sim: &Sim, prepared: &Home, date: Date) {
    let at = |time: &str| format!("{date}T{time}:00+05:30").parse::<Timestamp>().unwrap();
    clock(sim, &json!({ "set": at("08:29") }));
    let home = Home::bare(sim);
    folders::copy_state(&prepared.state(), &home.state());
    configure(&home, sim, "", &leap(sim, at("08:52")));
    let before = arrived(sim);
    let mut crowd = start_together(&home);
    until("one keeps the account", || if keepers(&crowd).is_empty() { Err("nobody".into()) } else { Ok(()) });
    let first = keepers(&crowd)[0];
    wait_for(sim, at("08:52"), &mut crowd[first]);
    let mut first = crowd.swap_remove(first);
    crowd.iter().for_each(|daemon| daemon.wait_log("standing by"));
    assert!(keepers(&crowd).is_empty(), "{date}: two keep one account");
    let served = first.until_account("main", "it has a token", |account| account["served"] == "yes");
    assert_eq!(served["generation"], 1);
    let one_more = [before[0] + 1, before[1] + 1, before[2] + 1];
    assert_eq!(arrived(sim), one_more, "{date}: {}", first.log());

    configure(&home, sim, "", &leap(sim, at("09:10")));
    for daemon in &crowd {
        daemon.signal(Signal::HUP);
        daemon.wait_log("the configuration was read anew");
    }
    first.kill();
    let next = until("another takes its place", || keepers(&crowd).pop().ok_or("nobody".into()));
    wait_for(sim, at("09:10"), &mut crowd[next]);
    let served = crowd[next].until_account("main", "it has a token", |account| account["served"] == "yes");
    assert_eq!((served["generation"].clone(), keepers(&crowd).len()), (json!(1), 1), "{date}");
    assert_eq!(arrived(sim), one_more, "{date}: a second login: {}", crowd[next].log());
    assert!(crowd.iter_mut().all(Daemon::lives));
}

#[test]
fn of_eight_daemons_one_logs_in_and_seven_stand_by() {
    let rounds = std::env::var("FIRSTBELL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let began = daemon::now();
    // A round is half waiting: some go on beside one another, each with a simulator of its own.
    let lane = |number: usize| {
        let sim = standing_sim("2026-01-01T07:00:00+05:30");
        let prepared = Home::new(&sim);
        let dates = trading_days().take(rounds).skip(number).step_by(LANES);
        dates.for_each(|date| round(&sim, &prepared, date));
    };
    std::thread::scope(|scope| {
        let seats: Vec<_> = (0..LANES).map(|number| scope.spawn(move || lane(number))).collect();
        seats.into_iter().for_each(|seat| seat.join().unwrap());
    });
    println!("{rounds} rounds in {:.1?}", began.elapsed());
}
