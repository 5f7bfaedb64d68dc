//! A login that a person makes on the phone: the link in the paired chat, the address pasted there, and whatever else is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bot.rs"]
mod bot;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/pairing.rs"]
mod pairing;
#[path = "support/person.rs"]
mod person;
#[path = "support/scanner.rs"]
mod scanner;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/waiting.rs"]
mod waiting;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use bot::Bot;
use daemon::{Daemon, now};
use pairing::{OWNER, STRANGER, add_bot, canaries, nothing_shows, pair};
use person::{Person, Window};
use rustix::process::Signal;
use scanner::Scanner;
use serde_json::json;
use support::{Home, Sim};
use waiting::{Waiting, exchanges, generation, stage};

/// A registered address at which nothing of this machine is.
const ELSEWHERE: &str = "https://example.org/back";

fn phone(redirect: &str) -> (Sim, Home, Bot) {
    let (sim, home) = stage(redirect);
    let bot = Bot::start();
    add_bot(&home, &bot);
    pair(&home, &bot);
    (sim, home, bot)
}

/// Begins a login, and finds its link in the chat.
fn begin(home: &Home, bot: &Bot) -> Waiting {
    let before = bot.told(OWNER).len();
    let waiting = Waiting::begin(home, &[]);
    let told = bot.wait_told(OWNER, before, "/connect/login?");
    assert!(told.lines().any(|line| line == waiting.link), "{told}\nhas not {}", waiting.link);
    waiting
}

fn add_tokens(scanner: &mut Scanner, home: &Home, addresses: &[&str]) {
    scanner.add("access token", home.token().unwrap()["access_token"].as_str().unwrap());
    for address in addresses {
        let url = url::Url::parse(address).unwrap();
        let token = url.query_pairs().find(|(name, _)| name == "request_token").unwrap().1.into_owned();
        scanner.add("request token", &token);
    }
}

/// What the bot was told by us has no secret; what a person pastes there goes the other way.
#[test]
fn one_tap_on_the_phone_and_the_address_pasted_there() {
    let (sim, home, bot) = phone(ELSEWHERE);
    let waiting = begin(&home, &bot);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    // Whoever else has it can do nothing with it here.
    bot.says(STRANGER, &back);
    let before = bot.told(OWNER).len();
    let message = bot.says(OWNER, &format!("Kite\n{back}"));
    assert_eq!(bot.wait_told(OWNER, before, ""), "Accepted: main has a proven token.");
    let ended = waiting.end();
    assert!(ended.code == 0 && ended.json()["generation"] == 1, "{ended:?}");
    assert!(ended.stderr.contains("The link is in the paired chat phone too."), "{ended:?}");
    assert_eq!((generation(&home), exchanges(&sim)), (1, 1));
    assert_eq!((bot.deleted(), bot.chats()), (vec![(OWNER, message)], vec![OWNER]));
    let mut scanner = canaries(&sim, &bot);
    add_tokens(&mut scanner, &home, &[&back]);
    nothing_shows(&scanner, &home, &bot, &[&ended.stderr, &ended.stdout]);
}

#[test]
fn a_person_in_a_real_browser_copies_the_address_bar() {
    // Somebody else's program is at the registered address, and shows whatever it likes.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, home, bot) = phone(&format!("http://{}/back", other.local_addr().unwrap()));
    std::thread::spawn(move || {
        for mut stream in other.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 404 X\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnone");
        }
    });
    let (waiting, window) = (begin(&home, &bot), Window::open());
    window.log_in(&waiting.link, &sim.account);
    let address = window.arrives_at(&sim.redirect);
    assert_eq!(bot.asks(OWNER, &address), "Accepted: main has a proven token.");
    let ended = waiting.end();
    assert!(ended.code == 0 && generation(&home) == 1, "{ended:?}");
}

#[test]
fn foreign_tokens_in_the_chat_are_dropped_and_told_and_the_old_token_is_kept() {
    let (sim, home, bot) = phone(ELSEWHERE);
    let mut person = Person::signed_in(&sim);
    let first = begin(&home, &bot);
    assert!(bot.asks(OWNER, &person.back(&sim, &first.link)).starts_with("Accepted"));
    assert_eq!(first.end().code, 0);
    let old = home.token().unwrap();
    let plain = format!("{}/connect/login?v=3&api_key={}", sim.site, sim.account.api_key);
    let foreign = person.back(&sim, &plain);
    let mut waiting = begin(&home, &bot);
    let nonce = waiting.nonce();
    let deleted = bot.deleted().len();
    let forms = [
        (foreign.clone(), "it belongs to no login"),
        (format!("{foreign}&state={}", "0".repeat(32)), "it belongs to another login"),
        (format!("{foreign}&state={nonce}&state={nonce}"), "it has state twice"),
        (format!("{}&state={nonce}", foreign.replace("=success", "=error")), "with status \"error\""),
        (format!("{}&state={nonce}", foreign.replace("/back?", "/other?")), "its path differs"),
        (format!("{}&state={nonce}", foreign.replace("example.org", "evil.example")), "goes to"),
        (format!("{foreign}&x={}", "x".repeat(5_000)), "too long"),
    ];
    let count = forms.len();
    for (address, why) in forms {
        let answer = bot.asks(OWNER, &address);
        assert!(answer.starts_with("Rejected, and dropped.") && answer.contains(why), "{why}: {answer}");
        if why != "too long" {
            waiting.until("Someone sent a foreign login token. It was rejected.");
        }
        assert_eq!((home.token().unwrap(), exchanges(&sim)), (old.clone(), 1), "{why}");
    }
    assert_eq!(bot.deleted().len(), deleted + count, "a token stays in no chat, whosever it is");
    let good = person.back(&sim, &waiting.link);
    bot.keep_messages();
    let answer = bot.asks(OWNER, &good);
    assert!(answer.starts_with("Accepted: main") && answer.contains("delete it yourself"), "{answer}");
    let ended = waiting.end();
    assert_eq!((ended.code, generation(&home), exchanges(&sim)), (0, 2, 2), "{ended:?}");
    let mut scanner = canaries(&sim, &bot);
    add_tokens(&mut scanner, &home, &[&good, &foreign]);
    nothing_shows(&scanner, &home, &bot, &[&ended.stderr, &ended.stdout]);
}

#[test]
fn a_login_of_another_user_is_rejected_in_the_chat_and_another_link_is_given_there() {
    let (sim, home, bot) = phone(ELSEWHERE);
    let mut waiting = begin(&home, &bot);
    let mut person = Person::signed_in(&sim);
    sim.fault(&json!({ "at": "exchange", "do": "other-user" }));
    let before = bot.told(OWNER).len();
    bot.says(OWNER, &person.back(&sim, &waiting.link));
    bot.wait_told(OWNER, before, "Rejected, and dropped. main: ");
    waiting.next_link();
    bot.wait_told(OWNER, 2, &waiting.link);
    sim.no_faults();
    let before = bot.told(OWNER).len();
    bot.says(OWNER, &person.back(&sim, &waiting.link));
    bot.wait_told(OWNER, before, "Accepted: main");
    assert_eq!((waiting.end().code, generation(&home)), (0, 1));
}

#[test]
fn while_the_daemon_has_the_chat_a_login_by_hand_says_so() {
    let (sim, home, bot) = phone(ELSEWHERE);
    let daemon = bot.read_by_daemon(&home);
    // By then the reading that the pairing left behind has ended, with a conflict that nobody hears.
    assert!(bot.asks(OWNER, "/help").contains("/pause"));
    let (before, conflicts) = (bot.told(OWNER).len(), bot.conflicts());
    let mut waiting = Waiting::begin(&home, &[]);
    assert!(waiting.said.contains("the chat phone is with the running firstbell"), "{}", waiting.said);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    assert!(bot.asks(OWNER, &back).starts_with("No login is waiting."));
    assert_eq!((bot.told(OWNER).len(), exchanges(&sim), bot.conflicts()), (before + 1, 0, conflicts));
    waiting.paste(&back);
    assert_eq!(waiting.end().code, 0);
    daemon.wait_log("an address was pasted. No login is waiting.");
    assert!(!daemon.log().contains("request_token"), "{}", daemon.log());
}

/// The daemon asks by itself, where it gets no further or never logs in: the link comes into the chat, the address goes back there.
#[test]
fn the_daemon_s_own_link_comes_to_the_phone_and_the_address_goes_back_there() {
    let (sim, home, bot) = phone(ELSEWHERE);
    let text = fs::read_to_string(home.config()).unwrap();
    let asks = "assisted = \"only\"\nexchanges = [\"nse\", \"mcx\"]\nuser_id";
    fs::write(home.config(), text.replacen("user_id", asks, 1)).unwrap();
    daemon::due(&home);
    let daemon = Daemon::start(&home);
    let message = bot.wait_told(OWNER, 0, "/connect/login?");
    let link = message.split_whitespace().find(|word| word.contains("/connect/login?")).unwrap();
    let foreign =
        format!("{ELSEWHERE}?status=success&action=login&type=login&request_token={}", "x".repeat(32));
    assert!(bot.asks(OWNER, &foreign).starts_with("Rejected"), "{}", daemon.log());
    assert_eq!(exchanges(&sim), 0);
    let back = Person::signed_in(&sim).back(&sim, link);
    assert_eq!(bot.asks(OWNER, &back), "Accepted: main has a proven token.");
    daemon.until_account("main", "it is served", |account| account["served"] == "yes");
    assert_eq!((exchanges(&sim), generation(&home)), (1, 1));
    assert_eq!(daemon.end().0, 0);
}

/// The chat's long wait for news keeps nobody.
#[test]
fn a_login_that_nobody_came_to_or_that_was_called_off_ends_at_once() {
    let (_sim, home, bot) = phone(ELSEWHERE);
    let began = now();
    let ended = Waiting::begin(&home, &["--wait-s", "1"]).end();
    assert_eq!((ended.code, &ended.json()["failure"]), (6, &json!("nobody-came")), "{ended:?}");
    let waiting = begin(&home, &bot);
    waiting.signal(Signal::INT);
    assert_eq!(waiting.end().code, 130);
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

/// A home without a paired chat asks nothing of a bot, and neither does one whose bot takes no commands.
#[test]
fn without_a_pair_the_chat_has_no_part_in_a_login() {
    let (sim, home) = stage(ELSEWHERE);
    let bot = Bot::start();
    add_bot(&home, &bot);
    let mut waiting = Waiting::begin(&home, &[]);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    bot.says(OWNER, &back);
    waiting.paste(&back);
    assert_eq!(waiting.end().code, 0);
    assert!(bot.polls().is_empty() && bot.raw().is_empty());
}
