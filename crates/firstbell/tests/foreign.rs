//! Request tokens of somebody else, sent to a firstbell that waits for a person: dropped in every form, told, and the old token kept.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/person.rs"]
mod person;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "support/waiting.rs"]
mod waiting;

use person::Person;
use rustix::process::Signal;
use serde_json::json;
use support::{Home, Sim};
use waiting::{Waiting, exchanges, follow, generation, loopback};

/// An old token, a firstbell that waits for the next one, and a request token that is good but of another login.
struct Attack {
    sim: Sim,
    home: Home,
    person: Person,
    waiting: Waiting,
    foreign: String,
}

impl Attack {
    fn begin() -> Attack {
        let (sim, home) = loopback();
        let mut person = Person::signed_in(&sim);
        let first = Waiting::begin(&home, &[]);
        follow(&person.back(&sim, &first.link), None);
        assert_eq!(first.end().code, 0);
        let plain = format!("{}/connect/login?v=3&api_key={}", sim.site, sim.account.api_key);
        let foreign = person.back(&sim, &plain);
        let waiting = Waiting::begin(&home, &[]);
        Attack { sim, home, person, waiting, foreign }
    }

    /// The old token is served, it is the only one that was exchanged, and the login that is waited for still gets through.
    fn ends_well(mut self) {
        assert_eq!((generation(&self.home), exchanges(&self.sim)), (1, 1));
        let good = self.person.back(&self.sim, &self.waiting.link);
        assert_eq!(follow(&good, None).unwrap().0, 200);
        let ended = self.waiting.end();
        assert_eq!((ended.code, generation(&self.home), exchanges(&self.sim)), (0, 2, 2), "{ended:?}");
    }
}

#[test]
fn foreign_request_tokens_are_dropped_and_told_and_the_old_token_is_kept() {
    let mut attack = Attack::begin();
    let (foreign, nonce) = (attack.foreign.clone(), attack.waiting.nonce());
    let forms = [
        (foreign.clone(), None, "it belongs to no login"),
        (format!("{foreign}&state={}", "0".repeat(32)), None, "it belongs to another login"),
        (format!("{foreign}&state={nonce}&state={nonce}"), None, "it has state twice"),
        (
            format!("{foreign}&request_token={}&state={nonce}", "a".repeat(32)),
            None,
            "it has request_token twice",
        ),
        (format!("{}&state={nonce}", foreign.replace("=success", "=error")), None, "with status \"error\""),
        (format!("{}&state={nonce}", foreign.replace("/back?", "/other?")), None, "its path differs"),
        (format!("{foreign}&state={nonce}"), Some("evil.example"), "it goes to http://another-name.invalid"),
        (format!("{foreign}&state={nonce}"), Some("127.0.0.1:1"), "it goes to http://another-name.invalid"),
    ];
    for (address, host, why) in forms {
        let (status, _, page) = follow(&address, host).unwrap();
        assert!(status == 403 && page.contains("not accepted"), "{why}: {status} {page}");
        let said = attack.waiting.until("Someone sent a foreign login token. It was rejected.");
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!((generation(&attack.home), exchanges(&attack.sim)), (1, 1), "{why}");
    }
    assert!(!attack.waiting.said.contains("evil"), "a stranger's word: {}", attack.waiting.said);
    attack.ends_well();
}

#[test]
fn pasted_foreign_tokens_are_dropped_too() {
    let mut attack = Attack::begin();
    let foreign = attack.foreign.clone();
    for (address, says) in [
        (foreign.as_str(), "Someone sent a foreign login token. It was rejected."),
        ("what is this", "without a token, and was dropped"),
    ] {
        attack.waiting.paste(address);
        attack.waiting.until(says);
    }
    attack.ends_well();
}

#[test]
fn a_used_token_is_dropped_while_it_is_exchanged_and_after() {
    let (sim, home) = loopback();
    let mut waiting = Waiting::begin(&home, &[]);
    let back = Person::signed_in(&sim).back(&sim, &waiting.link);
    sim.fault(&json!({ "at": "exchange", "do": "hold" }));
    let address = back.clone();
    let first = std::thread::spawn(move || follow(&address, None));
    sim.wait_held("exchange");
    assert_eq!(follow(&back, None).unwrap().0, 403);
    waiting.until("Someone sent a foreign login token. It was rejected.");
    sim.no_faults();
    sim.post("/release", &json!({}));
    assert_eq!(first.join().unwrap().unwrap().0, 200);
    assert_eq!(waiting.end().code, 0);
    assert!(follow(&back, None).is_none());
    // And by the next login, which has another nonce.
    let mut next = Waiting::begin(&home, &[]);
    assert_eq!(follow(&back, None).unwrap().0, 403);
    next.until("Someone sent a foreign login token. It was rejected.");
    next.signal(Signal::INT);
    assert_eq!(next.end().code, 130);
    assert_eq!((generation(&home), exchanges(&sim)), (1, 1));
}

#[test]
fn a_late_one_finds_nobody_and_the_old_token_is_kept() {
    let mut attack = Attack::begin();
    attack.waiting.signal(Signal::TERM);
    let late = attack.person.back(&attack.sim, &attack.waiting.link);
    let interrupted = attack.waiting.end();
    assert_eq!(interrupted.code, 130, "{interrupted:?}");
    assert_eq!(interrupted.json()["failure"], "interrupted");
    let waiting = Waiting::begin(&attack.home, &["--wait-s", "1"]);
    let later = attack.person.back(&attack.sim, &waiting.link);
    let ended = waiting.end();
    assert_eq!((ended.code, &ended.json()["failure"]), (6, &json!("nobody-came")), "{ended:?}");
    assert!(ended.stderr.contains("open its new link"), "{ended:?}");
    for address in [late, later] {
        assert!(follow(&address, None).is_none());
    }
    assert_eq!((generation(&attack.home), exchanges(&attack.sim)), (1, 1));
}

/// The link was opened by somebody else, or in a browser that is logged in to another account: it is spent, and another one
/// takes its place.
#[test]
fn a_login_of_another_user_is_dropped_and_another_link_is_given() {
    let mut attack = Attack::begin();
    attack.sim.fault(&json!({ "at": "exchange", "do": "other-user" }));
    let other = attack.person.back(&attack.sim, &attack.waiting.link);
    assert_eq!(follow(&other, None).unwrap().0, 403);
    attack.waiting.until("Someone sent a foreign login token. It was rejected.");
    let spent = attack.waiting.link.clone();
    attack.waiting.next_link();
    assert_ne!(attack.waiting.link, spent);
    assert_eq!(generation(&attack.home), 1, "the old token is not served any more");
    attack.sim.no_faults();
    let stale = attack.person.back(&attack.sim, &spent);
    assert_eq!(follow(&stale, None).unwrap().0, 403);
    assert_eq!(exchanges(&attack.sim), 2, "the old one and the other user's");
    let good = attack.person.back(&attack.sim, &attack.waiting.link);
    assert_eq!(follow(&good, None).unwrap().0, 200);
    assert_eq!(attack.waiting.end().code, 0);
    assert_eq!(generation(&attack.home), 2);
}
