//! However a worker or its keeper is killed: what was spent is what a browser's crash spends, and nothing is left.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::family::{self, Kin};
use crate::holds::worker;
use crate::support::{Ended, Home, Sim, ended};

/// Whom a login loses.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Worker,
    Browser,
}

fn begin(sim: &Sim, home: &Home, at: &str) -> (Child, Vec<Kin>) {
    sim.fault(&json!({ "at": at, "do": "hold" }));
    let mut command = home.command(&["login", "--driver", "chrome", "--json"]);
    let login = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    sim.wait_held(at);
    let family = family::of(login.id());
    (login, family)
}

fn browser(family: &[Kin]) -> &Kin {
    let is_it = |kin: &&Kin| kin.arguments.contains("--user-data-dir=") && !kin.arguments.contains("--type=");
    family.iter().find(is_it).unwrap()
}

/// A login that loses one of its processes while a request is on the way; what it said, what was spent, what is left to spend.
fn loses(victim: Victim, at: &str) -> (Ended, Value, Value) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let (login, family) = begin(&sim, &home, at);
    let folder = family::folder(&family);
    let lost = match victim {
        Victim::Worker => worker(&family),
        Victim::Browser => browser(&family),
    };
    lost.signal(Signal::KILL);
    let ended = ended(login.wait_with_output().unwrap());
    family::gone(&format!("{victim:?} at {at}"), &family, &folder);
    assert!(!folder.exists(), "{victim:?} at {at}: {} is left", folder.display());
    sim.no_faults();
    (ended, home.status()["tries_left"].clone(), json!([sim.passwords(), sim.codes()]))
}

#[test]
fn a_killed_worker_spends_what_a_killed_browser_spends() {
    for (at, code, failure, left) in [
        ("login-page", 7, "broken", json!({ "password": 2, "code": 2 })),
        ("login", 5, "unanswered", json!({ "password": 1, "code": 2 })),
        ("twofa", 5, "unanswered", json!({ "password": 2, "code": 1 })),
    ] {
        let (worker, browser) = (loses(Victim::Worker, at), loses(Victim::Browser, at));
        for (ended, tries, _) in [&worker, &browser] {
            assert_eq!(
                (ended.code, ended.json()["failure"].as_str()),
                (code, Some(failure)),
                "{at}: {ended:?}"
            );
            assert_eq!(tries["password"], left["password"], "{at}: {tries}");
            assert_eq!(tries["code"], left["code"], "{at}: {tries}");
        }
        assert_eq!(worker.2, browser.2, "{at}");
    }
}

#[test]
fn a_killed_keeper_leaves_no_worker_no_browser_and_no_folder() {
    for at in ["login-page", "login", "twofa"] {
        let sim = Sim::start();
        let home = Home::new(&sim);
        let (mut login, family) = begin(&sim, &home, at);
        let folder = family::folder(&family);
        assert!(folder.exists());
        login.kill().unwrap();
        login.wait().unwrap();
        family::gone(at, &family, &folder);
        // The worker itself removed it, before it ended.
        assert!(!folder.exists(), "{at}: {} is left", folder.display());
    }
}

/// Starts one worker for whoever connects, as a service manager does.
fn service(listener: UnixListener) -> JoinHandle<Child> {
    std::thread::spawn(move || {
        let stream = OwnedFd::from(listener.accept().unwrap().0);
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstbell"));
        command.arg("work").env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.stdin(stream).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    })
}

#[test]
fn a_service_s_worker_serves_one_login_and_ends_with_it_or_with_its_keeper() {
    for is_killed in [false, true] {
        let sim = Sim::start();
        let home = Home::new(&sim);
        let socket = home.dir.path().join("worker");
        home.prepend(&format!("[browser]\nworker = '{}'\n", socket.display()));
        let service = service(UnixListener::bind(&socket).unwrap());
        let (mut login, keepers) = begin(&sim, &home, "twofa");
        assert!(keepers.is_empty(), "{keepers:#?}");
        let mut worker = service.join().unwrap();
        let family = family::of(worker.id());
        let folder = family::folder(&family);
        if is_killed {
            login.kill().unwrap();
        } else {
            sim.no_faults();
            sim.post("/release", &json!({}));
        }
        assert_eq!(login.wait().unwrap().success(), !is_killed);
        assert!(worker.wait().unwrap().success());
        family::gone("a service's worker", &family, &folder);
        assert!(!folder.exists());
    }
}
