//! Whatever a bot is told: it obeys the paired person in the paired chat, each message once, and answers nobody else.
#![no_main]

use std::collections::HashSet;

use firstbell::chat::{Awaited, Chat};
use firstbell::halt::Halt;
use firstbell::ports::Clock;
use firstbell_core::secret::Secret;
use firstbell_fuzz::bot::{Desk, NOW, PAIRED, Provider, Still, channel};
use firstbell_fuzz::{CANARY, folder, planted};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static HOME: (Runtime, firstbell::stores::Stores) = {
        let stores = firstbell::stores::open(&folder()).expect("a store in a folder of our own");
        let keep = |name, text: String| stores.vault().keep("channel-phone", name, &Secret::new(text));
        keep("token", "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()).expect("the vault is ours");
        keep("paired", format!("{PAIRED} {PAIRED} 0")).expect("the vault is ours");
        (Builder::new_current_thread().enable_all().build().expect("a runtime"), stores)
    };
}

fuzz_target!(|data: &[u8]| HOME.with(|(runtime, stores)| {
    let bodies: Vec<String> = data.split(|byte| *byte == 0).take(4).map(planted).collect();
    let leave = Halt::new();
    let (desk, clock, http) = (Desk::default(), Still::default(), Provider::new(&bodies, &leave));
    let (channels, state_dir) = ([channel()], folder());
    let chat = Chat {
        channel: &channels[0],
        channels: &channels,
        stores,
        state_dir: &state_dir,
        http: &http,
        clock: &clock,
        office: &desk,
        awaited: &Awaited::default(),
    };
    let hold = chat.hold().expect("the lock is ours");
    runtime.block_on(chat.keep(hold, &leave));

    let mut numbers = HashSet::new();
    let updates = bodies.iter().flat_map(|body| updates(body));
    let fresh: Vec<Value> = updates.filter(|update| numbers.insert(update["update_id"].as_i64())).collect();
    let (heard, meant) = (fresh.iter().filter(|u| is_his(u)), fresh.iter().filter(|u| is_meant(u)));
    assert!(desk.obeyed.borrow().len() <= meant.count(), "{:?} of {bodies:?}", desk.obeyed.borrow());
    let (heard, said) = (heard.count(), http.said.borrow());
    assert!(said.iter().all(|(_, body)| body["chat_id"] == PAIRED), "a stranger is answered: {said:?}");
    assert!(said.iter().filter(|(method, _)| method == "sendMessage").count() <= heard, "{said:?}");
    assert!(!desk.log.borrow().contains(CANARY), "{}", desk.log.borrow());
    assert!(clock.run_ms() < 10_000, "it asks without end");
    let paired = chat.paired().expect("the vault is ours").map(|paired| format!("{paired:?}"));
    assert!(paired.is_some_and(|paired| paired.contains("chat: 5, user: 5")), "another chat was paired");
}));

fn updates(body: &str) -> Vec<Value> {
    let whole: Value = serde_json::from_str(body).unwrap_or_default();
    let updates = whole["result"].as_array().filter(|_| whole["ok"] == true);
    updates.into_iter().flatten().filter(|update| update["update_id"].is_i64()).cloned().collect()
}

/// The paired person wrote it in the paired chat.
fn is_his(update: &Value) -> bool {
    let message = &update["message"];
    message["chat"]["id"] == PAIRED && message["chat"]["type"] == "private" && message["from"]["id"] == PAIRED
}

/// And meant it, here and now: he is no bot, and it is neither forwarded, edited, nor old.
fn is_meant(update: &Value) -> bool {
    let message = &update["message"];
    let foreign = ["forward_origin", "forward_date", "edit_date", "sender_chat", "via_bot"];
    let own = message["from"]["is_bot"] == false && foreign.iter().all(|key| message.get(key).is_none());
    let old = message["date"].as_i64().is_none_or(|date| (NOW - date).abs() > 120);
    is_his(update) && own && !old && message["text"].is_string() && message["message_id"].is_i64()
}
