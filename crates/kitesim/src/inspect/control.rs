//! The control page for people: the state of the simulation, and its levers as plain forms. It needs no network.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::Time;
use serde_json::Value;

use super::{Shared, refusal, snapshot};
use crate::clock::{self, Clock};
use crate::fields::{Fields, Form};
use crate::html::{self, escape};
use crate::scenario;
use crate::world::{Truth, World};

/// No script at all, nothing from elsewhere, and no frame around it in which somebody else guides the mouse.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = "<style>body{font:14px/1.5 sans-serif;margin:0 auto 70px;max-width:1000px;padding:0 16px;color:#333}\
    h1{font-size:22px}h2{font-size:16px;margin:24px 0 6px;border-bottom:1px solid #ddd}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:2px 12px 2px 0;vertical-align:top}\
    th{color:#888;font-weight:normal}form{display:inline-block;margin:2px 4px 2px 0}\
    button{padding:4px 10px;cursor:pointer}.bad{color:#b00020;font-weight:bold}.none{color:#999}</style>";

/// How many of the last entries of a list are shown.
const SHOWN: usize = 20;

/// The ready scenarios that have a button.
const BUTTONS: [(&str, &str); 16] = [
    ("wrong-password", include_str!("../../scenarios/f48-wrong-password.toml")),
    ("wrong-code", include_str!("../../scenarios/f51-wrong-code.toml")),
    ("blocked", include_str!("../../scenarios/f49-blocked.toml")),
    ("slow", include_str!("../../scenarios/f05-slow.toml")),
    ("drip", include_str!("../../scenarios/f14-drip.toml")),
    ("reset-before", include_str!("../../scenarios/f04-reset-before.toml")),
    ("reset-after", include_str!("../../scenarios/f05-reset-after.toml")),
    ("unknown-page", include_str!("../../scenarios/f20-unknown-page.toml")),
    ("html-instead-of-json", include_str!("../../scenarios/f13-html-instead-of-json.toml")),
    ("too-many-requests", include_str!("../../scenarios/f12-too-many-requests.toml")),
    ("renamed-ids", include_str!("../../scenarios/f20-renamed-ids.toml")),
    ("decoy-fields", include_str!("../../scenarios/f21-decoy-fields.toml")),
    ("late-rendering", include_str!("../../scenarios/f18-late-rendering.toml")),
    ("half-loaded", include_str!("../../scenarios/f19-half-loaded.toml")),
    ("truncated", include_str!("../../scenarios/f15-truncated.toml")),
    ("dead-on-arrival", include_str!("../../scenarios/f68-dead-on-arrival.toml")),
];

/// `GET /`.
pub(super) async fn page(State(world): Shared) -> Response {
    let seen = snapshot(&world);
    let mut content = format!("{STYLE}<h1>kitesim: control page</h1>");
    content += &clock_part(&seen);
    content += &account_part(&seen);
    content += &table("Access tokens", &["user_id", "since", "ends"], &seen["tokens"]);
    content += &table("Browser sessions", &["since", "ends"], &seen["sessions"]);
    content += &button("flush", "", "End all tokens and sessions, as the morning does");
    content += &button("cut", "", "Cut all ticker connections");
    content += &faults_part(&world, &seen);
    content += &table("Last submissions", &["at", "kind", "user_id", "verdict"], &seen["submissions"]);
    content += &table("Last exchanges", &["at", "verdict"], &seen["exchanges"]);
    content += &table("Last postbacks", &["at", "order_id", "status", "answer"], &seen["postbacks"]);
    content += &table("Last requests", &["method", "path", "status"], &seen["requests"]);
    let mut response = html::page(StatusCode::OK, "kitesim: control page", &content);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// `POST /control`: one lever, then back to the page.
pub(super) async fn order(State(world): Shared, Form(form): Form) -> Response {
    if let Err(complaints) = pull(&world, &form) {
        return refusal(StatusCode::BAD_REQUEST, &complaints);
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response()
}

fn pull(world: &Arc<World>, form: &Fields) -> Result<(), Vec<String>> {
    let with = form.first("with").unwrap_or_default();
    let mut truth = world.lock();
    match form.first("do").unwrap_or_default() {
        "freeze" => truth.clock.freeze(true),
        "run" => truth.clock.freeze(false),
        "advance" => {
            let seconds =
                with.parse().map_err(|_error| vec!["with: must be a number of seconds".to_owned()])?;
            if !truth.clock.advance(seconds) {
                return Err(vec!["with: no calendar reaches that far".to_owned()]);
            }
        }
        "speed" => {
            let speed = with.parse().map_err(|_error| vec!["with: must be a number".to_owned()])?;
            truth.clock.hurry(speed);
        }
        "morning" => to_next_morning(&mut truth.clock),
        "set" => {
            let at: Timestamp =
                with.parse().map_err(|_error| vec!["with: must be a moment of RFC 3339".to_owned()])?;
            truth.clock.set(at);
        }
        "cut" => world.cuts.send_modify(|cuts| *cuts += 1),
        "flush" => truth.rules.flush(),
        "reset" => forget(&mut truth),
        "release" => world.held.release(),
        "clear" => truth.faults.replace(Vec::new()),
        "fault" => {
            let ready = BUTTONS.iter().find(|(name, _)| *name == with);
            let (_, text) = ready.ok_or_else(|| vec!["with: there is no such button".to_owned()])?;
            truth.faults.replace(scenario::from_toml(text)?.faults.unwrap_or_default());
        }
        _ => return Err(vec!["do: there is no such lever".to_owned()]),
    }
    Ok(())
}

fn forget(truth: &mut Truth) {
    truth.rules.reset();
    truth.seen.reset();
}

/// One minute past the usual moment at which tokens die.
fn to_next_morning(clock: &mut Clock) {
    let now = clock::in_india(clock.now());
    let six = Time::constant(6, 1, 0, 0);
    let day = if now.time() < six { Ok(now.date()) } else { now.date().tomorrow() };
    let seconds = day.map(|day| now.duration_until(day.to_datetime(six)).as_secs());
    // At the end of the calendar there is no next morning, and the clock stays.
    let _moved = seconds.is_ok_and(|seconds| clock.advance(seconds));
}

fn clock_part(seen: &Value) -> String {
    let now = shown(&seen["now"]);
    let state = if seen["frozen"] == true { "stands still" } else { "runs" };
    let speed = &seen["speed"];
    let mut part = format!("<h2>Clock</h2><p><b>{now}</b> in India; it {state} ({speed} s a second).</p>");
    part += &button("freeze", "", "Freeze");
    part += &button("run", "", "Run");
    for (seconds, label) in [("30", "+30 s"), ("300", "+5 min"), ("3600", "+1 h"), ("86400", "+1 day")] {
        part += &button("advance", seconds, label);
    }
    part += &button("morning", "", "To the next 06:01");
    for (speed, label) in
        [("1", "Real time"), ("60", "A minute a second"), ("22500", "A trading day a second")]
    {
        part += &button("speed", speed, label);
    }
    part += "<form method=\"post\" action=\"/control\"><input type=\"hidden\" name=\"do\" value=\"set\">\
        <input name=\"with\" size=\"28\" placeholder=\"2026-10-05T08:30:00+05:30\" aria-label=\"Moment\"> \
        <button>Set</button></form>";
    part
}

fn account_part(seen: &Value) -> String {
    let blocked = if seen["blocked"] == true { "<span class=\"bad\">blocked</span>" } else { "not blocked" };
    let (passwords, codes) = (&seen["wrong_passwords"], &seen["wrong_codes"]);
    let part = format!(
        "<h2>Account</h2><p>{blocked}; wrong passwords {passwords} of 5, wrong codes {codes} of 5. Live tokens: {}.</p>",
        seen["live_tokens"]
    );
    part + &button("reset", "", "Forget counters, blocks, sessions, tokens and records")
}

fn faults_part(world: &World, seen: &Value) -> String {
    let mut part = table("Faults that stand", &["at", "do", "call", "calls"], &seen["faults"]);
    part += "<p>";
    for (name, _) in BUTTONS {
        part += &button("fault", name, name);
    }
    part += &button("clear", "", "Clear all faults");
    part += "</p>";
    let held: Vec<&str> = world.held.places().into_iter().map(|place| place.name()).collect();
    let _always = write!(
        part,
        "<p>Held requests: {}. ",
        if held.is_empty() { "none".to_owned() } else { held.join(", ") }
    );
    part + &button("release", "", "Release") + "</p>"
}

/// One lever. What stands in it is ours, so there is nothing to escape.
fn button(lever: &str, with: &str, label: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/control\"><input type=\"hidden\" name=\"do\" value=\"{lever}\">\
         <input type=\"hidden\" name=\"with\" value=\"{with}\"><button>{label}</button></form>"
    )
}

/// The last rows of a list, newest first.
fn table(title: &str, columns: &[&str], list: &Value) -> String {
    let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = format!("<h2>{title}</h2>");
    if rows.is_empty() {
        return text + "<p class=\"none\">none</p>";
    }
    text += "<table><tr>";
    for column in columns {
        let _always = write!(text, "<th>{}</th>", column.replace('_', " "));
    }
    text += "</tr>";
    for row in rows.iter().rev().take(SHOWN) {
        text += "<tr>";
        for column in columns {
            let _always = write!(text, "<td>{}</td>", shown(&row[column]));
        }
        text += "</tr>";
    }
    text + "</table>"
}

/// A value for people: moments as Indian clocks show them. Paths and user ids come from strangers.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(moment) => clock::in_india(moment).strftime("%a %d %b %Y %H:%M:%S").to_string(),
            Err(_) => escape(text),
        },
        other => escape(&other.to_string()),
    }
}
