//! The command line as people and scripts meet it: what is said, where it goes, and the exit code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use firstbell::clock::MachineClock;
use firstbell::ports::Clock;
use firstbell_core::token::date_in_india;
use serde_json::json;
use support::{Home, Sim};

#[test]
fn a_broken_configuration_tells_every_fault_with_its_line() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    fs::write(
        home.config(),
        "drivr = 1\n[account.main]\nuser_id = \"AB 1234\"\napi_key = \"abcdef\"\nredirect = 1\n",
    )
    .unwrap();
    let ended = home.run(&["status"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    for part in [
        "config.toml:1: drivr is not known",
        "toml:2: [account.main]: redirect_url is missing",
        "toml:3: account.main.user_id",
        "toml:5: account.main.redirect is not known",
    ] {
        assert!(ended.stderr.contains(part), "{part} is not in\n{}", ended.stderr);
    }
    fs::remove_file(home.config()).unwrap();
    let ended = home.run(&["login"]);
    assert!(ended.code == 2 && ended.stderr.contains("the configuration cannot be read"), "{ended:?}");
}

#[test]
fn arguments_that_make_no_sense_are_usage_and_help_is_not() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    for arguments in
        [&["logn"][..], &["login", "--driver", "netscape"], &["login", "nobody"], &["exec", "main"]]
    {
        assert_eq!(home.run(arguments).code, 2, "{arguments:?}");
    }
    let help = home.run(&["--help"]);
    assert!(help.code == 0 && help.stdout.contains("Exit codes: 0 done"), "{help:?}");
}

#[test]
fn without_a_browser_it_says_which_command_installs_one() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let ended = support::ended(
        home.command(&["login", "--driver", "chrome", "--json"])
            .env("FIRSTBELL_BROWSER", "/nonexistent/chromium")
            .output()
            .unwrap(),
    );
    assert_eq!((ended.code, &ended.json()["failure"]), (7, &json!("broken")));
    assert!(ended.stderr.contains("apt-get install chromium-headless-shell"), "{}", ended.stderr);
    assert_eq!(home.status()["tries_left"]["password"], 2);
    assert_eq!(sim.passwords(), 0);
}

#[test]
fn missing_secrets_are_named_with_the_command_that_stores_them() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let ended = home.login("http");
    assert_eq!(ended.code, 7);
    assert!(ended.stderr.contains("firstbell secrets set password main"), "{}", ended.stderr);
    assert!(home.status()["needs_you"].as_str().unwrap().contains("secrets set password"));
}

#[test]
fn secrets_are_set_listed_and_removed_and_never_shown() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let ended = home.run_with(&["secrets", "set", "totp_seed"], "123456\n");
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("not the key behind it") && ended.stderr.contains("Password & security"),
        "{ended:?}"
    );
    assert_eq!(home.run_with(&["secrets", "set", "password"], " \n").code, 2);
    assert_eq!(home.run_with(&["secrets", "set", "pasword"], "x").code, 2);
    home.store_secrets(&sim.account);
    let listed = home.run(&["secrets", "list", "--json"]);
    let rows = &listed.json()["secrets"];
    assert_eq!(rows[0], json!({ "name": "password", "source": "vault", "present": true }));
    assert!(!listed.stdout.contains(&sim.account.password));
    assert_eq!(home.run(&["secrets", "rm", "password"]).code, 0);
    assert_eq!(home.run(&["secrets", "list", "--json"]).json()["secrets"][0]["present"], false);
}

#[test]
fn secrets_may_come_from_environment_and_files() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let file = home.dir.path().join("seed");
    fs::write(&file, format!("{}\n", sim.account.totp_seed)).unwrap();
    support::private(&file);
    let more = format!(
        "password = {{ env = \"KITE_PASSWORD\" }}\napi_secret = {{ env = \"KITE_SECRET\" }}\n\
         totp_seed = {{ file = \"{}\" }}\n",
        file.display()
    );
    home.configure(&sim, &more);
    let with_secrets = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        command.env("KITE_PASSWORD", &sim.account.password).env("KITE_SECRET", &sim.account.api_secret);
        support::ended(command.output().unwrap())
    };
    assert_eq!(with_secrets(&["login", "--driver", "http"]).code, 0);
    // The program that exec becomes gets the token, and not what the login needed.
    let ended = with_secrets(&["exec", "main", "--", "/usr/bin/env"]);
    assert!(
        ended.stdout.contains("KITE_ACCESS_TOKEN=") && !ended.stdout.contains("KITE_PASSWORD"),
        "{ended:?}"
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = with_secrets(&["login", "--driver", "http"]);
    assert!(ended.code == 7 && ended.stderr.contains("readable by others (mode 644)"), "{ended:?}");
}

#[test]
fn the_token_is_printed_in_each_form_and_exec_passes_it_on() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let none = home.run(&["token"]);
    assert!(
        none.code == 6 && none.stdout.is_empty() && none.stderr.contains("Run firstbell login"),
        "{none:?}"
    );
    assert_eq!(home.login("http").code, 0);
    let token = home.token().unwrap()["access_token"].as_str().unwrap().to_owned();
    let key = &sim.account.api_key;
    assert_eq!(home.run(&["token"]).stdout, format!("{token}\n"));
    assert_eq!(home.run(&["token", "--format", "header"]).stdout, format!("token {key}:{token}\n"));
    let env = home.run(&["token", "--format", "env"]).stdout;
    assert_eq!(env, format!("KITE_API_KEY={key}\nKITE_ACCESS_TOKEN={token}\n"));
    let script = "test \"$KITE_ACCESS_TOKEN\" = \"$(cat)\" && exit 42";
    let ended = home.run_with(&["exec", "--", "/bin/sh", "-c", script], &token);
    assert_eq!(ended.code, 42, "{ended:?}");
    assert_eq!(home.run(&["exec", "--", "/nonexistent"]).code, 127);
}

#[test]
fn a_file_sink_is_written_whole_and_private_in_each_format() {
    let sim = Sim::start();
    for (format, start) in [
        ("plain", ""),
        ("json", "{\"version\":1,"),
        ("env", "KITE_API_KEY="),
        ("toml", "version = 1\naccount = \"main\"\n"),
        ("header", "token "),
    ] {
        let home = Home::new(&sim);
        sim.settings(&json!({ "totp_reuse": true }));
        let path = home.dir.path().join("token.out");
        let more = format!(
            "[[account.main.sink]]\nkind = \"file\"\npath = \"{}\"\nformat = \"{format}\"",
            path.display()
        );
        home.configure(&sim, &more);
        assert_eq!(home.login("http").code, 0, "{format}");
        let text = fs::read_to_string(&path).unwrap();
        let token = home.token().unwrap()["access_token"].as_str().unwrap().to_owned();
        assert!(text.starts_with(start) && text.contains(&token) && text.ends_with('\n'), "{format}: {text}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(home.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|n| n.to_string_lossy().contains(".firstbell")), "{left:?}");
    }
}

#[test]
fn a_sink_that_cannot_be_written_is_said_and_costs_no_login() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    home.configure(&sim, "[[account.main.sink]]\nkind = \"file\"\npath = \"/nonexistent/folder/token\"");
    let ended = home.login("http");
    assert!(ended.code == 7 && ended.stderr.contains("Make the folder /nonexistent/folder"), "{ended:?}");
    assert!(ended.stderr.contains("note: the sink file /nonexistent/folder/token"), "{ended:?}");
    assert!(ended.stdout.contains("file /nonexistent/folder/token"), "it ends with the name: {ended:?}");
    // A login for which a sink may wait is worth more than the sink: the token is there.
    assert_eq!((sim.passwords(), home.token().is_some()), (1, true));
}

#[test]
fn key_and_store_that_are_not_right_are_refused_with_what_to_do() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let (key, store) = (home.state().join("key"), home.state().join("store.db"));
    let refused = |part: &str| {
        let ended = home.run(&["status"]);
        assert!(ended.code == 7 && ended.stderr.contains(part), "{part}: {ended:?}");
        assert_eq!(home.login("http").code, 7);
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused("mode 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let bytes = fs::read(&key).unwrap();
    fs::write(&key, [7; 32]).unwrap();
    refused("does not open");
    fs::remove_file(&key).unwrap();
    refused("Put the key file back");
    fs::write(&key, &bytes).unwrap();
    support::private(&key);
    assert_eq!(home.run(&["status"]).code, 0);
    fs::set_permissions(home.state(), fs::Permissions::from_mode(0o755)).unwrap();
    refused("chmod 700");
    fs::set_permissions(home.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let _ = fs::remove_file(home.state().join("store.db-wal"));
    fs::remove_file(home.state().join("store.previous.db")).unwrap();
    fs::write(&store, vec![0x55; 8192]).unwrap();
    refused("damaged");
    assert_eq!(sim.passwords(), 0);
}

#[test]
fn status_says_what_is_and_what_to_do_next() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let first = home.run(&["status"]);
    assert!(
        first.stdout.contains("token      none yet") && first.stdout.contains("  next       "),
        "{first:?}"
    );
    assert!(first.stderr.contains("no firstbell run keeps these accounts"), "{first:?}");
    home.run_with(&["secrets", "set", "password"], "wrong");
    home.login("http");
    let text = home.run(&["status"]).stdout;
    for part in ["password 0 of 2", "password-rejected at 20", "+05:30", "firstbell unlock"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    home.store_secrets(&sim.account);
    home.login("http");
    let text = home.run(&["status"]).stdout;
    // Between 05:00 and 08:00 in India even a fresh token is proven again at each use.
    let good = ["token      trusted, generation 1", "token      suspect, generation 1"];
    assert!(good.iter().any(|good| text.contains(good)), "{text}");
}

#[test]
fn json_is_printed_whatever_happens() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    for (arguments, code, failure) in [
        (&["token", "--json"][..], 6, "no-token"),
        (&["login", "nobody", "--json"], 2, "usage"),
        (&["exec", "--json", "--", "true"], 6, "no-token"),
        (&["login", "--json", "--driver", "http"], 7, "broken"),
    ] {
        let ended = home.run(arguments);
        assert_eq!((ended.code, &ended.json()["failure"]), (code, &json!(failure)), "{ended:?}");
    }
    for arguments in [&["unlock", "--json"][..], &["secrets", "rm", "password", "--json"]] {
        assert_eq!(home.run(arguments).json()["ok"], true, "{arguments:?}");
    }
    fs::write(home.config(), "x = 1").unwrap();
    let ended = home.run(&["status", "--json"]);
    assert_eq!((ended.code, ended.json()["faults"].as_array().unwrap().len()), (2, 2), "{ended:?}");
}

#[test]
fn two_accounts_of_one_user_are_refused() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let more =
        "[account.again]\nuser_id = \"ab1234\"\napi_key = \"abcdef\"\nredirect_url = \"http://127.0.0.1/\"";
    home.configure(&sim, more);
    let ended = home.run(&["status"]);
    assert!(ended.code == 2 && ended.stderr.contains("user_id is another account's too"), "{ended:?}");
}

#[test]
fn what_was_spent_outlives_a_new_name_and_a_token_its_app() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    assert_eq!(home.login("http").code, 0);
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), text.replace("account.main", "account.renamed")).unwrap();
    assert!(home.token().is_some());
    home.run_with(&["secrets", "set", "password"], "wrong");
    assert_eq!(home.login("http").code, 3);
    fs::write(home.config(), &text).unwrap();
    assert_eq!(home.login("http").code, 3);
    assert_eq!(sim.passwords(), 2, "the good one and one wrong one");
    fs::write(home.config(), text.replace(&sim.account.api_key, "anotherkey")).unwrap();
    assert_eq!(home.run(&["token"]).code, 6, "a token of another app is none");
}

#[test]
fn the_demo_runs_without_a_configuration() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    fs::remove_file(home.config()).unwrap();
    let ended = home.run(&["demo", "--driver", "http", "--json"]);
    assert_eq!((ended.code, &ended.json()["ok"]), (0, &json!(true)), "{ended:?}");
    assert!(ended.stderr.contains("✓ calling the API with it"), "{}", ended.stderr);
}

#[test]
fn a_history_is_looked_at_link_by_link_and_a_restored_backup_stops_until_unlock() {
    let sim = Sim::start();
    sim.settings(&serde_json::json!({ "totp_reuse": true }));
    let home = Home::new(&sim);
    let backup = fs::read(home.state().join("store.db")).unwrap();
    assert_eq!(home.login("http").code, 0);
    let looked = home.run(&["history", "--verify"]);
    assert!(looked.code == 0 && looked.stdout.contains("the history is whole: "), "{looked:?}");
    let events = home.run(&["history", "--verify", "--json"]).json();
    assert!(events["whole"] == true && events["events"].as_u64().unwrap() > 5, "{events}");

    fs::write(home.state().join("store.db"), backup).unwrap();
    let looked = home.run(&["history", "--verify", "--json"]);
    assert!(looked.code == 7 && looked.json()["broken_at"] == 4, "{looked:?}");
    let (spent, refused) = (sim.passwords(), home.login("http"));
    assert!(refused.code == 3 && refused.stderr.contains("a restored backup"), "{refused:?}");
    assert_eq!(sim.passwords(), spent);
    assert!(home.run(&["status"]).stdout.contains("firstbell unlock"));
    assert_eq!(home.run(&["unlock"]).code, 0);
    assert_eq!(home.run(&["history", "--verify"]).code, 0);
    assert!(home.status()["needs_you"].is_null(), "{}", home.status());
}

#[test]
fn on_a_broken_history_no_login_is_made_and_the_token_is_proven_before_it_is_served() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    assert_eq!(home.login("http").code, 0);
    let store = rusqlite::Connection::open(home.state().join("store.db")).unwrap();
    store.execute("UPDATE event SET at_ms = at_ms + 1 WHERE seq = 2", []).unwrap();
    let (spent, refused) = (sim.passwords(), home.login("http"));
    assert!(refused.code == 7 && refused.stderr.contains("event 2"), "{refused:?}");
    assert_eq!(sim.passwords(), spent);
    assert!(home.token().is_some());
    sim.post("/flush", &serde_json::json!({}));
    let refused = home.run(&["token"]);
    assert!(refused.code == 6 && refused.stderr.contains("refused just now"), "{refused:?}");
}

#[test]
fn what_must_be_mended_is_said_on_a_holiday_too() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let today = date_in_india(MachineClock::start().now());
    let mut files = Vec::new();
    for day in [today.yesterday().unwrap(), today, today.tomorrow().unwrap()] {
        let file = home.dir.path().join(format!("calendar-{day}.toml"));
        let head = format!("form = 1\nexchange = \"nse\"\nyear = {}\nsources = [\"a test\"]\n", day.year());
        fs::write(&file, format!("{head}[[day]]\ndate = \"{day}\"\nname = \"Shut\"\nkind = \"closed\"\n"))
            .unwrap();
        files.push(file);
    }
    home.prepend(&format!("calendar = {files:?}"));
    assert!(home.status()["needs_you"].is_null(), "{}", home.status());
    home.run_with(&["secrets", "set", "password"], "wrong");
    assert_eq!(home.login("http").code, 3);
    let needs = home.status()["needs_you"].to_string();
    assert!(needs.contains("firstbell secrets set password"), "{needs}");
}

#[test]
fn a_line_that_would_repeat_a_secret_is_held_back() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    // Somebody calls the account what the password is.
    let (name, file) = ("correct-horse-9", home.dir.path().join("password"));
    fs::write(&file, name).unwrap();
    support::private(&file);
    home.configure(&sim, &format!("password = {{ file = '{}' }}", file.display()));
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), text.replace("[account.main]", &format!("[account.{name}]"))).unwrap();
    for arguments in [&["login", name, "--driver", "http", "--json"][..], &["status"]] {
        let ended = support::ended(home.command(arguments).env("FIRSTBELL_LOG", "trace").output().unwrap());
        let said = ended.stdout + &ended.stderr;
        assert!(said.contains("a line was held back"), "{arguments:?}: {said}");
        assert!(!said.contains(name), "{said}");
    }
    assert_eq!(sim.passwords(), 1, "it was sent all the same, and refused");
}
