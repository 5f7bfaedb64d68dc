//! Whatever a worker says that a hostile page has taken over: it gets each text once and in its order, and is not repeated.
#![no_main]

use std::sync::LazyLock;

use firstbell_core::sight::Seen;
use firstbell_fuzz::worker::{Answers, Did, TEXTS, framed, walk};
use firstbell_fuzz::{planted, told};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static ANSWERS: Answers = Answers::begin();
}
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

// Each line is one answer: `!` before bytes that are sent as they are, else the body of a message, `@n` its order's number.
fuzz_target!(|data: &[u8]| {
    let text = planted(data);
    let answers = text.split('\n').take(12).enumerate().map(|(at, line)| match line.strip_prefix('!') {
        Some(raw) => raw.as_bytes().to_vec(),
        None => framed(&line.replace("@n", &(at + 2).to_string())),
    });
    ANSWERS.with(|worker| worker.answer_next(answers.collect()));
    let did = ANSWERS.with(|worker| RUNTIME.block_on(walk(&worker.socket)));
    let heard = String::from_utf8_lossy(&ANSWERS.with(Answers::heard)).into_owned();
    let typed: Vec<&str> = heard.split("{\"number\"").filter(|order| order.contains("\"type\"")).collect();
    for (text, order) in TEXTS.iter().zip(&typed) {
        assert!(order.contains(text), "another text than the one whose turn it was");
    }
    let out = TEXTS.iter().map(|text| heard.matches(text).count()).sum::<usize>();
    assert!(typed.len() <= TEXTS.len() && out == typed.len(), "a text left twice, or with something else");
    check(&did, !typed.is_empty(), &text);
});

/// What left counts as sent until the worker itself says what became of it, and what is told stays on its line.
fn check(did: &[Did], is_typed: bool, said: &str) {
    // Bytes sent as they are may be any message.
    let says = |report: &str| said.lines().any(|line| line.starts_with('!') || names(line, report));
    for (may_be_out, seen) in did {
        let words = match seen {
            Ok(Seen::Lost { left, why }) => {
                assert!(*left == (*may_be_out && is_typed) || says("saw"), "{seen:?} and typed: {is_typed}");
                why.clone()
            }
            Ok(Seen::Untyped { why }) => why.clone(),
            Ok(_) => continue,
            Err(failure) => {
                assert!(
                    !(*may_be_out && is_typed) || says("broke"),
                    "what left counts as not sent: {failure:?}"
                );
                told(failure).replace('\n', " ")
            }
        };
        assert!(!words.chars().any(char::is_control) && words.chars().count() < 2_000, "{words:?}");
    }
}

/// Whether a message is a report of this kind.
fn names(line: &str, report: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|message| message["report"].get(report).is_some())
}
