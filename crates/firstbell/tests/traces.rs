//! Canaries through every command there is: with full logs and a daemon that keeps the account, no part of a secret comes to light;
//! a bundle for a report holds none; and what holds secrets leaves no core, however it dies.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/cores.rs"]
mod cores;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/folders.rs"]
mod folders;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bench::{Ran, in_process, password, run};
use daemon::{Daemon, configure_due, until};
use rustix::process::Signal;
use scanner::{Find, Scanner};
use serde_json::Value;
use support::{Account, Home, Sim, marker, private};

const TOKEN: &str = "access token";
const IDENTITY: &str = "the vault's identity";
/// The owner's own folder, in which secrets may lie, and a file in it that they are imported from.
const OWN: &str = "own";
const PLAIN: &str = "own/plain.env";
/// What the owner seals exports with.
const PASSPHRASE: &str = "tRn4-qWz7 bLx2 mKv9-cYd5";
/// Somebody who may open them: the recipient in the documents of age.
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// An account that a daemon keeps, with a channel whose address and key are secret, and everything that must not be seen of it.
struct Kept {
    sim: Sim,
    home: Home,
    daemon: Daemon,
    scanner: Scanner,
}

impl Kept {
    fn begin() -> Kept {
        let account = Account { password: password(), ..Account::new() };
        let sim = Sim::start_with(account, &[]);
        let home = Home::bare(&sim);
        home.store_secrets(&sim.account);
        let [address, key] = ["address", "key"].map(|name| home.dir.path().join(name));
        let (path, word) = (marker(40), marker(32));
        // Nobody listens there; whoever says so must not say where.
        fs::write(&address, format!("https://127.0.0.1:9/{path}")).unwrap();
        fs::write(&key, &word).unwrap();
        [&address, &key].into_iter().for_each(|file| private(file));
        let channel = format!(
            "[channel.hook]\nkind = \"webhook\"\naddress = {{ file = '{}' }}\nkey = {{ file = '{}' }}\n",
            address.display(),
            key.display()
        );
        configure_due(&home, &sim, "", &channel);
        let mut command = home.command(&["run"]);
        command.env("FIRSTBELL_LOG", "trace").current_dir(home.dir.path());
        let daemon = Daemon::spawn(&home, unlimited(&command), "log");
        daemon.until_account("main", "a token", |account| account["served"] == "yes");
        let mut scanner = Scanner::default();
        scanner.add("password", &sim.account.password);
        scanner.add("api secret", &sim.account.api_secret);
        scanner.add_seed("seed", &sim.account.totp_seed);
        scanner.add("the channel's address", &path);
        scanner.add("the channel's key", &word);
        scanner.add(TOKEN, home.token().unwrap()["access_token"].as_str().unwrap());
        scanner.add("the passphrase of exports", PASSPHRASE);
        scanner.add(IDENTITY, &identity(&home));
        // They are the owner's own files; everything else in the folder is firstbell's.
        let ours = home.dir.path().join(OWN);
        fs::create_dir(&ours).unwrap();
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o700)).unwrap();
        for file in [&address, &key] {
            fs::rename(file, ours.join(file.file_name().unwrap())).unwrap();
        }
        let text = fs::read_to_string(home.config()).unwrap();
        let (from, to) = (home.dir.path().join("address"), ours.join("address"));
        let text = text.replace(&from.display().to_string(), &to.display().to_string());
        let (from, to) = (home.dir.path().join("key"), ours.join("key"));
        fs::write(home.config(), text.replace(&from.display().to_string(), &to.display().to_string()))
            .unwrap();
        Kept { sim, home, daemon, scanner }
    }

    /// Everything that this run showed, and all that lies in the folder now.
    fn shown_by(&self, ran: &Ran) -> BTreeSet<Find> {
        let mut finds = self.scanner.search("standard output", ran.ended.stdout.as_bytes());
        finds.extend(self.scanner.search("standard error", ran.ended.stderr.as_bytes()));
        for sample in &ran.samples {
            let mut shown = in_process(&self.scanner, sample);
            // The program that exec starts is given the token in its environment, from before it becomes that program.
            let process = &sample.process;
            let is_begun = process.arguments.split(|byte| *byte == 0).nth(1) == Some(b"begin".as_slice());
            let is_ours = process.program == Path::new(env!("CARGO_BIN_EXE_firstbell")) && !is_begun;
            shown.retain(|find| find.secret != TOKEN || is_ours || find.place.starts_with("arguments"));
            finds.extend(shown);
        }
        finds.extend(self.scanner.search_tree(self.home.dir.path()));
        let own = self.home.dir.path().join(OWN).display().to_string();
        let identity = self.home.state().join("identity.txt").display().to_string();
        finds.retain(|find| {
            !find.place.starts_with(&own) && (find.secret != IDENTITY || find.place != identity)
        });
        finds
    }

    /// What was imported is gone, and what was exported is there, sealed: it was looked through with all else.
    fn exported_sealed(&self) {
        let folder = self.home.dir.path();
        assert!(!folder.join(PLAIN).exists());
        for name in ["for-me.age", "for-them.age"] {
            let bytes = fs::read(folder.join(name)).unwrap();
            assert!(bytes.starts_with(b"age-encryption.org/v1\n") && bytes.len() > 500, "{name}: {bytes:?}");
        }
    }

    /// Writes all secrets down in the clear, as people do, to be imported.
    fn write_down(&self) {
        let Account { user_id, password, totp_seed, api_key, api_secret } = &self.sim.account;
        let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!(
            "KITE_USER_ID={user_id}\nKITE_PASSWORD=\"{quoted}\"\nKITE_TOTP_SECRET={totp_seed}\n\
             KITE_API_KEY={api_key}\nKITE_API_SECRET={api_secret}\n"
        );
        let plain = self.home.dir.path().join(PLAIN);
        fs::write(&plain, text).unwrap();
        private(&plain);
        let found: BTreeSet<String> =
            self.scanner.search_tree(&plain).into_iter().map(|find| find.secret).collect();
        for secret in ["password", "seed", "api secret"] {
            assert!(found.contains(secret), "{secret} is not seen where it is: {found:?}");
        }
    }
}

/// What opens the vault, without what all identities begin with.
fn identity(home: &Home) -> String {
    let text = fs::read_to_string(home.state().join("identity.txt")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("AGE-SECRET-KEY-1")).unwrap().to_owned()
}

/// Whoever starts it may allow cores of any size.
fn unlimited(inner: &Command) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -c unlimited 2>/dev/null || ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"",
        "sh",
    ]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(inner.get_current_dir().unwrap());
    command
}

/// What people type, and what they type into it. The last ones leave nothing to work with.
const LINES: &[(&[&str], &str)] = &[
    (&["status"], ""),
    (&["status", "--json"], ""),
    (&["history"], ""),
    (&["history", "-n", "500", "--json"], ""),
    (&["history", "--last"], ""),
    (&["history", "--verify"], ""),
    (&["next"], ""),
    (&["next", "--json"], ""),
    (&["simulate", "--days", "250"], ""),
    (&["demo", "--driver", "http"], ""),
    (&["secrets", "list"], ""),
    (&["secrets", "list", "--json"], ""),
    (&["secrets", "list", "--channel", "hook"], ""),
    (&["key", "list"], ""),
    (&["key", "rm", "nobody"], ""),
    (&["plan", "show"], ""),
    (&["plan", "check", "/nonexistent"], ""),
    (&["alerts", "test"], ""),
    (&["alerts", "test", "--json"], ""),
    (&["alerts", "pair", "hook"], ""),
    (&["pause"], ""),
    (&["resume"], ""),
    (&["unlock"], ""),
    (&["doctor"], ""),
    (&["doctor", "--json"], ""),
    (&["doctor", "--bundle", "bundle.json"], ""),
    (&["exec", "--", "true"], ""),
    (&["exec", "--fd", "5", "--", "cat", "/dev/null"], ""),
    (&["exec", "--mask", "--", "sh", "-c", "echo $KITE_ACCESS_TOKEN"], ""),
    (&["secrets", "import", PLAIN, "--yes", "--shred"], ""),
    (&["secrets", "export", "--to", "for-me.age", "--passphrase"], PASSPHRASE),
    (&["secrets", "export", "--to", "for-them.age", "--recipient", RECIPIENT, "--json"], ""),
    (&["secrets", "rekey"], ""),
    (&["setup", "--yes"], ""),
    (&["login", "--driver", "http", "--json"], ""),
    (&["login", "--assisted", "--wait-s", "1"], ""),
    (&["token", "nobody"], ""),
    (&["secrets", "set", "nonsense"], "nothing"),
    (&["secrets", "rm", "api_secret"], ""),
    (&["login", "--driver", "http"], ""),
];

/// The commands that this help page lists.
fn listed(help: &str) -> Vec<String> {
    let list = help.split_once("Commands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

#[test]
fn no_command_is_forgotten() {
    let help = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_firstbell")).args(words).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let all = listed(&help(&[]));
    assert!(all.len() > 15, "{all:?}");
    for command in &all {
        let below = listed(&help(&[command]));
        let wanted: Vec<Vec<&str>> = match below.is_empty() {
            true => vec![vec![command]],
            false => below.iter().map(|one| vec![command.as_str(), one]).collect(),
        };
        for words in wanted {
            // The daemon runs all the while, and a key is made before.
            let made = ["run", "key add"];
            let is_typed = LINES.iter().any(|(line, _)| line.starts_with(&words));
            assert!(is_typed || made.contains(&words.join(" ").as_str()), "{words:?} is not looked at");
        }
    }
}

#[test]
fn no_command_shows_a_secret() {
    let mut kept = Kept::begin();
    kept.write_down();
    let made = run(at_home(&kept.home, &["key", "add", "--scope", "token", "robot", "--json"]), "");
    assert_eq!(made.ended.code, 0, "{}", made.ended.stderr);
    let made: Value = made.ended.json();
    kept.scanner.add("key", made["key"].as_str().unwrap());
    for (words, input) in LINES {
        let ran = run(at_home(&kept.home, words), input);
        // What it showed before the new token was known is looked through too.
        if let (&"login", Some(token)) = (&words[0], kept.home.token()) {
            kept.scanner.add(TOKEN, token["access_token"].as_str().unwrap());
        }
        // So is the new identity.
        if words.ends_with(&["rekey"]) {
            kept.scanner.add(IDENTITY, &identity(&kept.home));
        }
        let said = format!("{}{}", ran.ended.stdout, ran.ended.stderr);
        assert!(!(said.contains("internal error") || said.contains("held back")), "{words:?}: {said}");
        assert!((0..100).contains(&ran.ended.code), "{words:?} ended with {}: {said}", ran.ended.code);
        // These do nothing that would show anything if they are refused.
        let must = words[0] == "secrets" && ["import", "export", "rekey"].contains(&words[1]);
        assert!(ran.ended.code == 0 || !must, "{words:?} ended with {}: {said}", ran.ended.code);
        let finds = kept.shown_by(&ran);
        assert!(finds.is_empty(), "{words:?}: {finds:#?}");
    }
    kept.exported_sealed();
    let bundle = fs::read_to_string(kept.home.dir.path().join("bundle.json")).unwrap();
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    let events = bundle["accounts"][0]["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["event"] == "token 1 works and is stored"), "{events:?}");
    assert!(
        bundle["findings"].as_array().unwrap().len() > 10 && bundle["accounts"][0]["status"]["token"] != ""
    );
    assert!(!bundle.to_string().contains(&kept.sim.account.user_id), "whose it is stays with its owner");
    // The scanner would have seen it.
    let token = run(at_home(&kept.home, &["token"]), "");
    let finds = kept.shown_by(&token);
    assert!(finds.iter().any(|find| find.secret == TOKEN && find.place == "standard output"), "{finds:?}");
    let log = kept.daemon.log() + &kept.daemon.errors();
    assert!(log.contains("event main: token 1 works") && !log.contains("held back"), "{log}");
}

/// The gate before the file: everything before it takes care that no secret gets there, so somebody calls the account what the password is.
#[test]
fn a_bundle_that_would_hold_a_secret_is_not_written() {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let (name, secret) = ("correct-horse-9", home.dir.path().join("password"));
    home.configure(&sim, &format!("password = {{ file = '{}' }}", secret.display()));
    home.prepend("drivers = [\"http\"]");
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), text.replace("[account.main]", &format!("[account.{name}]"))).unwrap();
    let bundles = home.dir.path().join("bundles");
    fs::create_dir(&bundles).unwrap();
    let bundle = |password: &str| {
        fs::write(&secret, password).unwrap();
        private(&secret);
        home.run(&["doctor", "--bundle", bundles.join(password).to_str().unwrap(), "--json"])
    };
    let ended = bundle("another-word-4");
    let written = fs::read_to_string(bundles.join("another-word-4"));
    assert!(written.unwrap().contains(name), "it is not told by its name: {ended:?}");
    let ended = bundle(name);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.stderr.contains("nothing was written") && !ended.stderr.contains(name), "{ended:?}");
    assert!(!ended.stdout.contains(name), "{ended:?}");
    let left: Vec<_> = fs::read_dir(&bundles).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["another-word-4"], "something was written");
}

fn at_home(home: &Home, words: &[&str]) -> Command {
    let mut command = home.command(words);
    let temp = home.dir.path().join("temp");
    let _ = fs::create_dir(&temp);
    command.env("FIRSTBELL_LOG", "trace").env("TMPDIR", temp).current_dir(home.dir.path());
    command
}

/// The daemon and a supervisor are brought down as hard as a fault in them would, where cores of any size are allowed.
#[test]
fn what_holds_secrets_leaves_no_core() {
    let kept = Kept::begin();
    let folder = kept.home.dir.path().to_owned();
    let left = || {
        let names = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with("core")).count()
    };
    let supervised = Daemon::spawn(
        &kept.home,
        unlimited(&at_home(&kept.home, &["exec", "--", "sh", "-c", "echo begun; exec sleep 600"])),
        "supervised",
    );
    supervised.wait_log("begun");
    for (mut process, signal) in [(supervised, Signal::ABORT), (kept.daemon, Signal::ILL)] {
        process.signal(signal);
        process.wait();
        assert_eq!(left(), 0, "a core was written after {signal:?}");
    }
    // Where cores go into the folder of who dies, one that may leave a core does.
    if cores::lie_beside() {
        let mut careless = Command::new("sh");
        careless.args(["-c", "kill -ABRT $$"]).current_dir(&folder);
        unlimited(&careless).status().unwrap();
        until("the careless one's core", || if left() == 1 { Ok(()) } else { Err("there is none".into()) });
    }
    let finds: Vec<_> =
        kept.scanner.search_tree(&folder).into_iter().filter(|find| find.secret == TOKEN).collect();
    assert!(finds.is_empty(), "{finds:?}");
}
