//! Every piece of evidence is read as it is written: replies, redirects, and the marks of pages.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firstbell_core::broker::{App, Broker, Reply};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::Verdict;
use firstbell_core::failure::Failure;
use firstbell_core::plan::Step;
use firstbell_core::secret::{Secret, SecretBytes};
use firstbell_core::sight::{Action, Answer, Rest, Seen, Sight};
use firstbell_core::totp::Seed;
use firstbell_core::walk::{Codes, Credentials, Moment, Next, Turn, Walk};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    source: String,
    date: String,
    sure: String,
    reply: Option<String>,
    status: Option<u16>,
    media: Option<String>,
    means: Option<String>,
    remaining: Option<u8>,
    registered: Option<String>,
    url: Option<String>,
    page: Option<String>,
    shows: Option<BTreeMap<String, u32>>,
    body: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "a test reads its samples")]
fn pieces() -> Vec<(PathBuf, Piece)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../evidence/kite");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut pieces: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let piece = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path, piece)
        })
        .collect();
    pieces.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(pieces.len() >= 50, "the evidence is not where it should be");
    pieces
}

fn app() -> App {
    App {
        api_key: "samplekey".into(),
        user_id: "AB1234".into(),
        redirect: "https://example.org/back".parse().unwrap(),
    }
}

#[test]
fn every_piece_has_a_source_a_date_and_one_kind() {
    for (path, piece) in pieces() {
        let name = path.display();
        assert!(piece.source.len() > 10, "{name}: source");
        assert!(piece.date.starts_with("20"), "{name}: date");
        assert!(["high", "medium", "low", "made"].contains(&piece.sure.as_str()), "{name}: sure");
        let kinds = [piece.reply.is_some(), piece.url.is_some(), piece.page.is_some()];
        assert_eq!(kinds.iter().filter(|k| **k).count(), 1, "{name}: kind");
    }
}

#[test]
fn every_reply_of_the_api_means_what_is_written() {
    let kite = Kite::live();
    for (path, piece) in pieces() {
        let Some(kind @ ("exchange" | "proof")) = piece.reply.as_deref() else { continue };
        let reply = Reply {
            status: piece.status.unwrap(),
            media: piece.media.unwrap(),
            body: SecretBytes::new(piece.body.unwrap().into_bytes()),
        };
        let outcome = match kind {
            "exchange" => kite.calls().read_exchange(&app(), &reply).map(drop),
            _ => kite.calls().read_proof(&app(), &reply).map(drop),
        };
        let code = outcome.as_ref().err().map_or("ok", Failure::code);
        assert_eq!(code, piece.means.unwrap(), "{}: {outcome:?}", path.display());
    }
}

#[test]
fn every_redirect_means_what_is_written() {
    let kite = Kite::live();
    for (path, piece) in pieces() {
        let (Some(registered), Some(url)) = (piece.registered, piece.url) else { continue };
        let app = App { redirect: registered.parse().unwrap(), ..app() };
        let outcome = kite.capture(&app, &Secret::new(url));
        let code = outcome.as_ref().err().map_or("ok", Failure::code);
        assert_eq!(code, piece.means.unwrap(), "{}: {outcome:?}", path.display());
    }
}

#[test]
fn every_answer_of_the_login_means_what_is_written() {
    let kite = Kite::live();
    for (path, piece) in pieces() {
        let after = match piece.reply.as_deref() {
            Some("open") => Step::Open,
            Some("credentials") => Step::Credentials,
            Some("code") => Step::Code,
            Some("finish") => Step::Finish,
            _ => continue,
        };
        let turn = answered(&kite, after, answer(after, &piece));
        let code = match &turn.next {
            Next::Fail(failure) => failure.code(),
            _ if turn.verdict.is_some_and(|(_, v)| v == Verdict::Accepted) => "accepted",
            _ if turn.verdict.is_some_and(|(_, v)| v == Verdict::Rejected) => "code-rejected",
            _ => "nothing",
        };
        assert_eq!(Some(code), piece.means.as_deref(), "{}: {turn:?}", path.display());
        if let (Some(want), Next::Fail(Failure::PasswordRejected { remaining })) =
            (piece.remaining, &turn.next)
        {
            assert_eq!(*remaining, Some(want), "{}", path.display());
        }
    }
}

#[test]
fn every_page_is_recognised_as_what_is_written() {
    let kite = Kite::live();
    let plan = kite.plan();
    for (path, piece) in pieces() {
        let (Some(page), Some(shows)) = (piece.page, piece.shows) else { continue };
        let counts: Vec<u32> = plan.marks.iter().map(|m| shows.get(&m.id).copied().unwrap_or(0)).collect();
        assert!(
            shows.keys().all(|id| plan.marks.iter().any(|m| m.id == *id)),
            "{}: unknown mark",
            path.display()
        );
        let found = plan.recognise(&counts).map_or("None".into(), |p| format!("{:?}", p.kind));
        assert_eq!(found.to_lowercase(), page.replace('-', ""), "{}", path.display());
    }
}

fn answer(after: Step, piece: &Piece) -> Answer {
    let mut answer = Answer {
        after,
        status: piece.status.unwrap(),
        page: piece.media.as_deref() == Some("text/html"),
        good: false,
        error: None,
        message: None,
        retry_after_s: None,
    };
    let json = piece.media.as_deref() == Some("application/json");
    answer.read(json, piece.body.as_deref().unwrap().as_bytes());
    answer
}

/// Walks up to the step that was answered, and lets the walk see the answer.
fn answered(kite: &Kite, after: Step, answer: Answer) -> Turn {
    let plan = kite.plan();
    let who = Credentials {
        user_id: Secret::new("AB1234".into()),
        password: Secret::new("pass".into()),
        codes: Codes::Seed(Seed::parse(&Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into())).unwrap()),
    };
    let now = Moment { wall: "2026-11-23T08:30:01+05:30".parse().unwrap(), run_ms: 0 };
    let mut walk = Walk::new(plan, &who, None);
    let _: Action = walk.first("https://kite.zerodha.com/connect/login".into(), now);
    let show = |ids: &[&str], answer: Option<Answer>| {
        let counts = plan.marks.iter().map(|m| u32::from(ids.contains(&m.id.as_str()))).collect();
        Seen::Page(Sight {
            origin: Some(plan.origin.clone()),
            counts,
            answer,
            date: None,
            rest: Rest::Loading,
            busy: false,
        })
    };
    let good = |after| Answer {
        after,
        status: 200,
        page: false,
        good: true,
        error: None,
        message: None,
        retry_after_s: None,
    };
    if after >= Step::Credentials {
        walk.seen(show(&["user", "password"], None), now);
    }
    if after >= Step::Code {
        walk.seen(show(&["totp"], Some(good(Step::Credentials))), now);
    }
    if after == Step::Finish {
        walk.seen(show(&["totp"], Some(good(Step::Code))), now);
    }
    walk.seen(show(&[], Some(answer)), now)
}
