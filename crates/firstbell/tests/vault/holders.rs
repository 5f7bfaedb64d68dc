//! The identity where its owner keeps it: systemd's credentials, a keyring, a program; and a copy of the vault for other eyes.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use firstbell::age::Identity;
use firstbell::stores::{Opener, Place};
use firstbell_core::failure::{Failure, Part};

use crate::daemon::{Daemon, configure_due};
use crate::support::{Home, Sim, ended, marker, private};
use crate::terminal::Terminal;
use crate::{keygen, opened_by_age, try_age};

/// What the age program gives for a passphrase; it asks for that at a terminal.
pub(crate) fn opened_with_passphrase(sealed: &[u8], passphrase: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("sealed"), folder.path().join("out"));
    fs::write(&file, sealed).unwrap();
    let line = format!("age -d -o '{}' '{}'", out.display(), file.display());
    let mut script = Command::new("script");
    script.args(["-qfc", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().unwrap();
    let mut shown = String::new();
    let mut bytes = [0; 256];
    let screen = script.stdout.as_mut().unwrap();
    while !shown.contains("passphrase") {
        let count = screen.read(&mut bytes).unwrap();
        assert!(count > 0, "nobody was asked: {shown}");
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    writeln!(script.stdin.as_mut().unwrap(), "{passphrase}").unwrap();
    let mut rest = String::new();
    let _ = screen.read_to_string(&mut rest);
    assert!(script.wait().unwrap().success(), "{shown}{rest}");
    fs::read(out).unwrap()
}

fn with_vault(home: &Home, identity: &str) {
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{text}\n[vault]\nidentity = {identity}\n")).unwrap();
}

#[test]
fn systemds_credential_opens_it_and_no_identity_lies_beside_it() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let folder = home.dir.path().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::rename(home.state().join("identity.txt"), folder.join("firstbell-identity")).unwrap();
    assert_eq!(home.run(&["status"]).code, 7);
    with_vault(&home, "{ credential = \"firstbell-identity\" }");
    let none = home.run(&["status"]);
    assert!(none.code == 7 && none.stderr.contains("LoadCredentialEncrypted=firstbell-identity"), "{none:?}");
    let login = |home: &Home| {
        let mut command = home.command(&["login", "--driver", "http", "--json"]);
        ended(command.env("CREDENTIALS_DIRECTORY", &folder).output().unwrap())
    };
    let done = login(&home);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!home.state().join("identity.txt").exists());
    // A machine that is set up with one from the start makes none of its own.
    sim.settings(&serde_json::json!({ "totp_reuse": true }));
    let second = Home::bare(&sim);
    with_vault(&second, "{ credential = \"firstbell-identity\" }");
    for (name, value) in [
        ("password", &sim.account.password),
        ("totp_seed", &sim.account.totp_seed),
        ("api_secret", &sim.account.api_secret),
    ] {
        let mut command = second.command(&["secrets", "set", name]);
        command.env("CREDENTIALS_DIRECTORY", &folder).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(login(&second).code, 0);
    assert!(!second.state().join("identity.txt").exists());
    fs::copy(keygen(home.dir.path(), "other").0, folder.join("firstbell-identity")).unwrap();
    let other = login(&second);
    assert!(other.code == 7 && other.stderr.contains("does not open"), "{other:?}");
}

#[test]
fn a_keyring_of_a_session_and_a_program_open_it() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let kept = home.dir.path().join("kept");
    fs::rename(home.state().join("identity.txt"), &kept).unwrap();
    let program = format!("{{ command = [\"grep\", \"^AGE\", \"{}\"] }}", kept.display());
    let whole = fs::read_to_string(home.config()).unwrap();
    with_vault(&home, &program);
    assert_eq!(home.status()["tries_left"]["password"], 2);
    fs::write(home.config(), whole).unwrap();
    with_vault(&home, "{ keyring = \"firstbell-identity\" }");
    let none = home.run(&["status"]);
    assert!(none.code == 7 && none.stderr.contains("is not in the keyring"), "{none:?}");
    let status = home.command(&[]);
    let text = format!(
        "echo pw | gnome-keyring-daemon --unlock --components=secrets >'{0}/daemon.out' && grep ^AGE '{0}/kept' | \
         secret-tool store --label=id service firstbell name firstbell-identity && exec '{1}' status --json",
        home.dir.path().display(),
        status.get_program().display()
    );
    let mut command = Command::new("dbus-run-session");
    command.args(["--", "sh", "-c", &text]).env_clear();
    command.envs(status.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let shown = ended(command.env("XDG_RUNTIME_DIR", home.dir.path()).output().unwrap());
    assert_eq!(shown.code, 0, "{shown:?}");
    assert_eq!(shown.json()["accounts"][0]["tries_left"]["password"], 2, "{shown:?}");
}

#[test]
fn an_export_is_for_other_eyes_and_is_a_backup_that_opens() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let (mine, recipient) = keygen(home.dir.path(), "mine");
    let to = home.dir.path().join("export.age");
    let export =
        |more: &[&str]| home.run(&[&["secrets", "export", "--to", to.to_str().unwrap()], more].concat());
    assert_eq!(export(&["--recipient", &recipient]).code, 0);
    assert_eq!(opened_by_age(&to, &mine)["secrets"].as_array().unwrap().len(), 3);
    let own = home.state().join("identity.txt");
    assert!(try_age(&["-d", "-i", own.to_str().unwrap(), to.to_str().unwrap()], b"").is_err());
    let again = export(&["--recipient", &recipient]);
    assert!(again.code == 7 && again.stderr.contains("File exists"), "{again:?}");
    for wrong in [&["--recipient", "age1"][..], &[], &["--recipient", &recipient, "--passphrase"]] {
        assert_eq!(export(wrong).code, 2, "{wrong:?}");
    }
    // With the owner's key, it is a vault.
    let other = Home::bare(&sim);
    fs::create_dir(other.state()).unwrap();
    fs::set_permissions(other.state(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fs::copy(&to, other.state().join("vault.age")).unwrap();
    fs::copy(&mine, other.state().join("identity.txt")).unwrap();
    assert_eq!(other.login("http").code, 0);
    // With a passphrase, from a pipe.
    fs::remove_file(&to).unwrap();
    let passphrase = marker(20);
    let ended =
        home.run_with(&["secrets", "export", "--to", to.to_str().unwrap(), "--passphrase"], &passphrase);
    assert_eq!(ended.code, 0, "{ended:?}");
    let plain = opened_with_passphrase(&fs::read(&to).unwrap(), &passphrase);
    assert!(String::from_utf8(plain).unwrap().contains(&sim.account.api_secret));
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&to).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    private(&to);
}

#[test]
fn a_passphrase_is_asked_once_at_a_terminal_and_nowhere_else() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let (identity, sealed) = (home.state().join("identity.txt"), home.state().join("identity.age"));
    let passphrase = marker(20);
    let plain = firstbell_core::secret::SecretBytes::new(fs::read(&identity).unwrap());
    let bytes = firstbell::age::seal_with_passphrase(&plain, &crate::secret(&passphrase));
    fs::remove_file(&identity).unwrap();
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{text}\n[vault]\npassphrase = true\n")).unwrap();
    let nobody = home.run(&["status"]);
    assert!(nobody.code == 7 && nobody.stderr.contains("nobody is at a terminal"), "{nobody:?}");
    let asked = |answer: &str| {
        let mut terminal = Terminal::run(&home, "login --driver http");
        terminal.until("passphrase of identity.age: ");
        terminal.types(answer);
        terminal.end()
    };
    let none = asked(&passphrase);
    assert!(none.contains("age -p -o identity.age identity.txt"), "{none}");
    fs::write(&sealed, bytes).unwrap();
    private(&sealed);
    let wrong = asked("something else");
    assert!(wrong.contains("this passphrase does not open it"), "{wrong}");
    let shown = asked(&passphrase);
    assert!(shown.contains("ready") && !shown.contains(&passphrase), "{shown}");
    assert_eq!(shown.matches("passphrase of").count(), 1, "{shown}");
    assert!(!identity.exists());
}

/// For a service: the daemon has it from a credential, or from a program that asks a person somewhere else.
#[test]
fn a_daemon_gets_the_passphrase_from_a_credential_or_a_program() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let (passphrase, folder) = (marker(20), home.dir.path().join("credentials"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("phrase"), &passphrase).unwrap();
    private(&folder.join("phrase"));
    let with = |lines: &str| {
        configure_due(&home, &sim, "", &format!("[vault]\npassphrase = {lines}\n"));
    };
    // A first start makes the identity: nobody could have mistyped what nobody typed.
    let program = home.dir.path().join("ask");
    let count = home.dir.path().join("asked");
    fs::write(&program, format!("#!/bin/sh\necho x >>'{}'\necho '{passphrase}'\n", count.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    with(&format!("{{ command = [\"/bin/sh\", \"{}\"] }}", program.display()));
    home.store_secrets(&sim.account);
    assert!(home.state().join("identity.age").exists() && !home.state().join("identity.txt").exists());
    let before = fs::read_to_string(&count).unwrap().len();
    let mut daemon = Daemon::start(&home);
    daemon.until_account("main", "ready", |account| account["generation"] == 1);
    daemon.signal(rustix::process::Signal::HUP);
    daemon.wait_log("was read anew");
    assert!(daemon.lives());
    assert_eq!(daemon.end().0, 0);
    assert_eq!(fs::read_to_string(&count).unwrap().len(), before + 2, "asked once for a process");
    with("{ credential = \"phrase\" }");
    let mut command = home.command(&["status", "--json"]);
    let ended = ended(command.env("CREDENTIALS_DIRECTORY", &folder).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    let none = home.run(&["status"]);
    assert!(none.code == 7 && none.stderr.contains("vault.passphrase"), "{none:?}");
    fs::write(folder.join("phrase"), "another one").unwrap();
    let mut command = home.command(&["status"]);
    let wrong = crate::support::ended(command.env("CREDENTIALS_DIRECTORY", &folder).output().unwrap());
    assert!(wrong.code == 7 && wrong.stderr.contains("this passphrase does not open it"), "{wrong:?}");
    assert!(!wrong.stderr.contains("another one"), "{wrong:?}");
}

/// A living process would not notice that its next start fails: so the proof asks whoever keeps the identity, anew.
#[test]
fn an_identity_that_its_keeper_has_lost_is_noticed_before_the_next_start() {
    let machine = crate::Machine::with_password("x");
    let kept = machine.state().with_file_name("kept");
    fs::rename(machine.file("identity.txt"), &kept).unwrap();
    let path = kept.clone();
    let gone = |why: String| Failure::Broken { part: Part::Key, why, cure: "…".into() };
    let opener = Opener::new(move || {
        fs::read_to_string(&path).map(|text| crate::secret(&text)).map_err(|e| gone(e.to_string()))
    });
    let stores = Place { identity: Some(opener), ..Place::of(&machine.state()) }.open().unwrap();
    stores.proves_key().unwrap();
    let right = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, Identity::random().text().expose()).unwrap();
    assert!(stores.proves_key().unwrap_err().to_string().contains("does not open"));
    fs::remove_file(&kept).unwrap();
    assert!(stores.proves_key().unwrap_err().to_string().contains("No such file"));
    fs::write(&kept, right).unwrap();
    stores.proves_key().unwrap();
}

/// The same for one that remembers the identity: it asks nobody for the passphrase, and looks at the files.
#[test]
fn a_sealed_identity_that_is_lost_or_another_one_is_noticed_before_the_next_start() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let (program, count) = (home.dir.path().join("ask"), home.dir.path().join("asked"));
    let passphrase = marker(20);
    fs::write(&program, format!("#!/bin/sh\necho x >>'{}'\necho '{passphrase}'\n", count.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    home.prepend(&format!("state_dir = '{}'\n", home.state().display()));
    let text = fs::read_to_string(home.config()).unwrap();
    let vault = format!("[vault]\npassphrase = {{ command = ['/bin/sh', '{}'] }}\n", program.display());
    fs::write(home.config(), format!("{text}\n{vault}")).unwrap();
    let config = firstbell::config::load(&home.config(), &firstbell::config::Environment::new()).unwrap();
    let stores = config.place().unwrap().open().unwrap();
    stores.vault().keep("a", "password", &crate::secret("x")).unwrap();
    let refused = |words: &str| {
        let failure = stores.proves_key().unwrap_err();
        assert!(failure.to_string().contains(words), "{failure}");
    };
    stores.proves_key().unwrap();
    let sealed = home.state().join("identity.age");
    let right = fs::read(&sealed).unwrap();
    fs::write(&sealed, &right[..right.len() - 1]).unwrap();
    refused("is not the one that was opened");
    fs::remove_file(&sealed).unwrap();
    refused("No such file");
    fs::write(&sealed, &right).unwrap();
    private(&sealed);
    stores.proves_key().unwrap();
    // The vault itself is read anew as well.
    let other = crate::Machine::with_password("other");
    let mine = fs::read(home.state().join("vault.age")).unwrap();
    fs::copy(other.file("vault.age"), home.state().join("vault.age")).unwrap();
    refused("somebody else's file");
    fs::write(home.state().join("vault.age"), mine).unwrap();
    stores.proves_key().unwrap();
    assert_eq!(fs::read_to_string(&count).unwrap(), "x\n", "it was asked for once");
}
