//! Whatever bytes come in at the daemon's socket: nobody without a key is told anything, and the owner only what he asks for.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use firstbell::board::{Offer, Row};
use firstbell::serve::{Errand, Key, Ring, Scope, Stock, converse};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Flush, Life, Token};
use firstbell_fuzz::folder;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

const TOKEN: &str = "Token7a7a7a7a7a7a7a7a7a7a7a7a7ax";

/// A clock that leaps over every wait.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    std::fs::create_dir_all(folder()).expect("a folder of our own");
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
});
static RING: LazyLock<Arc<Ring>> = LazyLock::new(|| {
    let (key, _shown) = Key::new(("robot", Scope::Admin), None, "2026-11-25".into()).expect("chance");
    Arc::new(Ring { keys: vec![key] })
});

fuzz_target!(|data: &[u8]| {
    let (said, errands) = RUNTIME.block_on(talk(data, false));
    let text = String::from_utf8_lossy(&said);
    assert!(!text.contains(TOKEN), "a stranger has the token");
    assert!(!text.contains("AB1234") && !text.contains("samplekey"), "a stranger is told of the account");
    assert!(errands.is_empty(), "a stranger gave an order: {errands:?}");
    assert!(statuses(&text).all(|status| matches!(status, 400..=499 | 503)), "{text}");

    let (said, errands) = RUNTIME.block_on(talk(data, true));
    let (text, small) = (String::from_utf8_lossy(&said), data.to_ascii_lowercase());
    let heads = |part: &[u8]| small.windows(part.len()).filter(|window| *window == part).count();
    let well = statuses(&text).filter(|status| *status < 300).count();
    assert!(well <= heads(b"host:"), "answered without our name: {text}");
    let orders = errands.iter().filter(|errand| matches!(errand, Errand::Order(..))).count();
    assert!(orders <= heads(b"post "), "{errands:?}");
    assert!(text.matches(TOKEN).count() <= heads(b"/token"), "a token that nobody asked for");
    let guarded = [&b"\norigin:"[..], b"\nsec-fetch", b"\nupgrade:", b"\ntransfer-encoding:"];
    let ends = [&b"\n\r\n"[..], b"\n\n"];
    let end = (0..small.len()).find(|at| ends.iter().any(|end| small[*at..].starts_with(end)));
    let head = &small[..end.unwrap_or(small.len())];
    let browser = guarded.iter().any(|header| head.windows(header.len()).any(|window| window == *header));
    assert!(well == 0 || !browser || heads(b"http/1.") > 1, "a page in a browser is answered: {text}");
});

/// One conversation: all that is answered, and the orders that it gave.
async fn talk(data: &[u8], owner: bool) -> (Vec<u8>, Vec<Errand>) {
    let (mut ours, theirs) = duplex(1 << 20);
    let served = async {
        let mut asked = converse(&folder(), stock(), theirs, owner).await;
        std::iter::from_fn(move || asked.try_recv().ok()).collect()
    };
    let asks = async {
        let mut said = Vec::new();
        // The other side may hang up at any time.
        let _ = ours.write_all(data).await;
        let _ = ours.shutdown().await;
        let _ = tokio::time::timeout(Duration::from_secs(20_000), ours.read_to_end(&mut said)).await;
        said
    };
    let (errands, said) = tokio::join!(served, asks);
    (said, errands)
}

fn stock() -> Stock {
    let row = Row::new("main", "samplekey", "AB1234");
    let access = Access::parse(Secret::new(TOKEN.into())).expect("letters and digits");
    let life =
        Life::of(Timestamp::from_second(1_795_404_600).expect("in 2026"), Flush { begins_h: 5, ends_h: 8 });
    let token = Token { access, api_key: "samplekey".into(), generation: 7, life };
    row.post(Offer::Token(Arc::new(token), Timestamp::MAX), Timestamp::MIN);
    let (_, keys) = watch::channel(Some(Arc::clone(&RING)));
    Stock { rows: vec![Arc::new(row)], users: Vec::new(), keys, tally: Arc::default() }
}

/// The status of every answer.
fn statuses(text: &str) -> impl Iterator<Item = u16> {
    text.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(2..5)?.parse().ok())
}
