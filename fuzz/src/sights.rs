//! Sights out of bytes: pages of every shape, answers, and what else a driver may say that it saw.

use firstbell_core::obstacle::TlsFault;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Step};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Answer, Rest, Seen, Sight};
use jiff::{SignedDuration, Timestamp};

use crate::Feed;

const ORIGINS: [&str; 4] = [
    "https://kite.zerodha.com",
    "https://kite.zerodha.com.evil.example",
    "https://kite.zerodha.com:8443",
    "http://127.0.0.1:80",
];
const STEPS: [Step; 4] = [Step::Open, Step::Credentials, Step::Code, Step::Finish];
const STATUS: [u16; 8] = [200, 302, 400, 403, 404, 429, 502, 504];

/// The next thing that a driver says.
pub fn seen(plan: &Plan, feed: &mut Feed<'_>, now: Timestamp) -> Seen {
    match feed.byte() % 16 {
        0 => Seen::Away(Secret::new(
            feed.one_of(&["https://example.org/back", "http://portal.example", "x"]).into(),
        )),
        1 => Seen::Lost { left: feed.byte().is_multiple_of(2), why: "a reset".into() },
        2 => Seen::Insecure(TlsFault::Issuer),
        3 => Seen::Untyped { why: "two fields".into() },
        4..=7 => Seen::Unchanged,
        _ => {
            let origin = ORIGINS.get(usize::from(feed.byte() / 32)).unwrap_or(&ORIGINS[0]);
            let mut counts = vec![0; plan.marks.len()];
            for _ in 0..feed.byte() % 8 {
                let (mark, byte) = (feed.byte(), feed.byte());
                let there = counts.len();
                counts[usize::from(mark) % there] = if byte < 200 { 1 } else { u32::from(byte) - 200 };
            }
            let flags = feed.byte();
            let rest = [Rest::Quiet, Rest::Loading, Rest::Final, Rest::Quiet][usize::from(flags % 4)];
            let date =
                (flags & 4 != 0).then(|| now + SignedDuration::from_secs(i64::from(feed.byte()) - 128));
            let answer = (flags & 8 != 0).then(|| answer(feed));
            Seen::Page(Sight {
                origin: Origin::parse(origin).ok(),
                counts,
                answer,
                date,
                rest,
                busy: flags & 16 != 0,
            })
        }
    }
}

fn answer(feed: &mut Feed<'_>) -> Answer {
    let (after, status, page) = (feed.one_of(&STEPS), feed.one_of(&STATUS), feed.byte().is_multiple_of(4));
    let mut answer =
        Answer { after, status, page, good: false, error: None, message: None, retry_after_s: Some(9) };
    answer.read(matches!(after, Step::Credentials | Step::Code), feed.text().as_bytes());
    answer
}
