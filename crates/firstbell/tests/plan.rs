//! The login plan as a file of the owner's: shown, checked with its lines, tried on pages, signed, and logged in with.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::json;
use support::{Ended, Home, Sim};

/// minisign's own example: a key, and its signature of the four letters "test".
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
    RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
    trusted comment: timestamp:1556193335\tfile:test\n\
    y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";

/// A home with a copy of the compiled-in plan.
fn stage() -> (Sim, Home, PathBuf, String) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let shown = home.run(&["plan", "show"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let path = home.dir.path().join("my-plan.toml");
    std::fs::write(&path, &shown.stdout).unwrap();
    (sim, home, path, shown.stdout)
}

fn check(home: &Home, path: &Path, more: &[&str]) -> Ended {
    let mut words = vec!["plan", "check", path.to_str().unwrap(), "--json"];
    words.extend(more);
    home.run(&words)
}

fn evidence(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../evidence/kite").join(name);
    let piece: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    piece["body"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_shown_is_sound_and_every_fault_of_a_copy_comes_at_once_with_its_line() {
    let (_sim, home, path, text) = stage();
    assert_eq!(check(&home, &path, &[]).code, 0);
    let broken = text
        .replace("origin = \"https://kite.zerodha.com\"", "origin = \"http://kite.zerodha.com\"")
        .replace("hosts = []", "hosts = [\"https://cdn.example/x\"]")
        .replace("{ css = \"input#password\", type = [\"password\"] }", "{ css = \"input#password\" }")
        .replace("path = \"/api/twofa\"", "path = \"//evil.example/api/twofa\"")
        .replace("has = [\"pin\"]", "has = [\"pinn\"]");
    std::fs::write(&path, &broken).unwrap();
    let ended = check(&home, &path, &[]);
    assert_eq!(ended.code, 2, "{ended:?}");
    let faults: Vec<String> = serde_json::from_value(ended.json()["faults"].clone()).unwrap();
    let line = |start: &str| broken.lines().position(|line| line.starts_with(start)).unwrap() + 1;
    for (start, says) in [
        ("origin =", "must be https"),
        ("hosts =", "a host is a plain name"),
        ("    { css = \"input#password\" }", "names its type"),
        ("has = [\"pinn\"]", "no mark \"pinn\""),
    ] {
        let want = format!("my-plan.toml:{}: ", line(start));
        assert!(faults.iter().any(|f| f.contains(&want) && f.contains(says)), "{want}{says} in {faults:#?}");
    }
    assert!(faults.iter().any(|f| f.contains("stay at the plan's origin")), "{faults:#?}");
}

#[test]
fn a_plan_that_would_type_elsewhere_or_into_two_places_is_refused() {
    let (_sim, home, path, text) = stage();
    let other = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let ended = check(&home, &path, &[]);
        assert_eq!(ended.code, 2, "{to}: {ended:?}");
        ended.json()["faults"].to_string()
    };
    for origin in
        ["https://kite.zerodha.com.evil.example", "https://kite.zerodha.com:8443", "https://kíte.zerodha.com"]
    {
        let faults = other("origin = \"https://kite.zerodha.com\"", &format!("origin = \"{origin}\""));
        assert!(faults.contains("secrets are typed nowhere else"), "{origin}: {faults}");
    }
    let faults =
        other("{ role = \"user-id\", mark = \"user\" }", "{ role = \"user-id\", mark = \"password\" }");
    assert!(faults.contains("a secret could go into the wrong one"), "{faults}");
    // Also where it would be read, and what would leave.
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1"] {
        let faults = other("hosts = []", &format!("hosts = [\"{host}\"]"));
        assert!(faults.contains("a name and no address"), "{host}: {faults}");
    }
    let faults = other("path = \"/api/twofa\"", "path = \"/api/login\"");
    assert!(faults.contains("two steps send to one path"), "{faults}");
    let faults = other("path = \"/api/twofa\"", "path = \"/api/x/../login\"");
    assert!(faults.contains("as a browser sends it"), "{faults}");
    for css in ["input#password[", "input#password,", "> input", "input##password"] {
        let faults = other("css = \"input#password\"", &format!("css = \"{css}\""));
        assert!(faults.contains("no browser can read this selector"), "{css}: {faults}");
    }
    let faults = other(
        "fields = [{ role = \"code\", mark = \"totp\" }]",
        "fields = [{ role = \"password\", mark = \"totp\" }]",
    );
    assert!(faults.contains("exactly one field each"), "{faults}");
}

#[test]
fn a_saved_page_is_looked_at_and_never_typed_into() {
    let (_sim, home, path, _) = stage();
    let page = home.dir.path().join("saved.html");
    for (piece, code, says) in [
        ("page-credentials.toml", 0, "Password would be typed into the one password"),
        ("page-other-words.toml", 0, "UserId would be typed into the one user"),
        ("page-totp.toml", 0, "Code would be typed into the one totp"),
        ("page-captcha.toml", 0, "this is the page Captcha"),
        ("page-two-passwords.toml", 4, "password is there 2 times"),
        ("page-decoy-contradicts.toml", 4, "password is there 2 times"),
    ] {
        std::fs::write(&page, evidence(piece)).unwrap();
        let ended = check(&home, &path, &["--page", page.to_str().unwrap()]);
        assert_eq!(ended.code, code, "{piece}: {ended:?}");
        assert!(ended.stderr.contains(says), "{piece}: {}", ended.stderr);
    }
    std::fs::write(&page, "<h1>Nothing</h1>").unwrap();
    let ended = check(&home, &path, &["--page", page.to_str().unwrap()]);
    assert_eq!((ended.code, &ended.json()["failure"]), (4, &json!("unknown-page")), "{ended:?}");
}

#[test]
fn a_plan_is_tried_at_every_page_of_the_simulator() {
    let (_sim, home, path, text) = stage();
    let ended = check(&home, &path, &["--sim", "--driver", "http"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    std::fs::write(&path, text.replace("path = \"/api/twofa\"", "path = \"/api/moved\"")).unwrap();
    assert_eq!(check(&home, &path, &["--sim", "--driver", "http"]).code, 4);
}

/// The page changed, and the owner mends a copy of the plan: no rebuild.
#[test]
fn a_mended_plan_logs_in_where_the_compiled_in_one_does_not() {
    let (sim, home, path, text) = stage();
    let spoiled = text.replace("\"=password\", \"=kite password\", \"your password\"", "\"=secret word\"");
    let spoiled =
        spoiled.replace("    { type = [\"password\"] },\n", "").replace("input#password", "input#gone");
    let spoiled =
        spoiled.replace("{ placeholder = [\"=password\", \"your password\"]", "{ placeholder = [\"=gone\"]");
    std::fs::write(&path, &spoiled).unwrap();
    let config = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), format!("plan = \"{}\"\n{config}", path.display())).unwrap();
    let ended = home.login("chrome");
    assert_eq!(ended.code, 4, "{ended:?}");
    assert_eq!(sim.passwords(), 0);
    std::fs::write(&path, spoiled.replace("input#gone", "input#password")).unwrap();
    let ended = home.login("chrome");
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// A plan that was signed with a key made for this test, in minisign's form; the key signs nothing else.
#[test]
fn a_signed_plan_is_taken_and_logs_in_and_one_letter_more_is_not() {
    let (sim, home, path, _) = stage();
    let signed = |end: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signed");
        std::fs::read_to_string(folder.join(format!("plan.toml{end}"))).unwrap()
    };
    let (text, beside) = (signed(""), path.with_extension("toml.minisig"));
    let key = signed(".pub").lines().nth(1).unwrap().to_owned();
    std::fs::write(&path, &text).unwrap();
    std::fs::write(&beside, signed(".minisig")).unwrap();
    let ended = check(&home, &path, &["--key", &key]);
    assert_eq!((ended.code, &ended.json()["plan"]), (0, &json!("kite-signed")), "{ended:?}");
    let lines = format!("plan = \"{}\"\nplan_key = \"{key}\"", path.display());
    home.prepend(&lines);
    let ended = home.login("http");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(sim.passwords(), 1);
    // Signed by somebody, and not by the one whose key is named.
    let ended = check(&home, &path, &["--key", KEY]);
    assert!(ended.code == 2 && ended.stderr.contains("is not of this plan"), "{ended:?}");
    std::fs::write(&path, format!("{text}\n")).unwrap();
    let ended = home.login("http");
    assert!(ended.code == 2 && ended.stderr.contains("is not of this plan"), "{ended:?}");
    assert_eq!(sim.passwords(), 1);
}

#[test]
fn where_a_key_is_named_only_a_signed_plan_is_taken() {
    let (_sim, home, path, text) = stage();
    let beside = path.with_extension("toml.minisig");
    let ended = check(&home, &path, &["--key", KEY]);
    assert!(ended.code == 2 && ended.stderr.contains("wants a signature"), "{ended:?}");
    std::fs::write(&beside, SIGNATURE).unwrap();
    let ended = check(&home, &path, &["--key", KEY]);
    assert!(ended.code == 2 && ended.stderr.contains("is not of this plan"), "{ended:?}");
    // What is signed gets as far as being read.
    std::fs::write(&path, "test").unwrap();
    let ended = check(&home, &path, &["--key", KEY]);
    assert!(ended.code == 2 && !ended.stderr.contains("signature"), "{ended:?}");
    std::fs::write(&path, text).unwrap();
    let config = std::fs::read_to_string(home.config()).unwrap();
    let named = format!("plan = \"{}\"\nplan_key = \"{KEY}\"\n{config}", path.display());
    std::fs::write(home.config(), named).unwrap();
    let ended = home.login("http");
    assert!(ended.code == 2 && ended.stderr.contains("is not of this plan"), "{ended:?}");
    std::fs::write(home.config(), format!("plan = \"{}\"\nplan_key = \"RWx\"\n{config}", path.display()))
        .unwrap();
    assert_eq!(home.login("http").code, 2, "a key that cannot be read is not no key");
}
