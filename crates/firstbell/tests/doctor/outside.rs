//! What a home stands on, as the command tells it: network, clock, engines, daemon.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firstbell::drivers::Bounds;
use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::Failure;
use serde_json::Value;

use crate::asked::{doctor, findings, one};
use crate::certificate::certificate;
use crate::daemon::{Daemon, configure, now};
use crate::support::{Account, Home, Sim, ended, engines};

/// A home whose login page is at another address.
fn elsewhere(site: &str) -> (Sim, Home) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure(&home, &sim, "", "");
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(
        home.config(),
        text.replace(&format!("site = \"{}\"", sim.site), &format!("site = \"{site}\"")),
    )
    .unwrap();
    (sim, home)
}

/// Something in between: it opens connections with a certificate that it made itself.
struct Proxy {
    child: Child,
    port: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    fn start(folder: &Path) -> Proxy {
        let [chain, key] = certificate(folder, "IP:127.0.0.1");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-accept", "127.0.0.1:0", "-cert"]).arg(chain).arg("-key").arg(key);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let accepts =
            said.find_map(|line| line.unwrap().strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned));
        Proxy { child, port: accepts.expect("openssl says where it listens") }
    }
}

#[test]
fn a_network_that_opens_encrypted_connections_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(folder.path());
    let (_sim, home) = elsewhere(&format!("https://127.0.0.1:{}", proxy.port));
    let all = doctor(&home);
    let found = one(&all, "host_login_page");
    let what = found["what"].as_str().unwrap();
    assert!(found["grade"] == "bad" && what.contains("opens encrypted connections"), "{found}");
    assert!(what.contains("(its certificate is by \u{201c}server.test\u{201d})"), "{found}");
    assert_eq!(one(&all, "host_api")["grade"], "good");
}

#[test]
fn a_host_that_speaks_no_tls_with_us_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // It has certificates for Kite's own names only, and refuses whoever asks for another.
    let strange = Sim::start_with(Account::new(), &["--tls", folder.path().to_str().unwrap()]);
    let port = strange.api.rsplit_once(':').unwrap().1.trim_end_matches('/');
    let (_sim, home) = elsewhere(&format!("https://127.0.0.1:{port}"));
    let all = doctor(&home);
    let found = one(&all, "host_login_page");
    assert!(found["what"].as_str().unwrap().contains("no encrypted connection comes about"), "{found}");
}

#[test]
fn a_network_that_answers_nothing_is_told_within_ten_seconds() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let quick = elsewhere("http://127.0.0.1:9").1;
    let (_sim, home) = elsewhere(&format!("http://{}", deaf.local_addr().unwrap()));
    let began = now();
    doctor(&quick);
    let quick = began.elapsed();
    let began = now();
    let all = doctor(&home);
    // A quiet machine ends in half a second where nothing is waited for; this one may be doing much else.
    assert!(began.elapsed() < Duration::from_secs(8) + 4 * quick, "{:?}, {quick:?}", began.elapsed());
    let found = one(&all, "host_login_page");
    assert!(found["what"].as_str().unwrap().contains("does not answer within 5 s"), "{found}");
}

#[test]
fn without_a_network_and_a_configuration_the_machine_is_looked_at_all_the_same() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    fs::remove_file(home.config()).unwrap();
    let like = home.command(&["doctor", "--json"]);
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net", "--", like.get_program().to_str().unwrap()])
        .args(like.get_args());
    command.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // No engine is wanted here: that one is found is another test's.
    command.env("FIRSTBELL_BROWSER", "/nowhere/chrome");
    let ended = ended(command.output().unwrap());
    let all = findings(&ended);
    let found = one(&all, "configuration");
    assert!(found["grade"] == "bad" && found["what"].as_str().unwrap().contains("~/config.toml"), "{found}");
    assert!(one(&all, "host_login_page")["what"].as_str().unwrap().contains("offline"), "{all:#?}");
    assert_eq!(one(&all, "clock")["grade"], "warning");
    assert!(all.iter().filter(|found| found["area"] == "machine").count() >= 10, "{all:#?}");
    assert!(!home.state().exists() && ended.stderr.lines().count() <= 1, "{ended:?}");
}

#[test]
fn a_clock_that_is_wrong_is_bad() {
    let sim = Sim::start_with(Account::new(), &["--clock", "2026-01-01T08:00:00+05:30"]);
    let home = Home::new(&sim);
    configure(&home, &sim, "", "");
    let all = doctor(&home);
    let found = one(&all, "clock");
    assert!(found["grade"] == "bad" && found["what"].as_str().unwrap().contains("s fast"), "{found}");
}

/// What a doctor says of an engine that is there and has its sandbox. On a machine that does much else it does not wait for it.
fn is_well(found: &Value, called: &str) {
    let what = found["what"].as_str().unwrap();
    let well =
        found["grade"] == "good" && what.contains("its sandbox is in force (") && what.contains(called);
    let late = found["grade"] == "warning" && what.contains("does not start within 8 s");
    assert!(well || late, "{found}");
}

#[test]
fn each_engine_starts_with_its_sandbox_proven_and_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let kite = Kite::live();
    for engine in engines::BROWSERS.into_iter().chain([engines::HTTP]) {
        let drivers = engines::config(engine);
        // A machine that does much else may take longer than the driver's own limits.
        let late = |failure: &Failure| failure.to_string().contains("in time");
        let mut tries = (0..5).map(|_| runtime.block_on(drivers.try_out(engine.0, kite.plan())));
        let tried = tries.find(|tried| !tried.as_ref().is_err_and(late));
        assert_eq!(tried, Some(Ok(Bounds::WHOLE)), "{engine:?}");
    }
}

#[test]
fn an_engine_is_told_with_its_version_and_a_missing_one_with_what_installs_it() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.prepend("drivers = [\"chrome\", \"firefox\"]");
    let all = doctor(&home);
    is_well(one(&all, "engine_chrome"), "Chrom");
    is_well(one(&all, "engine_firefox"), "Mozilla Firefox 1");
    for (drivers, grade) in [("[\"chrome\"]", "bad"), ("[\"chrome\", \"http\"]", "warning")] {
        home.configure(&sim, "");
        home.prepend(&format!("drivers = {drivers}\n[browser]\nbinary = \"/nowhere/chrome\""));
        let all = doctor(&home);
        let found = one(&all, "engine_chrome");
        assert_eq!(found["grade"], grade, "{found}");
        assert!(found["mend"].as_str().unwrap().contains("apt-get install chromium"), "{found}");
    }
}

/// Whether the kernel lets this test's user lock all of a process: by a right, or for want of a limit.
fn may_lock() -> bool {
    use rustix::process::{Resource, getrlimit};
    use rustix::thread::{CapabilitySet, capabilities};
    let effective = capabilities(None).unwrap().effective;
    let limit = getrlimit(Resource::Memlock);
    effective.contains(CapabilitySet::IPC_LOCK)
        || effective.contains(CapabilitySet::SYS_RESOURCE)
        || limit.current.is_none()
        || limit.maximum.is_none()
}

#[test]
fn without_the_right_and_under_a_limit_nothing_is_locked_and_that_is_told() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let doctor = home.command(&["doctor", "--json"]);
    let mut limited = Command::new("setpriv");
    // Root gets at a start what the bounding set leaves.
    if rustix::process::geteuid().is_root() {
        limited.args(["--bounding-set", "-ipc_lock,-sys_resource"]);
    }
    limited.args(["prlimit", "--memlock=65536:65536"]).arg(doctor.get_program()).args(doctor.get_args());
    limited.env_clear().envs(doctor.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = all["findings"].as_array().unwrap();
    let own = one(all, "own_process")["what"].as_str().unwrap();
    assert!(own.contains(" 0 kB locked"), "{own}");
    assert!(!one(all, "own_swap")["what"].as_str().unwrap().contains("all is locked"));
}

#[test]
fn a_running_daemon_is_found_with_what_is_in_force_for_it() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure(&home, &sim, "", "");
    let daemon = Daemon::start(&home);
    daemon.ask("GET", "/livez");
    let all = doctor(&home);
    assert_eq!(one(&all, "daemon")["grade"], "good");
    // Root's own files are root's, dumpable or not.
    let looks = if rustix::process::geteuid().is_root() { "warning" } else { "good" };
    assert_eq!(one(&all, "daemon_memory")["grade"], looks);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let calls = if status.contains("Seccomp:\t2") { "good" } else { "warning" };
    assert_eq!(one(&all, "daemon_system_calls")["grade"], calls);
    assert_eq!(one(&all, "daemon_process")["area"], "posture");
    let kb = |key: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let (locked, resident) = (kb("VmLck:"), kb("VmRSS:"));
    assert_eq!(locked >= resident, may_lock(), "{status}");
    let is_told = one(&all, "daemon_swap")["what"].as_str().unwrap().contains("all is locked");
    assert_eq!(is_told, may_lock());
    // What is reserved only is counted as locked, and is not in memory for that.
    assert!(locked == 0 || resident * 2 < kb("VmPeak:"), "{status}");
    assert_eq!(daemon.end().0, 0);
    assert_eq!(one(&doctor(&home), "daemon")["mend"], "firstbell run    # best as a service");
}
