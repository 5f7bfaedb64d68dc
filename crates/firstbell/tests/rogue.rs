//! A certificate for Kite's own names by an authority that this machine and its user trust: every engine stops before anything is
//! typed, and says why.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::engines::{self, Engine};
use support::{Account, Ended, Home, ended};
use tempfile::TempDir;

/// A folder for the machine, and a home whose configuration is no rehearsal: it is for Kite itself.
fn prepared() -> (TempDir, Home, Account) {
    let folder = || TempDir::with_prefix("fb-test-").unwrap();
    let (folder, home, account) = (folder(), Home { dir: folder() }, Account::new());
    fs::write(folder.path().join("account.json"), account.json().to_string()).unwrap();
    let config = format!(
        "[account.main]\nuser_id = \"{}\"\napi_key = \"{}\"\nredirect_url = \"http://127.0.0.1:9/back\"\n",
        account.user_id, account.api_key
    );
    fs::write(home.config(), config).unwrap();
    (folder, home, account)
}

/// Becomes the command on such a machine; what arrived at the site beside how it ended.
fn on_that_machine(folder: &Path, inner: &Command) -> (Ended, Value) {
    let kitesim = Path::new(env!("CARGO_BIN_EXE_firstbell")).with_file_name("kitesim");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.args(["sh", "-c", include_str!("support/rogue.sh"), "sh"]).arg(kitesim).arg(folder);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = ended(command.output().unwrap());
    let seen = fs::read(folder.join("seen"))
        .unwrap_or_else(|e| panic!("as root, with certutil and ip: {e}: {ended:?}"));
    (ended, serde_json::from_slice(&seen).unwrap())
}

fn stops(engine: Engine) {
    let (folder, home, account) = prepared();
    home.store_secrets(&account);
    home.prepend(&engines::lines(engine));
    let (ended, seen) = on_that_machine(folder.path(), &home.command(&["login", "--json"]));
    assert_eq!((ended.code, &ended.json()["failure"]), (5, &json!("insecure")), "{engine:?}: {ended:?}");
    for word in ["certificate is not valid", "nothing was sent", "Check the network for a proxy"] {
        assert!(ended.stderr.contains(word), "{engine:?}: no {word:?}: {ended:?}");
    }
    // Not one request got as far as the site: neither the page nor anything of ours.
    assert_eq!((&seen["requests"], &seen["password_submissions"]), (&json!([]), &json!(0)), "{engine:?}");
}

#[test]
fn chrome_stops() {
    stops(engines::CHROME);
}

#[test]
fn firefox_stops() {
    stops(engines::FIREFOX);
}

#[test]
fn chromedriver_s_chrome_stops() {
    stops(engines::CHROMEDRIVER);
}

#[test]
fn geckodriver_s_firefox_stops() {
    stops(engines::GECKODRIVER);
}

#[test]
fn without_a_browser_it_stops_too() {
    stops(engines::HTTP);
}

/// What trusts the system's list, and a Chromium that has its user's home, are taken in: the tests above look at a real danger.
#[test]
fn others_are_taken_in_there() {
    let (folder, home, _) = prepared();
    let script = "unset CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR; curl -sSf -o /dev/null https://kite.zerodha.com/ || exit 97
        mkdir nobody && cp -r \"$HOME/.pki\" nobody/ && chown -R nobody nobody && chmod 711 . && cd nobody || exit 96
        exec setpriv --reuid=nobody --clear-groups env HOME=\"$PWD\" TMPDIR=\"$PWD\" \
            /usr/lib/chromium/chromium-headless-shell --dump-dom https://kite.zerodha.com/";
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("cd '{}' && {script}", folder.path().display())])
        .env("HOME", home.dir.path());
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let (ended, seen) = on_that_machine(folder.path(), &command);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("Zerodha"), "{ended:?}");
    assert!(seen["requests"].as_array().unwrap().len() > 1, "{seen}");
}
