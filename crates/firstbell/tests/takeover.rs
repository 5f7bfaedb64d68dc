//! Whoever finds a WebDriver server of this machine runs programs as its user: a second user finds the one of a login nowhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/family.rs"]
mod family;
#[path = "support/held.rs"]
mod held;
#[path = "support/server.rs"]
mod server;
#[path = "support/stranger.rs"]
mod stranger;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use held::Held;
use serde_json::json;
use server::Server;
use stranger::as_stranger;
use support::engines::{self, Engine};
use tempfile::TempDir;

/// A "browser" that anybody may start, and that leaves a file with the number of the user it ran as.
struct Trap {
    place: TempDir,
}

impl Trap {
    fn new() -> Trap {
        let place = TempDir::with_prefix("fb-test-trap-").unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let trap = Trap { place };
        let script = format!("#!/bin/sh\nid -u >'{}'\n", trap.marker().display());
        fs::write(trap.program(), script).unwrap();
        fs::set_permissions(trap.program(), fs::Permissions::from_mode(0o755)).unwrap();
        trap
    }

    fn program(&self) -> PathBuf {
        self.place.path().join("browser")
    }

    fn marker(&self) -> PathBuf {
        self.place.path().join("marker")
    }

    /// Asks this port for a session with that browser, as any local program could. Whether anybody took the request.
    fn set(&self, address: IpAddr, port: u16) -> bool {
        let Ok(mut stream) = TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(5))
        else {
            return false;
        };
        let program = self.program();
        let options = json!({ "goog:chromeOptions": { "binary": program }, "moz:firefoxOptions": { "binary": program } });
        let body = json!({ "capabilities": { "alwaysMatch": options } }).to_string();
        let text = format!(
            "POST /session HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.read(&mut [0; 512]));
        true
    }
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The ports at which somebody in the network of this process listens, as root sees them.
fn listening(id: u32) -> BTreeSet<u16> {
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let words = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|row| row[3] == "0A")
        .map(|row| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16).unwrap())
        .collect()
}

fn is_found_nowhere(engine: Engine, name: &str) {
    let mut held = Held::begin(&engines::lines(engine));
    let server =
        held.family.iter().find(|kin| kin.arguments.split(' ').next().unwrap().ends_with(name)).unwrap();
    // More than a second user would know: the very ports, which change with each login.
    // Those that somebody else has outside at this moment are his.
    let ports = &listening(server.id) - &listening(1);
    assert!(ports.len() > 1, "{name}: the look at the cage's ports sees {ports:?}");
    let trap = Trap::new();
    as_stranger(|| {
        for (address, port) in
            LOOPBACK.iter().flat_map(|address| ports.iter().map(move |port| (*address, *port)))
        {
            trap.set(address, port);
        }
    });
    assert!(!trap.marker().exists(), "{name}: a second user's program ran");
    held.sim.no_faults();
    held.sim.post("/release", &json!({}));
    assert!(held.firstbell.wait().unwrap().success(), "{name}: the login was disturbed");
    assert!(!trap.marker().exists(), "{name}: a second user's program ran");
}

#[test]
fn a_second_user_gets_no_program_started_by_chromedriver() {
    is_found_nowhere(engines::CHROMEDRIVER, "chromedriver");
}

#[test]
fn a_second_user_gets_no_program_started_by_geckodriver() {
    is_found_nowhere(engines::GECKODRIVER, "geckodriver");
}

/// The same request at servers that were started as their manuals say: it must work, or the tests above prove nothing.
#[test]
fn servers_outside_of_a_cage_start_anybody_s_program() {
    for server in [Server::chromedriver(), Server::geckodriver(&engines::geckodriver())] {
        let port = server.url.rsplit(':').next().unwrap().parse().unwrap();
        assert!(listening(server.id()).contains(&port), "the look at ports does not see {}", server.url);
        let trap = Trap::new();
        let look = || {
            assert!(trap.set(LOOPBACK[0], port), "nobody is at {}", server.url);
            ran(&trap.marker());
        };
        if as_stranger(look).is_none() {
            look();
        }
    }
}

fn ran(marker: &Path) {
    family::until("the program ran", || fs::metadata(marker).map_err(|e| e.to_string()).map(drop));
}
