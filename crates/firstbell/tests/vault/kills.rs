//! Killed with -9 at random instants, a vault is old or new, and never less.

use std::process::Stdio;
use std::time::Duration;

use crate::daemon::now;
use crate::support::{Home, Sim, marker};
use crate::{fetched, opened_by_age};
use firstbell::stores;

const ROUNDS: u32 = 100;

/// Waits for a random part of a time that is a little longer than what is killed takes.
#[expect(clippy::disallowed_methods, reason = "the instant is what is tried, and nothing is waited for")]
pub(crate) fn random_instant(usual: Duration) {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    std::thread::sleep(usual.mul_f64(1.1 * f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)));
}

#[test]
fn a_secret_that_is_set_is_the_old_or_the_new_one_after_a_kill() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let user = |home: &Home| {
        let seen = opened_by_age(&home.state().join("vault.age"), &home.state().join("identity.txt"));
        seen["secrets"][0]["owner"].as_str().unwrap().to_owned()
    };
    let mut known = marker(20);
    let began = now();
    assert_eq!(home.run_with(&["secrets", "set", "password"], &known).code, 0);
    let usual = began.elapsed();
    assert_eq!(home.run_with(&["secrets", "set", "api_secret"], "stays").code, 0);
    let user = user(&home);
    let (mut old, mut new) = (0, 0);
    for round in 0..ROUNDS {
        let next = marker(20);
        let mut command = home.command(&["secrets", "set", "password"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), next.as_bytes()).unwrap();
        random_instant(usual);
        child.kill().unwrap();
        child.wait().unwrap();
        let stores = stores::open(&home.state()).unwrap();
        let kept = fetched(stores.vault(), &user, "password").unwrap();
        assert!(kept == known || kept == next, "round {round}");
        if kept == next {
            new += 1
        } else {
            old += 1
        }
        known = kept;
        assert_eq!(fetched(stores.vault(), &user, "api_secret").as_deref(), Some("stays"));
        assert!(!home.state().join("vault.damaged.age").exists(), "round {round}");
    }
    println!("{old} kills found the old one, {new} the new one");
    assert!(old > 5 && new > 5, "{old} old, {new} new: the kills did not strike where it is written");
}
