//! The seat of another user at the shared socket: open to everybody by its mode, and shut by the kernel's word but to those who
//! are named.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/serving.rs"]
mod serving;
#[path = "support/stranger.rs"]
mod stranger;
mod support;

use std::fs::{self, Permissions};
use std::io::BufReader;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon::{Daemon, configure_due, now, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use serving::{Answer, Client};
use stranger::as_stranger;
use support::{Home, Sim};
use tempfile::TempDir;

/// A folder that everybody may enter, and the place of a socket in it.
fn public() -> (TempDir, PathBuf) {
    let folder = tempfile::Builder::new().prefix("fb-run-").tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let socket = folder.path().join("api");
    (folder, socket)
}

fn ask(socket: &Path, method: &str, path: &str) -> Answer {
    try_ask(socket, method, path).unwrap()
}

fn try_ask(socket: &Path, method: &str, path: &str) -> std::io::Result<Answer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut client = Client { stream: BufReader::new(stream), host: "firstbell".into() };
    client.send(method, path, "");
    client.read()
}

/// The same from the stranger's seat.
fn strange(socket: &Path, method: &str, path: &str) -> Answer {
    as_stranger(|| ask(socket, method, path))
        .expect("only root can take another user's seat: run these tests as root")
}

fn audit(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.state().join("audit.log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const CARD: &str = "/v1/accounts/main/token";

#[test]
fn who_is_not_named_gets_nothing_and_who_is_named_gets_tokens_and_no_more() {
    let (_folder, socket) = public();
    let sim = Sim::start();
    let home = Home::new(&sim);
    let api = format!("[api]\nsocket = {socket:?}\n");
    configure_due(&home, &sim, "", &api);
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let meta = fs::metadata(&socket).unwrap();
    assert_eq!(meta.mode() & 0o777, 0o666, "its mode lets everybody connect");
    for (method, path) in [
        ("GET", CARD),
        ("GET", "/v1/accounts/main/token?wait=0"),
        ("GET", "/v1/accounts"),
        ("GET", "/livez"),
        ("GET", "/metrics"),
        ("GET", "/v1/events"),
        ("GET", "/openapi.json"),
        ("GET", "/nowhere"),
        ("POST", "/v1/accounts/main/pause"),
    ] {
        let answer = strange(&socket, method, path);
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (403, Some("forbidden")),
            "{method} {path}"
        );
    }
    assert_eq!(ask(&socket, "GET", CARD).status, 200, "our own user may");
    assert!(
        ask(&socket, "GET", "/metrics").text.contains("firstbell_api_refused_total{why=\"stranger\"} 9\n")
    );
    // Named, after a reload: the socket is the same, and so is the token.
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), text.replace("[api]\n", "[api]\nusers = [\"1\"]\n")).unwrap();
    daemon.signal(Signal::HUP);
    let card = until("the stranger is named", || {
        // A connection that is open when the file is read anew may be cut off.
        let answer = as_stranger(|| try_ask(&socket, "GET", CARD)).unwrap().map_err(|e| e.to_string())?;
        if answer.status == 200 { Ok(answer.text) } else { Err(answer.text) }
    });
    assert_eq!(card, ask(&socket, "GET", CARD).text);
    assert_eq!(fs::metadata(&socket).unwrap().ino(), meta.ino(), "who connected meanwhile was not sent away");
    assert_eq!(strange(&socket, "GET", "/v1/accounts").status, 200);
    let refused = strange(&socket, "POST", "/v1/accounts/main/pause");
    assert_eq!((refused.status, daemon.account("main")["paused"].as_bool()), (403, Some(false)));
    let lines = audit(&home);
    let strange_line = lines.iter().find(|line| line["peer"]["uid"] == 1).unwrap();
    assert_eq!((&strange_line["via"], &strange_line["what"]), (&json!("shared"), &json!("token")));
    assert!(strange_line["peer"]["started"].as_u64().unwrap() > 0);
    // The state folder's own socket stays shut to him.
    assert!(as_stranger(|| UnixStream::connect(home.state().join("socket")).is_err()).unwrap());
    // And away again.
    fs::write(home.config(), text.replace(&api, "")).unwrap();
    daemon.signal(Signal::HUP);
    until("the socket is gone", || if socket.exists() { Err("it is there".into()) } else { Ok(()) });
    daemon.account("main");
}

#[test]
fn whoever_sits_on_the_shared_socket_named_or_not_keeps_nobody_else_from_it() {
    for users in ["[]", "[\"1\"]"] {
        let (_folder, socket) = public();
        let sim = Sim::start();
        let home = Home::bare(&sim);
        configure_due(&home, &sim, "", &format!("[api]\nsocket = {socket:?}\nusers = {users}\n"));
        let daemon = Daemon::start(&home);
        daemon.account("main");
        // More than there are places, and none says a word: each could sit for five seconds.
        let sit = || (0..200).map(|_| UnixStream::connect(&socket).unwrap()).collect::<Vec<_>>();
        let _sitting =
            as_stranger(sit).expect("only root can take another user's seat: run these tests as root");
        let asked = now();
        assert_eq!(ask(&socket, "GET", "/livez").status, 200);
        assert!(asked.elapsed() < Duration::from_millis(3_500), "{users}: {:?}", asked.elapsed());
    }
}

#[test]
fn a_door_that_cannot_be_opened_is_told_and_the_accounts_are_kept() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    configure_due(
        &home,
        &sim,
        "",
        &format!("[api]\nsocket = \"/tmp/fb-api-of-a-test\"\nlisten = \"{port}\"\n"),
    );
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let log = daemon.log();
    assert!(log.contains("cannot be listened at") && log.contains("nobody else's to write to"), "{log}");
    drop(taken);
    daemon.signal(Signal::HUP);
    until("the next round opens it", || match std::net::TcpStream::connect(port) {
        Ok(_) => Ok(()),
        Err(e) => Err(e.to_string()),
    });
}

#[test]
fn an_address_that_others_reach_is_no_configuration() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    for address in ["0.0.0.0:7470", "[::]:7470", "192.0.2.1:7470"] {
        configure_due(&home, &sim, "", &format!("[api]\nlisten = \"{address}\"\n"));
        let ended = home.run(&["run"]);
        assert!(ended.code == 2 && ended.stderr.contains("must be a loopback address"), "{ended:?}");
    }
}
