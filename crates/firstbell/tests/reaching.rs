//! The ways to the owner as a first run sets them up: asked for, paired, and tried with a real message.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bot.rs"]
mod bot;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/newcomer.rs"]
mod newcomer;
#[path = "support/person.rs"]
mod person;
#[path = "support/provider.rs"]
mod provider;
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

use bot::Bot;
use newcomer::{CHANNEL, REVIEW};
use provider::{Act, Provider};
use support::{Home, Sim};
use terminal::Terminal;

/// Up to the question of channels, with the secrets in the vault already.
fn at_channels(more: &str) -> (Sim, Home) {
    let sim = Sim::start();
    let home = Home::bare(&sim);
    home.configure(&sim, &format!("assisted = \"only\"\n{more}"));
    let stored = home.run_with(&["secrets", "set", "api_secret"], &sim.account.api_secret);
    assert_eq!(stored.code, 0, "{stored:?}");
    (sim, home)
}

#[test]
fn a_topic_is_tried_with_a_real_message() {
    let provider = Provider::start(Act::Say(200, String::new(), "{\"id\":\"x\"}".into()));
    let (_sim, home) = at_channels("");
    let topic = format!("topic-{}", support::marker(24));
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers(CHANNEL, "4");
    terminal.next("Type 1, 2 or 3");
    terminal.answers(CHANNEL, "3");
    terminal.answers("The topic's address (not shown): ", &format!("{}/{topic}", provider.url));
    terminal.next("ntfy (ntfy)");
    terminal.next("accepted in");
    terminal.next(REVIEW);
    terminal.presses(3);
    let shown = terminal.end();
    assert!(provider.only().body.contains("Nothing is wrong"), "{shown}");
    assert!(!shown.contains(&topic), "{shown}");
    assert!(fs::read_to_string(home.config()).unwrap().contains("[channel.ntfy]\nkind = \"ntfy\"\n"));
}

/// The number of the chat comes from the pairing: nobody has to find it out.
#[test]
fn a_bot_is_paired_and_its_chat_written_down() {
    const OWNER: i64 = 7_000_000_001;
    let bot = Bot::start();
    // As a run leaves it that was left at the token.
    let begun = bot.table("phone").replace("chat_id = \"1\"", "chat_id = \"0\"");
    let (_sim, home) = at_channels(&begun);
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers("The bot's token (not shown): ", &bot.token);
    terminal.next("Send this code to the bot of channel phone");
    let is_code = |word: &&str| word.len() == 14 && word.split('-').all(|group| group.len() == 4);
    terminal.next("minutes:\r\n\r\n  ");
    let code = loop {
        let line = terminal.next("\r\n");
        if let Some(code) = line.split_whitespace().find(is_code) {
            break code.to_owned();
        }
    };
    bot.says(OWNER, &code);
    terminal.next("phone (telegram)");
    terminal.next("accepted in");
    terminal.next(REVIEW);
    terminal.presses(3);
    let shown = terminal.end();
    assert!(bot.told(OWNER).iter().any(|text| text.contains("a test message")), "{shown}");
    assert!(!shown.contains(&bot.token), "{shown}");
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.contains(&format!("chat_id = \"{OWNER}\"")), "{config}");
    assert!(config.contains(&format!("server = \"{}\"", bot.url)), "{config}");
}

#[test]
fn a_mail_server_that_does_not_answer_is_told_and_the_run_goes_on() {
    let (_sim, home) = at_channels("");
    let mut terminal = Terminal::run(&home, "setup");
    terminal.answers(CHANNEL, "2");
    terminal.answers("Your e-mail address: ", "me");
    terminal.next("looks like me@example.com");
    terminal.answers("Your e-mail address: ", "me@example.com");
    terminal.answers("Its server for sending", "https://127.0.0.1");
    terminal.next("no address with //");
    terminal.answers("Its server for sending", "127.0.0.1");
    terminal.answers("The mailbox's password (not shown): ", "not-shown-anywhere");
    terminal.next("mail (email)");
    terminal.next("The channel stays in the configuration");
    terminal.next(REVIEW);
    terminal.presses(3);
    let shown = terminal.end();
    assert!(shown.contains("What to do:") && !shown.contains("not-shown-anywhere"), "{shown}");
}
