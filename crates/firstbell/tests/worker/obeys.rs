//! A worker whose keeper is the test: what it asks for and when, whom it obeys, and what it does with what nobody can read.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::family;
use crate::peer::{self, Peer};
use crate::stranger::as_stranger;

/// A worker, and the test's end of the line to it.
fn worker((ours, theirs): (UnixStream, UnixStream)) -> (Child, Peer) {
    let child = Command::new(env!("CARGO_BIN_EXE_firstbell"))
        .arg("work")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (child, Peer::new(ours))
}

/// Serves one page to every request, on a thread that ends with the test.
fn serve(page: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    origin
}

const FORM: &str = "<form action='/x' onsubmit='return false'><label>User ID <input type=text id=userid></label>\
                    <label>Password <input type=password id=password></label><button>Login</button></form>";
const LEADS_AWAY: &str = "<form action='https://evil.example/x'><label>User ID <input type=text id=userid></label>\
                          <label>Password <input type=password id=password></label><button>Login</button></form>";
const TWO: &str = "<form><label>User ID <input type=text id=userid></label><label>Password <input type=password></label>\
                   <label>Password <input type=password></label><button>Login</button></form>";

/// Opens a page with a worker, and has it type; gives what it says to that.
fn filled(page: &'static str) -> (Child, Peer, Value) {
    let site = serve(page);
    let (child, mut peer) = worker(UnixStream::pair().unwrap());
    let began = peer.ask(&peer::begin(&site)).unwrap();
    let bounds = began["report"]["done"]["bounds"].clone();
    assert!(["whole", "files", "none"].iter().any(|known| bounds["fence"] == *known), "{began}");
    assert!(["in-force", "none"].iter().any(|known| bounds["filter"] == *known), "{began}");
    assert_eq!(began, peer::report(&json!(1), &json!({ "done": { "open_port": null, "bounds": bounds } })));
    let open = json!({ "open": { "url": format!("{site}/connect/login"), "wait_ms": 20_000 } });
    let mut seen = peer.ask(&json!({ "number": 2, "order": { "perform": open } })).unwrap();
    let mut number = 2;
    while seen["report"]["saw"]["page"]["rest"] == "loading" {
        number += 1;
        let look = json!({ "number": number, "order": { "perform": { "look": { "wait_ms": 20_000 } } } });
        seen = peer.ask(&look).unwrap();
    }
    assert_eq!(seen["report"]["saw"]["page"]["origin"], site, "{seen}");
    let said = peer.ask(&peer::fill(9)).unwrap();
    (child, peer, said)
}

#[test]
fn nothing_is_asked_for_where_the_form_leads_away() {
    let (mut child, peer, said) = filled(LEADS_AWAY);
    let why = said["report"]["saw"]["untyped"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("would send to another origin"), "{said}");
    drop(peer);
    child.wait().unwrap();
}

#[test]
fn a_password_is_not_asked_for_whose_field_is_there_twice() {
    let (mut child, mut peer, said) = filled(TWO);
    assert_eq!(said["report"]["want"]["field"], 0, "{said}");
    let said = peer.ask(&json!({ "number": 9, "order": { "type": "AB1234" } })).unwrap();
    assert!(said["report"]["saw"]["untyped"]["why"].as_str().unwrap().contains("exactly once"), "{said}");
    drop(peer);
    child.wait().unwrap();
}

#[test]
fn each_text_is_asked_for_when_the_one_before_it_is_typed() {
    let (mut child, mut peer, said) = filled(FORM);
    assert_eq!(said, peer::report(&json!(9), &json!({ "want": { "field": 0 } })));
    let said = peer.ask(&json!({ "number": 9, "order": { "type": "AB1234" } })).unwrap();
    assert_eq!(said, peer::report(&json!(9), &json!({ "want": { "field": 1 } })));
    // One that is for another order is not typed, and an order in between ends the typing.
    peer.say(&json!({ "number": 8, "order": { "type": "of an earlier one" } }));
    let said = peer.ask(&json!({ "number": 10, "order": { "close": null } }));
    assert!(said.is_none() || said.as_ref().unwrap()["number"] == 10, "{said:?}");
    drop(peer);
    child.wait().unwrap();
}

#[test]
fn a_plan_for_another_host_is_refused_before_anything_is_started() {
    let (mut child, mut peer) = worker(UnixStream::pair().unwrap());
    let said = peer.ask(&peer::begin("https://evil.example")).unwrap();
    assert!(said["report"]["broke"]["why"].as_str().unwrap().contains("for another origin"), "{said}");
    assert_eq!(peer.hear(), None);
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_read_ends_a_worker() {
    let begin = peer::begin("http://127.0.0.1:9").to_string();
    let unknown = begin.replace("\"make\"", "\"seed\":\"x\",\"make\"");
    let framed = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
    let all = [
        b"\xff\xff\xff\xff".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        framed("{}"),
        framed(&unknown),
        framed("{\"number\":1,\"order\":\"prove\"}"),
    ];
    for bytes in all {
        let (mut child, mut peer) = worker(UnixStream::pair().unwrap());
        peer.raw(&bytes).unwrap();
        assert_eq!(peer.hear(), None, "{}", String::from_utf8_lossy(&bytes));
        assert!(!child.wait().unwrap().success());
    }
}

#[test]
fn a_worker_obeys_no_stranger() {
    let pair = as_stranger(|| UnixStream::pair().unwrap()).expect("the tests run as root");
    let (mut child, mut peer) = worker(pair);
    assert_eq!(peer.ask(&peer::begin("http://127.0.0.1:9")), None);
    assert!(!child.wait().unwrap().success());
    assert!(family::of(child.id()).is_empty());
}
