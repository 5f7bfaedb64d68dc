//! Every channel that calls a provider: how it is set up, how its provider answers, and what a request must look like.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64;
use firstbell::ports::{ChannelFault, Message, Receipt};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::provider::Asked;
use crate::scanner::Scanner;
use crate::shelf;
use crate::support::marker;

const SID: &str = "AC0123456789abcdef0123456789abcdef";

/// One channel: its lines, its secrets, and how its provider says yes and "slower".
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    pub(crate) lines: String,
    secrets: Vec<(String, String)>,
    pub(crate) yes: (u16, &'static str),
    pub(crate) slower: (&'static str, &'static str),
    pub(crate) form: Form,
}

impl Case {
    fn secret(&self, name: &str) -> &str {
        &self.secrets.iter().find(|(own, _)| own == name).unwrap().1
    }

    pub(crate) fn send(&self, message: &Message, time: Duration) -> Result<Receipt, ChannelFault> {
        shelf::send(&self.lines, &self.secrets, message, time)
    }

    pub(crate) fn scanner(&self) -> Scanner {
        let mut scanner = Scanner::default();
        for (name, secret) in &self.secrets {
            // Of an address the part behind the host is the secret.
            let secret =
                secret.strip_prefix("http://").and_then(|s| s.split_once('/')).map_or(&**secret, |(_, s)| s);
            scanner.add(name, secret);
        }
        scanner
    }
}

/// All of them, pointed at this address.
pub(crate) fn cases(url: &str) -> Vec<Case> {
    let mut all = chats(url);
    all.extend(gateways(url));
    all
}

/// Like many, it asks for patience in a header.
const HEADER: (&str, &str) = ("retry-after: 7\r\n", "");

type Form = fn(&Case, &Asked, &Message);

fn case(
    kind: &'static str,
    lines: &str,
    secrets: Vec<(&str, String)>,
    yes: (u16, &'static str),
    form: Form,
) -> Case {
    let lines = format!("kind = \"{kind}\"\n{lines}");
    let secrets = secrets.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    Case { kind, lines, secrets, yes, slower: HEADER, form }
}

fn address(url: &str, path: &str) -> (&'static str, String) {
    ("address", format!("{url}/{path}/{}", marker(24)))
}

fn chats(url: &str) -> Vec<Case> {
    let telegram = case(
        "telegram",
        &format!("chat_id = \"-100123\"\nserver = \"{url}\""),
        vec![("token", format!("123456:{}", marker(35)))],
        (200, r#"{"ok":true,"result":{"message_id":7}}"#),
        telegram,
    );
    let slack = case("slack", "", vec![address(url, "services")], (200, "ok"), slack);
    let yes = (200, r#"{"id":"11","content":"x"}"#);
    let discord = case("discord", "", vec![address(url, "api/webhooks/1")], yes, discord);
    let secrets = vec![address(url, "topic"), ("token", format!("tk_{}", marker(29)))];
    let yes = (200, r#"{"id":"x","event":"message"}"#);
    let ntfy = case("ntfy", "token = { vault = true }", secrets, yes, ntfy);
    let in_body = |case, body| Case { slower: ("", body), ..case };
    vec![
        in_body(
            telegram,
            r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#,
        ),
        slack,
        in_body(discord, r#"{"message":"You are being rate limited.","retry_after":6.457,"global":false}"#),
        ntfy,
    ]
}

fn gateways(url: &str) -> Vec<Case> {
    let twilio = format!(
        "account_sid = \"{SID}\"\nfrom = \"+15005550006\"\nto = \"+919812345678\"\nserver = \"{url}\""
    );
    let lines = format!(
        "template_id = \"t1\"\nto = [\"919812345678\", \"919812345679\"]\nserver = \"{url}\"\n\
         variables = {{ VAR1 = \"{{title}}\", VAR2 = \"{{text}}\" }}"
    );
    let http = format!(
        "address = \"{url}/send?to=1&key={{apikey}}\"\nheaders = {{ X-Token = \"T {{other}}\", X-Title = \"{{title}}\" }}\n\
         body = '{{\"t\":\"{{title}}\",\"b\":\"{{body}}\",\"k\":\"{{other}}\"}}'\nanswer = \"queued\"\n\
         secrets = {{ apikey = {{ vault = true }}, other = {{ vault = true }} }}"
    );
    let keys = vec![("apikey", format!("{}&=\"", marker(24))), ("other", marker(24))];
    let key = format!("whsec_{}", BASE64.encode(marker(33).as_bytes()));
    let (sent, taken) = (r#"{"sid":"SM1","status":"queued"}"#, r#"{"type":"success","message":"5762846b"}"#);
    vec![
        case("twilio", &twilio, vec![("auth_token", marker(32))], (201, sent), self::twilio),
        case("msg91", &lines, vec![("authkey", marker(24))], (200, taken), msg91),
        case("http", &http, keys, (200, "all queued."), gateway),
        case("webhook", "", vec![address(url, "hook"), ("key", key)], (204, ""), webhook),
    ]
}

fn as_json(asked: &Asked) -> Value {
    assert_eq!((asked.method.as_str(), asked.header("content-type")), ("POST", Some("application/json")));
    asked.json()
}

fn telegram(case: &Case, asked: &Asked, message: &Message) {
    assert_eq!(asked.path, format!("/bot{}/sendMessage", case.secret("token")));
    let body = as_json(asked);
    assert_eq!(body["chat_id"], "-100123");
    assert_eq!(body["link_preview_options"], json!({ "is_disabled": true }));
    assert!(body.get("parse_mode").is_none());
    let text = body["text"].as_str().unwrap();
    assert!(text.encode_utf16().count() <= 4096 && !text.contains(['\0', '\r', '\u{1b}', '\u{202e}']));
    assert_eq!(text.contains(&message.body), message.body.len() < 4000);
}

fn slack(case: &Case, asked: &Asked, message: &Message) {
    assert!(case.secret("address").ends_with(&asked.path));
    let body = as_json(asked);
    let text = body["text"].as_str().unwrap();
    assert!(text.len() < 6000 && !text.contains(['<', '>']) && !text.contains("&amp;amp;x"));
    assert_eq!(text.contains("&lt;!channel&gt; &lt;script&gt;"), message.over);
    for off in ["mrkdwn", "link_names", "unfurl_links", "unfurl_media"] {
        assert_eq!(body[off], false, "{off}");
    }
}

fn discord(case: &Case, asked: &Asked, message: &Message) {
    assert!(format!("{}?wait=true", case.secret("address")).ends_with(&asked.path));
    let body = as_json(asked);
    assert_eq!((&body["allowed_mentions"], &body["flags"]), (&json!({ "parse": [] }), &json!(4)));
    let text = body["content"].as_str().unwrap();
    assert!(text.encode_utf16().count() <= 2000);
    assert_eq!(text.contains("\\*\\*bold\\*\\* \\_x\\_ \\`code\\`"), message.over);
    let letters: Vec<char> = text.chars().collect();
    assert!(letters.windows(2).all(|pair| pair[1] != '@' || pair[0] == '\\'), "{text}");
}

fn ntfy(case: &Case, asked: &Asked, message: &Message) {
    assert!(case.secret("address").ends_with(&asked.path));
    assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {}", case.secret("token"))));
    assert_eq!(asked.header("priority"), Some(if message.over { "3" } else { "5" }));
    let title = asked.header("title").unwrap();
    match message.over {
        false => assert_eq!(title, message.title),
        true => {
            let coded = title.strip_prefix("=?UTF-8?B?").and_then(|t| t.strip_suffix("?=")).unwrap();
            let title = String::from_utf8(BASE64.decode(coded.as_bytes()).unwrap()).unwrap();
            assert!(title.starts_with("main  X-Evil: 1") && title.contains("नमस्ते"), "{title}");
        }
    }
    assert!(asked.body.len() <= 4096 && asked.header("content-type").unwrap().starts_with("text/plain"));
}

fn twilio(case: &Case, asked: &Asked, message: &Message) {
    assert_eq!(asked.path, format!("/2010-04-01/Accounts/{SID}/Messages.json"));
    let basic = BASE64.encode(format!("{SID}:{}", case.secret("auth_token")).as_bytes());
    assert_eq!(asked.header("authorization"), Some(&*format!("Basic {basic}")));
    let pairs: BTreeMap<_, _> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    assert_eq!(
        (pairs["To"].as_str(), pairs["From"].as_str(), pairs.len()),
        ("+919812345678", "+15005550006", 3)
    );
    assert!(pairs["Body"].encode_utf16().count() <= 300 && !pairs["Body"].contains('\n'));
    if !message.over {
        assert_eq!(pairs["Body"], format!("{}: Zerodha answers with 502 since 08:31.", message.title));
    }
}

fn msg91(case: &Case, asked: &Asked, _: &Message) {
    assert_eq!(asked.path, "/api/v5/flow");
    assert_eq!(asked.header("authkey"), Some(case.secret("authkey")));
    let body = as_json(asked);
    assert_eq!((&body["template_id"], body["recipients"].as_array().unwrap().len()), (&json!("t1"), 2));
    let first = &body["recipients"][0];
    assert_eq!(first["mobiles"], "919812345678");
    for name in ["VAR1", "VAR2"] {
        let value = first[name].as_str().unwrap();
        assert!(value.starts_with("main") && value.encode_utf16().count() <= 30, "{value}");
    }
}

fn gateway(case: &Case, asked: &Asked, message: &Message) {
    let key: String = url::form_urlencoded::byte_serialize(case.secret("apikey").as_bytes()).collect();
    assert_eq!(asked.path, format!("/send?to=1&key={key}"));
    assert_eq!(asked.header("x-token"), Some(&*format!("T {}", case.secret("other"))));
    let body = as_json(asked);
    assert_eq!((body["k"].as_str().unwrap(), body.as_object().unwrap().len()), (case.secret("other"), 3));
    assert!(body["t"].as_str().unwrap().starts_with("main"));
    if !message.over {
        assert_eq!(body["b"], message.body);
    }
}

fn webhook(case: &Case, asked: &Asked, message: &Message) {
    let body = as_json(asked);
    let want = json!({
        "version": 1, "id": body["id"], "at": body["at"], "severity": message.severity.as_str(), "title": message.title,
        "body": message.body, "incident": message.incident, "over": message.over,
    });
    assert_eq!(body, want);
    let (id, at) = (asked.header("webhook-id").unwrap(), asked.header("webhook-timestamp").unwrap());
    assert_eq!(body["id"], id);
    let moment: jiff::Timestamp = body["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(moment.as_second().to_string(), at);
    let key = BASE64.decode(case.secret("key").strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{}", asked.body).as_bytes());
    let signed = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    assert_eq!(asked.header("webhook-signature"), Some(&*signed));
}
