//! Numbers for Prometheus, in its text format 0.0.4. Nothing in them is secret.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::gate::Right;
use super::hall::{Hall, Shelf, now};

/// The media type.
pub(super) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text that grows by one family of numbers after another.
#[derive(Default)]
struct Text(String);

type Label<'l> = (&'static str, &'l str);

impl Text {
    /// The head of a family, and its numbers. A family without numbers is left out.
    fn family(&mut self, (name, kind, help): (&str, &str, &str), numbers: &[(&[Label<'_>], f64)]) {
        if !numbers.is_empty() {
            let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        for (labels, number) in numbers {
            self.number(name, labels, *number);
        }
    }

    fn number(&mut self, name: &str, labels: &[Label<'_>], number: f64) {
        self.0.push_str(name);
        for (i, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if i == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {number}");
    }
}

/// All numbers that a caller may see.
pub(super) fn text(hall: &Hall, right: &Right) -> String {
    let mut text = Text::default();
    let seen: Vec<(&Shelf, Value)> = hall
        .shelves
        .iter()
        .filter(|shelf| right.sees(&shelf.row.account))
        .map(|shelf| (shelf, (*shelf.row.words()).clone()))
        .collect();
    tokens(&mut text, &seen);
    mornings(&mut text, &seen);
    sinks(&mut text, &seen);
    tallied(&mut text, hall, right);
    asked(&mut text, hall);
    text.0
}

fn tokens(text: &mut Text, seen: &[(&Shelf, Value)]) {
    let now = now();
    let offers: Vec<_> =
        seen.iter().map(|(shelf, _)| (shelf.row.account.as_str(), shelf.row.offer(now))).collect();
    let labels: Vec<[Label<'_>; 1]> = offers.iter().map(|(account, _)| [("account", *account)]).collect();
    let each = |number: &dyn Fn(&crate::board::Offer) -> Option<f64>| {
        let numbers = offers
            .iter()
            .zip(&labels)
            .filter_map(|((_, offer), label)| Some((label.as_slice(), number(offer)?)));
        numbers.collect::<Vec<_>>()
    };
    let served = each(&|offer| Some(f64::from(u8::from(offer.token().is_some()))));
    text.family(("firstbell_token_served", "gauge", "Whether the account's token is handed out."), &served);
    #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
    let generation = each(&|offer| offer.token().map(|token| token.generation as f64));
    text.family(
        ("firstbell_token_generation", "gauge", "Generation of the token that is handed out."),
        &generation,
    );
    let until = each(&|offer| offer.token().map(|token| seconds(token.life.trusted_until)));
    text.family(
        ("firstbell_token_trusted_until_seconds", "gauge", "Until when the token is believed, as Unix time."),
        &until,
    );
}

fn mornings(text: &mut Text, seen: &[(&Shelf, Value)]) {
    let labels: Vec<[Label<'_>; 1]> =
        seen.iter().map(|(shelf, _)| [("account", shelf.row.account.as_str())]).collect();
    let moments = |read: &dyn Fn(&Value) -> Option<Timestamp>| {
        let all = seen.iter().zip(&labels);
        all.filter_map(|((_, words), label)| Some((label.as_slice(), seconds(read(words)?))))
            .collect::<Vec<_>>()
    };
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let last = moments(&|words| moment(&words["issued"]));
    text.family(
        ("firstbell_last_login_seconds", "gauge", "When the current token was issued, as Unix time."),
        &last,
    );
    let next = moments(&|words| moment(&words["next_login"]));
    text.family(
        ("firstbell_next_login_seconds", "gauge", "When the next login is due, as Unix time."),
        &next,
    );
    let mut left: Vec<([Label<'_>; 2], f64)> = Vec::new();
    for (shelf, words) in seen {
        for credential in ["password", "code"] {
            if let Some(tries) = words["tries_left"][credential].as_f64() {
                left.push(([("account", &shelf.row.account), ("credential", credential)], tries));
            }
        }
    }
    let left: Vec<_> = left.iter().map(|(labels, number)| (labels.as_slice(), *number)).collect();
    text.family(
        ("firstbell_tries_left", "gauge", "How many submissions of a credential may still end badly."),
        &left,
    );
}

/// Where tokens are written to, as far as the account's words tell.
fn sinks(text: &mut Text, seen: &[(&Shelf, Value)]) {
    let (mut up, mut generations) = (Vec::new(), Vec::new());
    for (shelf, words) in seen {
        for sink in words["sinks"].as_array().into_iter().flatten() {
            let Some(name) = sink["name"].as_str() else { continue };
            let labels: [Label<'_>; 2] = [("account", &shelf.row.account), ("sink", name)];
            up.push((labels, f64::from(u8::from(sink["fault"].is_null()))));
            if let Some(generation) = sink["generation"].as_f64() {
                generations.push((labels, generation));
            }
        }
    }
    let flat = |all: &Vec<([Label<'_>; 2], f64)>| all.len();
    if flat(&up) > 0 {
        let up: Vec<_> = up.iter().map(|(labels, number)| (labels.as_slice(), *number)).collect();
        text.family(("firstbell_sink_up", "gauge", "Whether the sink took the last token."), &up);
        let generations: Vec<_> = generations.iter().map(|(labels, n)| (labels.as_slice(), *n)).collect();
        text.family(("firstbell_sink_generation", "gauge", "Generation that the sink has."), &generations);
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn tallied(text: &mut Text, hall: &Hall, right: &Right) {
    let counts = hall.tally.counts();
    let name = "firstbell_login_step_seconds";
    if !counts.steps.is_empty() {
        let _ = write!(text.0, "# HELP {name} How long the steps of logins took.\n# TYPE {name} summary\n");
    }
    for (step, (times, sum_us)) in &counts.steps {
        text.number(&format!("{name}_sum"), &[("step", step)], *sum_us as f64 / 1e6);
        text.number(&format!("{name}_count"), &[("step", step)], *times as f64);
    }
    let mut failures: Vec<([Label<'_>; 2], f64)> = Vec::new();
    for ((account, class), times) in counts.failures.iter().filter(|((account, _), _)| right.sees(account)) {
        failures.push(([("account", account), ("class", class)], *times as f64));
    }
    let failures: Vec<_> = failures.iter().map(|(labels, number)| (labels.as_slice(), *number)).collect();
    text.family(
        (
            "firstbell_login_failures_total",
            "counter",
            "Logins that ended without a token, by what went wrong.",
        ),
        &failures,
    );
    let channels: Vec<[Label<'_>; 1]> =
        counts.channels.keys().map(|name| [("channel", name.as_str())]).collect();
    let up =
        channels.iter().map(AsRef::as_ref).zip(counts.channels.values().map(|up| f64::from(u8::from(*up))));
    text.family(
        ("firstbell_channel_up", "gauge", "Whether the channel took the last message."),
        &up.collect::<Vec<_>>(),
    );
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn asked(text: &mut Text, hall: &Hall) {
    let (statuses, refused, handled) = hall.counts.read();
    let codes: Vec<String> = statuses.iter().map(|(status, _)| status.to_string()).collect();
    let labels: Vec<[Label<'_>; 1]> = codes.iter().map(|code| [("code", code.as_str())]).collect();
    let numbers = labels.iter().map(AsRef::as_ref).zip(statuses.iter().map(|(_, count)| *count as f64));
    text.family(
        (
            "firstbell_api_requests_total",
            "counter",
            "Requests at the local API, by the status of the answer.",
        ),
        &numbers.collect::<Vec<_>>(),
    );
    let labels: Vec<[Label<'_>; 1]> = refused.iter().map(|(why, _)| [("why", *why)]).collect();
    let numbers = labels.iter().map(AsRef::as_ref).zip(refused.iter().map(|(_, count)| *count as f64));
    text.family(
        (
            "firstbell_api_refused_total",
            "counter",
            "Requests that were refused before anything was done for them.",
        ),
        &numbers.collect::<Vec<_>>(),
    );
    let one = [([].as_slice(), handled as f64)];
    text.family(("firstbell_api_handled_total", "counter", "Requests for which something was done."), &one);
    let one = [([].as_slice(), hall.turnstile.refused() as f64)];
    text.family(("firstbell_api_key_refused_total", "counter", "Wrong keys that were shown."), &one);
}

fn seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
    let seconds = at.as_second() as f64;
    seconds
}
