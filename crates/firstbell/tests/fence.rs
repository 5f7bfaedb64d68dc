//! The fence around an engine, from inside: a browser that is somebody else's program reads no file of its user's, writes nowhere,
//! and connects nowhere but to the login; real ones go on behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/family.rs"]
mod family;
mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use support::engines;
use support::{Home, Sim};

/// What a browser that was taken over would try, each with a word for what came of it. It runs as another user where we are root, so
/// that everything it tries is open to everybody.
const TAKEN_OVER: &str = r#"
tell() { if "${@:2}" >/dev/null 2>&1; then echo "$1 open"; else echo "$1 shut"; fi; }
connect() { (exec 9<>"/dev/tcp/127.0.0.1/$1"); }
{
    tell read cat PLANTED/secret
    tell list ls PLANTED
    tell write touch PLANTED/left
    tell shared touch /tmp/LEFT
    tell memory touch /dev/shm/LEFT
    tell cut truncate --size 0 PLANTED/secret
    tell port connect FOREIGN
    tell login connect LOGIN
    tell home touch "$HOME/mine"
    tell programs cat /etc/hostname
} >"$HOME/told"
exec sleep 60
"#;

#[test]
fn a_browser_that_was_taken_over_reads_nothing_and_gets_nowhere() {
    let (sim, foreign) = (Sim::start(), TcpListener::bind("127.0.0.1:0").unwrap());
    let home = Home::new(&sim);
    let planted = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
    let programs = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
    for folder in [&planted, &programs] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::write(planted.path().join("secret"), "the owner's").unwrap();
    let left = format!("fb-test-left-{}", std::process::id());
    let script = TAKEN_OVER
        .replace("PLANTED", &planted.path().display().to_string())
        .replace("FOREIGN", &foreign.local_addr().unwrap().port().to_string())
        .replace("LOGIN", sim.site.rsplit(':').next().unwrap())
        .replace("LEFT", &left);
    let browser = programs.path().join("browser");
    program(&browser, &script);
    let told = told(&home, &browser);
    let expected = [
        ("read", "shut"),
        ("list", "shut"),
        ("write", "shut"),
        ("shared", "shut"),
        ("memory", "shut"),
        ("cut", "shut"),
        ("port", "shut"),
        ("login", "open"),
        ("home", "open"),
        ("programs", "open"),
    ];
    let expected: String = expected.map(|(what, how)| format!("{what} {how}\n")).concat();
    assert_eq!(told, expected);
    assert_eq!(fs::read_dir(planted.path()).unwrap().count(), 1, "something was left");
    assert!(!["/tmp", "/dev/shm"].iter().any(|folder| Path::new(folder).join(&left).exists()));
    // The same program without a fence gets everywhere: these are the questions that find a missing one.
    let unfenced = Command::new(&browser).env("HOME", planted.path()).stdin(Stdio::null()).spawn();
    let mut unfenced = unfenced.unwrap();
    let all = family::until("what it told", || {
        let told = fs::read_to_string(planted.path().join("told")).unwrap_or_default();
        if told.lines().count() == 10 { Ok(told) } else { Err(told) }
    });
    unfenced.kill().unwrap();
    unfenced.wait().unwrap();
    for folder in ["/tmp", "/dev/shm"] {
        let _ = fs::remove_file(Path::new(folder).join(format!("fb-test-left-{}", std::process::id())));
    }
    assert!(!all.contains("shut"), "{all}");
}

/// A program, as a browser must be one, that does what a script says.
fn program(place: &Path, script: &str) {
    let text = place.with_extension("sh");
    fs::write(&text, script).unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o644)).unwrap();
    let source = place.with_extension("c");
    let words = format!("\"bash\", \"{}\", (char *) 0", text.display());
    let main = format!("#include <unistd.h>\nint main(void) {{ return execl(\"/bin/bash\", {words}); }}\n");
    fs::write(&source, main).unwrap();
    let built = Command::new("cc").arg("-o").arg(place).arg(&source).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

/// What a browser of ours told while firstbell waited for it to speak.
fn told(home: &Home, program: &Path) -> String {
    home.prepend(&format!("driver = \"chrome\"\n[browser]\nbinary = '{}'\n", program.display()));
    let mut firstbell = home.command(&["login"]).stderr(Stdio::null()).spawn().unwrap();
    let told = family::until("what it told", || {
        let family = family::of(firstbell.id());
        let Some(folder) = family.iter().find_map(|kin| kin.folder()) else {
            return Err("it has no folder yet".into());
        };
        let told = fs::read_to_string(folder.join("home/told")).unwrap_or_default();
        if told.lines().count() == 10 { Ok(told) } else { Err(told) }
    });
    firstbell.kill().unwrap();
    firstbell.wait().unwrap();
    told
}

/// Behind it every browser logs in, and the doctor has seen that it holds.
#[test]
fn real_browsers_log_in_behind_it_and_the_doctor_says_so() {
    for (name, lines) in engines::every_browser() {
        let sim = Sim::start();
        let home = Home::new(&sim);
        home.prepend(&lines);
        let ended = home.run(&["login", "--json"]);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        let report = home.run(&["doctor", "--json"]).json();
        let findings = report["findings"].as_array().unwrap();
        let engine = findings.iter().find(|f| f["id"].as_str().unwrap().starts_with("engine_")).unwrap();
        assert!(engine["what"].as_str().unwrap().contains("(Landlock, tried)"), "{name}: {engine}");
    }
}
