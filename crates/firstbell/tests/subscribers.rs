//! A hundred programs that come and go while a thousand generations are handed out: each ends with the last one, and none sees
//! an older one. Whoever waits sees none twice; whoever listens anew is told first of the present one, which he may know.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/serving.rs"]
mod serving;

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use firstbell::serve::Scope;
use serving::{Serving, text};

const SUBSCRIBERS: u64 = 100;
const LAST: u64 = 1_000;

/// Numbers that are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Waits for one after another, over connections that it gives up now and then, sometimes in the middle of a wait.
fn waits(serving: &Serving, mut dice: Dice, seen: &AtomicU64) -> u64 {
    let (mut known, mut times) = (0, 0);
    while known < LAST {
        let mut client = serving.unix();
        for _ in 0..=dice.below(20) {
            client.send("GET", &format!("/v1/accounts/main/token?wait={known}"), "");
            if dice.below(10) == 0 {
                break;
            }
            let answer = client.read().unwrap();
            if answer.status == 429 {
                continue;
            }
            assert_eq!(answer.status, 200, "{answer:?}");
            let card = answer.json();
            let generation = card["generation"].as_u64().unwrap();
            assert!(generation > known, "{generation} after {known}");
            assert_eq!(card["access_token"], text(generation));
            (known, times) = (generation, times + 1);
            seen.fetch_max(known, Ordering::Relaxed);
            if known == LAST {
                break;
            }
        }
    }
    times
}

/// Listens, and goes away now and then.
fn listens(serving: &Serving, mut dice: Dice, seen: &AtomicU64) -> u64 {
    let (mut known, mut times) = (0, 0);
    while known < LAST {
        let mut client = serving.unix();
        if client.listen("/v1/events?account=main", "").is_err() {
            continue;
        }
        let (mut here, mut number) = (None, 0);
        let patience = 1 + dice.below(60);
        for _ in 0..patience {
            let (id, name, data) = client.event().expect("the stream goes on");
            assert!(id > number, "{id} after {number}");
            number = id;
            if name != "token" {
                assert!(data.get("access_token").is_none());
                continue;
            }
            let generation = data["generation"].as_u64().unwrap();
            // Who comes back is told how it stands: the first one may be the one that he knows. Every later one is newer.
            match here {
                None => assert!(generation >= known, "{generation} after {known}"),
                Some(here) => assert!(generation > here, "{generation} after {here}"),
            }
            (here, known, times) = (Some(generation), generation, times + 1);
            seen.fetch_max(known, Ordering::Relaxed);
            if known == LAST {
                break;
            }
        }
    }
    times
}

#[test]
fn a_hundred_subscribers_end_with_the_last_of_a_thousand_generations() {
    let serving = Serving::start(&["main"]);
    let seen: Vec<AtomicU64> = (0..SUBSCRIBERS).map(|_| AtomicU64::new(0)).collect();
    let times: Vec<u64> = std::thread::scope(|scope| {
        let seats: Vec<_> = seen
            .iter()
            .enumerate()
            .map(|(i, seen)| {
                let dice = Dice(0x9E37_79B9_7F4A_7C15 ^ (i as u64 + 1) << 7);
                let serving = &serving;
                scope.spawn(move || {
                    if i % 2 == 0 { waits(serving, dice, seen) } else { listens(serving, dice, seen) }
                })
            })
            .collect();
        for generation in 1..=LAST {
            serving.post(generation);
            // Some are always close behind: or else only the last one would be seen by anybody.
            let close = |seen: &&AtomicU64| seen.load(Ordering::Relaxed) + 5 >= generation;
            let began = now();
            while seen.iter().filter(close).count() < 30 {
                assert!(began.elapsed() < Duration::from_secs(60), "nobody follows to {generation}");
                std::thread::park_timeout(Duration::from_micros(100));
            }
        }
        seats.into_iter().map(|seat| seat.join().unwrap()).collect()
    });
    assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == LAST));
    let all: u64 = times.iter().sum();
    assert!(all > SUBSCRIBERS * 50, "hardly anybody was there: {all}");
}

#[expect(clippy::disallowed_methods, reason = "ends a wait that would have no end")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_stream_ends_for_all_where_one_account_s_generations_go_backwards_and_begins_only_where_there_is_one() {
    let serving = Serving::start(&["main", "other"]);
    serving.post(7);
    let mut listens = serving.unix();
    listens.listen("/v1/events", "").unwrap();
    while listens.event().unwrap().1 != "token" {}
    serving.post(6);
    // Sooner than the next sign of life of a stream that goes on.
    listens.stream.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    listens.stream.read_to_end(&mut Vec::new()).expect("the stream goes on without an account");
    let key = serving.key("lost", Scope::Status, Some("gone"));
    let answer = serving.inet().get("/v1/events", &format!("Authorization: Bearer {key}\r\n"));
    assert_eq!(answer.status, 404, "{answer:?}");
}

#[test]
fn whoever_waits_when_the_configuration_is_read_anew_is_told_to_come_again_and_misses_nothing() {
    let mut serving = Serving::start(&["main"]);
    serving.post(1);
    let mut waits = serving.unix();
    waits.send("GET", "/v1/accounts/main/token?wait=1", "");
    let mut listens = serving.unix();
    listens.listen("/v1/events", "").unwrap();
    while listens.event().unwrap().1 != "health" {}
    serving.again();
    serving.post(2);
    let told = waits.read().unwrap();
    assert_eq!((told.status, told.header("retry-after")), (503, Some("1")), "{told:?}");
    while listens.event().is_some() {}
    let card = serving.unix().get("/v1/accounts/main/token?wait=1", "").json();
    assert_eq!(card["generation"], 2);
}
