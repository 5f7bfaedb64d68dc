//! Evidence of failed logins with canaries: a page repeats what was typed in every way it can, and neither the text nor the
//! picture nor the log holds any of it; the picture is the same to the byte whatever the secrets are.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use data_encoding::{BASE64, HEXLOWER};
use scanner::forms;
use serde_json::{Value, json};
use support::{Account, Home, Sim, engines, marker};

/// A part of this many bytes gives a secret away.
const WINDOW: usize = 8;

/// What is looked at of one failed login.
struct Kept {
    text: String,
    picture: Vec<u8>,
    said: String,
}

/// A page that says a text in every way that a page has.
fn echo(text: &str) -> String {
    let letters: Vec<String> = text.chars().map(String::from).collect();
    let backward: String = text.chars().rev().collect();
    let (hex, base64) = (HEXLOWER.encode(text.as_bytes()), BASE64.encode(text.as_bytes()));
    let spaced = letters.join(" ");
    let (half, other) = text.split_at(text.len() / 2);
    let split: String = letters.iter().map(|letter| format!("<b>{letter}</b>")).collect();
    format!(
        "<p>You typed {text}, didn't you?</p><p>{spaced}</p><p>{backward}</p><p>{hex}</p><p>{base64}</p><p>{split}</p>\
         <p><i>{half}</i><i>{other}</i></p><p title='{text}' class='{text}' id='{text}'>here</p>\
         <img alt='{text}' src='data:,'><input placeholder='{text}' name='{text}'><input value='{text}'>\
         <label aria-label='{text}'>there</label><textarea>{text}</textarea><button>{text}</button>\
         <canvas width=200 height=40></canvas><script>document.querySelectorAll('canvas').forEach((c) => \
         c.getContext('2d').fillText('{text}', 9, 9));</script>"
    )
}

/// A page that repeats its secrets, before anything was typed or after everything was.
fn repeated(at: &str, account: &Account, code: &str) -> Value {
    let texts = [&account.password, &account.api_secret, code].map(echo).concat();
    let body = format!(
        "<!doctype html><title>{} {code}</title><h1>Something new</h1>{texts}<p>The end</p>",
        account.password
    );
    json!({ "at": at, "do": "status", "status": 200, "body": body, "body_type": "text/html; charset=utf-8" })
}

/// Ends a login by this fault.
fn fail(lines: &str, account: &Account, fault: &Value) -> Kept {
    let sim = Sim::start_with(account.clone(), &[]);
    let home = Home::new(&sim);
    let config = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), format!("{lines}{config}")).unwrap();
    sim.fault(fault);
    let mut login = home.command(&["login", "--json"]);
    let ended = support::ended(login.env("FIRSTBELL_LOG", "trace").output().unwrap());
    assert_eq!(ended.code, if fault["at"] == "twofa" { 5 } else { 4 }, "{ended:?}");
    let last = home.run(&["history", "--last", "--json"]);
    let evidence = &last.json()["evidence"];
    let path =
        |key: &str| PathBuf::from(evidence[key].as_str().unwrap_or_else(|| panic!("no {key}: {last:?}")));
    for file in [path("file"), path("picture")] {
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "{}", file.display());
    }
    let plain = home.run(&["history", "--last"]).stdout;
    assert!(plain.contains(path("picture").to_str().unwrap()), "{plain}");
    let text = fs::read_to_string(path("file")).unwrap();
    Kept {
        text: text + &plain,
        picture: fs::read(path("picture")).unwrap(),
        said: ended.stdout + &ended.stderr,
    }
}

fn shows_nothing(what: &str, kept: &Kept, account: &Account, code: &str) {
    let places = [("the text", &kept.text), ("what was said", &kept.said)];
    for (place, shown) in places {
        let shown = shown.to_lowercase();
        let parts: HashSet<&[u8]> = shown.as_bytes().windows(WINDOW).collect();
        for secret in [&account.password, &account.api_secret] {
            let backward: String = secret.chars().rev().collect();
            for (form, bytes) in [forms(secret), forms(&backward)].concat() {
                let bytes = bytes.to_ascii_lowercase();
                let part = bytes.windows(WINDOW).find(|part| parts.contains(part));
                assert!(part.is_none(), "{what}: {place} holds a part of a secret, {form}:\n{shown}");
            }
        }
    }
    let letters: String = kept.text.chars().filter(|c| c.is_alphanumeric()).collect();
    let backward: String = code.chars().rev().collect();
    assert!(!letters.contains(code) && !letters.contains(&backward), "{what}: {}", kept.text);
}

fn account(password: usize) -> Account {
    Account { password: marker(password), ..Account::new() }
}

fn evidence(number: usize) {
    let (name, lines) = engines::every_browser().swap_remove(number);
    for at in ["login-page", "finish"] {
        let what = format!("{name}, {at}");
        // The same lengths, and another. All at once: most of a login is waiting.
        let secrets = [(20, "735194"), (20, "280617"), (31, "111111")];
        let pictures = std::thread::scope(|scope| {
            let (what, lines) = (&what, &lines);
            let logins = secrets.map(|(length, code)| {
                scope.spawn(move || {
                    let account = account(length);
                    let kept = fail(lines, &account, &repeated(at, &account, code));
                    assert!(kept.text.contains("Something new"), "{what}: {}", kept.text);
                    shows_nothing(what, &kept, &account, code);
                    (kept.picture, kept.text)
                })
            });
            logins.map(|login| login.join().unwrap())
        });
        let (first, told) = &pictures[0];
        assert!(first.len() > 500, "{what}: no picture");
        for (picture, text) in &pictures {
            // The elements too: their number would tell how long a secret is that is spread over them.
            let bones = |text: &str| {
                text.lines()
                    .filter(|line| line.trim_start().starts_with('<'))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(bones(text), bones(told), "{what}: the texts tell the secrets apart");
            assert!(picture == first, "{what}: the pictures tell the secrets apart");
        }
    }
}

/// Kite's own page keeps the code in a field that shows it, until its answer comes; here none that anybody knows comes. The seeds
/// differ, and with them the codes.
#[test]
fn a_code_that_still_stands_in_its_field_is_in_no_picture() {
    for engine in [engines::CHROME, engines::FIREFOX] {
        let unknown = json!({ "at": "twofa", "do": "unknown-page" });
        let login = || {
            let account = account(20);
            let kept = fail(&engines::lines(engine), &account, &unknown);
            shows_nothing("twofa", &kept, &account, "no code");
            assert!(
                kept.text.contains("type=\"number\" id=\"userid\""),
                "not the code's page: {}",
                kept.text
            );
            kept.picture
        };
        let pictures =
            std::thread::scope(|scope| [scope.spawn(login), scope.spawn(login)].map(|l| l.join().unwrap()));
        assert!(
            pictures[0].len() > 500 && pictures[0] == pictures[1],
            "{engine:?}: the pictures tell the codes apart"
        );
    }
}

/// What a picture of such a page itself would show: if these two were alike, those above would prove nothing.
#[test]
fn a_picture_of_the_page_itself_would_tell_the_codes_apart() {
    let pictures = ["735194", "280617"].map(|code| {
        let folder = tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let page = format!("<input type=number value={code}><input type=password value={code}>");
        fs::write(folder.path().join("page.html"), page).unwrap();
        let mut shell = Command::new("/usr/lib/chromium/chromium-headless-shell");
        let shot = folder.path().join("shot.png");
        shell.arg(format!("--screenshot={}", shot.display())).arg(folder.path().join("page.html"));
        shell.env("HOME", folder.path()).env("TMPDIR", folder.path()).current_dir(folder.path());
        if rustix::process::geteuid().is_root() {
            shell.uid(65534).gid(65534);
        }
        let said = shell.output().unwrap();
        fs::read(&shot).unwrap_or_else(|e| panic!("no picture: {e}: {said:?}"))
    });
    assert!(pictures[0].len() > 500 && pictures[0] != pictures[1], "a picture does not show a code");
}

/// One test for each browser engine.
macro_rules! albums {
    ($($name:ident: $number:expr),*) => {$(
        #[test]
        fn $name() {
            evidence($number);
        }
    )*};
}

albums!(headless_shell: 0, full_chrome: 1, firefox: 2, chromedriver: 3, geckodriver: 4);
