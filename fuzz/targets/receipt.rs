//! Whatever a provider of messages answers: a message counts as taken or arrived only where its own words say so, once, at its address.
#![no_main]

use std::time::Duration;

use firstbell::alerts::{ChannelConfig, Outside};
use firstbell::ports::{Clock, Message, Method, Receipt};
use firstbell_core::notice::Severity;
use firstbell_fuzz::bot::Still;
use firstbell_fuzz::post::{Answers, KEY, KINDS, Text, channel};
use firstbell_fuzz::{CANARY, Feed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// How long one message may take.
const TIME_S: u64 = 12;
/// Nobody is told to wait for longer than a day.
const WAIT_MAX_S: u32 = 86_400;

thread_local! {
    static PLACE: (Runtime, Vec<ChannelConfig>) =
        (Builder::new_current_thread().enable_time().build().expect("a runtime"), KINDS.map(channel).into());
}

fuzz_target!(|data: &[u8]| PLACE.with(|(runtime, channels)| {
    let mut feed = Feed::of(data);
    let channel = &channels[usize::from(feed.byte()) % channels.len()];
    let (answers, clock) = (Answers::new(feed), Still::default());
    let message = Message {
        severity: Severity::Critical,
        title: "main: no token".into(),
        body: "Log in by hand.".into(),
        incident: "1".into(),
        over: false,
    };
    let outside = Outside { http: &answers, clock: &clock, time: Duration::from_secs(TIME_S) };
    let outcome = runtime.block_on(channel.deliver(&Text, outside, &message));
    let (asked, given) = (answers.asked.borrow(), answers.given.borrow());

    let begun = |(_, url): &(Method, String)| url.starts_with("https://hooks.example/");
    assert!(asked.iter().all(begun), "a stranger is asked: {asked:?}");
    assert_eq!(asked.iter().filter(|(method, _)| *method != Method::Get).count(), 1, "sent more than once");
    assert!(clock.run_ms() <= TIME_S * 1_000, "it asks without end");
    match outcome {
        Ok(Receipt::Accepted) => assert!(took(channel.kind, &given[0]), "taken by {given:?}"),
        Ok(Receipt::Delivered) => {
            assert!(took(channel.kind, &given[0]), "taken by {given:?}");
            let (status, last) = given.last().expect("the first is there");
            let last: Value = serde_json::from_str(last).expect("words are JSON");
            let arrived = last["status"] == "delivered" || last["status"] == "read";
            assert!(
                channel.kind == "twilio" && given.len() > 1 && success(*status) && arrived,
                "by {given:?}"
            );
        }
        Err(fault) => {
            let told = format!("{fault:?}");
            assert!(!told.contains(CANARY) && !told.contains("tr0ub4dor") && !told.contains(KEY), "{told}");
            assert!(fault.wait_s.is_none_or(|wait_s| (1..=WAIT_MAX_S).contains(&wait_s)), "{told}");
        }
    }
}));

fn success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whether this answer says in the provider's words that it took the message.
fn took(kind: &str, (status, body): &(u16, String)) -> bool {
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    success(*status)
        && match kind {
            "telegram" => said["ok"] == true,
            "twilio" => {
                said["sid"].is_string() && said["status"] != "failed" && said["status"] != "undelivered"
            }
            "msg91" => said["type"] == "success",
            "http" => body.contains("queued"),
            "slack" => body.trim_ascii() == "ok",
            "discord" | "ntfy" => said["id"].is_string(),
            _ => true,
        }
}
