//! The way back of a person's login over TLS, with a certificate of the owner's; and what a certificate that is none is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/person.rs"]
mod person;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/waiting.rs"]
mod waiting;

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use certificate::certificate;
use person::Person;
use support::{Home, Sim};
use waiting::{Waiting, generation, port, stage};

/// A certificate for localhost, and its key, which nobody else reads.
fn pair(folder: &Path) -> (PathBuf, PathBuf) {
    let [chain, key] = certificate(folder, "DNS:localhost");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    (chain, key)
}

fn configured(port: u16, (chain, key): (&Path, &Path)) -> (Sim, Home) {
    let (sim, home) = stage(&format!("https://localhost:{port}/back"));
    let text = fs::read_to_string(home.config()).unwrap();
    let table = format!(
        "[account.main.callback]\ncertificate = '{}'\nkey = '{}'\nlisten = \"127.0.0.1:{port}\"\n",
        chain.display(),
        key.display()
    );
    fs::write(home.config(), format!("{text}\n{table}")).unwrap();
    (sim, home)
}

/// Asks over TLS, as a browser that trusts this certificate only: all that was answered.
fn ask(port: u16, target: &str, chain: &Path) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("-CAfile")
        .arg(chain)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/html\r\n\r\n");
    let mut input = child.stdin.take().unwrap();
    input.write_all(head.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_way_back_is_taken_with_a_certificate_of_the_owner_s() {
    let folder = tempfile::tempdir().unwrap();
    let ((chain, key), port) = (pair(folder.path()), port());
    let (sim, home) = configured(port, (&chain, &key));
    let waiting = Waiting::begin(&home, &[]);
    assert!(!waiting.said.contains("does not listen"), "{}", waiting.said);
    // What speaks no TLS, or nothing at all, is in nobody's way.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.write_all(b"GET /back?request_token=x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let _silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    let target = back.strip_prefix(&format!("https://localhost:{port}")).unwrap();
    let reply = ask(port, target, &chain);
    assert!(reply.starts_with("HTTP/1.1 303") && !reply.contains("request_token"), "{reply}");
    let told = reply.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().trim();
    let page = ask(port, told, &chain);
    assert!(page.contains("You can close this window"), "{page}");
    let ended = waiting.end();
    assert!(ended.code == 0 && generation(&home) == 1, "{ended:?}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_and_leaves_the_paste() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = pair(folder.path());
    let nothing = folder.path().join("nothing.pem");
    let (_, other) = pair(&{
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        other
    });
    let open = folder.path().join("open.pem");
    fs::copy(&key, &open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
    for (chain, key, why) in [
        (&nothing, &key, "nothing.pem cannot be used"),
        (&chain, &nothing, "nothing.pem cannot be used"),
        (&key, &key, "cannot be used"),
        (&chain, &other, "cannot be used"),
        (&chain, &open, "others can read or change it; run chmod g-w,o-rwx"),
    ] {
        let (sim, home) = configured(port(), (chain, key));
        let mut waiting = Waiting::begin(&home, &[]);
        assert!(waiting.said.contains("cannot listen with your certificate"), "{}", waiting.said);
        assert!(waiting.said.contains(why), "{why}: {}", waiting.said);
        let back = Person::signed_in(&sim).back(&sim, &waiting.link);
        waiting.paste(&back);
        assert_eq!(waiting.end().code, 0);
    }
}

#[test]
fn a_certificate_for_an_address_without_tls_is_a_fault() {
    let (_sim, home) = stage("http://127.0.0.1:5000/back");
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(
        home.config(),
        format!("{text}\n[account.main.callback]\ncertificate = \"c.pem\"\nlisten = \"here\"\n"),
    )
    .unwrap();
    let ended = home.run(&["status"]);
    assert_eq!(ended.code, 2);
    for fault in [
        "callback is for a redirect_url that begins with https",
        "must be an absolute path",
        "key is missing",
        "an address and a port",
    ] {
        assert!(ended.stderr.contains(fault), "{fault}: {}", ended.stderr);
    }
}
