//! Secrets side by side from programs, a keyring, systemd's credentials and mounted files: a login with each, and what each is
//! refused for.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::{Ended, Home, Sim, ended, marker, private};

/// A program of the owner's, in the home.
fn script(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.dir.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}

/// A home with these sources, and a file for each secret of the simulator's account.
fn home(sim: &Sim, sources: impl Fn(&str, &Path) -> String) -> Home {
    let home = Home::bare(sim);
    let account = &sim.account;
    let mut lines = String::new();
    for (name, value) in [
        ("password", &account.password),
        ("totp_seed", &account.totp_seed),
        ("api_secret", &account.api_secret),
    ] {
        let path = home.dir.path().join(name);
        fs::write(&path, format!("{value}\n")).unwrap();
        private(&path);
        lines += &format!("{name} = {}\n", sources(name, &path));
    }
    home.configure(sim, &lines);
    home
}

fn list(home: &Home, with: &dyn Fn(&mut Command)) -> Ended {
    let mut command = home.command(&["secrets", "list", "--json"]);
    with(&mut command);
    ended(command.output().unwrap())
}

fn login(home: &Home, with: &dyn Fn(&mut Command)) -> Ended {
    let mut command = home.command(&["login", "--driver", "http", "--json"]);
    with(&mut command);
    ended(command.output().unwrap())
}

#[test]
fn a_login_takes_its_secrets_from_programs() {
    let sim = Sim::start();
    let home = home(&sim, |name, path| {
        let (file, name) = (path.display(), name.to_uppercase());
        let line = format!("test -z $KITE_NOT && test -n $KITE_{name} && cat '{file}'; echo more");
        format!("{{ command = [\"sh\", \"-c\", \"{line}\"], with = [\"KITE_{name}\"] }}")
    });
    let with = |command: &mut Command| {
        for name in ["PASSWORD", "TOTP_SEED", "API_SECRET"] {
            command.env(format!("KITE_{name}"), "session");
        }
        command.env("KITE_NOT", "is not for programs");
    };
    let listed = list(&home, &with);
    assert_eq!(listed.json()["secrets"][0]["source"], "program sh");
    let login = login(&home, &with);
    assert_eq!(login.code, 0, "{login:?}");
    // What the program asked for does not go on to the programs of exec.
    let mut command = home.command(&["exec", "main", "--", "/usr/bin/env"]);
    with(&mut command);
    let ended = ended(command.output().unwrap());
    assert!(ended.stdout.contains("KITE_NOT=") && !ended.stdout.contains("KITE_PASSWORD"), "{ended:?}");
}

#[test]
fn a_program_that_fails_hangs_says_nothing_or_too_much_gives_no_secret() {
    let sim = Sim::start();
    let canary = marker(24);
    for (text, why) in [
        ("exit 3", "ended with exit status: 3"),
        ("echo; echo second line", "is empty"),
        ("printf '\\377\\376'", "wrote what is no text"),
        ("head -c 20000 /dev/zero | tr '\\0' x", "wrote far more than a secret"),
        ("sleep 3600 & sleep 3600", "did not end within 10 s"),
    ] {
        let home = Home::bare(&sim);
        let text = format!("echo {canary} >&2; {text}");
        let path = script(&home, "manager", &text);
        home.configure(&sim, &format!("password = {{ command = [\"{}\", \"{canary}\"] }}", path.display()));
        let began = daemon::now();
        let ended = home.login("http");
        assert!(ended.code == 7 && ended.stderr.contains(why), "{text}: {ended:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{text}");
        assert!(ended.stderr.contains("See that it runs by hand") || why == "is empty", "{ended:?}");
        assert!(!ended.stderr.contains(&canary) && !ended.stdout.contains(&canary), "{ended:?}");
    }
    let home = Home::bare(&sim);
    home.configure(&sim, "password = { command = [\"no-such-program-of-anybody\"] }");
    let ended = home.login("http");
    assert!(ended.code == 7 && ended.stderr.contains("cannot be started"), "{ended:?}");
    assert_eq!(sim.passwords(), 0);
}

#[test]
fn a_login_takes_its_secrets_from_the_keyring_of_a_session() {
    let sim = Sim::start();
    let home = home(&sim, |name, _| format!("{{ keyring = \"{name}\" }}"));
    let none = login(&home, &|_| {});
    assert!(none.code == 7 && none.stderr.contains("secret-tool store --label="), "{none:?}");
    let program = home.command(&[]).get_program().display().to_string();
    let store = |name: &str| {
        format!(
            "head -c -1 {name} | secret-tool store --label='firstbell {name}' service firstbell name {name}"
        )
    };
    let stores = ["password", "totp_seed", "api_secret"].map(store).join(" && ");
    let text = format!(
        "cd '{}' && echo pw | gnome-keyring-daemon --unlock --components=secrets >daemon.out && {stores} && \
         exec '{program}' login --driver http --json",
        home.dir.path().display()
    );
    let session = script(&home, "session", &text);
    let login = home.command(&[]);
    let mut command = Command::new("dbus-run-session");
    command.arg("--").arg(session).env_clear();
    command.envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("XDG_RUNTIME_DIR", home.dir.path());
    let ended = ended(command.output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(sim.passwords(), 1);
}

#[test]
fn a_login_takes_its_secrets_from_systemds_credentials() {
    let sim = Sim::start();
    let home = home(&sim, |name, _| format!("{{ credential = \"{name}\" }}"));
    let none = login(&home, &|_| {});
    assert!(none.code == 7 && none.stderr.contains("CREDENTIALS_DIRECTORY is not set"), "{none:?}");
    let with = |command: &mut Command| {
        command.env("CREDENTIALS_DIRECTORY", home.dir.path());
    };
    let password = home.dir.path().join("password");
    fs::set_permissions(&password, Permissions::from_mode(0o444)).unwrap();
    let open = login(&home, &with);
    assert!(open.code == 7 && open.stderr.contains("readable by others (mode 444)"), "{open:?}");
    // As an access list shows in the mode.
    fs::set_permissions(&password, Permissions::from_mode(0o440)).unwrap();
    let ended = login(&home, &with);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(list(&home, &with).json()["secrets"][2]["source"], "systemd credential api_secret");
}

#[test]
fn a_login_takes_its_secrets_from_files_as_kubernetes_mounts_them() {
    let sim = Sim::start();
    let home = home(&sim, |name, path| {
        format!("{{ file = '{}' }}", path.with_file_name("mounted").join(name).display())
    });
    let mounted = home.dir.path().join("mounted");
    fs::create_dir_all(mounted.join("..2026")).unwrap();
    symlink("..2026", mounted.join("..data")).unwrap();
    for name in ["password", "totp_seed", "api_secret"] {
        fs::rename(home.dir.path().join(name), mounted.join("..2026").join(name)).unwrap();
        symlink(Path::new("..data").join(name), mounted.join(name)).unwrap();
    }
    fs::set_permissions(&mounted, Permissions::from_mode(0o777)).unwrap();
    let open = login(&home, &|_| {});
    assert!(open.code == 7 && open.stderr.contains("somebody else could turn it"), "{open:?}");
    fs::set_permissions(&mounted, Permissions::from_mode(0o755)).unwrap();
    let ended = login(&home, &|_| {});
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn a_source_that_is_written_wrongly_is_a_fault_with_its_line() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    for (source, why) in [
        ("{ command = [] }", "command needs a program"),
        ("{ command = \"pass show kite\" }", "must be a list of texts"),
        ("{ env = \"A\", with = [\"B\"] }", "with is for a command"),
        ("{ keyring = \"a b\" }", "must be a name of letters"),
        ("{ credential = \"../x\" }", "must be a name of letters"),
        ("{ credential = \"x\", keyring = \"y\" }", "needs exactly one of"),
    ] {
        home.configure(&sim, &format!("password = {source}"));
        let ended = home.run(&["status"]);
        assert!(ended.code == 2 && ended.stderr.contains(why), "{source}: {ended:?}");
    }
}
