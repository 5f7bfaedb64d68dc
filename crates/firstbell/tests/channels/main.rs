//! One contract for every channel that calls a provider: what is sent, what each answer means, and that no secret shows.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
#[path = "../support/provider.rs"]
mod provider;
#[path = "../support/scanner.rs"]
mod scanner;
#[path = "../support/shelf.rs"]
mod shelf;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use cases::cases;
use firstbell::ports::{Message, Receipt};
use provider::{Act, Provider};
use shelf::{hostile, plain, read, send};

const LONG: Duration = Duration::from_secs(10);

/// What a channel sends is as its provider documents it, with any text in it.
#[test]
fn each_request_has_its_provider_s_form() {
    for message in [plain(), hostile()] {
        for index in 0..cases("http://127.0.0.1:1").len() {
            let (status, body) = cases("http://127.0.0.1:1")[index].yes;
            let provider = Provider::start(Act::Say(status, String::new(), body.into()));
            let case = cases(&provider.url).remove(index);
            assert_eq!(case.send(&message, LONG), Ok(Receipt::Accepted), "{}", case.kind);
            let asked = provider.only();
            assert!(asked.header("x-evil").is_none());
            assert!(asked.header("user-agent").unwrap().starts_with("firstbell/"));
            (case.form)(&case, &asked, &message);
        }
    }
}

/// What an answer means: whether to wait, to try again, or to look at the configuration; and no word of it shows a secret.
#[test]
fn each_answer_has_its_meaning() {
    let echo = "a captive portal says: log in first";
    for index in 0..cases("http://127.0.0.1:1").len() {
        let say = |status: u16, head: &str, body: &str| Act::Say(status, head.into(), body.into());
        let (head, body) = cases("http://127.0.0.1:1")[index].slower;
        let answers = [
            (say(429, head, body), true, Some(7)),
            (say(429, "", echo), true, None),
            (say(401, "", echo), false, None),
            (say(403, "", echo), false, None),
            (say(404, "", echo), false, None),
            (say(409, "", echo), false, None),
            (say(400, "", echo), false, None),
            (say(302, "location: http://127.0.0.1:1/\r\n", ""), false, None),
            (say(500, "", echo), true, None),
            (say(503, "retry-after: 30\r\n", echo), true, Some(30)),
            (Act::Raw(b"\x16\x03\x01\0\0 garbage\r\n\r\n"), true, None),
            (Act::CutBefore, true, None),
            (Act::CutAfter, true, None),
        ];
        for (act, again, wait_s) in answers {
            let provider = Provider::start(act.clone());
            let case = cases(&provider.url).remove(index);
            let fault = case.send(&plain(), LONG).unwrap_err();
            let what = format!("{} {act:?}: {fault:?}", case.kind);
            assert_eq!((fault.again, fault.wait_s), (again, wait_s), "{what}");
            assert!(
                fault.why.len() > 10 && fault.cure.len() > 10 && !fault.why.contains("captive"),
                "{what}"
            );
            let finds = case.scanner().search("the fault", what.as_bytes());
            assert!(finds.is_empty(), "{what}: {finds:?}");
            assert!(provider.asked().len() <= 1, "sent more than once: {what}");
        }
    }
}

/// A yes that is none of the provider's own is no yes.
#[test]
fn a_captive_portal_takes_no_message() {
    for index in 0..cases("http://127.0.0.1:1").len() {
        let provider =
            Provider::start(Act::Say(200, String::new(), "<html>Welcome to our WLAN</html>".into()));
        let case = cases(&provider.url).remove(index);
        let outcome = case.send(&plain(), LONG);
        // A receiver of the owner's own says yes by its status alone.
        match case.kind {
            "webhook" => assert_eq!(outcome, Ok(Receipt::Accepted)),
            kind => assert!(outcome.as_ref().is_err_and(|fault| fault.again), "{kind}: {outcome:?}"),
        }
    }
}

/// A provider that never answers costs the time that is given, and no more.
#[test]
fn a_provider_that_hangs_is_left() {
    for index in 0..cases("http://127.0.0.1:1").len() {
        let provider = Provider::start(Act::Hang);
        let case = cases(&provider.url).remove(index);
        let fault = case.send(&plain(), Duration::from_millis(300)).unwrap_err();
        assert!(fault.again && fault.why.contains("0.3 s"), "{}: {fault:?}", case.kind);
        assert_eq!(provider.asked().len(), 1);
    }
    assert!(firstbell::alerts::TIME < Duration::from_secs(15));
}

/// Refusals that come with HTTP 200.
#[test]
fn msg91_and_twilio_refuse_in_the_body_too() {
    for (kind, body) in [
        ("msg91", r#"{"type":"error","message":"Invalid template"}"#),
        ("twilio", r#"{"sid":"SM1","status":"failed"}"#),
    ] {
        let provider = Provider::start(Act::Say(200, String::new(), body.into()));
        let case = cases(&provider.url).into_iter().find(|case| case.kind == kind).unwrap();
        let fault = case.send(&plain(), LONG).unwrap_err();
        assert!(!fault.again && !fault.why.contains("Invalid"), "{fault:?}");
    }
}

#[test]
fn the_same_message_has_the_same_id_and_another_one_another() {
    let provider = Provider::start(Act::Say(200, String::new(), String::new()));
    let case = cases(&provider.url).pop().unwrap();
    let other = Message { over: true, ..plain() };
    for message in [plain(), plain(), other] {
        case.send(&message, LONG).unwrap();
    }
    let ids: Vec<_> = provider.asked().iter().map(|a| a.header("webhook-id").unwrap().to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn a_gateway_takes_forms_and_addresses_too() {
    let provider = Provider::start(Act::Say(200, String::new(), "x".into()));
    let lines = format!(
        "kind = \"http\"\nmethod = \"GET\"\naddress = \"{}/s?m={{text}}&k={{k}}\"\nsecrets = {{ k = {{ vault = true }} }}",
        provider.url
    );
    send(&lines, &[("k".into(), "a&b=c".into())], &hostile(), LONG).unwrap();
    let path = provider.only().path;
    let (_, query) = path.split_once('?').unwrap();
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert!(pairs.len() == 2 && pairs[1] == ("k".into(), "a&b=c".into()), "{pairs:?}");
    let lines = format!(
        "kind = \"http\"\naddress = \"{}/s\"\ncontent_type = \"application/x-www-form-urlencoded\"\nbody = \"m={{body}}&to=1\"",
        provider.url
    );
    send(&lines, &[], &hostile(), LONG).unwrap();
    let body = provider.only().body;
    assert_eq!(url::form_urlencoded::parse(body.as_bytes()).count(), 2, "{body}");
}

/// Every fault of a table at once, with its line.
#[test]
fn what_is_wrong_with_a_channel_is_said() {
    for (lines, wants) in [
        ("kind = \"pigeon\"", &["c.toml:2: channel.one.kind is not known; known kinds: telegram"][..]),
        (
            "severity = \"bad\"",
            &["c.toml:1: [channel.one]: kind is missing", "c.toml:2: channel.one.severity is not known"],
        ),
        (
            "kind = \"telegram\"\nchat_id = \"x y\"\nserver = \"http://api.example\"\ntoken = \"123:abc\"",
            &[
                "c.toml:1: [channel.one]: chat_id must be",
                "c.toml:4: channel.one.server must be https",
                "c.toml:5: channel.one.token must be a table",
            ],
        ),
        (
            "kind = \"slack\"\naddress = \"https://hooks.slack.com/services/x\"",
            &["c.toml:3: channel.one.address must be a table"],
        ),
        (
            "kind = \"email\"\nhost = \"mail.example\"\ntls = \"none\"\nfrom = \"x\"\nto = [\"a@b.example\", \"y\"]\ncolour = 1",
            &[
                "c.toml:1: [channel.one]: tls = \"none\" is for a server on this machine",
                "c.toml:5: channel.one.from must be an e-mail address",
                "c.toml:6: channel.one.to must be an e-mail address",
                "c.toml:7: channel.one.colour is not known",
            ],
        ),
        (
            "kind = \"http\"\naddress = \"https://a.example/{key}\"\nbody = \"{titel}\"",
            &[
                "c.toml:3: channel.one.address has a place {key} that is not known",
                "c.toml:4: channel.one.body has a place {titel}",
            ],
        ),
        (
            "kind = \"http\"\naddress = \"https://a.example/\"\nbody = '{\"a\":{title}}'",
            &["c.toml:4: channel.one.body is no JSON"],
        ),
        (
            "kind = \"http\"\naddress = \"http://a.example/\"\nbody = '1'",
            &["c.toml:3: channel.one.address must be an https address"],
        ),
        (
            "kind = \"twilio\"\nfrom = \"x\"\naccount_sid = \"AC\"\nto = \"98\"",
            &["c.toml:4: channel.one.account_sid must be AC", "c.toml:5: channel.one.to must be a number"],
        ),
        (
            "kind = \"msg91\"\nto = [\"+91\"]",
            &[
                "c.toml:1: [channel.one]: to names no number",
                "c.toml:1: channel.one.template_id is missing",
                "c.toml:3: channel.one.to must be numbers",
            ],
        ),
        ("kind = \"command\"", &["c.toml:1: [channel.one]: command needs a program"]),
    ] {
        let faults = read(lines).unwrap_err();
        assert_eq!(faults.len(), wants.len(), "{faults:#?}");
        for (fault, want) in faults.iter().zip(wants) {
            assert!(fault.starts_with(want), "{fault}\nis not\n{want}");
        }
    }
}

/// Twilio knows whether the carrier delivered a message: it is asked, with the same credential, and never for long.
#[test]
fn twilio_is_asked_whether_a_message_arrived() {
    for (status, receipt, asks) in
        [("delivered", Receipt::Delivered, 1..=1), ("sent", Receipt::Accepted, 2..=6)]
    {
        let sid = format!("SM{}", "0a".repeat(16));
        let body = format!(r#"{{"sid":"{sid}","status":"{status}"}}"#);
        let provider = Provider::start(Act::Say(200, String::new(), body));
        let case = cases(&provider.url).into_iter().find(|case| case.kind == "twilio").unwrap();
        assert_eq!(case.send(&plain(), Duration::from_secs(8)), Ok(receipt));
        let asked = provider.asked();
        let (posts, gets): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.method == "POST");
        assert!(posts.len() == 1 && asks.contains(&gets.len()), "{asked:?}");
        for get in gets {
            assert!(get.path.ends_with(&format!("/Messages/{sid}.json")), "{get:?}");
            assert_eq!(get.header("authorization"), posts[0].header("authorization"));
        }
    }
}
