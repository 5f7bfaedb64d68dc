//! Every process of a login is made to dump its memory in the middle of it, where none can forbid cores: no secret stands in what it leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/compiled.rs"]
mod compiled;
#[path = "support/cores.rs"]
mod cores;
#[path = "support/family.rs"]
mod family;
#[path = "support/held.rs"]
mod held;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use compiled::compiled;
use family::Kin;
use held::Held;
use rustix::fs::SeekFrom;
use rustix::process::Signal;
use scanner::Scanner;
use support::engines::{self, Engine};
use tempfile::TempDir;

/// What the kernel writes into a core where nobody says otherwise (core(5)).
const USUAL_FILTER: &str = "0x33";
const CHUNK: usize = 1 << 20;
/// Chunks overlap by more than any form of a secret that is looked for.
const OVERLAP: usize = 512;

/// A login in its middle, whose processes believe that they allow no cores, and do.
struct Forced {
    tools: TempDir,
    held: Held,
    scanner: Scanner,
    /// Whoever began it, worker and browser, parents first; and where each stands, which is where its core would lie.
    all: Vec<(Kin, PathBuf)>,
}

/// What died processes left.
#[derive(Debug, Default)]
struct Left {
    cores: usize,
    secrets: BTreeSet<String>,
}

impl Forced {
    fn begin(engine: Engine) -> Forced {
        let tools = TempDir::with_prefix("fb-test-").unwrap();
        compiled(tools.path(), "fault");
        let held = Held::begin_by(unlimited(tools.path()), &engines::lines(engine));
        let mut scanner = Scanner::default();
        scanner.add("password", &held.sim.account.password);
        scanner.add("api secret", &held.sim.account.api_secret);
        scanner.add_seed("seed", &held.sim.account.totp_seed);
        let all: Vec<Kin> = [vec![held.itself()], held.family.clone()].concat();
        // None is to end because another one does, nor to tidy up after it.
        all.iter().for_each(|kin| kin.signal(Signal::STOP));
        let place = |kin: Kin| {
            let place = fs::read_link(format!("/proc/{}/cwd", kin.id)).unwrap_or_default();
            (kin, place)
        };
        let all = all.into_iter().map(place).collect();
        Forced { tools, held, scanner, all }
    }

    /// Brings one of them down, ours by a fault as their own and a browser's by aborting it, and looks through its core, if it leaves one.
    fn fell(&mut self, kin: &Kin, place: &Path) -> Left {
        let before = cores_in(place);
        if is_ours(kin) {
            let tried =
                Command::new(self.tools.path().join("fault")).arg(kin.id.to_string()).output().unwrap();
            let said = String::from_utf8_lossy(&tried.stderr);
            assert!(tried.status.success(), "no fault for {}: {said}", kin.arguments);
        } else {
            kin.signal(Signal::ABORT);
        }
        kin.signal(Signal::CONT);
        if kin.id == self.held.firstbell.id() {
            let signal = self.held.firstbell.wait().unwrap().signal();
            assert_eq!(signal, Some(Signal::SEGV.as_raw()), "it did not die of its fault");
        }
        family::until(&kin.arguments, || if kin.lives() { Err("it lives".into()) } else { Ok(()) });
        let mut left = Left::default();
        for core in cores_in(place).difference(&before) {
            left.cores += 1;
            left.secrets.extend(secrets(&File::open(core).unwrap(), &self.scanner));
            fs::remove_file(core).unwrap();
        }
        left
    }
}

/// Also where the test fails: what was stopped would stay for ever.
impl Drop for Forced {
    fn drop(&mut self) {
        self.all.iter().for_each(|(kin, _)| kin.signal(Signal::KILL));
        let _ = self.held.firstbell.wait();
        let _ = fs::remove_dir_all(&self.held.folder);
    }
}

/// What starts a program that cannot limit its cores.
fn unlimited(folder: &Path) -> Command {
    let program = compiled(folder, "unlimited");
    let tried = Command::new(&program).arg("true").output().unwrap();
    let said = String::from_utf8_lossy(&tried.stderr);
    assert!(tried.status.success(), "cores of any size must be allowed (ulimit -H -c): {said}");
    Command::new(program)
}

fn cores_in(folder: &Path) -> BTreeSet<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("core")).collect()
}

/// What stands in a file that is mostly holes.
fn secrets(file: &File, scanner: &Scanner) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut at = 0;
    while let Ok(data) = rustix::fs::seek(file, SeekFrom::Data(at)) {
        let mut bytes = vec![0; CHUNK + OVERLAP];
        let len = file.read_at(&mut bytes, data).unwrap();
        found.extend(scanner.search("a core", &bytes[..len]).into_iter().map(|find| find.secret));
        at = data + CHUNK as u64;
    }
    found
}

/// Whether it is a process of firstbell's that has secrets pass through it: keeper, worker, or the first process of a cage. The one that
/// enters the cage only waits for its end.
fn is_ours(kin: &Kin) -> bool {
    ["login", "work", "cage inside"].iter().any(|end| kin.arguments.trim_end().ends_with(&format!(" {end}")))
}

/// By how many processes of ours it is held.
fn leaves_no_secret(engine: Engine, of_ours: usize) {
    let mut forced = Forced::begin(engine);
    let all = forced.all.clone();
    let mut written = 0;
    assert_eq!(all.iter().filter(|(kin, _)| is_ours(kin)).count(), of_ours, "{all:#?}");
    for (kin, _) in &all {
        // The one defence that is left to a browser, and the only one where a program takes the cores.
        assert_eq!(kin.proc("coredump_filter").trim(), "00000000", "{}", kin.arguments);
        let limits = kin.proc("limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert!(core.contains("unlimited"), "{}: nothing was forced: {core}", kin.arguments);
        // Also where a fence would keep its core from being written: the kernel gives to root what nobody may look into.
        let owner = fs::metadata(format!("/proc/{}/environ", kin.id)).unwrap().uid();
        assert!(owner == 0 || !is_ours(kin), "{} is dumpable", kin.arguments);
    }
    for (kin, place) in all.iter().rev() {
        let left = forced.fell(kin, place);
        assert!(left.secrets.is_empty(), "{}: {left:?}", kin.arguments);
        // Those are not dumpable at all.
        assert!(left.cores == 0 || !is_ours(kin), "{} left a core", kin.arguments);
        written += left.cores;
    }
    assert!(written > 0 || !cores::lie_beside(), "none of {} left a core", all.len());
}

#[test]
fn no_core_of_a_login_with_chrome_holds_a_secret() {
    leaves_no_secret(engines::CHROME, 2);
}

#[test]
fn no_core_of_a_login_with_firefox_holds_a_secret() {
    leaves_no_secret(engines::FIREFOX, 3);
}

#[test]
fn no_core_of_a_login_with_chromedriver_holds_a_secret() {
    leaves_no_secret(engines::CHROMEDRIVER, 3);
}

#[test]
fn no_core_of_a_login_with_geckodriver_holds_a_secret() {
    leaves_no_secret(engines::GECKODRIVER, 3);
}

/// What is proven above is not that the look at cores finds nothing: a browser whose filter is the usual one leaves the password.
#[test]
fn a_browser_without_its_filter_would_leave_the_password() {
    if !cores::lie_beside() {
        return;
    }
    let mut forced = Forced::begin(engines::CHROME);
    let all = forced.all.clone();
    let browsers = all.iter().filter(|(kin, _)| !is_ours(kin));
    let found = browsers.rev().any(|(kin, place)| {
        fs::write(format!("/proc/{}/coredump_filter", kin.id), USUAL_FILTER).unwrap();
        forced.fell(kin, place).secrets.contains("password")
    });
    assert!(found, "the password stands in none of their cores");
}
