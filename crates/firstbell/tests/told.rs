//! A person is told of a morning that fails, by the daemon, through what works of his channels; once for each severity, and once
//! that it is over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use daemon::{Daemon, configure, leap, standing_sim, until, wait_for};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{Home, Sim};

/// A receiver of webhooks, or of a dead man's switch, that answers everything with one status.
struct Receiver {
    address: String,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    fn answering(status: u16) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = read(stream, status) {
                    ears.lock().unwrap().push(request);
                }
            }
        });
        Receiver { address, heard }
    }

    fn bodies(&self) -> Vec<Value> {
        // The check before the login only looks whether somebody is there, and says nothing.
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(path, _)| path == "/hook").map(|(_, body)| body.clone()).collect()
    }

    fn paths(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }
}

fn read(mut stream: TcpStream, status: u16) -> Option<(String, Value)> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    let body = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|l| Some(l.strip_prefix("content-length: ")?.to_owned()));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                break body.to_owned();
            }
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&part[..n]),
        }
    };
    let path = String::from_utf8_lossy(&bytes).split(' ').nth(1)?.to_owned();
    let reply = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes()).ok()?;
    Some((path, serde_json::from_str(&body).unwrap_or(Value::Null)))
}

fn channel(home: &Home, name: &str, address: &str, severity: &str) -> String {
    let file = |what: &str, text: &str| {
        let path = home.dir.path().join(format!("{name}-{what}"));
        fs::write(&path, text).unwrap();
        support::private(&path);
        path.display().to_string()
    };
    format!(
        "[channel.{name}]\nkind = \"webhook\"\nseverity = \"{severity}\"\naddress = {{ file = '{}' }}\nkey = {{ file = '{}' }}\n",
        file("address", address),
        file("key", "a key that both sides know")
    )
}

/// Nobody gets in between these hours.
fn shut(sim: &Sim, from: &str, until: &str) {
    let fault = |at: &str| json!({ "at": at, "do": "status", "status": 503, "from": from, "until": until });
    sim.post("/faults", &json!({ "fault": [fault("entry"), fault("login-page")] }));
}

#[test]
fn a_failing_morning_reaches_a_person_through_the_channel_that_works() {
    let sim = standing_sim("2026-02-02T08:00:00+05:30");
    let home = Home::new(&sim);
    let (deaf, good, grave) = (Receiver::answering(503), Receiver::answering(200), Receiver::answering(200));
    let switch = Receiver::answering(200);
    shut(&sim, "08:00", "09:10");
    let channels = [
        channel(&home, "deaf", &deaf.address, "information"),
        channel(&home, "good", &good.address, "information"),
        channel(&home, "grave", &grave.address, "critical"),
    ]
    .concat();
    let more = format!("dead_mans_switch = '{}'", switch.address);
    // The process ends in the middle of the incident, and what was said is not said again.
    for to in ["2026-02-02T08:40:00+05:30", "2026-02-02T10:00:00+05:30"] {
        let to: Timestamp = to.parse().unwrap();
        configure(&home, &sim, &more, &format!("{channels}{}", leap(&sim, to)));
        let mut daemon = Daemon::start(&home);
        wait_for(&sim, to, &mut daemon);
        daemon.until_account("main", "all is said", |account| {
            let next: Timestamp = account["next"]["at"].as_str().unwrap().parse().unwrap();
            next > to
        });
        until("the messages arrive", || {
            let said = good.bodies().len();
            let wanted = if to.to_string().contains("T03:10") { 1 } else { 3 };
            if said >= wanted { Ok(()) } else { Err(format!("{said}: {}", daemon.log())) }
        });
        assert_eq!(daemon.end().0, 0);
    }
    let said: Vec<(String, bool)> = good
        .bodies()
        .iter()
        .map(|m| (m["severity"].as_str().unwrap().to_owned(), m["over"].as_bool().unwrap()))
        .collect();
    let want = [("warning", false), ("critical", false), ("information", true)];
    assert_eq!(said, want.map(|(severity, over)| (severity.to_owned(), over)), "{:#?}", good.bodies());
    let first = &good.bodies()[0];
    assert_eq!(first["title"], "main: no token yet");
    let body = first["body"].as_str().unwrap();
    assert!(body.contains("Zerodha is having trouble"), "{body}");
    assert!(body.contains("No token; the market opens in 44 minutes."), "{body}");
    let grave: Vec<Value> = grave.bodies().iter().map(|m| m["severity"].clone()).collect();
    assert_eq!(grave, ["critical", "information"], "and it hears that it is over");
    assert!(deaf.bodies().len() >= 3, "the one that refuses is asked too");
    // The verdict at nine was bad, and nobody said that it was good.
    assert_eq!(switch.paths(), ["/hook/start", "/hook/fail"]);
}

#[test]
fn where_no_channel_works_it_is_tried_again_until_one_does() {
    let sim = standing_sim("2026-02-02T08:00:00+05:30");
    let home = Home::new(&sim);
    let deaf = Receiver::answering(500);
    shut(&sim, "08:00", "09:00");
    let to: Timestamp = "2026-02-02T08:44:00+05:30".parse().unwrap();
    let channels = channel(&home, "deaf", &deaf.address, "information");
    configure(&home, &sim, "", &format!("{channels}{}", leap(&sim, to)));
    let mut daemon = Daemon::start(&home);
    wait_for(&sim, to, &mut daemon);
    until("it is tried again and again", || {
        let tried = deaf.bodies().len();
        if tried >= 3 { Ok(()) } else { Err(format!("{tried}: {}", daemon.log())) }
    });
    assert!(!daemon.log().contains("a warning was said"), "nobody heard it: {}", daemon.log());
    daemon.kill();
    // The next process has a channel that works, and says what was not said.
    let good = Receiver::answering(200);
    let channels = [channels, channel(&home, "good", &good.address, "information")].concat();
    let later: Timestamp = "2026-02-02T08:44:30+05:30".parse().unwrap();
    configure(&home, &sim, "", &format!("{channels}{}", leap(&sim, later)));
    let daemon = Daemon::start(&home);
    until("it arrives", || if good.bodies().is_empty() { Err(daemon.log()) } else { Ok(()) });
    assert_eq!(good.bodies()[0]["severity"], "warning");
}
