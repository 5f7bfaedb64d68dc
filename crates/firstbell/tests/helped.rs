//! The daemon asks a person to log in where it gets no further itself, or every morning, and does the rest.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/person.rs"]
mod person;
#[path = "support/provider.rs"]
mod provider;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/waiting.rs"]
mod waiting;

use std::cell::RefCell;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use daemon::{Daemon, configure_due, until};
use person::Person;
use provider::{Act, Provider};
use serde_json::Value;
use support::{Account, Home, Sim};
use waiting::{exchanges, follow, port};

/// A telephone: a webhook that keeps what it is sent.
struct Telephone {
    provider: Provider,
    shown: RefCell<Vec<Value>>,
}

impl Telephone {
    fn new() -> Telephone {
        let provider = Provider::start(Act::Say(204, String::new(), String::new()));
        Telephone { provider, shown: RefCell::default() }
    }

    fn channel(&self, home: &Home) -> String {
        let file = |what: &str, text: &str| {
            let path = home.dir.path().join(what);
            fs::write(&path, text).unwrap();
            support::private(&path);
            path.display().to_string()
        };
        let (address, key) =
            (file("address", &format!("{}/hook", self.provider.url)), file("key", "a key of both sides"));
        format!(
            "[alerts]\nself_test = false\n[channel.phone]\nkind = \"webhook\"\naddress = {{ file = '{address}' }}\nkey = {{ file = '{key}' }}\n"
        )
    }

    /// The first message with this in its title.
    fn reads(&self, daemon: &Daemon, title: &str) -> Value {
        until(title, || {
            let news = self.provider.asked();
            let mut shown = self.shown.borrow_mut();
            shown.extend(news.iter().filter(|asked| asked.path == "/hook").map(provider::Asked::json));
            let found = shown.iter().find(|message| message["title"].as_str().unwrap().contains(title));
            found.cloned().ok_or_else(|| format!("{shown:?}\n{}{}", daemon.log(), daemon.errors()))
        })
    }

    fn link(&self, daemon: &Daemon) -> String {
        let message = self.reads(daemon, "please log in");
        let body = message["body"].as_str().unwrap();
        body.split_whitespace().find(|word| word.contains("/connect/login?")).unwrap().to_owned()
    }
}

/// A simulator that sends browsers back to a free address of this machine, and a home with these secrets of the account.
fn stage(redirect: &str) -> (Sim, Home, Telephone) {
    let sim = Sim::start_with(Account::new(), &["--redirect", redirect]);
    sim.settings(&serde_json::json!({ "totp_reuse": true }));
    let home = Home::bare(&sim);
    (sim, home, Telephone::new())
}

fn loopback() -> (Sim, Home, Telephone) {
    stage(&format!("http://127.0.0.1:{}/back", port()))
}

/// An account that trades until late, so that a token is of use at nearly every hour of a test.
fn late(assisted: &str) -> String {
    format!("assisted = {assisted}\nexchanges = [\"nse\", \"mcx\"]")
}

fn store(home: &Home, name: &str, value: &str) {
    let stored = home.run_with(&["secrets", "set", name], value);
    assert_eq!(stored.code, 0, "{stored:?}");
}

/// A daemon whose password is refused, and which may ask a person.
fn refused() -> (Sim, Home, Telephone, Daemon) {
    let (sim, home, phone) = loopback();
    store(&home, "password", "not the password");
    store(&home, "totp_seed", &sim.account.totp_seed);
    store(&home, "api_secret", &sim.account.api_secret);
    configure_due(&home, &sim, &late("true"), &phone.channel(&home));
    let daemon = Daemon::start(&home);
    (sim, home, phone, daemon)
}

fn is_served(daemon: &Daemon) {
    daemon.until_account("main", "a token is served", |account| account["served"] == "yes");
}

#[test]
fn where_the_password_is_refused_a_person_s_tap_gives_the_token() {
    let (sim, home, phone, daemon) = refused();
    let link = phone.link(&daemon);
    let trouble = phone.reads(&daemon, "no token yet");
    assert!(trouble["body"].as_str().unwrap().contains("link to log in by"), "{trouble}");
    assert_eq!(sim.passwords(), 1, "the refused one, once");

    // Somebody sends a login of his own.
    let foreign =
        format!("{}?status=success&action=login&type=login&request_token={}", sim.redirect, "x".repeat(32));
    let (_, _, page) = follow(&foreign, None).unwrap();
    assert!(!page.contains("You can close this"), "{page}");
    let told = phone.reads(&daemon, "a foreign login token was rejected");
    assert_eq!(told["severity"], "critical");
    assert_eq!((exchanges(&sim), home.token().is_some()), (0, false));

    let back = Person::signed_in(&sim).back(&sim, &link);
    let (_, _, page) = follow(&back, None).unwrap();
    assert!(page.contains("You can close this"), "{page}\n{}", daemon.log());
    is_served(&daemon);
    assert_eq!((exchanges(&sim), sim.passwords()), (1, 2), "one of the person's own");
    phone.reads(&daemon, "over, the token is good");
    let log = daemon.log();
    let token = home.run(&["token"]).stdout;
    let secrets = [token.trim(), &sim.account.password, &sim.account.api_secret, &sim.account.totp_seed];
    assert!(
        secrets.iter().all(|secret| !log.contains(secret) && !format!("{:?}", phone.shown).contains(secret)),
        "{log}"
    );
    assert_eq!(daemon.end().0, 0);
}

#[test]
fn an_account_without_password_is_logged_in_by_a_person_every_morning() {
    let (sim, home, phone) = loopback();
    store(&home, "api_secret", &sim.account.api_secret);
    configure_due(&home, &sim, &late("\"only\""), &phone.channel(&home));
    let daemon = Daemon::start(&home);
    let link = phone.link(&daemon);
    assert_eq!((sim.passwords(), sim.codes()), (0, 0));
    let back = Person::signed_in(&sim).back(&sim, &link);
    follow(&back, None).unwrap();
    is_served(&daemon);
    let history = home.run(&["history"]);
    assert!(history.stdout.contains("a login began, with assisted"), "{history:?}");
    assert!(!history.stdout.contains("is about to be sent"), "the budget was touched: {history:?}");
    assert_eq!(daemon.end().0, 0);
}

/// While a person is waited for nothing else waits: what the owner mends is taken up at once, and the end is quick.
#[test]
fn who_waits_for_a_person_waits_for_nobody_else() {
    let (sim, home, phone, daemon) = refused();
    phone.link(&daemon);
    store(&home, "password", &sim.account.password);
    is_served(&daemon);
    assert_eq!((exchanges(&sim), sim.passwords()), (1, 2), "{}", daemon.log());
    assert!(
        std::net::TcpStream::connect(sim.redirect.trim_start_matches("http://").trim_end_matches("/back"))
            .is_err()
    );
    assert_eq!(daemon.end().0, 0);

    let (sim, home, phone) = loopback();
    store(&home, "api_secret", &sim.account.api_secret);
    configure_due(&home, &sim, &late("\"only\""), &phone.channel(&home));
    let daemon = Daemon::start(&home);
    phone.link(&daemon);
    let (code, took) = daemon.end();
    assert!(code == 0 && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_link_without_a_way_back_is_not_sent() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sim, home, phone) = stage(&format!("http://{}/back", other.local_addr().unwrap()));
    store(&home, "api_secret", &sim.account.api_secret);
    configure_due(&home, &sim, &late("\"only\""), &phone.channel(&home));
    let daemon = Daemon::start(&home);
    daemon.wait_log("a link to log in by did not get through: another program listens at");
    daemon.until_account("main", "the next link", |account| {
        account["next"]["step"] == "ask a person to log in"
    });
    assert!(phone.provider.asked().iter().all(|asked| asked.path != "/hook"));
    assert_eq!(daemon.end().0, 0);
}
