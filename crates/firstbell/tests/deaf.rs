//! Channels that are down, in the real daemon: a person is told through what remains, in the owner's order, and once that it is
//! over; and where all of them fail, no secret is in anything that is said about it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/provider.rs"]
mod provider;
#[path = "support/scanner.rs"]
mod scanner;
mod support;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use daemon::{Daemon, configure_due, now, until};
use firstbell_core::secret::Secret;
use provider::{Act, Provider};
use scanner::Scanner;
use serde_json::Value;
use support::{Home, Sim, marker};

/// A webhook of one order, and all that it was sent.
struct Far {
    name: String,
    order: u8,
    provider: Provider,
    heard: RefCell<Vec<Value>>,
}

impl Far {
    fn new((name, order, act): (&str, u8, Act)) -> Far {
        Far { name: name.into(), order, provider: Provider::start(act), heard: RefCell::default() }
    }

    fn lines(&self, home: &Home) -> String {
        let stores = firstbell::stores::open(&home.state()).unwrap();
        let owner = format!("channel-{}", self.name);
        let keep =
            |name: &str, value: String| stores.vault().keep(&owner, name, &Secret::new(value)).unwrap();
        keep("address", format!("{}/hook", self.provider.url));
        keep("key", "a key that both sides know".into());
        format!("[channel.{}]\nkind = \"webhook\"\norder = {}\n", self.name, self.order)
    }

    /// Titles and ends of all messages so far; the look before a login says nothing.
    fn heard(&self) -> Vec<(String, bool)> {
        let news = self.provider.asked();
        let mut heard = self.heard.borrow_mut();
        heard.extend(news.iter().filter(|asked| asked.path == "/hook").map(provider::Asked::json));
        let told = heard.iter().map(|m| (m["title"].as_str().unwrap().to_owned(), m["over"] == true));
        told.collect()
    }

    fn hears(&self, over: bool, daemon: &Daemon) {
        until(&format!("{} hears, over: {over}", self.name), || {
            let heard = self.heard();
            let found = heard.iter().any(|(_, o)| *o == over);
            if found { Ok(()) } else { Err(format!("{heard:?}\n{}{}", daemon.log(), daemon.errors())) }
        });
    }
}

fn good() -> Act {
    Act::Say(204, String::new(), String::new())
}

fn ill() -> Act {
    Act::Say(503, String::new(), String::new())
}

fn patient() -> Act {
    Act::Say(429, "retry-after: 600\r\n".into(), String::new())
}

/// A morning that fails for a wrong password, and is well again when the owner stores the right one.
struct Failing {
    home: Home,
    sim: Sim,
    daemon: Daemon,
    began: Instant,
}

impl Failing {
    fn begin(fars: &[Far]) -> Failing {
        let sim = Sim::start();
        sim.settings(&serde_json::json!({ "totp_reuse": true }));
        let home = Home::new(&sim);
        assert_eq!(home.run_with(&["secrets", "set", "password"], "not the password").code, 0);
        let channels: String = fars.iter().map(|far| far.lines(&home)).collect();
        configure_due(
            &home,
            &sim,
            "",
            &format!("[alerts]\nunconfirmed_s = 10\nself_test = false\n{channels}"),
        );
        let daemon = Daemon::start(&home);
        Failing { home, sim, daemon, began: now() }
    }

    fn mend(&self) {
        let password = &self.sim.account.password;
        assert_eq!(self.home.run_with(&["secrets", "set", "password"], password).code, 0);
        self.daemon.until_account("main", "it is mended", |account| account["served"] == "yes");
    }

    fn end(self) -> String {
        let log = self.daemon.log();
        assert_eq!(self.daemon.end().0, 0);
        log
    }
}

fn meet(fars: &[(&str, u8, Act)], hears: &[&str]) {
    let fars: Vec<Far> = fars.iter().cloned().map(Far::new).collect();
    let morning = Failing::begin(&fars);
    let chosen = || fars.iter().filter(|far| hears.contains(&far.name.as_str()));
    chosen().for_each(|far| far.hears(false, &morning.daemon));
    assert!(morning.began.elapsed() < Duration::from_secs(60), "it took {:?}", morning.began.elapsed());
    morning.mend();
    chosen().for_each(|far| far.hears(true, &morning.daemon));
    let log = morning.end();
    for far in &fars {
        let heard = far.heard();
        let (over, trouble): (Vec<_>, Vec<_>) = heard.iter().partition(|(_, over)| *over);
        // One that fails may be asked again, and is never told that what it never took is over.
        let fails = !hears.contains(&far.name.as_str());
        assert!(fails || (trouble.len() == 1 && over.len() == 1), "{}: {heard:?}\n{log}", far.name);
        assert!(!fails || (over.is_empty() && trouble.len() <= 4), "{}: {heard:?}\n{log}", far.name);
    }
}

#[test]
fn the_one_that_remains_is_told_whatever_the_others_do() {
    std::thread::scope(|scope| {
        scope.spawn(|| meet(&[("a", 1, ill()), ("b", 1, Act::Hang), ("c", 1, good())], &["c"]));
        scope.spawn(|| meet(&[("a", 1, Act::CutAfter), ("b", 2, patient()), ("c", 3, good())], &["c"]));
        scope.spawn(|| meet(&[("a", 1, Act::Hang), ("b", 2, Act::Hang), ("c", 3, good())], &["c"]));
        scope.spawn(|| meet(&[("a", 2, good()), ("b", 1, ill()), ("c", 1, Act::CutBefore)], &["a"]));
    });
}

/// Nobody can prove that a webhook's message was read: after ten seconds the next order hears of it too, and not before.
#[test]
fn what_stays_unproven_goes_to_the_next_order_in_its_time() {
    let fars = [("a", 1, good()), ("b", 1, good()), ("late", 9, good())].map(Far::new);
    let morning = Failing::begin(&fars);
    fars[0].hears(false, &morning.daemon);
    fars[1].hears(false, &morning.daemon);
    let heard = now();
    fars[2].hears(false, &morning.daemon);
    assert!(heard.elapsed() > Duration::from_secs(8), "{:?}: {}", heard.elapsed(), morning.daemon.log());
    morning.mend();
    fars.iter().for_each(|far| far.hears(true, &morning.daemon));
    let log = morning.end();
    assert!(fars.iter().all(|far| far.heard().len() == 2), "{log}");
}

/// What cannot be written down is no event; a person hears of it all the same, and once.
#[test]
fn a_history_that_cannot_be_written_is_told() {
    let far = Far::new(("a", 1, good()));
    let (sim, home) = {
        let sim = Sim::start();
        let home = Home::new(&sim);
        (sim, home)
    };
    let lines = far.lines(&home);
    let late = "exchanges = [\"nse\", \"mcx\"]";
    configure_due(&home, &sim, late, &format!("[alerts]\nself_test = false\n{lines}"));
    home.prepend("mark = \"/dev/null/nowhere\"");
    let daemon = Daemon::start(&home);
    far.hears(false, &daemon);
    assert_eq!(far.heard()[0].0, "main: firstbell cannot work", "{}", daemon.log());
    daemon.wait_log("the mark /dev/null/nowhere");
    assert_eq!((far.heard().len(), sim.passwords()), (1, 0), "{}", daemon.log());
    assert_eq!(daemon.end().0, 0);
}

#[test]
fn where_every_channel_fails_nothing_secret_is_said() {
    let (echo, cut) = (Provider::start(Act::Echo(403)), Provider::start(Act::CutAfter));
    let sim = Sim::start();
    let home = Home::new(&sim);
    assert_eq!(home.run_with(&["secrets", "set", "password"], "not the password").code, 0);
    let (mut scanner, mut text, mut names) =
        (Scanner::default(), String::from("[alerts]\nself_test = false\n"), Vec::new());
    {
        let stores = firstbell::stores::open(&home.state()).unwrap();
        for (way, url) in [("echo", &echo.url), ("cut", &cut.url)] {
            let mut add = |kind: &str, lines: String, secrets: &[(&str, String)]| {
                let name = format!("{way}-{kind}");
                text += &format!("[channel.{name}]\nkind = \"{kind}\"\n{lines}\n");
                for (key, prefix) in secrets {
                    let value = marker(33);
                    scanner.add(&format!("{name}.{key}"), &value);
                    let secret = Secret::new(format!("{prefix}{value}"));
                    stores.vault().keep(&format!("channel-{name}"), key, &secret).unwrap();
                }
                names.push(name);
            };
            let (address, server) = (format!("{url}/x/"), format!("server = \"{url}\""));
            add("telegram", format!("chat_id = \"1\"\n{server}"), &[("token", "1:".into())]);
            add("slack", String::new(), &[("address", address.clone())]);
            add("discord", String::new(), &[("address", address.clone())]);
            add(
                "ntfy",
                "token = { vault = true }".into(),
                &[("address", address.clone()), ("token", String::new())],
            );
            add("webhook", String::new(), &[("address", address), ("key", "whsec_".into())]);
            add(
                "msg91",
                format!("template_id = \"1\"\nto = [\"919812345678\"]\n{server}"),
                &[("authkey", String::new())],
            );
            let sid =
                "account_sid = \"AC0123456789abcdef0123456789abcdef\"\nfrom = \"+1\"\nto = \"+919812345678\"";
            add("twilio", format!("{sid}\n{server}"), &[("auth_token", String::new())]);
            let gateway = format!(
                "address = \"{url}/s?k={{k}}\"\nbody = '{{\"k\":\"{{k}}\"}}'\nsecrets = {{ k = {{ vault = true }} }}"
            );
            add("http", gateway, &[("k", String::new())]);
            let port = url.rsplit(':').next().unwrap();
            let mail = format!(
                "host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"u\"\nfrom = \"a@b.example\"\nto = [\"a@b.example\"]"
            );
            add("email", mail, &[("password", String::new())]);
            add("command", "command = [\"/bin/false\"]".into(), &[]);
        }
    }
    configure_due(&home, &sim, "", &text);
    let mut command = home.command(&["run"]);
    command.env("FIRSTBELL_LOG", "trace");
    let daemon = Daemon::spawn(&home, command, "log");
    for name in &names {
        daemon.wait_log(&format!("the channel {name} did not take a message"));
    }
    assert!(!daemon.log().contains("a warning was said"), "nobody heard it: {}", daemon.log());
    let history = home.run(&["history"]);
    let all = format!("{}{}{history:?}{:?}", daemon.log(), daemon.errors(), home.run(&["status"]));
    assert_eq!(daemon.end().0, 0);
    scanner.add("api secret", &sim.account.api_secret);
    scanner.add_seed("seed", &sim.account.totp_seed);
    let finds = scanner.search("all that was said", all.as_bytes());
    assert!(finds.is_empty(), "{finds:?}");
}
