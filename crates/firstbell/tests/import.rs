//! Secrets out of the files where people keep them: eight usual ones, each followed by a login; what is in doubt is refused; and
//! what was shredded is gone.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::json;
use support::{Account, Ended, Home, Sim, marker};
use terminal::Terminal;

/// Files as they lie about, with their names.
fn recipes(account: &Account) -> [(&'static str, String); 8] {
    let Account { user_id, password, totp_seed, api_key, api_secret } = account;
    let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
    [
        (
            ".env",
            format!(
                "# Kite\nKITE_USER_ID={user_id}\nKITE_PASSWORD=\"{quoted}\"\nKITE_TOTP_SECRET={totp_seed}\n\
                 KITE_API_KEY={api_key}\nKITE_API_SECRET={api_secret} # of the app\n"
            ),
        ),
        (
            "kite.sh",
            format!(
                "#!/bin/sh\nexport ZERODHA_USERNAME='{user_id}'\nexport ZERODHA_PWD='{password}'\n\
                 export ZERODHA_TOTP='{totp_seed}'\nexport API_SECRET='{api_secret}'\nexec python3 bot.py\n"
            ),
        ),
        (
            "config.json",
            json!({ "broker": "zerodha", "timeout": 30,
                    "credentials": { "userId": user_id, "password": password, "totpKey": totp_seed },
                    "app": { "apiKey": api_key, "apiSecret": api_secret } })
            .to_string(),
        ),
        (
            "config.ini",
            format!(
                "[kite]\nuser = {user_id}\npassword = {password}\n; a note\ntotp_key = {totp_seed}\n\n[app]\n\
                 api_key: {api_key}\napi_secret: {api_secret}\n"
            ),
        ),
        (
            "login.py",
            format!(
                "import pyotp\nfrom kiteconnect import KiteConnect\n\nclass Bot:\n    password: str = \"{quoted}\"\n\
                 user_id = '{user_id}'\n\n\
                 kite = KiteConnect(api_key=\"{api_key}\")\ncode = pyotp.TOTP(\"{totp_seed}\").now()\n\
                 token = input(\"request_token: \")\n\
                 data = kite.generate_session(token, api_secret=\"{api_secret}\")\n\
                 kite.set_access_token(data[\"access_token\"])\n"
            ),
        ),
        (
            "settings.py",
            format!(
                "user_id, password = '{user_id}', \"{quoted}\"\n\
                 KITE = {{'totp_secret': '{totp_seed}', 'api_secret': '{api_secret}'}}\n"
            ),
        ),
        (
            "secrets.yaml",
            format!(
                "kite:\n  user_id: {user_id}\n  password: '{password}'\n  totp: {totp_seed}\n  api_secret: {api_secret}\n"
            ),
        ),
        ("api_key.txt", format!("{api_key}\n{api_secret}\n{user_id}\n{password}\n{totp_seed}\n")),
    ]
}

fn write(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.dir.path().join(name);
    fs::write(&path, text).unwrap();
    support::private(&path);
    path
}

fn import(home: &Home, path: &std::path::Path, more: &[&str]) -> Ended {
    let mut arguments = vec!["secrets", "import", path.to_str().unwrap(), "--json"];
    arguments.extend(more);
    home.run(&arguments)
}

#[test]
fn eight_usual_files_are_read_stored_and_logged_in_with() {
    let account = Account { password: format!("p=W \"{}\" #\\é", marker(20)), ..Account::new() };
    let sim = Sim::start_with(account, &[]);
    for (name, text) in recipes(&sim.account) {
        sim.settings(&json!({ "totp_reuse": true }));
        let home = Home::bare(&sim);
        // What a shell or an INI reader would take apart too.
        let plain = ["kite.sh", "config.ini", "secrets.yaml"].contains(&name);
        let text = if plain { text.replace(" #\\é", "é") } else { text };
        let path = write(&home, name, &text);
        let ended = import(&home, &path, &["--yes", "--shred"]);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        assert_eq!(ended.json()["stored"].as_array().unwrap().len(), 3, "{name}: {ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        for secret in [&sim.account.password, &sim.account.totp_seed, &sim.account.api_secret] {
            assert!(!said.contains(&secret[..12]), "{name}: {said}");
        }
        assert!(said.contains("copies on write") && ended.json()["shredded"] == true, "{said}");
        assert!(!path.exists(), "{name}");
        if !plain {
            assert_eq!(home.login("http").code, 0, "{name}");
        }
    }
}

#[test]
fn what_is_in_doubt_ends_it_before_anything_is_stored() {
    let sim = Sim::start();
    let account = &sim.account;
    let home = Home::bare(&sim);
    for (text, why) in [
        ("A_PASSWORD=x\nB_PASSWORD=y".to_owned(), "lines 1 and 2 both look like a password"),
        (
            format!("user_id = 'ZZ9999'\npassword = '{}'", account.password),
            "the user_id on line 1 is not the one",
        ),
        ("api_key = 'abc'\npassword = 'x'".to_owned(), "the api_key on line 1 is not the one"),
        ("totp = 123456\npassword = 'x'".to_owned(), "line 1: "),
        ("nothing = here\n".to_owned(), "no password, TOTP key or API secret was found"),
        ("\u{0}\u{1}".to_owned(), "no password, TOTP key or API secret was found"),
    ] {
        let path = write(&home, "recipe", &text);
        let ended = import(&home, &path, &["--yes", "--shred"]);
        assert!(ended.code == 2 && ended.stderr.contains(why), "{text:?}: {ended:?}");
        assert!(path.exists() && ended.stderr.contains("nothing was stored"), "{ended:?}");
    }
    let link = home.dir.path().join("link");
    symlink(home.dir.path().join("recipe"), &link).unwrap();
    let large = write(&home, "large", &"x".repeat(300 * 1024));
    let binary = home.dir.path().join("binary");
    fs::write(&binary, [0xff; 40]).unwrap();
    for path in [link.as_path(), &large, &binary, home.dir.path(), &home.dir.path().join("none")] {
        assert_eq!(import(&home, path, &["--yes"]).code, 2, "{}", path.display());
    }
    let path = write(&home, "recipe", "password = 'x'");
    let ended = import(&home, &path, &[]);
    assert!(ended.code == 2 && ended.stderr.contains("say so with --yes"), "{ended:?}");
    assert_eq!(home.run(&["secrets", "list", "--json"]).json()["secrets"][0]["present"], false);
}

#[test]
fn a_person_is_asked_twice_and_may_say_no() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let path = write(&home, "recipe", &format!("password = '{}'", sim.account.password));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let command = format!("secrets import '{}'", path.display());
    let run = |answers: &[(&str, &str)]| {
        let mut terminal = Terminal::run(&home, &command);
        for (question, answer) in answers {
            terminal.until(question);
            terminal.types(answer);
        }
        terminal.end()
    };
    let shown = run(&[("vault? [y/N]", "n")]);
    assert!(shown.contains("nothing was stored") && shown.contains("change them"), "{shown}");
    let there = || home.run(&["secrets", "list", "--json"]).json()["secrets"][0]["present"].clone();
    assert_eq!(there(), false);
    let shown = run(&[("vault? [y/N]", "y"), ("now? [y/N]", "n")]);
    assert!(shown.contains("still there, in the clear") && path.exists() && there() == true, "{shown}");
    let shown = run(&[("vault? [y/N]", "y"), ("now? [y/N]", "y")]);
    assert!(shown.contains("overwritten and removed") && !path.exists(), "{shown}");
    assert!(!shown.contains(&sim.account.password), "{shown}");
}

#[test]
fn what_is_shredded_was_overwritten_where_it_lay_and_another_name_of_it_keeps_it() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let path = write(&home, "recipe", &format!("password = '{}'", sim.account.password));
    // Somebody who has the file open sees what became of its bytes.
    let mut open = fs::File::open(&path).unwrap();
    assert_eq!(import(&home, &path, &["--yes", "--shred"]).code, 0);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut open, &mut bytes).unwrap();
    let password = sim.account.password.as_bytes();
    assert!(bytes.len() == 4096 && !bytes.windows(8).any(|part| password.windows(8).any(|p| p == part)));
    let path = write(&home, "recipe", "password = 'x'");
    fs::hard_link(&path, home.dir.path().join("other")).unwrap();
    let ended = import(&home, &path, &["--yes", "--shred"]);
    assert!(ended.code == 7 && ended.stderr.contains("another name"), "{ended:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "password = 'x'");
}
