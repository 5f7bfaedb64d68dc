//! The reading of a bot's messages by the real daemon: a Bot API that is ill, and a second reader, which is told elsewhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/bot.rs"]
mod bot;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/pairing.rs"]
mod pairing;
#[path = "support/provider.rs"]
mod provider;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::time::Duration;

use bot::{Bad, Bot};
use daemon::{Daemon, configure_due, until};
use pairing::{OWNER, add_bot, canaries, nothing_shows, pair};
use provider::{Act, Provider};
use serde_json::{Value, json};
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

/// A second reader is told on the other channels, once; the second daemon does not tell it again.
fn a_second_reader(webhook: bool) {
    let hook = Provider::start(Act::Say(200, String::new(), "ok".into()));
    let (sim, home, bot) = stage("[channel.hook]\nkind = \"slack\"\nseverity = \"critical\"\n");
    let address = format!("{}/s", hook.url);
    assert_eq!(home.run_with(&["secrets", "set", "--channel", "hook", "address"], &address).code, 0);
    pair(&home, &bot);
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let thief = (!webhook).then(|| bot.thief());
    bot.set_webhook(webhook);
    daemon.wait_log("that was told through hook");
    let alarm = hook.only().json();
    let alarm = alarm["text"].as_str().unwrap();
    for words in
        ["channel phone: somebody else reads this bot's messages", "@BotFather", "--channel phone token"]
    {
        assert!(alarm.contains(words), "{words}: {alarm}");
    }
    assert_eq!(alarm.contains("webhook"), webhook, "{alarm}");
    assert_eq!(daemon.end().0, 0);
    let (daemon, before) = (Daemon::start(&home), bot.conflicts());
    // Of two who read all the time each ends the other's reading.
    let enough = if webhook { 2 } else { 5 };
    until("further conflicts", || match bot.conflicts() {
        now if now >= before + enough => Ok(()),
        now => Err(format!("{now} after {before}")),
    });
    assert!(hook.asked().is_empty(), "it was told twice");
    drop(thief);
    bot.set_webhook(false);
    assert!(bot.asks(OWNER, "/status").contains("main"), "it does not go on");
    assert!(!bot.told(1).iter().any(|told| told.contains("somebody else")), "told where it was stolen");
    nothing_shows(&canaries(&sim, &bot), &home, &bot, &[&daemon.log(), &daemon.errors(), alarm]);
}

#[test]
fn another_program_that_reads_the_bot_is_told_on_the_other_channels_once() {
    a_second_reader(false);
}

#[test]
fn a_webhook_of_the_bot_is_told_on_the_other_channels_once() {
    a_second_reader(true);
}

#[test]
fn one_conflict_is_no_alarm() {
    let hook = Provider::start(Act::Say(200, String::new(), "ok".into()));
    let (_sim, home, bot) = stage("[channel.hook]\nkind = \"slack\"\nseverity = \"critical\"\n");
    home.run_with(&["secrets", "set", "--channel", "hook", "address"], &format!("{}/s", hook.url));
    pair(&home, &bot);
    let daemon = bot.read_by_daemon(&home);
    let description =
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    bot.goes_wrong(&[Bad::Say(409, json!({ "ok": false, "description": description }).to_string())]);
    daemon.wait_log("another reader ended our reading (409)");
    assert!(bot.asks(OWNER, "/status").contains("main"));
    assert!(hook.asked().is_empty());
}

#[test]
fn a_bot_api_that_is_ill_is_borne() {
    let (sim, home, bot) = paired();
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    let say = |status: u16, body: Value| Bad::Say(status, body.to_string());
    let slow = json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 3 } });
    for (bad, said) in [
        (say(401, json!({ "ok": false, "description": "Unauthorized" })), "refused us (HTTP 401)"),
        (say(500, json!("x")), "is not well (HTTP 500)"),
        (Bad::Garbage, "did not answer"),
        (say(200, json!({ "ok": true, "result": "x".repeat(600_000) })), "broke off or is too large"),
        (say(200, json!({ "ok": true, "result": {} })), "an answer that is none of its own"),
        (say(200, json!({ "ok": false })), "an answer that is none of its own"),
        (Bad::Say(200, "<html>log in first</html>".into()), "an answer that is none of its own"),
        (say(429, slow), "wants fewer messages (HTTP 429)"),
    ] {
        let lines = daemon.log().matches(said).count();
        bot.goes_wrong(std::slice::from_ref(&bad));
        until(said, || if daemon.log().matches(said).count() > lines { Ok(()) } else { Err(daemon.log()) });
        assert!(bot.asks(OWNER, "/status").contains("main"), "{bad:?}");
    }
    let polls = bot.polls();
    let limited = bot.bad_at();
    let next = polls.iter().find(|(at, _)| *at > limited).unwrap().0;
    assert!(next.duration_since(limited) >= Duration::from_secs(3), "retry_after was not obeyed");
    assert!(polls.iter().all(|(_, body)| body["limit"].as_u64().unwrap() <= 10));
    nothing_shows(&canaries(&sim, &bot), &home, &bot, &[&daemon.log(), &daemon.errors()]);
}
