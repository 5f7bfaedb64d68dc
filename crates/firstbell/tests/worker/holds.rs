//! What a worker holds in the middle of a login: the password in its memory, and nothing of the store anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use firstbell::clock::MachineClock;
use firstbell::ports::{Clock, TokenChange};
use firstbell::stores;
use firstbell_core::broker::App;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::event::Event;
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Life, Token};
use rustix::process::geteuid;
use serde_json::json;

use crate::family::{self, Kin};
use crate::memory::Memory;
use crate::scanner::Scanner;
use crate::support::engines::{self, Engine};
use crate::support::{Home, Sim, marker};

/// A proven token of an earlier day, as a login keeps it.
fn keep(sim: &Sim, home: &Home, access_token: &str) {
    let (stores, now) = (stores::open(&home.state()).unwrap(), MachineClock::start().now());
    let (api_key, user_id) = (sim.account.api_key.clone(), sim.account.user_id.clone());
    let user = App { api_key, user_id, redirect: sim.redirect.parse().unwrap() }.user();
    let access = Access::parse(Secret::new(access_token.to_owned())).unwrap();
    let life = Life::of(now, Kite::live().ground().flush);
    let token = Token { access, api_key: sim.account.api_key.clone(), generation: 1, life };
    let record = |event, change| stores.store().record(&user, &[(now, event)], change).unwrap();
    record(Event::Issued { generation: 1 }, TokenChange::Pend(&token));
    record(Event::Proven { generation: 1 }, TokenChange::Promote);
}

struct Held {
    sim: Sim,
    home: Home,
    firstbell: Child,
    token: String,
    family: Vec<Kin>,
}

impl Held {
    /// A login whose code is on the way, begun by somebody who left a file open for whoever he starts.
    fn begin(engine: Engine) -> Held {
        let (sim, token) = (Sim::start(), marker(32));
        let home = Home::new(&sim);
        home.prepend(&engines::lines(engine));
        keep(&sim, &home, &token);
        sim.fault(&json!({ "at": "twofa", "do": "hold" }));
        let inner = home.command(&["login"]);
        let mut command = Command::new("sh");
        command.args(["-c", "exec 7<\"$FIRSTBELL_CONFIG\"; exec \"$@\"", "sh"]);
        command.arg(inner.get_program()).args(inner.get_args()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("MARKED", "by whoever starts it");
        let firstbell =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sim.wait_held("twofa");
        let family = family::of(firstbell.id());
        Held { sim, home, firstbell, token, family }
    }

    fn worker(&self) -> &Kin {
        worker(&self.family)
    }

    fn end(mut self) {
        self.sim.no_faults();
        self.sim.post("/release", &json!({}));
        assert!(self.firstbell.wait().unwrap().success());
        let folder = Path::new("/nowhere/firstbell-browser-none");
        family::gone("a login that went well", &self.family, folder);
    }
}

pub(crate) fn worker(family: &[Kin]) -> &Kin {
    let mut workers = family.iter().filter(|kin| kin.arguments.trim_end().ends_with(" work"));
    workers.next().unwrap_or_else(|| panic!("no worker among {family:#?}"))
}

fn scanner(held: &Held) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.add("password", &held.sim.account.password);
    scanner.add("api secret", &held.sim.account.api_secret);
    scanner.add_seed("seed", &held.sim.account.totp_seed);
    scanner.add("token", &held.token);
    scanner
}

fn memory_of(engine: Engine) {
    assert!(geteuid().is_root(), "the memory of a process that nobody may look into is read as root");
    let held = Held::begin(engine);
    let scanner = scanner(&held);
    let mut all = BTreeSet::new();
    let of = |kin: &Kin| (kin.arguments.clone(), Memory::of(kin.id), kin.lives());
    let copies: Vec<(String, Memory, bool)> = held.family.iter().map(of).collect();
    let keeper = Memory::of(held.firstbell.id());
    held.end();
    for (arguments, memory, lived) in &copies {
        assert!(!memory.is_empty() || !lived, "{arguments}: nothing was read");
        let found = memory.search(&scanner);
        assert!(found.iter().all(|name| name == "password"), "{arguments}: {found:?}");
        all.extend(found);
    }
    assert!(all.contains("password"), "the look at memory does not find what is there");
    // Nor would it miss the rest: whoever walks the login holds it.
    let found = keeper.search(&scanner);
    assert!(found.contains("api secret") && found.contains("password"), "{found:?}");
}

#[test]
fn chrome_and_its_worker_hold_the_password_at_most() {
    memory_of(engines::CHROME);
}

#[test]
fn firefox_and_its_worker_hold_the_password_at_most() {
    memory_of(engines::FIREFOX);
}

fn descriptors(id: u32) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.display().to_string())).collect()
}

#[test]
fn a_worker_has_nothing_of_the_store_and_nothing_of_whoever_started_it() {
    let held = Held::begin(engines::CHROME);
    let worker = held.worker();
    let names: Vec<String> = worker
        .proc("environ")
        .split_terminator('\0')
        .map(|variable| variable.split('=').next().unwrap().to_owned())
        .collect();
    assert!(names.iter().all(|n| ["PATH", "TMPDIR", "XDG_RUNTIME_DIR"].contains(&n.as_str())), "{names:?}");
    let arguments: Vec<&str> = worker.arguments.split_whitespace().collect();
    assert_eq!(arguments, ["/proc/self/exe", "work"]);
    // The keeper has both: whoever started it left one open, and its store is the other.
    let places = [held.home.config().display().to_string(), held.home.state().display().to_string()];
    let keepers = descriptors(held.firstbell.id());
    for place in &places {
        assert!(keepers.iter().any(|link| link.starts_with(place)), "{place}: {keepers:#?}");
    }
    let ours: BTreeSet<String> = keepers.into_iter().filter(|link| link.starts_with("socket:")).collect();
    for kin in &held.family {
        let links = descriptors(kin.id);
        assert!(!links.is_empty() || !kin.lives(), "{}", kin.arguments);
        for link in &links {
            assert!(!places.iter().any(|place| link.starts_with(place)), "{}: {link}", kin.arguments);
            assert!(!ours.contains(link), "{}: {link} is the keeper's", kin.arguments);
        }
    }
    let own = |link: &String| {
        let kinds = ["socket:", "pipe:", "anon_inode:", "/dev/null"];
        kinds.iter().any(|kind| link.starts_with(kind)) || link.ends_with("/owner.lock")
    };
    let links = descriptors(worker.id);
    assert!(links.iter().all(own), "{links:#?}");
    let lines: BTreeSet<&String> = links.iter().filter(|link| link.starts_with("socket:")).collect();
    let browsers = held.family.iter().filter(|kin| kin.id != worker.id);
    for kin in browsers {
        let theirs = descriptors(kin.id);
        assert!(!lines.iter().any(|line| theirs.contains(*line)), "{}: the worker's line", kin.arguments);
    }
    assert_eq!(worker.proc("coredump_filter").trim(), "00000000");
    held.end();
}
