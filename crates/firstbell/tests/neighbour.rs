//! From the seat of another program of the user that firstbell runs as: nothing that holds a secret can be looked into, whoever began it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/compiled.rs"]
mod compiled;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/family.rs"]
mod family;
#[path = "support/held.rs"]
mod held;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use compiled::compiled;
use daemon::{Daemon, configure_due};
use family::Kin;
use held::Held;
use rustix::process::geteuid;
use support::{Home, Sim, engines};
use tempfile::TempDir;

/// An ordinary user whom nobody else is: no other test's processes, and nobody's of this machine.
const OWNER: &str = "60321";
/// What a copied program is called, before its number.
const COPY: &str = "of-the-owner";
/// The ways in that are tried, and the one that Yama leaves to whoever is the same user.
const TRIES: [&str; 4] = ["attach", "environ", "mem", "readv"];
const READ: &str = "environ";

/// What becomes its arguments, as the owner and without any right: root would be let in everywhere. It takes the folder that it
/// stands in along, and a copy of the program into it: where that one lies may be shut to him.
fn as_owner() -> Command {
    let mut command = Command::new("sh");
    let copied = "program=$1; shift; case $program in */*) cp \"$program\" COPY-$$ || exit; program=$PWD/COPY-$$ ;; esac; ";
    let become_owner = "chown -R OWNER:OWNER . && exec setpriv --reuid OWNER --regid OWNER --clear-groups \
                        --bounding-set=-all --inh-caps=-all -- \"$program\" \"$@\"";
    let script = if geteuid().is_root() { become_owner } else { "exec \"$program\" \"$@\"" };
    let script = format!("{copied}{script}").replace("OWNER", OWNER).replace("COPY", COPY);
    command.args(["-c", &script, "sh"]);
    command
}

/// A firstbell that belongs to the owner, in a home that does.
fn owned(home: &Home, words: &[&str]) -> Command {
    let (inner, mut command) = (home.command(words), as_owner());
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(home.dir.path());
    command
}

/// Another program of the owner's, and a process of his that keeps nobody out.
struct Neighbour {
    folder: TempDir,
    program: PathBuf,
    plain: Child,
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.plain.kill();
        let _ = self.plain.wait();
    }
}

impl Neighbour {
    fn move_in() -> Neighbour {
        let folder = TempDir::with_prefix("fb-test-").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = compiled(folder.path(), "neighbour");
        let plain = as_owner().args(["sleep", "600"]).current_dir(folder.path()).spawn().unwrap();
        family::until("the plain process", || {
            let kin = Kin::read(plain.id()).unwrap();
            if kin.arguments.starts_with("sleep") { Ok(()) } else { Err(kin.arguments) }
        });
        Neighbour { folder, program, plain }
    }

    /// What came of each try at each of these processes.
    fn tries(&self, processes: &[u32]) -> BTreeMap<u32, BTreeSet<(String, String)>> {
        let mut command = as_owner();
        command.arg(&self.program).args(processes.iter().map(u32::to_string));
        let output = command.current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        let mut all: BTreeMap<u32, BTreeSet<_>> = BTreeMap::new();
        for line in told.lines() {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap().to_owned();
            all.entry(word().parse().unwrap()).or_default().insert((word(), word()));
        }
        all
    }

    /// It gets into the plain process in every way that this machine leaves to one user's programs, and into none of these.
    fn is_kept_out_of(&self, guarded: &[Kin]) {
        let plain = self.plain.id();
        let numbers: Vec<u32> = guarded.iter().map(|kin| kin.id).chain([plain]).collect();
        let uids: BTreeSet<_> = numbers.iter().map(|number| uids(*number)).collect();
        assert_eq!(uids.len(), 1, "they are not one user's: {uids:?}");
        let mut all = self.tries(&numbers);
        let came = |how: fn(&str) -> &str| -> BTreeSet<(String, String)> {
            TRIES.into_iter().map(|what| (what.into(), how(what).into())).collect()
        };
        let control = all.remove(&plain).unwrap();
        if yama_lets_in() {
            assert_eq!(control, came(|_| "open"), "the neighbour gets in nowhere");
        } else {
            assert_eq!(control, came(|what| if what == READ { "open" } else { "refused" }));
        }
        assert_eq!(all.len(), guarded.len());
        for kin in guarded {
            assert!(kin.lives(), "{} ended too early", kin.arguments);
            assert_eq!(all[&kin.id], came(|_| "refused"), "{}", kin.arguments);
        }
    }
}

/// Real, effective, saved, and that of files.
fn uids(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(!line.split('\t').any(|uid| uid == "0"), "{process} is root's: {line}");
    line.to_owned()
}

/// Whether one program may attach to another one of its user: where Yama forbids it, it hides whether we do. `.ci/run` is told so;
/// elsewhere a test looks at what is left to see.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know what was not looked at")]
fn yama_lets_in() -> bool {
    let level = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let lets = matches!(level.trim(), "" | "0");
    assert!(
        lets || std::env::var_os("CI").is_none(),
        "Yama hides what firstbell refuses by itself: sysctl kernel.yama.ptrace_scope=0"
    );
    if !lets {
        eprintln!(
            "Yama refuses most of what is tried here (level {}): only environments are told",
            level.trim()
        );
    }
    lets
}

#[test]
fn a_daemon_and_a_supervisor_are_shut_to_their_own_user() {
    let (sim, neighbour) = (Sim::start(), Neighbour::move_in());
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", "");
    let daemon = Daemon::spawn(&home, owned(&home, &["run"]), "log");
    daemon.wait_log("works and is stored");
    let script = ["exec", "--", "sh", "-c", "echo begun; exec sleep 600"];
    let supervisor = Daemon::spawn(&home, owned(&home, &script), "supervised");
    supervisor.wait_log("begun");
    let guarded = [daemon.id(), supervisor.id()].map(|id| Kin::read(id).unwrap());
    assert!(guarded.iter().all(is_firstbell), "{guarded:#?}");
    neighbour.is_kept_out_of(&guarded);
}

#[test]
fn a_login_and_its_worker_are_shut_to_their_own_user() {
    let neighbour = Neighbour::move_in();
    let mut held = Held::begin_by(as_owner(), &engines::lines(engines::CHROME));
    let all = [vec![held.itself()], held.family.clone()].concat();
    let guarded: Vec<Kin> = all.into_iter().filter(is_firstbell).collect();
    assert_eq!(guarded.len(), 2, "a keeper and its worker: {guarded:#?}");
    neighbour.is_kept_out_of(&guarded);
    held.firstbell.kill().unwrap();
    held.firstbell.wait().unwrap();
    family::gone("the login", &held.family, &held.folder);
}

/// By the first of its arguments, which are not secret: what else it is, it tells nobody.
fn is_firstbell(kin: &Kin) -> bool {
    let program = kin.arguments.split(' ').next().unwrap();
    program.contains(COPY) || program == "/proc/self/exe"
}
