//! Every mistake that newcomers make at `firstbell setup`, each met with the sentence that mends it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/newcomer.rs"]
mod newcomer;
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

use newcomer::*;
use person::code;
use serde_json::json;
use support::Account;
use terminal::Terminal;
use waiting::generation;

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
    mends(&mut terminal, CLIENT_ID, "?", "top right of its pages");
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
