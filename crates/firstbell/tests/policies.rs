//! A machine whose administrator has plans for browsers: policies that endanger a login stop it before the browser starts, and what
//! Debian's wrapper would add to the command line reaches no browser. The files lie in a mount namespace around one command.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/family.rs"]
mod family;
mod support;

use std::process::{Command, Stdio};

use rustix::process::{Signal, geteuid};
use serde_json::json;
use support::engines::{self, CHROME, CHROMEDRIVER, FIREFOX, GECKODRIVER};
use support::{Ended, Home, Sim, ended};

const FULL: &str = "driver = \"chrome\"\n[browser]\nbinary = \"/usr/lib/chromium/chromium\"\n";
const MANAGED: &str = "/etc/chromium/policies/managed/x.json";
const BESIDE: &str = "/usr/lib/firefox-esr/distribution/policies.json";

/// Lays a memory over the folders, plants the file there, and becomes the command, without the rights that this took.
const PLANT: &str = r#"
    umask 022
    for folder in /etc/chromium /etc/chromium.d /usr/lib/firefox-esr/distribution; do
        mount -t tmpfs -o mode=755 none "$(readlink -f "$folder")" || exit 98
    done
    mkdir -p "${PLANTED%/*}" && printf '%s' "$CONTENT" > "$PLANTED" || exit 98
    unset PLANTED CONTENT
    exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"
"#;

/// The command on a machine that has this file.
fn planted(inner: &Command, file: &str, content: &str) -> Command {
    let mut command = Command::new("unshare");
    if !geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["--mount", "--", "sh", "-c", PLANT, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PLANTED", file).env("CONTENT", content);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(home: &Home, arguments: &[&str], file: &str, content: &str) -> Ended {
    let ended = ended(planted(&home.command(arguments), file, content).output().unwrap());
    assert_ne!(ended.code, 98, "nothing could be planted: {ended:?}");
    ended
}

fn home(sim: &Sim, lines: &str) -> Home {
    let home = Home::new(sim);
    home.prepend(lines);
    home
}

#[test]
fn a_policy_that_endangers_a_login_stops_it_before_the_browser_starts() {
    let sim = Sim::start();
    let mut driven = [CHROMEDRIVER, FIREFOX, GECKODRIVER].map(engines::lines);
    // Left alone, it drives the headless shell.
    driven[0].push_str("binary = \"/usr/lib/chromium/chromium\"\n");
    let [chromedriver, firefox, geckodriver] = driven.each_ref().map(String::as_str);
    for (lines, file, policy, value) in [
        (FULL, MANAGED, "ExtensionInstallForcelist", json!(["abcdefghijklmnopabcdefghijklmnop"])),
        (chromedriver, MANAGED, "ProxyMode", json!("direct")),
        (firefox, BESIDE, "Extensions", json!({ "Install": ["file:///tmp/x.xpi"] })),
        (geckodriver, BESIDE, "Certificates", json!({ "Install": ["x.pem"] })),
    ] {
        let set = json!({ policy: value });
        let content = if file == BESIDE { json!({ "policies": set }) } else { set };
        let home = home(&sim, lines);
        let ended = run(&home, &["login"], file, &content.to_string());
        assert_eq!(ended.code, 7, "{lines}: {ended:?}");
        let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("{file} sets the policy {policy} for this browser: ")), "{ended:?}");
        assert!(said.contains("taken out of that file"), "{ended:?}");
        assert!(!said.contains("opening the login page"), "{ended:?}");
    }
    assert_eq!((sim.passwords(), sim.codes()), (0, 0));

    let home = home(&sim, FULL);
    let doctor = run(&home, &["doctor", "--json"], MANAGED, r#"{"ProxyMode":"system"}"#);
    let found = doctor.json()["findings"].as_array().unwrap().clone();
    let engine = found.iter().find(|found| found["id"] == "engine_chrome").unwrap();
    assert!(engine["grade"] == "bad" && engine["what"].as_str().unwrap().contains("ProxyMode"), "{engine}");
}

#[test]
fn debian_s_headless_shell_reads_no_policy_and_others_are_not_stopped_by_a_harmless_one() {
    let dead = r#"{"ProxyMode":"fixed_servers","ProxyServer":"127.0.0.1:1","ProxyBypassList":"<-loopback>","URLBlocklist":["*"]}"#;
    for (lines, content) in [(engines::lines(CHROME).as_str(), dead), (FULL, r#"{"PrintingEnabled":false}"#)]
    {
        let sim = Sim::start();
        let ended = run(&home(&sim, lines), &["login"], MANAGED, content);
        assert_eq!((ended.code, sim.passwords(), sim.codes()), (0, 1, 1), "{lines}: {ended:?}");
    }
}

#[test]
fn what_debian_s_wrapper_would_add_changes_nothing_of_the_command_line() {
    let (file, flags) = (
        "/etc/chromium.d/x",
        "export CHROMIUM_FLAGS=\"$CHROMIUM_FLAGS --no-sandbox --proxy-server=127.0.0.1:1\"\n",
    );
    let sim = Sim::start();
    for lines in [engines::lines(CHROME).as_str(), FULL] {
        let home = home(&sim, lines);
        let plain = home.command(&["login"]);
        let [with, without] = [flags, ""].map(|content| command_line(&sim, planted(&plain, file, content)));
        assert_eq!(with, without, "{lines}");
        assert!(with.contains("--user-data-dir=") && !with.contains("--no-sandbox"), "{with}");
        assert!(with.starts_with("/usr/lib/chromium/chromium"), "{with}");
    }
    let wrapper = home(&sim, "driver = \"chrome\"\n[browser]\nbinary = \"/usr/bin/chromium\"\n");
    let ended = run(&wrapper, &["login"], file, flags);
    assert!(
        ended.code == 7 && ended.stderr.contains("is a script that adds arguments of its own"),
        "{ended:?}"
    );
    assert_eq!(sim.passwords(), 0);
}

/// The browser's command line in the middle of a login that is ended then, without the name of its private folder.
fn command_line(sim: &Sim, mut login: Command) -> String {
    sim.fault(&json!({ "at": "login-page", "do": "hold" }));
    let login = login.spawn().unwrap();
    sim.wait_held("login-page");
    let family = family::of(login.id());
    let folder = family::folder(&family);
    let is_it =
        |kin: &&family::Kin| kin.arguments.contains("--user-data-dir=") && !kin.arguments.contains("--type=");
    let line = family.iter().find(is_it).unwrap().arguments.replace(folder.to_str().unwrap(), "FOLDER");
    family::Kin::read(login.id()).unwrap().signal(Signal::TERM);
    login.wait_with_output().unwrap();
    family::gone("a login that was ended", &family, &folder);
    sim.no_faults();
    line
}
