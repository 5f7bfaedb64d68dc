//! A login that was stopped in its middle, with all that it started.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::family::{self, Kin};
use crate::support::{Home, Sim, marker, request};

/// A login that stands still while its code is on the way: the password was typed, and every process lives.
pub struct Held {
    pub sim: Sim,
    /// With this all begins that the site hands out on the way to a token.
    pub mark: String,
    pub home: Home,
    pub firstbell: Child,
    pub family: Vec<Kin>,
    pub folder: PathBuf,
    /// All arguments and environments that were seen while it lived.
    pub shown: JoinHandle<BTreeSet<String>>,
}

impl Held {
    pub fn begin(lines: &str) -> Held {
        // Whoever starts firstbell may allow cores of any size.
        let unlimited = "ulimit -c unlimited 2>/dev/null || ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"";
        let mut sh = Command::new("sh");
        sh.args(["-c", unlimited, "sh"]);
        Held::begin_by(sh, lines)
    }

    /// Begun by a program that becomes what its arguments say.
    pub fn begin_by(mut command: Command, lines: &str) -> Held {
        let sim = Sim::start();
        let mark = marker(16);
        sim.settings(&json!({ "mark": mark }));
        let home = Home::new(&sim);
        let config = fs::read_to_string(home.config()).unwrap();
        fs::write(home.config(), format!("{lines}{config}")).unwrap();
        sim.fault(&json!({ "at": "twofa", "do": "hold" }));
        let inner = home.command(&["login"]);
        command.arg(inner.get_program()).args(inner.get_args()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let temp = home.dir.path().join("temp");
        fs::create_dir(&temp).unwrap();
        command
            .env("TMPDIR", temp)
            .current_dir(home.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let firstbell = command.spawn().unwrap();
        let shown = watch(firstbell.id());
        family::until(lines, || {
            assert!(Kin::read(firstbell.id()).is_some(), "ended before its code was on the way: {lines}");
            let (_, reply) = request("GET", &sim.inspect, "/held?wait=twofa&timeout_ms=5000", None);
            let held = reply["held"].as_array().is_some_and(|held| !held.is_empty());
            if held { Ok(()) } else { Err("its code is not on the way".into()) }
        });
        let family = family::of(firstbell.id());
        let folder = family::folder(&family);
        Held { sim, mark, home, firstbell, family, folder, shown }
    }

    pub fn itself(&self) -> Kin {
        Kin::read(self.firstbell.id()).unwrap()
    }
}

/// Looks at a firstbell and all that descends from it, over and over until it ends.
fn watch(root: u32) -> JoinHandle<BTreeSet<String>> {
    std::thread::spawn(move || {
        let mut shown = BTreeSet::new();
        while let Some(itself) = Kin::read(root) {
            for kin in family::of(root).into_iter().chain([itself]) {
                shown.insert(kin.proc("environ"));
                shown.insert(kin.arguments);
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        shown
    })
}
