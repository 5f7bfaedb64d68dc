//! A first run in a terminal, key by key: to its end in both modes, left anywhere and gone on with; and without a terminal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/newcomer.rs"]
mod newcomer;
#[path = "support/person.rs"]
mod person;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "support/waiting.rs"]
mod waiting;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use newcomer::*;
use person::{Person, code};
use support::{Home, Sim};
use terminal::Terminal;
use waiting::{follow, generation};

fn automatic(driver: &str) {
    let (sim, home) = newcomer(driver);
    let mut terminal = setup(&sim, &home);
    answers(&mut terminal, &sim, "2");
    terminal.answers(REVIEW, "");
    terminal.next("ready: main has a proven token (generation 1)");
    terminal.next("Set up. From now on");
    let shown = terminal.end();
    assert!(shown.contains("Kite begins a login with this API key; nothing was spent"), "{shown}");
    assert!(shown.contains("there is no login API"), "{shown}");
    assert_eq!((generation(&home), sim.passwords(), sim.codes()), (1, 1, 1));
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.starts_with(&format!("driver = \"{driver}\" # mine\n")), "{config}");
    nothing_shows(&sim.account, &home, &shown);
    // What is set up is not asked for again.
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers(CHANNEL, "");
    terminal.answers("Enter to end, or the name of what you want to change: ", "");
    terminal.next("Set up. From now on");
    terminal.end();
    assert_eq!(sim.passwords(), 1);
}

#[test]
fn automatic_without_a_browser_ends_with_a_proven_token() {
    automatic("http");
}

#[test]
fn automatic_with_chromium_ends_with_a_proven_token() {
    automatic("chrome");
}

#[test]
fn assisted_ends_with_a_proven_token_and_asks_for_neither_password_nor_key() {
    let (sim, home) = newcomer("http");
    let mut terminal = setup(&sim, &home);
    answers(&mut terminal, &sim, "1");
    terminal.answers(REVIEW, "");
    terminal.next("Log in here, on any device");
    terminal.next("Or paste the address");
    let link =
        terminal.shown.split_whitespace().rfind(|word| word.contains("redirect_params")).unwrap().to_owned();
    let back = Person::signed_in(&sim).back(&sim, &link);
    assert_eq!(follow(&back, None).unwrap().0, 200);
    terminal.next("ready: main has a proven token (generation 1)");
    let shown = terminal.end();
    assert!(!shown.contains(PASSWORD) && !shown.contains(SEED), "{shown}");
    assert_eq!(generation(&home), 1);
    assert!(fs::read_to_string(home.config()).unwrap().contains("assisted = \"only\""));
    nothing_shows(&sim.account, &home, &shown);
}

/// Left at each question in turn with Ctrl-C, and gone on with: nothing that was answered is asked again.
#[test]
fn it_can_be_left_at_any_question_and_goes_on_from_there() {
    let (sim, home) = newcomer("http");
    let account = sim.account.clone();
    let all: Vec<(&str, Vec<String>)> = vec![
        (CLIENT_ID, vec![account.user_id.clone()]),
        (WHO, vec!["2".into()]),
        (REDIRECT, vec![sim.redirect.clone()]),
        (API_KEY, vec![account.api_key.clone()]),
        (KEY_PLACE, vec![String::new()]),
        (API_SECRET, vec![account.api_secret.clone()]),
        (PASSWORD, vec![account.password.clone(), account.password.clone()]),
        (SEED, vec![account.totp_seed.clone(), String::new()]),
        (CHANNEL, vec![String::new()]),
        (REVIEW, vec![String::new()]),
    ];
    for (at, (question, given)) in all.iter().enumerate() {
        // Left at the question itself, and within those that come in two parts.
        let mut terminal = setup(&sim, &home);
        if at > 8 {
            terminal.answers(CHANNEL, "");
        }
        terminal.next(question);
        terminal.presses(3);
        let shown = terminal.end();
        assert!(shown.contains("Left here. What you answered is kept"), "{question}: {shown}");
        for (other, _) in &all[..at.min(8)] {
            assert!(!shown.contains(other), "{other} was asked again before {question}");
        }
        if given.len() == 2 {
            let second = if *question == SEED { CODE } else { AGAIN };
            let mut terminal = setup(&sim, &home);
            terminal.answers(question, &given[0]);
            terminal.next(second);
            terminal.presses(3);
            terminal.end();
        }
        let mut terminal = setup(&sim, &home);
        if at > 8 {
            break;
        }
        terminal.answers(question, &given[0]);
        match *question {
            PASSWORD => drop(terminal.answers(AGAIN, &given[1])),
            SEED => drop(terminal.answers(CODE, &code(&account))),
            _ => {}
        }
        terminal.next(all[at + 1].0);
        terminal.presses(3);
        nothing_shows(&account, &home, &terminal.end());
    }
    assert_eq!(sim.passwords(), 0);
    let mut terminal = setup(&sim, &home);
    terminal.answers(CHANNEL, "");
    terminal.answers(REVIEW, "");
    terminal.next("ready: main has a proven token");
    terminal.end();
    assert_eq!((generation(&home), sim.passwords()), (1, 1));
}

/// Stand-ins for the programs that keep a key: what they are given lies in files of the home.
fn keepers(home: &Home) -> String {
    let folder = home.dir.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let kept = home.dir.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let kept = kept.display();
    for (name, text) in [
        ("secret-tool", format!("case $1 in store) cat >'{kept}'/$6;; lookup) cat '{kept}'/$5;; esac")),
        ("systemd-creds", format!("test $1 = encrypt && cat >'{kept}'/${{2#--name=}}")),
    ] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    }
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// Sets up with the key at this place, to a proven login, and no further question about it in the next run.
fn with_key_at(number: &str, more: &[(&str, &str)]) -> (Sim, Home, String) {
    let (sim, home) = newcomer("http");
    let path = keepers(&home);
    let mut terminal =
        Terminal::run_with(&home, &format!("setup --rehearsal {}", sim.site), &[("PATH", &path)]);
    terminal.answers(CLIENT_ID, &sim.account.user_id);
    terminal.answers(WHO, "2");
    terminal.answers(REDIRECT, &sim.redirect);
    terminal.answers(API_KEY, &sim.account.api_key);
    terminal.answers(KEY_PLACE, "9");
    terminal.answers(KEY_PLACE, number);
    for (question, answer) in more {
        terminal.answers(question, answer);
    }
    terminal.answers(API_SECRET, &sim.account.api_secret);
    terminal.answers(PASSWORD, &sim.account.password);
    terminal.answers(AGAIN, &sim.account.password);
    terminal.answers(SEED, &sim.account.totp_seed);
    terminal.answers(CODE, &code(&sim.account));
    terminal.answers(CHANNEL, "");
    terminal.answers(REVIEW, "");
    terminal.next("ready: main has a proven token (generation 1)");
    let shown = terminal.end();
    assert!(shown.contains("Type 1, 2, 3 or 4"), "{shown}");
    assert!(home.state().join("vault.age").exists() && !home.state().join("identity.txt").exists());
    nothing_shows(&sim.account, &home, &shown);
    (sim, home, path)
}

const PASSPHRASE: &str = "A passphrase (not shown): ";

#[test]
fn the_key_can_be_under_a_passphrase_which_is_asked_for_from_then_on() {
    let passphrase = "correct horse battery";
    let (_sim, home, _) = with_key_at(
        "2",
        &[
            (PASSPHRASE, "too short"),
            (PASSPHRASE, passphrase),
            (AGAIN, "correct horse batterie"),
            (PASSPHRASE, passphrase),
            (AGAIN, passphrase),
        ],
    );
    assert!(fs::read_to_string(home.config()).unwrap().contains("[vault]\npassphrase = true\n"));
    assert_eq!(home.run(&["status"]).code, 7);
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers("passphrase of identity.age: ", passphrase);
    terminal.next("✓ key           a passphrase");
    terminal.answers(CHANNEL, "");
    terminal.answers("Enter to end, or the name of what you want to change: ", "");
    let shown = terminal.end();
    assert_eq!(shown.matches("passphrase of identity.age").count(), 1, "{shown}");
    assert!(!shown.contains(passphrase), "{shown}");
}

/// What the stand-ins keep: one identity, under a name that no other vault has.
fn kept(home: &Home) -> (String, String) {
    let mut all = fs::read_dir(home.dir.path().join("kept")).unwrap();
    let only = all.next().unwrap().unwrap();
    assert!(all.next().is_none());
    (only.file_name().into_string().unwrap(), fs::read_to_string(only.path()).unwrap())
}

#[test]
fn the_key_can_be_in_the_keyring_and_nowhere_else() {
    let (_sim, home, path) = with_key_at("3", &[]);
    let (name, identity) = kept(&home);
    assert!(name.starts_with("firstbell-") && identity.starts_with("AGE-SECRET-KEY-1"), "{name}");
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.contains(&format!("[vault]\nidentity = {{ keyring = \"{name}\" }}\n")), "{config}");
    let status = home.command(&["status"]).env("PATH", path).output().unwrap();
    assert!(status.status.success(), "{status:?}");
    assert_eq!(home.run(&["status"]).code, 7);
}

#[test]
fn the_key_can_be_a_credential_of_systemds() {
    let sealed = std::path::Path::new("/etc/credstore.encrypted");
    let was_there = sealed.exists();
    let (_sim, home, _) = with_key_at("4", &[]);
    if !was_there {
        // Made for the credential, which the stand-in keeps elsewhere.
        fs::remove_dir(sealed).unwrap();
    }
    let (name, _) = kept(&home);
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.contains(&format!("[vault]\nidentity = {{ credential = \"{name}\" }}\n")), "{config}");
    support::private(&home.dir.path().join("kept").join(&name));
    let folder = home.dir.path().join("kept");
    let status = home.command(&["status"]).env("CREDENTIALS_DIRECTORY", folder).output().unwrap();
    assert!(status.status.success(), "{status:?}");
    let none = home.run(&["status"]);
    assert!(none.code == 7 && none.stderr.contains("LoadCredentialEncrypted="), "{none:?}");
}

#[test]
fn a_place_that_does_not_take_the_key_is_told_and_another_one_is_asked_for() {
    let (sim, home) = newcomer("http");
    let tools = keepers(&home);
    let failing = home.dir.path().join("bin/secret-tool");
    fs::write(&failing, "#!/bin/sh\nexit 1\n").unwrap();
    let mut terminal =
        Terminal::run_with(&home, &format!("setup --rehearsal {}", sim.site), &[("PATH", &tools)]);
    terminal.answers(CLIENT_ID, &sim.account.user_id);
    terminal.answers(WHO, "1");
    terminal.answers(REDIRECT, &sim.redirect);
    terminal.answers(API_KEY, &sim.account.api_key);
    terminal.answers(KEY_PLACE, "3");
    terminal.next("the key was not put into the keyring: secret-tool ended with exit status: 1");
    terminal.answers(KEY_PLACE, "1");
    terminal.next(API_SECRET);
    terminal.presses(3);
    terminal.end();
    assert!(home.state().join("identity.txt").exists());
    assert!(!fs::read_to_string(home.config()).unwrap().contains("[vault]"));
}

#[test]
fn without_a_terminal_all_that_is_missing_is_told_at_once_with_its_place() {
    let (sim, home) = newcomer("http");
    let ended = home.run(&["setup", "--rehearsal", &sim.site]);
    assert_eq!(ended.code, 2, "{ended:?}");
    let config = home.config();
    for part in [
        "user_id: write user_id = \"AB1234\" under [account.main] in",
        "api_key: write",
        "redirect_url: write",
        "or give --redirect-url",
        "password: the password with which you log in",
        "totp_seed: the 32 letters",
        "api_secret = { env = \"NAME\" }",
        config.to_str().unwrap(),
    ] {
        assert!(ended.stderr.contains(part), "{part} is not in {}", ended.stderr);
    }
    let account = &sim.account;
    let given = ["setup", "--yes", "--rehearsal", &sim.site, "--user-id", "ab1234", "--mode", "automatic"];
    let wrong = home.run(&[&given[..], &["--api-key", "aaaaaaaa11111111"]].concat());
    assert!(wrong.code == 2 && wrong.stderr.contains("api_key: Kite does not know it"), "{wrong:?}");
    // `secrets set` needs a whole configuration: the place of each secret is written by hand.
    let (file, mut text) = (home.dir.path().join("secret"), fs::read_to_string(home.config()).unwrap());
    for (name, value) in [
        ("password", &account.password),
        ("totp_seed", &account.totp_seed),
        ("api_secret", &account.api_secret),
    ] {
        let path = file.with_extension(name);
        fs::write(&path, value).unwrap();
        support::private(&path);
        text.push_str(&format!("{name} = {{ file = \"{}\" }}\n", path.display()));
    }
    fs::write(home.config(), text).unwrap();
    let whole =
        [&given[..], &["--api-key", &account.api_key, "--redirect-url", &sim.redirect, "--json"]].concat();
    let ended = home.run(&whole);
    assert!(ended.code == 0 && ended.json()["generation"] == 1, "{ended:?}");
    assert_eq!((generation(&home), sim.passwords()), (1, 1));
    let finds = secrets_of(account).search("what was said", ended.stderr.as_bytes());
    assert!(finds.is_empty(), "{finds:#?}");
}

#[test]
fn a_rehearsal_never_touches_the_configuration_of_a_real_account() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let text = "[account.main]\nuser_id = \"AB1234\"\n";
    fs::write(home.config(), text).unwrap();
    let ended = home.run(&["setup", "--rehearsal", &sim.site]);
    assert!(ended.code == 2 && ended.stderr.contains("the configuration of a real account"), "{ended:?}");
    let ended = home.run(&["setup", "--rehearsal", "https://example.org"]);
    assert!(ended.code == 2 && ended.stderr.contains("loopback address of a kitesim"), "{ended:?}");
    assert_eq!(fs::read_to_string(home.config()).unwrap(), text);
    fs::write(home.config(), "drivr = 1\n[account.main]\n").unwrap();
    let ended = home.run(&["setup"]);
    assert!(ended.code == 2 && ended.stderr.contains("config.toml:1: drivr is not known"), "{ended:?}");
}
