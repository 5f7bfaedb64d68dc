//! Each sink in turn killed, paused and full while tokens come: all others have each one at once, `status` names the broken one, and
//! it has the newest token when it is back. No login waits for any of them, and no token reaches a log.

use std::time::Duration;

use crate::daemon::{Daemon, now, until};
use crate::town::{ALL, How, Town};

/// By when all that work have a token that was proven.
const SOON: Duration = Duration::from_secs(2);

fn morning(how: How) {
    let mut town = Town::start();
    let daemon = Daemon::start(&town.home);
    ALL.iter().for_each(|name| town.until_has(name, 1, &daemon));
    until("nobody is named", || {
        if town.named().is_empty() { Ok(()) } else { Err(format!("{:?}", town.named())) }
    });
    let mut tokens = vec![token(&town)];
    for broken in ALL {
        town.break_it(broken, how);
        let generation = town.next(&daemon);
        let began = now();
        let well = || ALL.into_iter().filter(|name| *name != broken);
        well().for_each(|name| town.until_has(name, generation, &daemon));
        assert!(began.elapsed() < SOON, "{how:?} {broken}: {:?}", began.elapsed());
        until(broken, || match town.named() {
            named if named == [broken] => Ok(()),
            named => Err(format!("{named:?} {}{}", daemon.log(), daemon.errors())),
        });
        if (broken, how) == ("redis", How::Paused) {
            until("its time is over", || {
                let status = town.home.run(&["status"]).stdout;
                let late = status.contains("redis: did not come to an end within 10 s");
                if late { Ok(()) } else { Err(status) }
            });
        }
        tokens.push(
            well().next().and_then(|name| town.card(name)).unwrap()["access_token"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        // A newer one comes while it is away: that is the one that it gets.
        let generation = town.next(&daemon);
        well().for_each(|name| town.until_has(name, generation, &daemon));
        town.mend(broken, how);
        ALL.iter().for_each(|name| town.until_has(name, generation, &daemon));
        until("nobody is named", || match town.named() {
            named if named.is_empty() => Ok(()),
            named => Err(format!("{named:?} {}{}", daemon.log(), daemon.errors())),
        });
        tokens.push(token(&town));
    }
    let said = [daemon.log(), daemon.errors(), town.home.run(&["status", "--json"]).stdout].concat();
    tokens.extend([crate::postgres::PASSWORD.to_owned(), crate::redis::PASSWORD.to_owned()]);
    tokens.extend([town.vault.token.clone(), town.cluster.token.clone()]);
    assert!(tokens.iter().all(|token| token.len() >= 16 && !said.contains(token)));
    let (code, took) = daemon.end();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

fn token(town: &Town) -> String {
    town.card("vault").unwrap()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn each_sink_is_killed() {
    morning(How::Killed);
}

#[test]
fn each_sink_is_paused() {
    morning(How::Paused);
}

#[test]
fn each_sink_is_full() {
    morning(How::Full);
}

/// All that can hang does, from before the daemon starts.
#[test]
fn a_login_waits_for_no_sink() {
    let mut town = Town::start();
    let hanging = ["redis", "postgres", "http", "vault", "kubernetes", "hook"];
    hanging.iter().for_each(|name| town.break_it(name, How::Paused));
    let began = now();
    let daemon = Daemon::start(&town.home);
    town.until_has("file", 1, &daemon);
    // One that hangs is given ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?} {}", began.elapsed(), daemon.log());
    let mut named = town.named();
    named.sort();
    let mut all = hanging.to_vec();
    all.sort();
    assert_eq!(named, all);
    hanging.iter().for_each(|name| town.mend(name, How::Paused));
    ALL.iter().for_each(|name| town.until_has(name, 1, &daemon));
    assert_eq!((town.sim.passwords(), town.receiver.taken().len()), (1, 1));
}

/// A server that forgot all it had is given the token again, though nothing new is to be said.
#[test]
fn a_server_that_begins_anew_is_given_the_token_again() {
    let mut town = Town::start();
    let daemon = Daemon::start(&town.home);
    ALL.iter().for_each(|name| town.until_has(name, 1, &daemon));
    town.redis.kill();
    town.redis.again();
    std::fs::remove_file(town.folder().join("token")).unwrap();
    for name in ["redis", "file"] {
        town.until_has(name, 1, &daemon);
    }
    assert_eq!(town.vault.versions("algo/main"), 1);
    assert_eq!(town.receiver.taken().len(), 1);
}
