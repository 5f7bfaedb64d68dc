//! Once a week every channel gets a real message, and one that has died is told of through the others: four weeks in a moment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/provider.rs"]
mod provider;

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};

use firstbell::alerts::ChannelConfig;
use firstbell::http::HyperHttp;
use firstbell::ports::{Clock, Soon, Vault};
use firstbell::selftest::{Bench, Examiner};
use firstbell::written::{Faults, Section};
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use provider::{Act, Provider};
use tokio::sync::Notify;

/// A clock that is at once where somebody waits for, up to a limit.
struct Hurry {
    now: Cell<Timestamp>,
    limit: Timestamp,
    over: Notify,
}

impl Clock for Hurry {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn run_ms(&self) -> u64 {
        self.now.get().as_millisecond().unsigned_abs()
    }

    fn rest(&self, ms: u64) -> Soon<'_, ()> {
        self.until(self.now.get() + SignedDuration::from_millis(i64::try_from(ms).unwrap()))
    }

    fn until(&self, at: Timestamp) -> Soon<'_, ()> {
        if at > self.limit {
            self.over.notify_one();
            return Box::pin(pending());
        }
        self.now.set(self.now.get().max(at));
        Box::pin(ready(()))
    }
}

#[derive(Default)]
struct Shelf(RefCell<Vec<(String, String, String)>>);

impl Vault for Shelf {
    fn keep(&self, account: &str, name: &str, secret: &Secret) -> Result<(), Failure> {
        self.0.borrow_mut().retain(|(a, n, _)| (a.as_str(), n.as_str()) != (account, name));
        self.0.borrow_mut().push((account.into(), name.into(), secret.expose().to_owned()));
        Ok(())
    }

    fn fetch(&self, account: &str, name: &str) -> Result<Option<Secret>, Failure> {
        let all = self.0.borrow();
        let found = all.iter().find(|(a, n, _)| (a.as_str(), n.as_str()) == (account, name));
        Ok(found.map(|(.., value)| Secret::new(value.clone())))
    }

    fn forget(&self, _: &str, _: &str) -> Result<bool, Failure> {
        unreachable!("a test of channels forgets nothing")
    }
}

#[derive(Default)]
struct Heard(RefCell<Vec<String>>);

impl Examiner for Heard {
    fn lives(&self, at: Timestamp, channel: &str) {
        self.0.borrow_mut().push(format!("{at} {channel} lives"));
    }

    fn dead(&self, at: Timestamp, channel: &str, why: &str) {
        self.0.borrow_mut().push(format!("{at} {channel} dead: {why}"));
    }

    fn failed(&self, _: Timestamp, failure: &Failure) {
        panic!("{failure}");
    }
}

fn channels(names: &[&str]) -> Vec<ChannelConfig> {
    let text: String = names
        .iter()
        .map(|name| format!("[channel.{name}]\nkind = \"slack\"\norder = 7\nseverity = \"critical\"\n"))
        .collect();
    let faults = Faults::new("c.toml", &text);
    let mut root = Section::root(&text, faults.clone());
    let read =
        root.named("channel").into_iter().map(|(name, section)| ChannelConfig::read(name, section).unwrap());
    let read = read.collect();
    assert_eq!(faults.lines(), Vec::<String>::new());
    read
}

/// Four weeks from this moment on, in a vault that may know of tests before.
fn weeks(shelf: &Shelf, from: &str, until: &str, channels: &[ChannelConfig]) -> Vec<String> {
    let at = |text: &str| format!("{text}+05:30").parse::<Timestamp>().unwrap();
    let clock = Hurry { now: Cell::new(at(from)), limit: at(until), over: Notify::new() };
    let (http, heard) = (HyperHttp::unconnected(), Heard::default());
    let bench = Bench { channels, vault: shelf, http: &http, clock: &clock };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            never = bench.keep(&heard) => match never {},
            () = clock.over.notified() => {}
        }
    });
    heard.0.into_inner()
}

#[test]
fn a_channel_that_has_died_is_told_of_through_those_that_live() {
    let say = |status, body: &str| Provider::start(Act::Say(status, String::new(), body.into()));
    let (good, gone, ill) = (say(200, "ok"), say(404, "no_service"), say(503, ""));
    let shelf = Shelf::default();
    for (name, far) in [("good", &good), ("gone", &gone), ("ill", &ill)] {
        shelf
            .keep(&format!("channel-{name}"), "address", &Secret::new(format!("{}/secret-{name}", far.url)))
            .unwrap();
    }
    let channels = channels(&["good", "gone", "ill"]);
    // The first start counts as a test: 2026-11-29 is the first Sunday after it.
    let heard = weeks(&shelf, "2026-11-24T12:00", "2026-12-13T17:00", &channels);
    let dead: Vec<&String> = heard.iter().filter(|line| line.contains("dead")).collect();
    assert_eq!((heard.len(), dead.len()), (6, 4), "{heard:#?}");
    assert!(heard[0].starts_with("2026-11-29T12:30:"), "eighteen o'clock in India: {heard:#?}");
    assert!(!heard.concat().contains("secret-"), "{heard:#?}");
    let told: Vec<String> =
        good.asked().iter().map(|asked| asked.json()["text"].as_str().unwrap().to_owned()).collect();
    let (tests, deaths): (Vec<_>, Vec<_>) = told
        .iter()
        .partition(|text| text.contains("weekly test message\n") || text.contains("Nothing is wrong"));
    assert_eq!((tests.len(), deaths.len()), (2, 4), "{told:#?}");
    assert!(deaths[0].contains("channel gone does not reach you any more"), "{told:#?}");
    assert!(deaths[0].contains("firstbell alerts test gone"), "{told:#?}");
    assert_eq!(gone.asked().len(), 2, "one that does not know the address is asked once a week");
    assert_eq!(ill.asked().len(), 6, "one that is not well is tried three times");

    // Another process knows when the last test was, and one that slept over a Sunday catches it up in the evening.
    let heard = weeks(&shelf, "2026-12-13T12:00", "2026-12-13T17:00", &channels);
    assert_eq!(heard, Vec::<String>::new());
    let heard = weeks(&shelf, "2026-12-14T10:00", "2026-12-15T08:00", &channels);
    assert!(heard.len() == 3 && heard[0].starts_with("2026-12-14T12:30:"), "{heard:#?}");
}
