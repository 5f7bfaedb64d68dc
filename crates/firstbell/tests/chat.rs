//! A paired Telegram chat and the real daemon: who is obeyed, in what, and what becomes of everything else that reaches a bot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bot.rs"]
mod bot;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/pairing.rs"]
mod pairing;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::fs;

use bot::{Bad, Bot};
use daemon::{Daemon, configure_due, until};
use pairing::{Asking, OWNER, STRANGER, add_bot, canaries, nothing_shows, pair};
use serde_json::json;
use support::{Home, Sim};

/// A simulator at which a login is due, a home with a bot, and the bot.
fn stage(tables: &str) -> (Sim, Home, Bot) {
    let (sim, bot) = (Sim::start(), Bot::start());
    let home = Home::new(&sim);
    configure_due(&home, &sim, "", tables);
    add_bot(&home, &bot);
    (sim, home, bot)
}

fn paired() -> (Sim, Home, Bot) {
    let (sim, home, bot) = stage("");
    pair(&home, &bot);
    (sim, home, bot)
}

/// A bot with no account behind it that could log in.
fn unattended() -> (Sim, Home, Bot) {
    let (sim, bot) = (Sim::start(), Bot::start());
    let home = Home::new(&sim);
    add_bot(&home, &bot);
    (sim, home, bot)
}

#[test]
fn a_code_that_is_sent_in_a_private_chat_pairs_it() {
    let (sim, home, bot) = unattended();
    bot.says(OWNER, "/start");
    let asking = Asking::begin(&home);
    let code = asking.code.clone();
    bot.says(OWNER, &code.to_lowercase().replace('-', " "));
    let ended = asking.end();
    assert!(ended.code == 0 && ended.json()["channel"] == "phone", "{ended:?}");
    let told = bot.told(OWNER);
    assert!(told.len() == 1 && told[0].starts_with("This chat is paired with firstbell."), "{told:?}");
    nothing_shows(&canaries(&sim, &bot), &home, &bot, &[&ended.stderr, &ended.stdout]);
    // The code was good once: who sends it again is nobody.
    let again = Asking::begin(&home);
    bot.says(STRANGER, &code);
    bot.says(STRANGER, &again.code);
    let ended = again.end();
    assert!(ended.code == 0 && ended.stderr.contains("takes its place"), "{ended:?}");
    assert!(bot.told(OWNER)[1].contains("obeys another chat"), "{:?}", bot.told(OWNER));
    let forgotten = home.run(&["alerts", "pair", "phone", "--forget"]);
    assert!(forgotten.code == 0 && forgotten.stderr.contains("obeys nobody"), "{forgotten:?}");
    assert!(home.run(&["alerts", "pair", "phone", "--forget"]).stderr.contains("was not paired"));
    let first = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), first.replace("commands = true", "")).unwrap();
    let refused = home.run(&["alerts", "pair", "phone"]);
    assert!(refused.code == 2 && refused.stderr.contains("commands = true"), "{refused:?}");
}

#[test]
fn five_wrong_codes_and_a_group_end_a_pairing_and_nobody_hears_anything() {
    let (_sim, home, bot) = unattended();
    let mut asking = Asking::begin(&home);
    let wrong = if asking.code.starts_with('A') { "B" } else { "A" }.to_owned() + &asking.code[1..];
    for left in [4, 3, 2, 1] {
        bot.says(STRANGER, &wrong);
        asking.until(&format!("A wrong code came. {left} more"));
    }
    bot.says(STRANGER, &wrong);
    bot.says(OWNER, &asking.code);
    let ended = asking.end();
    assert!(ended.code == 5 && ended.stderr.contains("too many wrong codes"), "{ended:?}");
    assert_eq!((ended.json()["failure"].as_str(), bot.chats()), (Some("unpaired"), vec![]));

    let asking = Asking::begin(&home);
    let group = json!({ "chat": { "id": -100, "type": "supergroup" } });
    bot.says_with(OWNER, &asking.code, &group);
    let code = asking.code.clone();
    let ended = asking.end();
    assert!(ended.code == 5 && ended.stderr.contains("in a group"), "{ended:?}");
    // Spent: not even in a private chat does it pair any more.
    let next = Asking::begin(&home);
    bot.says(STRANGER, &code);
    bot.says(OWNER, &next.code);
    assert_eq!((next.end().code, bot.chats()), (0, vec![OWNER]));
}

#[test]
fn with_a_daemon_the_code_is_taken_by_it_and_there_is_one_reader() {
    let (_sim, home, bot) = stage("");
    let daemon = bot.read_by_daemon(&home);
    let asking = Asking::begin(&home);
    bot.says(OWNER, &asking.code);
    let ended = asking.end();
    assert_eq!(ended.code, 0, "{ended:?}");
    daemon.wait_log("chat -: phone: a chat was paired");
    assert!(bot.asks(OWNER, "/help").contains("/pause"));
    assert_eq!(bot.conflicts(), 0, "two of us read at one time");
    // One that is called off leaves no code behind.
    let asking = Asking::begin(&home);
    let code = asking.code.clone();
    asking.interrupt();
    assert_eq!(asking.end().code, 130);
    bot.says(STRANGER, &code);
    assert!(bot.asks(OWNER, "/help").contains("/pause"));
    assert!(bot.told(STRANGER).is_empty());
    assert_eq!(home.run(&["alerts", "pair", "phone", "--forget"]).code, 0);
    bot.says(OWNER, "/status");
    daemon.wait_log("dropped unread: a message of a chat that is not paired");
    assert_eq!(bot.told(OWNER).len(), 3);
}

#[test]
fn a_paired_chat_may_look_and_pause_and_no_more() {
    let (sim, home, bot) = paired();
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let status = bot.asks(OWNER, "/status");
    for words in ["main", "token      trusted, generation 1", "next"] {
        assert!(status.contains(words), "{status}");
    }
    assert!(!status.contains(&sim.account.user_id), "{status}");
    let next = bot.asks(OWNER, "/next");
    assert!(next.contains("all times are India's") && next.lines().count() >= 5, "{next}");
    let wrong = bot.asks(OWNER, "/pause nobody");
    assert!(wrong.contains("no such account. There are: main") && !wrong.contains("nobody"), "{wrong}");
    assert_eq!(home.status()["paused"], false);
    let paused = bot.asks(OWNER, "/Pause main");
    assert!(paused.contains("main: paused") && paused.contains("Only on the host"), "{paused}");
    let account = daemon.until_account("main", "paused", |account| account["paused"] == true);
    assert_eq!(account["served"], "yes");
    assert!(bot.asks(OWNER, "/pause").contains("was paused already"));
    let hint = bot.asks(OWNER, "/resume");
    assert!(hint.contains("/help"), "{hint}");
    for text in ["/unlock", "/login", "/token main", "/resume main", "resume"] {
        bot.says(OWNER, text);
    }
    assert!(bot.asks(OWNER, "/help").contains("firstbell resume"));
    assert_eq!(bot.told(OWNER).iter().filter(|told| **told == hint).count(), 1, "a hint a minute");
    assert_eq!(home.status()["paused"], true);
    let address = "https://example.org/?request_token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&status=success";
    assert!(bot.asks(OWNER, address).starts_with("No login is waiting."));
    assert_eq!(bot.deleted().len(), 1);
    let log = daemon.log();
    for line in [
        "asks: /status",
        "asks: /next",
        "asks: /pause",
        "event main: the owner wants no logins",
        "an address was pasted",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert_eq!(log.matches("event main: the owner wants").count(), 1);
    assert!(!log.contains("nobody") && !log.contains("aaaaaaaa"), "a person's words: {log}");
    assert_eq!((sim.passwords(), sim.codes()), (1, 1));
    // Nothing is done twice: resumed on the host, it stays so over a restart.
    assert_eq!(home.run(&["resume"]).code, 0);
    assert_eq!(daemon.end().0, 0);
    let daemon = Daemon::start(&home);
    assert!(bot.asks(OWNER, "/status").contains("main"));
    assert_eq!(daemon.account("main")["paused"], false);
    let mut scanner = canaries(&sim, &bot);
    scanner.add("access token", home.token().unwrap()["access_token"].as_str().unwrap());
    nothing_shows(&scanner, &home, &bot, &[&daemon.log(), &daemon.errors()]);
}

#[test]
fn of_several_accounts_all_are_shown_and_one_or_all_are_paused() {
    let second = "[account.second]\nuser_id = \"CD5678\"\napi_key = \"otherkey1234\"\nredirect_url = \"http://127.0.0.1:1/\"\n";
    let (_sim, home, bot) = stage(second);
    pair(&home, &bot);
    let daemon = Daemon::start(&home);
    daemon.account("second");
    let paused = |name: &str| daemon.account(name)["paused"] == true;
    let status = bot.asks(OWNER, "/status");
    assert!(status.starts_with("main\n") && status.contains("\n\nsecond\n"), "{status}");
    assert!(bot.asks(OWNER, "/next").contains("second (NSE"));
    assert!(!bot.asks(OWNER, "/pause second").contains("main"));
    daemon.until_account("second", "paused", |account| account["paused"] == true);
    assert!(!paused("main"));
    let all = bot.asks(OWNER, "/pause");
    assert!(all.contains("main: paused") && all.contains("second: was paused already"), "{all}");
    daemon.until_account("main", "paused", |account| account["paused"] == true);
}

/// What reaches a bot and is no command of the paired person's does nothing, and is not answered.
#[test]
fn whatever_else_reaches_the_bot_is_dropped() {
    let (_sim, home, bot) = paired();
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let marker = "words-of-a-stranger";
    for text in ["/status", "/pause", "/pause main", "/start", marker, "AAAA-AAAA-AAAA", "/help"] {
        bot.says(STRANGER, text);
    }
    let chat = |id: i64, kind: &str| json!({ "chat": { "id": id, "type": kind } });
    for other in [
        // The owner where others read and write too.
        chat(-100, "supergroup"),
        chat(-5, "group"),
        chat(OWNER, "group"),
        chat(OWNER, "channel"),
        // Somebody who says that he is in the owner's chat, and the owner in somebody's.
        json!({ "from": { "id": STRANGER, "is_bot": false } }),
        chat(STRANGER, "private"),
        json!({ "from": { "id": OWNER, "is_bot": true } }),
        json!({ "from": null }),
        json!({ "from": { "id": OWNER.to_string(), "is_bot": false } }),
        json!({ "forward_origin": { "type": "user" } }),
        json!({ "via_bot": { "id": 5 } }),
        json!({ "sender_chat": { "id": -100 } }),
        json!({ "edit_date": 1 }),
        json!({ "date": "now" }),
        json!({ "text": null, "caption": "/pause" }),
        json!({ "text": { "x": "/pause" } }),
    ] {
        bot.says_with(OWNER, "/pause", &other);
    }
    let message = json!({
        "message_id": 1, "date": i64::MAX, "text": "/pause",
        "chat": { "id": OWNER, "type": "private" }, "from": { "id": OWNER, "is_bot": false },
    });
    for kind in ["edited_message", "channel_post", "callback_query", "business_message", "x"] {
        bot.push(json!({ kind: message }));
    }
    for strange in [json!({}), json!({ "message": [] }), json!({ "message": message })] {
        bot.push(strange);
    }
    let texts = [
        format!("/pause {marker} ").repeat(3_000),
        format!("/pause{}", "\u{202e}\u{0}\u{1b}[2J\u{feff}".repeat(100)),
        "🙂".repeat(2_000),
        "/\u{440}ause".to_owned(),
    ];
    for text in &texts {
        bot.says(OWNER, text);
    }
    let before = bot.told(OWNER).len();
    bot.says(OWNER, "/status");
    until("an answer behind all that", || match bot.told(OWNER).last() {
        Some(told) if told.contains("generation 1") => Ok(()),
        _ => Err(format!("{}{}{:?}", daemon.log(), daemon.errors(), bot.polls().last())),
    });
    assert_eq!(bot.chats(), [OWNER], "a stranger was answered");
    // One hint, for what the owner himself wrote that is none.
    let told = bot.told(OWNER);
    assert_eq!(told.len(), before + 2, "{told:#?}");
    assert_eq!(daemon.account("main")["paused"], false);
    let log = daemon.log();
    assert!(!log.contains(marker) && !log.contains("\u{202e}") && !log.contains("AAAA"), "{log}");
    assert_eq!(log.matches("dropped unread").count(), 1, "{log}");
    assert_eq!(daemon.end().0, 0);
}

#[test]
fn what_was_said_long_ago_or_came_before_is_not_done() {
    let (_sim, home, bot) = paired();
    // A pause of yesterday, and of three minutes ago, wait for a daemon that was not there.
    let now = MachineNow::second();
    for ago_s in [86_400, 180, -180] {
        bot.says_with(OWNER, "/pause", &json!({ "date": now - ago_s }));
    }
    let daemon = Daemon::start(&home);
    bot.wait_told(OWNER, 1, "was more than two minutes old");
    daemon.wait_log("sent more than two minutes ago was dropped");
    assert!(bot.asks(OWNER, "/status").contains("main"));
    assert_eq!(daemon.account("main")["paused"], false, "{}", daemon.log());
    assert_eq!(bot.told(OWNER).iter().filter(|told| told.contains("two minutes")).count(), 1);
    // The same update once more, as a server may give it that lost its memory.
    assert!(bot.asks(OWNER, "/pause").contains("main: paused"));
    assert_eq!(home.run(&["resume"]).code, 0);
    let update = bot.last();
    bot.push(update);
    assert!(bot.asks(OWNER, "/help").contains("/next"));
    assert_eq!(home.status()["paused"], false, "{}", daemon.log());
    assert_eq!(
        bot.polls().iter().filter(|(_, body)| body["allowed_updates"] != json!(["message"])).count(),
        0
    );
}

/// The moment, as Telegram writes it.
struct MachineNow;

impl MachineNow {
    fn second() -> i64 {
        use firstbell::ports::Clock;
        firstbell::clock::MachineClock::start().now().as_second()
    }
}

#[test]
fn a_command_is_done_only_after_telegram_was_told_that_it_came() {
    let (_sim, home, bot) = paired();
    let mut daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let before = bot.polls().len();
    bot.goes_wrong_at_offset(Bad::Hang);
    bot.says(OWNER, "/pause");
    until("the call that confirms it", || {
        let polls = bot.polls();
        let confirms = polls[before..].iter().any(|(_, body)| body.get("offset").is_some());
        if confirms { Ok(()) } else { Err(format!("{polls:?}")) }
    });
    daemon.kill();
    assert_eq!(home.status()["paused"], false);
    // Whether it was confirmed is the server's word: nothing was done twice, and nothing was done unasked.
    let told = bot.told(OWNER).len();
    let daemon = Daemon::start(&home);
    bot.says(OWNER, "/help");
    bot.wait_told(OWNER, told, "/next");
    assert_eq!(daemon.account("main")["paused"], false);
}
