//! Whatever a worker says that a hostile page has taken over: it gets each text once and in its order, and is not repeated.
#![no_main]

use std::sync::LazyLock;

use firstbell::drivers::{DriverConfig, DriverName};
use firstbell::halt::Halt;
use firstbell::ports::{Engines, Reach};
use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::Cause;
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Plan, Role, Step, Submit};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Fill, Seen};
use firstbell_fuzz::bot::{Provider, Still};
use firstbell_fuzz::worker::{Answers, framed};
use firstbell_fuzz::{app, planted, told};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// What is typed, in this order.
const TEXTS: [&str; 2] = ["AB1234typed", "tr0ub4dor"];

thread_local! {
    static ANSWERS: Answers = Answers::begin();
}
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let here = Origin::parse("http://127.0.0.1:1").expect("the constant is an origin");
    Kite::live().plan().clone().at(here)
});

// Each line is one answer: `!` before bytes that are sent as they are, else the body of a message, `@n` its order's number.
fuzz_target!(|data: &[u8]| {
    let text = planted(data);
    let answers = text.split('\n').take(12).enumerate().map(|(at, line)| match line.strip_prefix('!') {
        Some(raw) => raw.as_bytes().to_vec(),
        None => framed(&line.replace("@n", &(at + 2).to_string())),
    });
    ANSWERS.with(|worker| worker.answer_next(answers.collect()));
    let did = RUNTIME.block_on(walk());
    let heard = String::from_utf8_lossy(&ANSWERS.with(Answers::heard)).into_owned();
    let typed: Vec<&str> = heard.split("{\"number\"").filter(|order| order.contains("\"type\"")).collect();
    for (text, order) in TEXTS.iter().zip(&typed) {
        assert!(order.contains(text), "another text than the one whose turn it was");
    }
    let out = TEXTS.iter().map(|text| heard.matches(text).count()).sum::<usize>();
    assert!(typed.len() <= TEXTS.len() && out == typed.len(), "a text left twice, or with something else");
    check(&did, !typed.is_empty(), &text);
});

/// What one login orders, until the engine breaks; with each whether a text may be out by then.
async fn walk() -> Vec<(bool, Result<Seen, Failure>)> {
    let mut config = DriverConfig::only(DriverName::Chrome);
    config.worker = Some(ANSWERS.with(|worker| worker.socket.clone()));
    let leave = Halt::new();
    let (http, clock, app) = (Provider::new(&[], &leave), Still::default(), app());
    let opened = config.open("chrome", &PLAN, &app, Reach { http: &http, clock: &clock }).await;
    let mut driver = opened.expect("the first answer says that it stands");
    let mut did = Vec::new();
    for (may_be_out, action) in orders() {
        let seen = driver.perform(action).await;
        let is_over = seen.is_err();
        did.push((may_be_out, seen));
        if is_over {
            break;
        }
    }
    let _ = driver.close().await;
    did
}

fn orders() -> Vec<(bool, Action)> {
    let field = |role, mark, text: &str| (role, mark, Secret::new(text.into()));
    let fields = vec![field(Role::UserId, 0, TEXTS[0]), field(Role::Password, 1, TEXTS[1])];
    let (step, submit) = (Step::Credentials, Submit::Enter);
    let fill = Fill { step, fields, submit, cause: Cause::Password, time_step: None, wait_ms: 9 };
    vec![
        (false, Action::Open { url: PLAN.origin.join("/connect/login"), wait_ms: 9 }),
        (true, Action::Fill(fill)),
        (true, Action::Look { wait_ms: 9 }),
        (true, Action::Witness),
        (true, Action::Draw { html: String::new() }),
    ]
}

/// What left counts as sent until the worker itself says what became of it, and what is told stays on its line.
fn check(did: &[(bool, Result<Seen, Failure>)], is_typed: bool, said: &str) {
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
