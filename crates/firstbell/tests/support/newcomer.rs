//! A newcomer at `firstbell setup`: the questions as they are shown, the right answers, and a look for what must not show.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::fs;
use std::path::{Path, PathBuf};

use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;

use crate::person::code;
use crate::scanner::Scanner;
use crate::support::{Account, Home, Sim};
use crate::terminal::Terminal;
use crate::waiting::port;

pub const CLIENT_ID: &str = "Your Kite client id: ";
pub const WHO: &str = "1 or 2: ";
pub const REDIRECT: &str = "The app's redirect URL: ";
pub const API_KEY: &str = "The app's API key (not shown): ";
pub const KEY_PLACE: &str = "1, 2, 3 or 4 [1]: ";
pub const API_SECRET: &str = "The app's API secret (not shown): ";
pub const PASSWORD: &str = "Your Kite password (not shown): ";
pub const AGAIN: &str = "The same once more: ";
pub const SEED: &str = "The TOTP key, or the path of a picture of its QR code (not shown): ";
pub const CODE: &str = "The six digits that your phone shows for Zerodha now: ";
pub const CHANNEL: &str = "1, 2, 3 or Enter: ";
pub const REVIEW: &str = "Enter to log in, or the name of what you want to change: ";
pub const SURE: &str = "Take it all the same? [y/N] ";

/// A simulator, and a home in which nobody has set anything up but the engine.
pub fn newcomer(driver: &str) -> (Sim, Home) {
    let redirect = format!("http://127.0.0.1:{}/back", port());
    let sim = Sim::start_with(Account::new(), &["--redirect", &redirect]);
    let home = Home::bare(&sim);
    fs::write(home.config(), format!("driver = \"{driver}\" # mine\n")).unwrap();
    (sim, home)
}

pub fn setup(sim: &Sim, home: &Home) -> Terminal {
    Terminal::run(home, &format!("setup --rehearsal {}", sim.site))
}

/// All right answers up to the review.
pub fn answers(terminal: &mut Terminal, sim: &Sim, who: &str) {
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

pub fn secrets_of(account: &Account) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.add("password", &account.password);
    scanner.add("api secret", &account.api_secret);
    scanner.add_seed("seed", &account.totp_seed);
    scanner
}

/// Neither the screen nor any file has a secret.
pub fn nothing_shows(account: &Account, home: &Home, shown: &str) {
    let scanner = secrets_of(account);
    let mut finds = scanner.search("the screen", shown.as_bytes());
    finds.extend(scanner.search_tree(home.dir.path()));
    assert!(finds.is_empty(), "{finds:#?}");
}

/// The code that a phone shows whose clock is off by so many seconds.
pub fn code_at(account: &Account, off_s: i64) -> String {
    #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(off_s);
    let seed = Seed::parse(&Secret::new(account.totp_seed.clone())).unwrap();
    seed.code(now).digits.expose().to_owned()
}

pub fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures")
}
