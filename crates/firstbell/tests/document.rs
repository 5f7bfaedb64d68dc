//! The OpenAPI document against a real daemon: each route answers as it says, nothing else answers, and the metrics are in their
//! format.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/serving.rs"]
mod serving;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use daemon::{Daemon, configure_due};
use serde_json::Value;
use serving::{Answer, Client};
use support::{Home, Sim};

fn unix(home: &Home) -> Client<UnixStream> {
    let stream = UnixStream::connect(home.state().join("socket")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    Client { stream: BufReader::new(stream), host: "firstbell".into() }
}

fn ask(home: &Home, method: &str, path: &str) -> Answer {
    let mut client = unix(home);
    client.send(method, path, "");
    client.read().unwrap()
}

/// Two accounts: one that has logged in, and one without secrets.
fn two() -> (Sim, Home, Daemon) {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let second = "[account.second]\nuser_id = \"CD5678\"\napi_key = \"otherkey1234\"\nredirect_url = \"http://127.0.0.1:1/\"\n";
    configure_due(&home, &sim, "", second);
    let daemon = Daemon::start(&home);
    daemon.until_account("main", "a token", |account| account["served"] == "yes");
    daemon.account("second");
    (sim, home, daemon)
}

/// What is wrong with a value by a schema, as far as the document uses the language of schemas.
fn faults(value: &Value, schema: &Value, document: &Value, place: &str) -> Vec<String> {
    if let Some(link) = schema["$ref"].as_str() {
        let target = document.pointer(link.strip_prefix('#').unwrap());
        return faults(value, target.unwrap_or_else(|| panic!("{link} leads nowhere")), document, place);
    }
    let mut found = Vec::new();
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other} is no type that this test knows"),
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => panic!("{place}: no type in {schema}"),
    };
    if !kinds.iter().any(|kind| is(kind)) {
        found.push(format!("{place} is {value}, not {kinds:?}"));
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        found.push(format!("{place} is {value}, not one of {known:?}"));
    }
    if schema["format"] == "date-time" {
        let moment = value
            .as_str()
            .is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok() && text.ends_with("+05:30"));
        found.extend((!moment).then(|| format!("{place} is {value}, no moment in India")));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
            found.push(format!("{place} lacks {name}"));
        }
    }
    if let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        let strange = members.keys().filter(|name| !known.contains_key(*name));
        found.extend(strange.map(|name| format!("{place}.{name} is not in the document")));
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            found.extend(faults(value, schema, document, &format!("{place}.{name}")));
        }
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        if !schema["items"].is_null() {
            found.extend(faults(item, &schema["items"], document, &format!("{place}[{i}]")));
        }
    }
    found
}

/// Whether an answer is what the document says of it.
fn fits(answer: &Answer, operation: &Value, document: &Value, place: &str) {
    let said = &operation["responses"][answer.status.to_string()];
    assert!(said.is_object(), "{place}: {} is not in the document", answer.status);
    let Some(content) = said["content"].as_object() else {
        assert!(answer.text.is_empty(), "{place}: {answer:?}");
        return;
    };
    let media = answer.header("content-type").unwrap().split(';').next().unwrap();
    let schema = content.get(media).unwrap_or_else(|| panic!("{place}: {media} is not in the document"));
    if media == "application/json" {
        let found = faults(&answer.json(), &schema["schema"], document, place);
        assert!(found.is_empty(), "{found:#?}");
    }
    let retry = answer.header("retry-after").is_some();
    assert!(answer.status != 503 || retry || !answer.text.contains("\"error\""), "{place}: {answer:?}");
}

/// Asks for a place, looks whether what comes fits, and gives the status. What a stream tells of an account fits as accounts do.
fn asked_for(home: &Home, place: &str, operation: &Value, document: &Value) -> u16 {
    let (method, path) = place.split_once(' ').unwrap();
    let mut client = unix(home);
    client.send(method, path, "Connection: close\r\n");
    if !path.contains("/events") || path.ends_with("nobody") {
        let answer = client.read().unwrap();
        fits(&answer, operation, document, place);
        return answer.status;
    }
    let head = client.head().unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    fits(&Answer { status, head, text: String::new() }, operation, document, place);
    let schema = serde_json::json!({ "$ref": "#/components/schemas/Account" });
    loop {
        let (_, name, data) = client.event().unwrap();
        if name == "state" {
            let found = faults(&data, &schema, document, place);
            assert!(found.is_empty(), "{found:#?}");
            return status;
        }
    }
}

#[test]
fn every_route_of_the_document_answers_as_it_says_and_no_other_does() {
    let (_sim, home, daemon) = two();
    let document = ask(&home, "GET", "/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let mut asked = BTreeSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            assert!(["status", "token", "admin"].contains(&operation["x-scope"].as_str().unwrap()));
            for account in ["main", "second", "nobody"] {
                let place = format!("{method} {}", path.replace("{account}", account));
                let place =
                    if path.ends_with("/events") { format!("{place}?account={account}") } else { place };
                let status = asked_for(&home, &place, operation, &document);
                asked.insert((place, status));
            }
        }
        // Of two methods one only looks and one only orders, and no third one is there.
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
            let there = methods.get(method.to_lowercase()).is_some();
            if !there {
                assert_eq!(
                    head_of(&home, method, &path.replace("{account}", "main")),
                    405,
                    "{method} {path}"
                );
            }
        }
    }
    let has =
        |place: &str, status| assert!(asked.contains(&(place.to_owned(), status)), "{place}: {asked:#?}");
    has("GET /v1/accounts/main/token", 200);
    has("GET /v1/accounts/second/token", 503);
    has("GET /v1/accounts/nobody/token", 404);
    has("GET /v1/events?account=main", 200);
    has("GET /v1/events?account=nobody", 404);
    has("GET /readyz", 503);
    has("GET /livez", 200);
    has("POST /v1/accounts/main/pause", 200);
    let operation = &paths["/v1/accounts/{account}/token"]["get"];
    for (query, status) in
        [("wait=0", 200), ("wait=99999&timeout_s=1", 204), ("wait=x", 400), ("timeout_s=1", 400)]
    {
        let answer = ask(&home, "GET", &format!("/v1/accounts/main/token?{query}"));
        assert_eq!(answer.status, status, "{query}");
        fits(&answer, operation, &document, query);
    }
    // What is not in the document is not there.
    let words = [
        "v1", "v2", "accounts", "main", "token", "pause", "events", "metrics", "keys", "admin", "health",
        "sinks", "",
    ];
    for one in words {
        for two in words {
            for three in words {
                for path in [
                    format!("/{one}"),
                    format!("/{one}/{two}"),
                    format!("/{one}/{two}/{three}"),
                    format!("/{one}/{two}/main/{three}"),
                ] {
                    let known = paths.keys().any(|known| known.replace("{account}", "main") == path);
                    if !known && three.len() < 6 {
                        assert_eq!(ask(&home, "GET", &path).status, 404, "{path}");
                    }
                }
            }
        }
    }
    assert_eq!(daemon.ask("GET", "/livez").0, 200);
}

/// The status alone: an answer to HEAD has no body.
fn head_of(home: &Home, method: &str, path: &str) -> u16 {
    let mut client = unix(home);
    client.send(method, path, "");
    client.head().unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

/// Reads the text format by its grammar: each family has its help and its type before its numbers, once and together.
fn families(text: &str) -> BTreeMap<String, (String, Vec<(String, f64)>)> {
    let mut found: BTreeMap<String, (String, Vec<(String, f64)>)> = BTreeMap::new();
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut lines = text.lines().peekable();
    assert!(text.ends_with('\n'));
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").expect(line).split_once(' ').unwrap();
        assert!(is_name(name) && help.ends_with('.'), "{line}");
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).expect(line).to_owned();
        assert!(["counter", "gauge", "summary"].contains(&kind.as_str()), "{kind}");
        assert!(kind != "counter" || name.ends_with("_total"), "{name}");
        let mut numbers = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, number) = line.rsplit_once(' ').unwrap();
            let (own, labels) = series
                .split_once('{')
                .map_or((series, ""), |(own, labels)| (own, labels.strip_suffix('}').unwrap()));
            let suffix = own.strip_prefix(name).expect(line);
            assert!(suffix.is_empty() || kind == "summary" && ["_sum", "_count"].contains(&suffix), "{line}");
            for label in labels.split("\",").filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once("=\"").expect(line);
                assert!(is_name(label) && !value.trim_end_matches('"').contains('"'), "{line}");
            }
            numbers.push((series.to_owned(), number.parse().expect(line)));
        }
        assert!(!numbers.is_empty(), "{name} has no numbers");
        let unique: BTreeSet<&String> = numbers.iter().map(|(series, _)| series).collect();
        assert_eq!(unique.len(), numbers.len(), "{name}");
        assert!(found.insert(name.to_owned(), (kind, numbers)).is_none(), "{name} is there twice");
    }
    found
}

#[test]
fn the_metrics_are_in_their_format_and_say_what_happened() {
    let (_sim, home, _daemon) = two();
    assert_eq!(ask(&home, "GET", "/v1/accounts/main/token").status, 200);
    assert_eq!(ask(&home, "GET", "/nowhere").status, 404);
    let answer = ask(&home, "GET", "/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let found = families(&answer.text);
    let number = |family: &str, series: &str| {
        let numbers = &found.get(family).unwrap_or_else(|| panic!("no {family} in {}", answer.text)).1;
        let found = numbers.iter().find(|(name, _)| name == series).map(|(_, number)| *number);
        found.unwrap_or_else(|| panic!("no {series} in {numbers:?}"))
    };
    let main = |family: &str| number(family, &format!("{family}{{account=\"main\"}}"));
    assert_eq!((main("firstbell_token_served"), main("firstbell_token_generation")), (1.0, 1.0));
    assert_eq!(number("firstbell_token_served", "firstbell_token_served{account=\"second\"}"), 0.0);
    assert!(main("firstbell_token_trusted_until_seconds") > main("firstbell_last_login_seconds"));
    assert!(main("firstbell_next_login_seconds") > main("firstbell_last_login_seconds"));
    let left = "firstbell_tries_left{account=\"main\",credential=\"password\"}";
    assert!(number("firstbell_tries_left", left) >= 1.0);
    let steps = &found["firstbell_login_step_seconds"].1;
    assert!(
        steps.len() >= 8 && steps.iter().any(|(series, _)| series.contains("proving the token")),
        "{steps:?}"
    );
    for (series, number) in steps.iter().filter(|(series, _)| series.contains("_count")) {
        assert!(*number >= 1.0, "{series}");
    }
    let failed = &found["firstbell_login_failures_total"].1;
    assert!(failed.iter().any(|(series, times)| series.contains("second") && *times >= 1.0), "{failed:?}");
    assert_eq!(number("firstbell_api_requests_total", "firstbell_api_requests_total{code=\"404\"}"), 1.0);
    assert_eq!(number("firstbell_api_refused_total", "firstbell_api_refused_total{why=\"path\"}"), 1.0);
    assert_eq!(number("firstbell_api_key_refused_total", "firstbell_api_key_refused_total"), 0.0);
}
