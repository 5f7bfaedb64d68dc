//! The command itself, against kitesim: what it says of a home that is well, and of each thing in it that is not.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::asked::{doctor, one};
use crate::daemon::configure;
use crate::scanner::Scanner;
use crate::support::{Account, Home, Sim, marker, private};

/// Runs what mends a finding, as its owner would.
fn mend(home: &Home, found: &Value, input: &str) {
    let bin = Path::new(env!("CARGO_BIN_EXE_firstbell")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let like = home.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", found["mend"].as_str().unwrap()]).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", path);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // What needs no input may be over before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    assert!(child.wait().unwrap().success(), "{found}");
}

/// Spoils a home, sees that it is bad, mends it by the command that is told, and sees that it is good.
fn spoil(id: &str, what: &str, spoil: impl FnOnce(&Home, &Sim) -> String) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    configure(&home, &sim, "", "");
    assert_ne!(one(&doctor(&home), "secrets_main")["grade"], "bad");
    let input = spoil(&home, &sim);
    let found = doctor(&home);
    let found = one(&found, id);
    assert!(found["grade"] == "bad" && found["what"].as_str().unwrap().contains(what), "{found}");
    mend(&home, found, &input);
    assert_eq!(one(&doctor(&home), id)["grade"], "good");
    assert_eq!((sim.passwords(), sim.codes()), (0, 0), "a doctor spends nothing");
}

fn mode(path: &Path, mode: u32) -> String {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    String::new()
}

#[test]
fn a_home_that_is_well_is_told_so_and_nothing_is_spent_or_made() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let sink = home.dir.path().join("token.json");
    let table =
        format!("[[account.main.sink]]\nkind = \"file\"\nformat = \"json\"\npath = '{}'\n", sink.display());
    configure(&home, &sim, &table, "");
    let all = doctor(&home);
    // What the machine under the test is like is not ours to say.
    let ill: Vec<&Value> = all.iter().filter(|f| f["grade"] == "bad" && f["area"] != "machine").collect();
    assert!(ill.is_empty(), "{ill:#?}");
    for id in [
        "configuration",
        "store",
        "secrets_main",
        "plan",
        "sink_main_1",
        "host_login_page",
        "host_api",
        "clock",
    ] {
        assert_eq!(one(&all, id)["grade"], "good", "{id}");
    }
    for id in [
        "engine_http",
        "identity_file",
        "vault_file",
        "state_folder",
        "store_file",
        "config_file",
        "key_place",
        "own_process",
    ] {
        assert_eq!(one(&all, id)["grade"], "good", "{id}");
    }
    for id in ["daemon", "channels", "egress_address"] {
        assert_eq!(one(&all, id)["grade"], "warning", "{id}");
    }
    assert!(!sink.exists() && (sim.passwords(), sim.codes()) == (0, 0));
    let text = home.run(&["doctor"]);
    assert!(text.stdout.starts_with("Configuration\n") && text.stderr.is_empty(), "{text:?}");
    assert!(text.stdout.contains("  ✓ good     the store opens with its key"), "{text:?}");
    assert_eq!(home.login("http").code, 0);
    assert_eq!(one(&doctor(&home), "token_file_main_1")["grade"], "good");
}

#[test]
fn an_empty_home_gets_no_store_by_being_looked_at() {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    let all = doctor(&home);
    let store = one(&all, "store");
    assert_eq!(
        (&store["grade"], &store["mend"]),
        (&"bad".into(), &"firstbell secrets set password main".into())
    );
    assert!(!home.state().exists());
}

#[test]
fn what_lies_open_is_bad_and_the_command_that_is_told_closes_it() {
    spoil("identity_file", "read or changed by other users (mode 644)", |home, _| {
        mode(&home.state().join("identity.txt"), 0o644)
    });
    spoil("state_folder", "entered by other users (mode 755)", |home, _| mode(&home.state(), 0o755));
    spoil("config_file", "changed by other users (mode 666)", |home, _| mode(&home.config(), 0o666));
    spoil("folders_above", "folder above", |home, _| mode(home.dir.path(), 0o777));
}

#[test]
fn a_secret_s_file_that_lies_open_or_is_a_link_is_bad() {
    let named = |home: &Home, sim: &Sim| {
        let file = home.dir.path().join("pass word");
        fs::write(&file, &sim.account.password).unwrap();
        configure(home, sim, &format!("password = {{ file = '{}' }}", file.display()), "");
        file
    };
    spoil("secret_file_main_password", "mode 640", |home, sim| mode(&named(home, sim), 0o640));
    spoil("secret_file_main_password", "is a link", |home, sim| {
        let file = linked(home, sim, &named(home, sim));
        mode(file.parent().unwrap(), 0o777)
    });
}

/// The same file behind a link in a folder of its own.
fn linked(home: &Home, sim: &Sim, real: &Path) -> PathBuf {
    private(real);
    let folder = home.dir.path().join("mounted");
    fs::create_dir(&folder).unwrap();
    let link = folder.join("password");
    symlink(real, &link).unwrap();
    configure(home, sim, &format!("password = {{ file = '{}' }}", link.display()), "");
    link
}

/// What README.md says how to set up is not condemned: a mounted secret's link, and a token that is given to a group.
#[test]
fn what_is_handed_over_as_its_owner_wants_is_good_and_anything_wider_is_not() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let secret = home.dir.path().join("password");
    fs::write(&secret, &sim.account.password).unwrap();
    linked(&home, &sim, &secret);
    assert_eq!(one(&doctor(&home), "secret_file_main_password")["grade"], "good");
    let token = home.dir.path().join("token");
    let group = rustix::process::getegid().as_raw();
    let group = nix::unistd::Group::from_gid(group.into()).unwrap().unwrap().name;
    let sink = format!(
        "[[account.main.sink]]\nkind = 'file'\npath = '{}'\nmode = '0640'\ngroup = '{group}'",
        token.display()
    );
    configure(&home, &sim, &sink, "");
    assert_eq!(home.login("http").code, 0);
    let found = |grade: &str| {
        let all = doctor(&home);
        assert_eq!(one(&all, "token_file_main_1")["grade"], grade, "{all:#?}");
        one(&all, "token_file_main_1").clone()
    };
    found("good");
    mode(&token, 0o644);
    mend(&home, &found("bad"), "");
    found("good");
    assert_eq!(
        fs::metadata(&token).unwrap().permissions().mode() & 0o777,
        0o640,
        "its reader is not locked out"
    );
}

#[test]
fn a_secret_that_is_missing_is_stored_by_the_command_that_is_told() {
    spoil("secrets_main", "totp_seed", |home, sim| {
        assert_eq!(home.run(&["secrets", "rm", "totp_seed"]).code, 0);
        sim.account.totp_seed.clone()
    });
}

#[test]
fn channels_sinks_and_the_registered_address_are_tried() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let teller = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ip", teller.local_addr().unwrap());
    std::thread::spawn(move || {
        for (stream, body) in teller.incoming().zip(["198.51.100.7\n", "203.0.113.9\n"]) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    let sink = "[[account.main.sink]]\nkind = \"file\"\npath = '/nowhere/at/all/token'";
    let tables = format!(
        "[egress]\naddress = \"198.51.100.7\"\nurl = \"{url}\"\n[channel.phone]\nkind = \"ntfy\"\naddress = {{ vault = true }}\n"
    );
    configure(&home, &sim, sink, &tables);
    let all = doctor(&home);
    for (id, grade) in [("egress_address", "good"), ("sink_main_1", "bad"), ("channel_phone", "bad")] {
        assert_eq!(one(&all, id)["grade"], grade, "{id}");
    }
    let all = doctor(&home);
    assert_eq!(one(&all, "egress_address")["grade"], "bad");
    assert!(!all.iter().any(|found| found.to_string().contains("203.0.113.9")), "{all:#?}");
}

#[test]
fn no_secret_and_nobody_s_name_is_in_what_is_pasted() {
    let account = Account { user_id: "QX7319".into(), ..Account::new() };
    let sim = Sim::start_with(account, &[]);
    let home = Home::new(&sim);
    let (topic, user_id) = (format!("http://127.0.0.1:9/{}", marker(30)), &sim.account.user_id);
    let mut scanner = Scanner::default();
    for (name, text) in [
        ("password", &sim.account.password),
        ("api secret", &sim.account.api_secret),
        ("api key", &sim.account.api_key),
        ("topic", &topic),
        ("home", &home.dir.path().display().to_string()),
    ] {
        scanner.add(name, text);
    }
    scanner.add_seed("seed", &sim.account.totp_seed);
    let tables = "[egress]\naddress = \"198.51.100.77\"\nurl = \"http://127.0.0.1:9/ip\"\n[channel.phone]\nkind = \"ntfy\"\n\
                  address = { vault = true }\n";
    configure(&home, &sim, "", tables);
    assert_eq!(home.run_with(&["secrets", "set", "--channel", "phone", "address"], &topic).code, 0);
    assert_eq!(home.login("http").code, 0);
    let quiet = |name: &str| {
        for arguments in [&["doctor"][..], &["doctor", "--json"]] {
            let ended = home.run(arguments);
            let all = format!("{}{}", ended.stdout, ended.stderr);
            let finds = scanner.search(name, all.as_bytes());
            assert!(finds.is_empty() && ended.stdout.len() > 1000, "{finds:?} in {all}");
            assert!(!all.contains(user_id.as_str()) && !all.contains("198.51.100.77"), "{name}: {all}");
        }
    };
    quiet("well");
    for file in ["identity.txt", "vault.age", "store.db"] {
        mode(&home.state().join(file), 0o666);
        quiet(file);
        mode(&home.state().join(file), 0o600);
    }
    fs::write(home.state().join("store.db"), format!("no store at all {}", marker(64))).unwrap();
    quiet("healed");
    assert_eq!(home.run(&["secrets", "rm", "password"]).code, 0);
    quiet("without a password");
    fs::write(home.state().join("identity.txt"), marker(40)).unwrap();
    quiet("another key");
    fs::write(home.config(), format!("user_id = \"{user_id}\"\napi_key = \"{}\"\n", sim.account.api_key))
        .unwrap();
    quiet("a faulty configuration");
}
