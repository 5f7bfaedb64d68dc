//! A WebDriver server that somebody else runs.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// One that we did not start through firstbell. It runs as somebody without rights, because a browser keeps its sandbox from
/// root.
pub struct Server {
    child: Child,
    pub url: String,
    _home: tempfile::TempDir,
}

impl Server {
    pub fn chromedriver() -> Server {
        Server::start(Path::new("/usr/bin/chromedriver"), &["--port=0"], "successfully on port ")
    }

    pub fn geckodriver(program: &Path) -> Server {
        Server::start(program, &["--port", "0"], "Listening on 127.0.0.1:")
    }

    fn start(program: &Path, arguments: &[&str], says: &str) -> Server {
        let home = tempfile::Builder::new().prefix("fb-grid-").tempdir().unwrap();
        // A checkout may lie where nobody else can go.
        let copied = home.path().join("server");
        // By another process: a program that somebody of ours still has open for writing cannot be started.
        assert!(Command::new("cp").arg(program).arg(&copied).status().unwrap().success());
        let mut command = Command::new(copied);
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", home.path()).env("TMPDIR", home.path()).process_group(0);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).unwrap();
            command.uid(65534).gid(65534);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .filter_map(|line| Some(line.split_once(says)?.1.trim_end_matches('.').to_owned()))
            .next()
            .unwrap();
        Server { child, url: format!("http://127.0.0.1:{port}"), _home: home }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The sessions that it has open.
    pub fn sessions(&self) -> Value {
        // It holds connections open, whatever it is asked.
        let said = Command::new("curl").args(["-s", &format!("{}/sessions", self.url)]).output().unwrap();
        serde_json::from_slice::<Value>(&said.stdout).unwrap()["value"].take()
    }

    /// The lines of a configuration that has it used.
    pub fn lines(&self) -> String {
        let url = &self.url;
        format!("driver = \"webdriver\"\naccept = [\"remote-webdriver\"]\n[webdriver]\nurl = \"{url}\"\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}
