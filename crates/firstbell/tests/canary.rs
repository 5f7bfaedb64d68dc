//! Canaries: with secrets that can be told from anything else, full logs and every bad morning, no part of a secret
//! comes to light, in no form: in no output, no file, and in no process's arguments or environment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/family.rs"]
mod family;
#[path = "support/folders.rs"]
mod folders;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench::{Bench, NAMES, Ran, TOKEN, finish, in_process, password, run, start};
use processes::{Sample, Watch};
use scanner::{Find, Scanner};
use serde_json::{Value, json};
use support::{DRIVERS, marker, seed};
use tempfile::TempDir;

const FIRSTBELL: &str = env!("CARGO_BIN_EXE_firstbell");
const PLACES: [&str; 6] = ["login-page", "login", "twofa", "finish", "exchange", "profile"];

/// One test for each driver.
macro_rules! canaries {
    ($($name:ident),* $(,)?) => {
        mod chrome { $(#[test] fn $name() { super::$name(super::DRIVERS[0]); })* }
        mod http { $(#[test] fn $name() { super::$name(super::DRIVERS[1]); })* }
    };
}

/// The engines that are driven through a port, in a cage. They go through what an engine can have a part in; the bad mornings
/// they share among them, so that each is met by one.
const CAGED: [&str; 3] = ["firefox", "chromedriver", "geckodriver"];

macro_rules! caged {
    ($($name:ident: $number:expr),*) => {$(
        mod $name {
            #[test]
            fn good_morning() {
                super::good_morning(super::CAGED[$number]);
            }

            #[test]
            fn secrets_of_the_environment_stay_with_firstbell() {
                super::secrets_of_the_environment_stay_with_firstbell(super::CAGED[$number]);
            }

            #[test]
            fn its_share_of_the_bad_mornings() {
                super::its_share_of_the_bad_mornings($number);
            }
        }
    )*};
}

caged!(firefox: 0, chromedriver: 1, geckodriver: 2);

canaries!(
    good_morning,
    bad_mornings_up_to_the_password,
    bad_mornings_after_the_password,
    refused_and_misplaced_secrets,
    secrets_of_the_environment_stay_with_firstbell,
);

/// Logs in, and stops the world while the code is on its way: the password was typed, and every process lives.
fn login_with_a_look_inside(bench: &Bench, command: Command) -> Ran {
    bench.sim.fault(&json!({ "at": "twofa", "do": "hold" }));
    let watch = Watch::start();
    let child = start(command, "");
    bench.sim.wait_held("twofa");
    watch.full_round();
    let folder = processes::browser_folder_of(child.id());
    assert_eq!(folder.is_some(), bench.driver != DRIVERS[1]);
    if let (Some(folder), true) = (&folder, CAGED.contains(&bench.driver)) {
        let is_socket = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|m| m.file_type().is_socket());
        assert!(is_socket("control") && is_socket("out"), "the look is not at a cage's folder");
    }
    let finds = folder.iter().flat_map(|folder| bench.scanner.search_tree(folder)).collect::<BTreeSet<_>>();
    assert!(finds.is_empty(), "in the living browser's folder: {finds:#?}");
    let kept = folder.iter().flat_map(|folder| remembered_in(folder)).collect::<Vec<_>>();
    assert!(kept.is_empty(), "the browser remembers what it does: {kept:?}");
    bench.sim.no_faults();
    bench.sim.fault(&json!({ "at": "exchange", "do": "hold" }));
    bench.sim.post("/release", &json!({}));
    bench.sim.wait_held("exchange");
    // It ends while the request token is on its way, whatever becomes of that.
    if let Some(folder) = folder {
        family::until("the browser is still there", || {
            if folder.exists() { Err(folder.display().to_string()) } else { Ok(()) }
        });
    }
    bench.sim.no_faults();
    bench.sim.post("/release", &json!({}));
    let ran = finish(child, watch);
    assert_eq!(ran.ended.code, 0, "{}", ran.ended.stderr);
    // A watch that saw nothing proves nothing.
    assert!(ran.samples.iter().any(|s| s.process.id == ran.id && s.process.program == Path::new(FIRSTBELL)));
    let below = processes::below(ran.id, &ran.samples);
    let engine = match bench.driver {
        "http" => return ran,
        "firefox" => "firefox",
        "chromedriver" | "geckodriver" => bench.driver,
        _ => "headless-shell",
    };
    let is_engine = |s: &&Sample| s.process.program.to_string_lossy().contains(engine);
    let seen = below.into_iter().find(|s| is_engine(s) && !s.process.environment.is_empty());
    assert!(seen.is_some(), "nobody saw the environment of {engine}");
    ran
}

/// Files in which a Chromium that is not off the record keeps cookies, documents and scripts.
fn remembered_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let all = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => remembered_in(&entry.path()),
        _ => vec![entry.path()],
    });
    let is_kept = |path: &PathBuf| {
        let path = path.to_string_lossy();
        let script = path.contains("/Code Cache/js/") && path.ends_with("_0");
        script || ["/Cookies", "/Cache_Data/"].iter().any(|part| path.contains(part))
    };
    all.filter(is_kept).collect()
}

fn good_morning(driver: &'static str) {
    let mut bench = Bench::new(driver);
    let ran = login_with_a_look_inside(&bench, bench.login());
    assert!(ran.ended.stderr.contains("ready"), "{}", ran.ended.stderr);
    bench.nothing_shows_of_login("good morning", vec![ran]);
    let finds = bench.scanner.search("the sink", &fs::read(bench.sink()).unwrap());
    assert!(finds.iter().all(|find| find.secret == TOKEN) && !finds.is_empty(), "{finds:#?}");
    for format in ["plain", "json", "env", "header"] {
        let ran = run(bench.command(&["token", "--format", format]), "");
        assert!(!bench.scanner.search("", ran.ended.stdout.as_bytes()).is_empty(), "{format}");
        bench.nothing_shows(format, &[Ran { gives_token: true, ..ran }]);
    }
    let commands: [&[&str]; 6] = [
        &["status"],
        &["status", "--json"],
        &["secrets", "list"],
        &["secrets", "list", "--json"],
        &["unlock"],
        &["secrets", "rm", "api_secret"],
    ];
    for command in commands {
        bench.must(command, "", 0);
    }
}

/// Every fault at every place at which it can happen.
fn faults() -> Vec<Value> {
    let mut all = vec![
        json!({ "at": "exchange", "do": "other-user" }),
        json!({ "at": "exchange", "do": "dead-on-arrival" }),
        json!({ "at": "finish", "do": "consent" }),
    ];
    all.extend(PLACES.map(|at| json!({ "at": at, "do": "unknown-page" })));
    all.extend(PLACES.map(|at| json!({ "at": at, "do": "status", "status": 503 })));
    for (deed, places) in [
        ("blocked", &["login", "twofa"][..]),
        ("reset-before", &PLACES),
        ("reset-after", &PLACES),
        ("truncated", &["login", "twofa", "exchange", "profile"]),
    ] {
        all.extend(places.iter().map(|at| json!({ "at": at, "do": deed })));
    }
    all
}

/// Every third fault, from another one on for each engine.
fn its_share_of_the_bad_mornings(number: usize) {
    let share: Vec<Value> = faults().into_iter().skip(number).step_by(CAGED.len()).collect();
    let mut bench = Bench::new(CAGED[number]);
    for fault in &share {
        bad_morning(&mut bench, fault);
    }
}

fn bad_mornings_up_to_the_password(driver: &'static str) {
    bad_mornings(Bench::new(driver), &PLACES[..2]);
}

fn bad_mornings_after_the_password(driver: &'static str) {
    bad_mornings(Bench::new(driver), &PLACES[2..]);
}

fn bad_mornings(mut bench: Bench, places: &[&str]) {
    for fault in faults().iter().filter(|fault| places.iter().any(|at| fault["at"] == *at)) {
        bad_morning(&mut bench, fault);
    }
    bench.start_over();
    let slow: Vec<_> = places.iter().map(|at| json!({ "at": at, "do": "slow", "delay_ms": 300 })).collect();
    bench.sim.post("/faults", &json!({ "fault": slow }));
    let ran = run(bench.login(), "");
    assert_eq!(ran.ended.code, 0, "{}", ran.ended.stderr);
    bench.nothing_shows_of_login("slow", vec![ran]);
}

fn bad_morning(bench: &mut Bench, fault: &Value) {
    bench.start_over();
    bench.sim.fault(fault);
    let ran = run(bench.login(), "");
    let failure = ran.ended.json()["failure"].as_str().unwrap_or("none").to_owned();
    assert!(!["none", "stopped"].contains(&failure.as_str()), "{fault}: {failure}");
    let place = PLACES.iter().position(|at| fault["at"] == *at).unwrap();
    let (seen, passwords, codes) = (bench.sim.seen(), bench.sim.passwords(), bench.sim.codes());
    assert!(passwords >= u64::from(place > 0) && codes >= u64::from(place > 1), "{fault}: {seen}");
    bench.nothing_shows_of_login(&fault.to_string(), vec![ran]);
}

/// Each waits for the next time step, and so both wait at once.
#[test]
fn a_wrong_seed() {
    std::thread::scope(|scope| {
        for driver in DRIVERS {
            scope.spawn(move || wrong_seed_with(driver));
        }
    });
}

fn wrong_seed_with(driver: &'static str) {
    let mut bench = Bench::new(driver);
    let wrong = seed();
    bench.scanner.add_seed("wrong seed", &wrong);
    bench.must(&["secrets", "set", "totp_seed"], &wrong, 0);
    let ran = run(bench.login(), "");
    assert_eq!(ran.ended.json()["failure"], "code-rejected");
    bench.nothing_shows_of_login("wrong seed", vec![ran]);
}

fn refused_and_misplaced_secrets(driver: &'static str) {
    let mut bench = Bench::new(driver);
    for (name, wrong, failure) in
        [("password", password(), "password-rejected"), ("api_secret", marker(32), "secret-refused")]
    {
        bench.start_over();
        bench.scanner.add(&format!("wrong {name}"), &wrong);
        bench.must(&["secrets", "set", name], &wrong, 0);
        let ran = run(bench.login(), "");
        assert_eq!(ran.ended.json()["failure"], failure);
        bench.nothing_shows_of_login(failure, vec![ran]);
    }
    for (start, rest) in
        [("0189", ""), ("otpauth://hotp/x?secret=", ""), ("otpauth://totp/x?secret=", "&period=x")]
    {
        let refused = seed();
        bench.scanner.add_seed("refused seed", &refused);
        bench.must(&["secrets", "set", "totp_seed"], &format!("{start}{refused}{rest}"), 2);
    }
    if driver == DRIVERS[0] {
        let mut command = bench.login();
        command.env("FIRSTBELL_BROWSER", "/nonexistent/browser");
        let ran = run(command, "");
        assert_eq!(ran.ended.code, 7);
        bench.nothing_shows_of_login("no such browser", vec![ran]);
    }
    configurations_with_secrets_in_them(&mut bench);
}

/// Secrets that their owner wrote into the configuration, where they do not belong. The files themselves lie outside
/// of what is looked at.
fn configurations_with_secrets_in_them(bench: &mut Bench) {
    let planted = TempDir::with_prefix("fb-test-").unwrap();
    let path = planted.path().join("config.toml");
    let whole = fs::read_to_string(bench.home.config()).unwrap();
    let secret = password();
    bench.scanner.add("misplaced secret", &secret);
    let texts = [
        whole.replace("user_id", &format!("password = '''{secret}'''\nuser_id")),
        whole.replace("user_id", &format!("password = {{ value = '''{secret}''' }}\nuser_id")),
        whole.replace("user_id", &format!("password = '''{secret}\nuser_id")),
        whole.replace("user_id = \"", &format!("user_id = '''{secret}''' # \"")),
        whole.replace("api_key = \"", &format!("api_key = '''{secret}''' # \"")),
        whole.replace("redirect_url = \"", &format!("redirect_url = '''{secret}''' # \"")),
        whole.replacen(&format!("driver = \"{}\"", bench.driver), &format!("driver = '''{secret}'''"), 1),
        format!("{secret}\n{whole}"),
    ];
    let latin = texts[0].replace(&secret, &format!("{secret}\u{1}")).into_bytes();
    let latin: Vec<u8> = latin.into_iter().map(|b| if b == 1 { 0xe9 } else { b }).collect();
    for bytes in texts.iter().map(|t| t.as_bytes().to_vec()).chain([latin]) {
        fs::write(&path, bytes).unwrap();
        for command in ["login", "status", "token"] {
            bench.must(&[command, "--config", path.to_str().unwrap()], "", 2);
        }
    }
    bench.must(&["login", "--config", planted.path().to_str().unwrap()], "", 2);
}

fn secrets_of_the_environment_stay_with_firstbell(driver: &'static str) {
    let mut bench = Bench::bare(driver);
    let account = bench.sim.account.clone();
    let variables = ["KITE_PASSWORD", "KITE_TOTP_SEED", "KITE_API_SECRET"];
    let values = [&account.password, &account.totp_seed, &account.api_secret];
    let lines =
        NAMES.iter().zip(variables).map(|(name, variable)| format!("{name} = {{ env = \"{variable}\" }}\n"));
    bench.configure(&lines.collect::<String>());
    let mut command = bench.login();
    command.envs(variables.into_iter().zip(values));
    let mut ran = login_with_a_look_inside(&bench, command);
    let (own, others): (Vec<Sample>, Vec<Sample>) =
        ran.samples.into_iter().partition(|sample| sample.process.program == Path::new(FIRSTBELL));
    let own: BTreeSet<Find> = own.iter().flat_map(|sample| in_process(&bench.scanner, sample)).collect();
    let own: BTreeSet<&str> = own.iter().map(|find| find.secret.as_str()).collect();
    assert!(["password", "seed", "api secret"].iter().all(|secret| own.contains(secret)), "{own:?}");
    ran.samples = others;
    bench.nothing_shows_of_login("environment", vec![ran]);
}

/// The watch of a process with these bytes among its arguments and, where that can be, in its environment.
fn seen_of_process_with(scanner: &Scanner, bytes: &[u8]) -> BTreeSet<String> {
    let mut command = Command::new("sh");
    // An argument cannot hold a zero byte, but the zero bytes between arguments make the same picture.
    command.args(["-c", "read line", "sh"]).args(bytes.split(|b| *b == 0).map(OsStr::from_bytes));
    if !bytes.contains(&0) {
        command.env("PLANTED", OsStr::from_bytes(bytes));
    }
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let samples = Watch::start().stop();
    let own = samples.iter().filter(|sample| sample.process.id == child.id());
    let finds = own.flat_map(|sample| in_process(scanner, sample));
    let parts = finds.map(|find| find.place.split(' ').next().unwrap().to_owned()).collect();
    drop(child.stdin.take());
    child.wait().unwrap();
    parts
}

#[test]
fn the_scanner_finds_every_form_in_files_names_arguments_and_environments() {
    for text in [password(), seed(), marker(32)] {
        let mut scanner = Scanner::default();
        scanner.add("planted", &text);
        for (form, bytes) in scanner::forms(&text) {
            let folder = TempDir::with_prefix("fb-test-").unwrap();
            let deep = folder.path().join("a/b");
            fs::create_dir_all(&deep).unwrap();
            assert!(scanner.search_tree(folder.path()).is_empty());
            fs::write(deep.join("file"), [b"before", &bytes[..], b"after"].concat()).unwrap();
            assert!(!scanner.search_tree(folder.path()).is_empty(), "{form} in a file");
            let parts = seen_of_process_with(&scanner, &bytes);
            let expected =
                if bytes.contains(&0) { &["arguments"][..] } else { &["arguments", "environment"] };
            assert!(parts.iter().eq(expected.iter()), "{form} in a process: {parts:?}");
        }
        for part in text.as_bytes().windows(12) {
            assert!(!scanner.search("a part", part).is_empty());
        }
        let folder = TempDir::with_prefix("fb-test-").unwrap();
        symlink(&text, folder.path().join("link")).unwrap();
        fs::write(folder.path().join(&text), "").unwrap();
        assert_eq!(scanner.search_tree(folder.path()).len(), 2, "the link and the name");
        assert!(scanner.search("chance", marker(100_000).as_bytes()).is_empty());
    }
}
