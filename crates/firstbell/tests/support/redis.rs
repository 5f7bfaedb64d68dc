//! A Redis server of a test's own: in a folder, reached by a socket in it, gone with the test.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const LOOKS: u32 = 3000;
const LOOK: Duration = Duration::from_millis(10);
/// The password of its users: as good as a secret in these tests.
pub const PASSWORD: &str = "rD-7Xq2mNv9Kt4Pw";

/// A server that keeps nothing on a disk. The thread that started it must outlive it.
pub struct Redis {
    child: Child,
    folder: TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    pub fn start() -> Redis {
        let folder = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
        let child = serve(&folder.path().join("redis.sock"), &[]);
        Redis { child, folder }
    }

    /// One that is reached over TLS at this port, with this certificate and its key.
    pub fn encrypted(port: u16, [certificate, key]: [&Path; 2]) -> Redis {
        let folder = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
        let path = |path: &Path| path.display().to_string();
        let tls = [
            "--tls-port",
            &port.to_string(),
            "--tls-auth-clients",
            "no",
            "--tls-cert-file",
            &path(certificate),
        ]
        .map(str::to_owned);
        let key =
            ["--tls-key-file".to_owned(), path(key), "--tls-ca-cert-file".to_owned(), path(certificate)];
        let child = serve(&folder.path().join("redis.sock"), &[tls.as_slice(), &key].concat());
        Redis { child, folder }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// The lines that place a sink there.
    pub fn sink(&self) -> String {
        let password = self.folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        crate::support::private(&password);
        format!(
            "kind = \"redis\"\nsocket = \"{}\"\npassword = {{ file = \"{}\" }}\n",
            self.socket().display(),
            password.display()
        )
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Another one in its place, which knows nothing.
    pub fn again(&mut self) {
        self.child = serve(&self.socket(), &[]);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn say(&self, words: &[&str]) -> String {
        say(&self.socket(), words)
    }

    pub fn text(&self, key: &str) -> Option<String> {
        Some(self.say(&["GET", key])).filter(|text| !text.is_empty())
    }
}

fn serve(socket: &Path, more: &[String]) -> Child {
    let _ = std::fs::remove_file(socket);
    let child = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "--",
            "redis-server",
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .args(["--requirepass", PASSWORD, "--unixsocketperm", "700", "--unixsocket"])
        .arg(socket)
        .arg("--dir")
        .arg(socket.parent().unwrap())
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("setpriv (util-linux) is there");
    let waits = (0..LOOKS).take_while(|_| say(socket, &["PING"]) != "PONG");
    waits.for_each(|_| std::thread::park_timeout(LOOK));
    assert_eq!(say(socket, &["PING"]), "PONG");
    child
}

fn say(socket: &Path, words: &[&str]) -> String {
    let mut cli = Command::new("redis-cli");
    let said = cli.arg("-s").arg(socket).args(words).env("REDISCLI_AUTH", PASSWORD).output();
    String::from_utf8(said.expect("redis-cli is there").stdout).unwrap().trim_end().to_owned()
}
