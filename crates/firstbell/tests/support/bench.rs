//! A bench for canaries: a simulator and a home whose secrets can be told from anything else, firstbell runs during
//! which every process is watched, and a look at all places where a secret could have been left.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::folders::copy_state;
use crate::processes::{self, Sample, Watch};
use crate::scanner::{Find, Scanner};
use crate::support::engines;
use crate::support::{Account, Ended, Home, Sim, ended, marker};

pub const NAMES: [&str; 3] = ["password", "totp_seed", "api_secret"];
/// Shared folders in which a careless program leaves things.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
pub const TOKEN: &str = "access token";

/// A secret with the characters that forms, addresses and JSON write in another way, each between letters of chance.
pub fn password() -> String {
    ["\"", "%", "+", "é", "\\", " ", "&", "'"].map(|special| format!("{}{special}", marker(5))).concat()
        + &marker(5)
}

/// A simulator, a home, and what must not be seen of it.
pub struct Bench {
    pub sim: Sim,
    pub home: Home,
    /// The state folder as it was before the first login.
    fresh: TempDir,
    pub scanner: Scanner,
    pub driver: &'static str,
    /// What lay in the shared folders before.
    before: BTreeSet<PathBuf>,
}

/// What one run of firstbell showed.
pub struct Ran {
    pub ended: Ended,
    pub samples: Vec<Sample>,
    pub id: u32,
    /// Whether it was asked for the token, which it may then print.
    pub gives_token: bool,
}

impl Bench {
    pub fn new(driver: &'static str) -> Bench {
        Bench::under(driver, &[])
    }

    /// With a simulator of these arguments.
    pub fn under(driver: &'static str, arguments: &[&str]) -> Bench {
        let mut bench = Bench::before(driver, arguments);
        let account = bench.sim.account.clone();
        for (name, value) in NAMES.iter().zip([&account.password, &account.totp_seed, &account.api_secret]) {
            bench.must(&["secrets", "set", name], value, 0);
        }
        copy_state(&bench.home.state(), &bench.fresh.path().join("state"));
        bench
    }

    /// Without secrets in the vault.
    pub fn bare(driver: &'static str) -> Bench {
        Bench::before(driver, &[])
    }

    fn before(driver: &'static str, arguments: &[&str]) -> Bench {
        let account = Account { password: password(), ..Account::new() };
        let mut scanner = Scanner::default();
        scanner.add("password", &account.password);
        scanner.add("api secret", &account.api_secret);
        scanner.add_seed("seed", &account.totp_seed);
        let sim = Sim::start_with(account, arguments);
        // Cookies, the web's token and the request token are nobody's but the login's.
        let mark = marker(16);
        scanner.add("what the login was given", &mark);
        sim.settings(&json!({ "mark": mark }));
        let home = Home::bare(&sim);
        let (fresh, before) = (TempDir::with_prefix("fb-test-").unwrap(), in_shared_folders());
        let bench = Bench { sim, home, fresh, scanner, driver, before };
        for folder in [bench.temp(), bench.run_time()] {
            fs::create_dir(folder).unwrap();
        }
        bench.configure("");
        bench
    }

    pub fn configure(&self, more: &str) {
        let sink = self.sink();
        let sink =
            format!("[[account.main.sink]]\nkind = \"file\"\nformat = \"env\"\npath = '{}'", sink.display());
        self.home.configure(&self.sim, &format!("{more}\n{sink}"));
        self.home.prepend(&lines(self.driver));
    }

    fn temp(&self) -> PathBuf {
        self.home.dir.path().join("temp")
    }

    fn run_time(&self) -> PathBuf {
        self.home.dir.path().join("run")
    }

    pub fn sink(&self) -> PathBuf {
        self.home.dir.path().join("token.env")
    }

    /// As on the first morning: nothing spent, nobody logged in, no fault.
    pub fn start_over(&self) {
        fs::remove_dir_all(self.home.state()).unwrap();
        copy_state(&self.fresh.path().join("state"), &self.home.state());
        let _ = fs::remove_file(self.sink());
        self.sim.post("/reset", &json!({}));
        self.sim.no_faults();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        let folders = [("TMPDIR", self.temp()), ("XDG_RUNTIME_DIR", self.run_time())];
        command.envs(folders).env("FIRSTBELL_LOG", "trace");
        command
    }

    pub fn login(&self) -> Command {
        self.command(&["login", "--json"])
    }

    /// Runs to the end, and looks everywhere.
    pub fn must(&mut self, arguments: &[&str], input: &str, code: i32) {
        let ran = run(self.command(arguments), input);
        assert_eq!(ran.ended.code, code, "{arguments:?}: {}", ran.ended.stderr);
        self.nothing_shows(&format!("{arguments:?}"), &[ran]);
    }

    /// After a login: takes note of the token that there is, proves it first if it still waits for that, and looks
    /// everywhere, also into what the login showed before the token was known.
    pub fn nothing_shows_of_login(&mut self, what: &str, mut ran: Vec<Ran>) {
        self.sim.no_faults();
        let status = run(self.command(&["status", "--json"]), "");
        if status.ended.json()["accounts"][0]["pending"] == true {
            ran.push(run(self.login(), ""));
        }
        let token = run(self.command(&["token", "--json"]), "");
        if token.ended.code == 0 {
            self.scanner.add(TOKEN, token.ended.json()["access_token"].as_str().unwrap());
        }
        ran.extend([status, Ran { gives_token: true, ..token }]);
        self.nothing_shows(what, &ran);
    }

    pub fn nothing_shows(&self, what: &str, ran: &[Ran]) {
        closed_to_others(&self.home.state());
        let mut finds: BTreeSet<Find> = ran.iter().flat_map(|ran| self.shown_by(ran)).collect();
        finds.extend(self.scanner.search_tree(self.home.dir.path()));
        let shared = in_shared_folders();
        finds.extend(shared.difference(&self.before).flat_map(|path| self.scanner.search_tree(path)));
        let sink = self.sink().display().to_string();
        finds.retain(|find| find.secret != TOKEN || find.place != sink);
        assert!(finds.is_empty(), "{what}, {}: {finds:#?}", self.driver);
        assert_eq!(fs::read_dir(self.run_time()).unwrap().count(), 0, "{what}: something is left");
        for sample in ran.iter().flat_map(|ran| processes::below(ran.id, &ran.samples)) {
            let left = sample.process.browser_folder().filter(|folder| folder.exists());
            assert_eq!(left, None, "{what}: the browser's folder is left");
        }
    }

    fn shown_by(&self, ran: &Ran) -> BTreeSet<Find> {
        let mut finds = self.scanner.search("standard output", ran.ended.stdout.as_bytes());
        finds.retain(|find| find.secret != TOKEN || !ran.gives_token);
        finds.extend(self.scanner.search("standard error", ran.ended.stderr.as_bytes()));
        finds.extend(ran.samples.iter().flat_map(|sample| in_process(&self.scanner, sample)));
        finds
    }
}

/// `find -perm /077`: neither the state nor anything in it is open to anybody else.
fn closed_to_others(path: &Path) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    assert_eq!(meta.mode() & 0o077, 0, "{} is open to others", path.display());
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        closed_to_others(&entry.path());
    }
}

/// The lines of a configuration for an engine by its name here.
fn lines(name: &str) -> String {
    match name {
        "chromedriver" => engines::lines(engines::CHROMEDRIVER),
        "geckodriver" => engines::lines(engines::GECKODRIVER),
        name => format!("driver = \"{name}\"\n"),
    }
}

/// Except homes of tests and the folders of browsers, which are looked at on their own.
fn in_shared_folders() -> BTreeSet<PathBuf> {
    let entries = SHARED.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let known = |name: &str| name.starts_with("fb-test-") || name.starts_with("firstbell-browser-");
    entries.filter(|e| !known(&e.file_name().to_string_lossy())).map(|e| e.path()).collect()
}

pub fn start(mut command: Command, input: &str) -> Child {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // One that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child
}

/// Runs to the end while every process of this machine is watched.
pub fn run(command: Command, input: &str) -> Ran {
    let watch = Watch::start();
    finish(start(command, input), watch)
}

pub fn finish(child: Child, watch: Watch) -> Ran {
    let id = child.id();
    let ended = ended(child.wait_with_output().unwrap());
    Ran { ended, samples: watch.stop(), id, gives_token: false }
}

pub fn in_process(scanner: &Scanner, sample: &Sample) -> BTreeSet<Find> {
    let process = &sample.process;
    let place = |part: &str| format!("{part} of {} {}", process.id, process.program.display());
    let mut finds = scanner.search(&place("arguments"), &process.arguments);
    finds.extend(scanner.search(&place("environment"), &process.environment));
    finds
}
