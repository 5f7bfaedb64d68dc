//! `firstbell alerts test`: a real message through each channel, and what came back.

use firstbell_core::notice::Severity;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::Exit;
use super::say;
use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::clock::MachineClock;
use crate::http::HyperHttp;
use crate::ports::{Clock, Message, Receipt};
use crate::shape::india;
use crate::stores::Stores;

pub(super) async fn test(context: &Context, named: Option<&str>, as_json: bool) -> Exit {
    let channels = match chosen(context, named) {
        Ok(channels) => channels,
        Err(exit) => return exit,
    };
    let stores = match context.stores() {
        Ok(stores) => stores,
        Err(failure) => return Exit::failed(&failure),
    };
    let mut rows = Vec::new();
    for channel in channels {
        let row = one(channel, &stores).await;
        if !as_json {
            say::out(&line(&row));
        }
        rows.push(row);
    }
    let failed = rows.iter().filter(|row| row["ok"] == false).count();
    let report = json!({ "channels": rows });
    if failed == 0 { Exit::done(report) } else { Exit::untold(failed, rows.len()).with(report) }
}

fn chosen<'a>(context: &'a Context, named: Option<&str>) -> Result<Vec<&'a ChannelConfig>, Exit> {
    match named {
        Some(name) => context.channel(name).map(|channel| vec![channel]),
        None if context.config.channels.is_empty() => {
            Err(Exit::usage("there is no channel: write one under [channel.NAME]; the README shows how"))
        }
        None => Ok(context.config.channels.iter().collect()),
    }
}

async fn one(channel: &ChannelConfig, stores: &Stores) -> Value {
    let (clock, http) = (MachineClock::start(), HyperHttp::unconnected());
    let message = Message {
        severity: Severity::Information,
        title: "firstbell: a test message".into(),
        body: format!(
            "Nothing is wrong. Somebody ran firstbell alerts test at {} to see that channel {} works. You need not do anything.",
            india(clock.now()),
            channel.name
        ),
        incident: format!("test-{}", clock.now().as_millisecond()),
        over: false,
    };
    let outside = Outside { http: &http, clock: &clock, time: TIME };
    let outcome = channel.deliver(stores.vault(), outside, &message).await;
    let row = json!({ "channel": channel.name, "kind": channel.kind, "ms": clock.run_ms() });
    let more = match outcome {
        Ok(Receipt::Accepted) => json!({ "ok": true, "receipt": "accepted" }),
        Ok(Receipt::Delivered) => json!({ "ok": true, "receipt": "delivered" }),
        Err(fault) => {
            json!({ "ok": false, "why": fault.why, "cure": fault.cure, "wait_s": fault.wait_s, "again": fault.again })
        }
    };
    let (Value::Object(mut row), Value::Object(more)) = (row, more) else { unreachable!("both are objects") };
    row.extend(more);
    Value::Object(row)
}

fn line(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let head = format!("{} ({})", text("channel"), text("kind"));
    let took = say::seconds(row["ms"].as_u64().unwrap_or(0));
    match row["ok"] == true {
        true => format!("  ✓ {head:<30} {} in {took}", text("receipt")),
        false => {
            let wait =
                row["wait_s"].as_u64().map_or(String::new(), |s| format!(" It asks us to wait for {s} s."));
            format!("  ✗ {head:<30} {}.{wait} What to do: {}", text("why"), text("cure"))
        }
    }
}
