//! `firstbell alerts test` as a person runs it: a line for each channel, programs among them, and no secret in any word.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/provider.rs"]
mod provider;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/shelf.rs"]
mod shelf;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use firstbell::ports::Receipt;
use firstbell_core::secret::Secret;
use provider::{Act, Provider};
use scanner::Scanner;
use serde_json::{Value, json};
use shelf::{hostile, plain, send};
use support::{Ended, Home, marker};

/// A home with these channels, and their secrets in its vault.
fn home(channels: &str, secrets: &[(&str, &str, &str)]) -> Home {
    let home = Home { dir: tempfile::Builder::new().prefix("fb-test-").tempdir().unwrap() };
    let account = "[account.main]\nuser_id = \"AB1234\"\napi_key = \"kitekey123\"\nredirect_url = \"http://127.0.0.1:5000/\"\n";
    fs::write(home.config(), format!("{account}{channels}")).unwrap();
    let stores = firstbell::stores::open(&home.state()).unwrap();
    for (channel, name, value) in secrets {
        stores.vault().keep(&format!("channel-{channel}"), name, &Secret::new((*value).to_owned())).unwrap();
    }
    home
}

fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_test_message_goes_through_each_channel() {
    let slack = Provider::start(Act::Say(200, String::new(), "ok".into()));
    let dead = Provider::start(Act::Say(404, String::new(), "no_service".into()));
    let home = home(
        "[channel.good]\nkind = \"slack\"\nseverity = \"warning\"\n[channel.dead]\nkind = \"slack\"\n[channel.empty]\nkind = \"ntfy\"\n",
        &[("good", "address", &format!("{}/s", slack.url)), ("dead", "address", &format!("{}/s", dead.url))],
    );
    let ended = home.run(&["alerts", "test", "--json"]);
    assert_eq!(ended.code, 5, "{ended:?}");
    let report = ended.json();
    let of =
        |name: &str| report["channels"].as_array().unwrap().iter().find(|c| c["channel"] == name).unwrap();
    assert_eq!((&of("good")["ok"], &of("good")["receipt"]), (&json!(true), &json!("accepted")));
    assert_eq!((&of("dead")["ok"], &of("dead")["again"]), (&json!(false), &json!(false)));
    let empty = of("empty")["cure"].as_str().unwrap();
    assert!(empty.contains("firstbell secrets set --channel empty address"), "{empty}");
    assert_eq!(
        (&report["ok"], &report["failure"], &report["exit"]),
        (&json!(false), &json!("untold"), &json!(5))
    );
    let told = slack.only().json();
    assert!(told["text"].as_str().unwrap().starts_with("firstbell: a test message"), "{told}");

    let ended = home.run(&["alerts", "test", "good"]);
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 1), "{ended:?}");
    assert!(ended.stdout.contains("✓ good (slack)"), "{ended:?}");
    assert_eq!(home.run(&["alerts", "test", "bad"]).code, 2);
}

#[test]
fn a_channel_s_secrets_are_kept_listed_and_forgotten() {
    let home = home("[channel.n]\nkind = \"ntfy\"\ntoken = { env = \"FIRSTBELL_NTFY\" }\n", &[]);
    let ended =
        home.run_with(&["secrets", "set", "--channel", "n", "address"], "https://ntfy.sh/topic-of-mine\n");
    assert!(ended.code == 0 && !ended.stderr.contains("topic-of-mine"), "{ended:?}");
    let ended = home.run_with(&["secrets", "set", "--channel", "n", "token"], "tk_x");
    assert!(ended.stderr.contains("from the environment variable FIRSTBELL_NTFY"), "{ended:?}");
    let ended = home.run(&["secrets", "list", "--channel", "n", "--json"]);
    let want = json!([
        { "name": "address", "source": "vault", "present": true },
        { "name": "token", "source": "environment variable FIRSTBELL_NTFY", "present": false },
    ]);
    assert_eq!(ended.json()["secrets"], want);
    assert_eq!(home.run(&["secrets", "rm", "--channel", "n", "address"]).code, 0);
    assert_eq!(
        home.run(&["secrets", "list", "--channel", "n", "--json"]).json()["secrets"][0]["present"],
        false
    );
    assert_eq!(home.run_with(&["secrets", "set", "--channel", "n", "password"], "x").code, 2);
    assert_eq!(home.run_with(&["secrets", "set", "--channel", "m", "token"], "x").code, 2);
    assert_eq!(home.run(&["alerts", "test", "m"]).code, 2);
}

/// Every channel fails in every way that it can, and neither the report, nor a line, nor a log at its loudest shows a secret.
#[test]
fn no_secret_in_any_word() {
    let mut scanner = Scanner::default();
    let refusing = Provider::start(Act::Say(401, String::new(), "no".into()));
    let cut = Provider::start(Act::CutAfter);
    let shut = Provider::start(Act::CutBefore);
    let (mut text, mut secrets) = (String::new(), Vec::new());
    for (way, url) in
        [("refused", refusing.url.as_str()), ("cut", &cut.url), ("closed", "http://127.0.0.1:1")]
    {
        let mut add = |kind: &str, lines: &str, keys: &[(&'static str, &str)]| {
            text += &format!("[channel.{kind}-{way}]\nkind = \"{kind}\"\n{lines}\n");
            for (key, prefix) in keys {
                let value = marker(32);
                scanner.add(&format!("{key} of {kind}"), &value);
                secrets.push((format!("{kind}-{way}"), *key, format!("{prefix}{value}")));
            }
        };
        let address = format!("{url}/x/");
        add("telegram", &format!("chat_id = \"1\"\nserver = \"{url}\""), &[("token", "1:")]);
        add("slack", "", &[("address", &address)]);
        add("discord", "", &[("address", &address)]);
        add("ntfy", "token = { vault = true }", &[("address", &address), ("token", "")]);
        add("webhook", "", &[("address", &address), ("key", "whsec_")]);
        add(
            "msg91",
            &format!("template_id = \"1\"\nto = [\"919812345678\"]\nserver = \"{url}\""),
            &[("authkey", "")],
        );
        let sid =
            "account_sid = \"AC0123456789abcdef0123456789abcdef\"\nfrom = \"+1\"\nto = \"+919812345678\"";
        add("twilio", &format!("{sid}\nserver = \"{url}\""), &[("auth_token", "")]);
        let gateway = format!(
            "address = \"{url}/s?k={{k}}\"\nheaders = {{ X-K = \"{{k}}\" }}\nbody = '{{\"k\":\"{{k}}\"}}'\nsecrets = {{ k = {{ vault = true }} }}"
        );
        add("http", &gateway, &[("k", "")]);
        // A mail server speaks first: one that waits for us would cost the whole time.
        let url = if way == "closed" { url } else { &shut.url };
        let port = url.rsplit(':').next().unwrap();
        let mail = format!(
            "host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"u\"\nfrom = \"a@b.example\"\nto = [\"a@b.example\"]"
        );
        add("email", &mail, &[("password", "")]);
    }
    // Secrets that cannot be sent at all, and addresses that are none.
    for (name, value) in [
        ("line", format!("https://a.example/\u{1}{}", marker(32))),
        ("plain", format!("http://a.example/{}", marker(32))),
    ] {
        text += &format!("[channel.{name}]\nkind = \"slack\"\n");
        scanner.add(name, value.rsplit(['/', '\u{1}']).next().unwrap());
        secrets.push((name.to_owned(), "address", value));
    }
    let secrets: Vec<_> = secrets.iter().map(|(c, k, v)| (c.as_str(), *k, v.as_str())).collect();
    let home = home(&text, &secrets);
    for arguments in [&["alerts", "test", "--json"][..], &["alerts", "test"]] {
        let mut command = home.command(arguments);
        let ended: Ended = support::ended(command.env("FIRSTBELL_LOG", "trace").output().unwrap());
        assert_eq!(ended.code, 5, "{ended:?}");
        if let Ok(report) = serde_json::from_str::<Value>(&ended.stdout) {
            let rows = report["channels"].as_array().unwrap();
            assert_eq!(rows.len(), 9 * 3 + 2);
            assert!(rows.iter().all(|row| row["ok"] == false || row["channel"] == "line"), "{report:#}");
        }
        let all = format!("{}{}", ended.stdout, ended.stderr);
        let finds = scanner.search("what was said", all.as_bytes());
        assert!(finds.is_empty(), "{finds:?} in {all}");
    }
}

#[test]
fn the_desktop_is_told_by_fixed_arguments() {
    let home = home("[channel.d]\nkind = \"desktop\"\n", &[]);
    let said = home.dir.path().join("said");
    script(home.dir.path(), "notify-send", &format!("printf '%s|' \"$@\" > {}", said.display()));
    let path = format!("{}:/usr/bin:/bin", home.dir.path().display());
    let run =
        |path: &str| support::ended(home.command(&["alerts", "test"]).env("PATH", path).output().unwrap());
    let ended = run(&path);
    assert_eq!(ended.code, 0, "{ended:?}");
    let said = fs::read_to_string(said).unwrap();
    assert!(
        said.starts_with("--app-name=firstbell|--urgency=low|--|firstbell: a test message|Nothing is wrong."),
        "{said}"
    );
    let ended = run("/nowhere");
    assert!(ended.code == 5 && ended.stdout.contains("libnotify-bin"), "{ended:?}");
}

/// Of a program: the message as JSON, little of our environment, and nothing left of it when its time is over.
#[test]
fn a_program_is_given_the_message_and_little_time() {
    let folder = tempfile::tempdir().unwrap();
    let (input, env) = (folder.path().join("input"), folder.path().join("env"));
    let text = format!("cat > {}; env > {}", input.display(), env.display());
    let program = script(folder.path(), "tell", &text);
    let lines = |program: &str| format!("kind = \"command\"\ncommand = [\"{program}\", \"--\", \"$(x)\"]");
    let long = Duration::from_secs(10);
    assert_eq!(send(&lines(&program), &[], &hostile(), long), Ok(Receipt::Accepted));
    let told: Value = serde_json::from_slice(&fs::read(input).unwrap()).unwrap();
    assert_eq!((told["body"].as_str().unwrap(), &told["over"]), (&*hostile().body, &json!(true)));
    let env = fs::read_to_string(env).unwrap();
    assert!(!env.contains("CARGO"), "{env}");

    let fault = send(&lines(&script(folder.path(), "fails", "exit 3")), &[], &plain(), long).unwrap_err();
    assert!(fault.why.contains("exit status: 3"), "{fault:?}");
    let fault = send(&lines("/nowhere/x"), &[], &plain(), long).unwrap_err();
    assert!(fault.why.contains("cannot be started"), "{fault:?}");

    let pid = folder.path().join("pid");
    let hangs = script(folder.path(), "hangs", &format!("sleep 1000 &\necho $! > {}\nwait", pid.display()));
    let fault = send(&lines(&hangs), &[], &plain(), Duration::from_millis(700)).unwrap_err();
    assert!(fault.again && fault.why.contains("0.7 s"), "{fault:?}");
    let child = fs::read_to_string(pid).unwrap().trim().to_owned();
    // Killed; where nobody has waited for it yet it is a zombie.
    let stat = || fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let gone = |stat: &str| stat.is_empty() || stat.contains(") Z ");
    let over = (0..500).any(|_| {
        std::thread::park_timeout(Duration::from_millis(10));
        gone(&stat())
    });
    assert!(over, "{}", stat());
}
