//! A first run as a new user meets it: in a terminal, key by key, with every mistake that newcomers make; and without one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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

use std::fs;
use std::path::{Path, PathBuf};

use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use person::{Person, code};
use scanner::Scanner;
use serde_json::json;
use support::{Account, Home, Sim};
use terminal::Terminal;
use waiting::{follow, generation, port};

const CLIENT_ID: &str = "Your Kite client id: ";
const WHO: &str = "1 or 2: ";
const REDIRECT: &str = "The app's redirect URL: ";
const API_KEY: &str = "The app's API key (not shown): ";
const KEY_PLACE: &str = "root, or from a program that runs as your user and reads both: run firstbell as a user of its own.\r\n1: ";
const API_SECRET: &str = "The app's API secret (not shown): ";
const PASSWORD: &str = "Your Kite password (not shown): ";
const AGAIN: &str = "The same once more: ";
const SEED: &str = "The TOTP key, or the path of a picture of its QR code (not shown): ";
const CODE: &str = "The six digits that your phone shows for Zerodha now: ";
const CHANNEL: &str = "1, 2, 3 or Enter: ";
const REVIEW: &str = "Enter to log in, or the name of what you want to change: ";
const SURE: &str = "Take it all the same? [y/N] ";

/// A simulator, and a home in which nobody has set anything up but the engine.
fn newcomer(driver: &str) -> (Sim, Home) {
    let redirect = format!("http://127.0.0.1:{}/back", port());
    let sim = Sim::start_with(Account::new(), &["--redirect", &redirect]);
    let home = Home::bare(&sim);
    fs::write(home.config(), format!("driver = \"{driver}\" # mine\n")).unwrap();
    (sim, home)
}

fn setup(sim: &Sim, home: &Home) -> Terminal {
    Terminal::run(home, &format!("setup --rehearsal {}", sim.site))
}

/// All right answers up to the review.
fn answers(terminal: &mut Terminal, sim: &Sim, who: &str) {
    let account = &sim.account;
    terminal.answers(CLIENT_ID, &account.user_id);
    terminal.answers(WHO, who);
    terminal.answers(REDIRECT, &sim.redirect);
    terminal.answers(API_KEY, &account.api_key);
    terminal.answers(KEY_PLACE, "");
    terminal.answers(API_SECRET, &account.api_secret);
    if who == "2" {
        terminal.answers(PASSWORD, &account.password);
        terminal.answers(AGAIN, &account.password);
        terminal.answers(SEED, &account.totp_seed);
        terminal.answers(CODE, &code(account));
    }
    terminal.answers(CHANNEL, "");
}

fn secrets_of(account: &Account) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.add("password", &account.password);
    scanner.add("api secret", &account.api_secret);
    scanner.add_seed("seed", &account.totp_seed);
    scanner
}

/// Neither the screen nor any file has a secret.
fn nothing_shows(account: &Account, home: &Home, shown: &str) {
    let scanner = secrets_of(account);
    let mut finds = scanner.search("the screen", shown.as_bytes());
    finds.extend(scanner.search_tree(home.dir.path()));
    assert!(finds.is_empty(), "{finds:#?}");
}

/// The code that a phone shows whose clock is off by so many seconds.
fn code_at(account: &Account, off_s: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(off_s);
    let seed = Seed::parse(&Secret::new(account.totp_seed.clone())).unwrap();
    seed.code(now).digits.expose().to_owned()
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures")
}

fn automatic(driver: &str) {
    let (sim, home) = newcomer(driver);
    let mut terminal = setup(&sim, &home);
    answers(&mut terminal, &sim, "2");
    terminal.answers(REVIEW, "");
    terminal.next("ready: main has a proven token (generation 1)");
    terminal.next("Set up. From now on:");
    let shown = terminal.end();
    assert!(shown.contains("Kite begins a login with this API key; nothing was spent"), "{shown}");
    assert!(shown.contains("do not recommend automating it"), "{shown}");
    assert_eq!((generation(&home), sim.passwords(), sim.codes()), (1, 1, 1));
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.starts_with(&format!("driver = \"{driver}\" # mine\n")), "{config}");
    nothing_shows(&sim.account, &home, &shown);
    // What is set up is not asked for again.
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers(CHANNEL, "");
    terminal.answers("Enter to end, or the name of what you want to change: ", "");
    terminal.next("Set up. From now on:");
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

/// Each mistake is met with the sentence that mends it, and at the end all is well.
#[test]
fn every_mistake_of_a_newcomer_is_met_with_a_sentence_that_mends_it() {
    let (sim, home) = newcomer("http");
    let mut account = sim.account.clone();
    account.password = format!("two words {}", account.password);
    sim.post("/event", &json!({ "event": "password-reset", "password": account.password }));
    let mut terminal = setup(&sim, &home);
    let mends = |terminal: &mut Terminal, question: &str, answer: &str, sentence: &str| {
        terminal.answers(question, answer);
        terminal.next(sentence);
    };
    mends(&mut terminal, CLIENT_ID, "?", "at the top right of its pages");
    mends(&mut terminal, CLIENT_ID, "me@example.com", "This is an e-mail address");
    mends(&mut terminal, CLIENT_ID, "98450 12345", "This is a telephone number");
    mends(&mut terminal, CLIENT_ID, "\u{1b}[D", "A key that is no letter");
    terminal.answers(CLIENT_ID, "ab1234");
    mends(&mut terminal, WHO, "3", "Type 1 or 2.");
    terminal.answers(WHO, "2");
    mends(&mut terminal, REDIRECT, "127.0.0.1:5000", "begins with http:// or https://");
    mends(&mut terminal, REDIRECT, "https://kite.zerodha.com/", "This is an address of Zerodha's");
    mends(&mut terminal, REDIRECT, "http://loaclhost:5000/", "is a strange host");
    terminal.answers(SURE, "n");
    terminal.answers(REDIRECT, &sim.redirect);
    // The secret in the place of the key, and the key in the place of the secret.
    mends(&mut terminal, API_KEY, &account.api_secret, "as an API secret has; an API key has 16");
    terminal.answers(SURE, "");
    mends(&mut terminal, API_KEY, "aaaaaaaa11111111", "Kite does not know this API key");
    terminal.answers("Keep it all the same? [y/N] ", "");
    terminal.answers(API_KEY, &account.api_key);
    terminal.next("Kite begins a login with this API key");
    terminal.answers(KEY_PLACE, "");
    mends(&mut terminal, API_SECRET, &account.api_key, "This is the API key once more");
    terminal.answers(API_SECRET, &account.api_secret);
    mends(&mut terminal, PASSWORD, "", "Nothing was given");
    mends(&mut terminal, PASSWORD, &account.totp_seed, "This looks like the TOTP key");
    terminal.answers(SURE, "");
    terminal.answers(PASSWORD, &account.password);
    mends(&mut terminal, AGAIN, "another", "The two are not the same");
    // The spaces around it came with the copy; those inside belong to it.
    terminal.answers(PASSWORD, &format!(" {} ", account.password));
    terminal.answers("Does the space belong to the password? [y/N] ", "");
    terminal.answers(AGAIN, &account.password);
    mends(&mut terminal, SEED, "123456", "a code that changes every 30 seconds, not the key behind it");
    let foreign = format!("otpauth://totp/GitHub:me?secret={}&issuer=GitHub", support::seed());
    mends(&mut terminal, SEED, &foreign, "This key says that it is GitHub's, and not Zerodha's");
    terminal.answers(SURE, "");
    // Another service's key, letters only: the phone's code tells.
    terminal.answers(SEED, &support::seed());
    mends(&mut terminal, CODE, "12 34", "That is not six digits");
    mends(&mut terminal, CODE, &code(&account), "This key does not make that code.");
    mends(&mut terminal, CODE, &code(&account), "This key does not make that code either");
    let spaced: Vec<String> = account.totp_seed.to_lowercase().chars().map(|c| format!("{c} ")).collect();
    terminal.answers(SEED, &spaced.concat());
    mends(
        &mut terminal,
        CODE,
        &code_at(&account, 300),
        "Your phone's clock is 5 minutes ahead of this machine's",
    );
    terminal.answers(CHANNEL, "");
    mends(&mut terminal, REVIEW, "everything", "There are: client id, who logs in, redirect url");
    terminal.answers(REVIEW, "");
    terminal.next("ready: main has a proven token");
    let shown = terminal.end();
    assert_eq!((generation(&home), sim.passwords()), (1, 1));
    nothing_shows(&account, &home, &shown);
}

/// The machine's own clock is found out before a code is made by it.
#[test]
fn a_machine_whose_clock_is_five_minutes_off_hears_it_from_kite() {
    let (sim, home) = newcomer("http");
    sim.post("/clock", &json!({ "advance_s": 300 }));
    let mut terminal = setup(&sim, &home);
    let account = &sim.account;
    terminal.answers(CLIENT_ID, &account.user_id);
    terminal.answers(WHO, "2");
    terminal.answers(REDIRECT, &sim.redirect);
    terminal.answers(API_KEY, &account.api_key);
    terminal.next("This machine's clock is 5 minutes behind Kite's");
    terminal.next("timedatectl set-ntp true");
    terminal.answers(KEY_PLACE, "");
    terminal.answers(API_SECRET, &account.api_secret);
    terminal.answers(PASSWORD, &account.password);
    terminal.answers(AGAIN, &account.password);
    terminal.answers(SEED, &account.totp_seed);
    // The phone has Kite's time.
    terminal.answers(CODE, &code_at(account, 300));
    terminal.next("The key is right, but the clocks differ. This machine's clock is 5 minutes behind Kite's");
    terminal.answers(CHANNEL, "");
    terminal.answers(REVIEW, "");
    let shown = terminal.end();
    assert!(shown.contains("run firstbell setup again to change an answer"), "{shown}");
    assert_eq!((sim.passwords(), sim.codes()), (0, 0), "something was spent by a wrong clock");
}

/// Only a login can tell it; then the answer is changed, and the next one is good.
#[test]
fn a_wrong_redirect_url_is_found_out_by_the_login_and_mended() {
    let (sim, home) = newcomer("http");
    sim.settings(&json!({ "totp_reuse": true }));
    let mut terminal = setup(&sim, &home);
    let account = sim.account.clone();
    terminal.answers(CLIENT_ID, &account.user_id);
    terminal.answers(WHO, "2");
    terminal.answers(REDIRECT, &sim.redirect.replace("127.0.0.1", "localhost"));
    terminal.answers(API_KEY, &account.api_key);
    terminal.answers(KEY_PLACE, "");
    terminal.answers(API_SECRET, &account.api_secret);
    terminal.answers(PASSWORD, &account.password);
    terminal.answers(AGAIN, &account.password);
    terminal.answers(SEED, &account.totp_seed);
    terminal.answers(CODE, &code(&account));
    terminal.answers(CHANNEL, "");
    terminal.answers(REVIEW, "");
    terminal.next("the redirect url is not what is registered");
    let shown = terminal.end();
    assert!(shown.contains("it goes to http://127.0.0.1"), "{shown}");
    assert_eq!(generation(&home), 0);
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers(CHANNEL, "");
    terminal.answers(REVIEW, "redirect url");
    terminal.answers(REDIRECT, &sim.redirect);
    terminal.answers(REVIEW, "");
    terminal.next("ready: main has a proven token");
    terminal.end();
    assert_eq!(generation(&home), 1);
}

#[test]
fn the_key_is_read_from_a_picture() {
    let mut account = Account::new();
    account.totp_seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into();
    let (sim, home) = newcomer("http");
    for (name, taken) in [("other.png", false), ("seed.jpg", true), ("seed.png", true)] {
        fs::copy(pictures().join(name), home.dir.path().join(name)).unwrap();
        let _ = fs::remove_dir_all(home.state());
        let _ = fs::remove_file(home.dir.path().join("state.mark"));
        home.configure(&sim, "assisted = false");
        home.store_secrets(&sim.account);
        assert_eq!(home.run(&["secrets", "rm", "totp_seed"]).code, 0);
        let mut terminal = Terminal::run(&home, "setup");
        terminal.answers(SEED, &format!("~/{name}"));
        if taken {
            terminal.next("The picture holds a TOTP key");
            terminal.answers(CODE, &code(&account));
            terminal.next("totp_seed is sealed in the vault");
            terminal.next(CHANNEL);
        } else {
            terminal.next("The QR code in the picture is none for an authenticator");
            terminal.next(SEED);
        }
        terminal.presses(3);
        let shown = terminal.end();
        assert!(
            shown.contains("run firstbell setup again to go on") && !shown.contains(&account.totp_seed),
            "{shown}"
        );
    }
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
