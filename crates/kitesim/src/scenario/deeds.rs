//! Reads one `[[fault]]` table of a scenario.

use serde_json::{Map, Value};

use super::named;
use crate::faults::{Deed, Fault, PLACES, Place};

use Place::{Exchange, Finish, Login, LoginPage, Profile, Twofa};

const EVERYWHERE: &[Place] = &[LoginPage, Login, Twofa, Finish, Exchange, Profile];
/// The places that answer JSON.
const JSON: &[Place] = &[Login, Twofa, Exchange, Profile];

/// Every deed with the places at which it can happen.
const DEEDS: [(&str, &[Place]); 13] = [
    ("wrong-password", &[Login]),
    ("wrong-code", &[Twofa]),
    ("blocked", &[Login, Twofa]),
    ("slow", EVERYWHERE),
    ("status", EVERYWHERE),
    ("reset-before", EVERYWHERE),
    ("reset-after", EVERYWHERE),
    ("unknown-page", EVERYWHERE),
    ("truncated", JSON),
    ("dead-on-arrival", &[Exchange]),
    ("other-user", &[Exchange]),
    ("consent", &[Finish]),
    ("hold", EVERYWHERE),
];

/// The keys that belong to one deed alone.
const OWNED: [(&str, &str); 4] =
    [("delay_ms", "slow"), ("status", "status"), ("retry_after_s", "status"), ("when", "hold")];

/// A reply that takes longer than ten minutes rehearses nothing.
const LONGEST_DELAY_MS: u64 = 600_000;

/// Reads one fault; `number` counts from one and stands in every complaint.
pub(super) fn read(value: &Value, number: usize, complaints: &mut Vec<String>) -> Option<Fault> {
    let mut found = Vec::new();
    let fault = match value {
        Value::Object(given) => read_table(given, &mut found),
        _ => {
            found.push("must be a table".to_owned());
            None
        }
    };
    let whole = found.is_empty();
    complaints.extend(found.into_iter().map(|complaint| format!("fault {number}: {complaint}")));
    fault.filter(|_| whole)
}

fn read_table(given: &Map<String, Value>, complaints: &mut Vec<String>) -> Option<Fault> {
    let name = given.get("do").and_then(Value::as_str).unwrap_or_default();
    for key in given.keys() {
        match OWNED.iter().find(|(owned, _)| owned == key) {
            Some((_, owner)) if *owner != name => {
                complaints.push(format!("`{key}` belongs to `do = \"{owner}\"` alone"));
            }
            None if !["at", "call", "do"].contains(&key.as_str()) => {
                complaints.push(format!("`{key}` is unknown"));
            }
            _ => {}
        }
    }
    let at = named(given.get("at"), &PLACES);
    if at.is_none() {
        let names: Vec<&str> = PLACES.iter().map(|(name, _)| *name).collect();
        complaints.push(format!("`at` must be one of {}", names.join(", ")));
    }
    let call = given.get("call").map(|value| value.as_u64().filter(|call| *call > 0));
    if call == Some(None) {
        complaints.push("`call` must be a number from 1".to_owned());
    }
    if let (Some(at), Some(places)) = (at, named(given.get("do"), &DEEDS))
        && !places.contains(&at)
    {
        let names: Vec<&str> = places.iter().map(|place| place.name()).collect();
        let (at, names) = (at.name(), names.join(", "));
        complaints.push(format!("`{name}` cannot happen at `{at}`, only at {names}"));
    }
    let deed = read_deed(name, given).map_err(|complaint| complaints.push(complaint)).ok();
    Some(Fault { at: at?, call: call.flatten(), deed: deed? })
}

fn read_deed(name: &str, given: &Map<String, Value>) -> Result<Deed, String> {
    let deed = match name {
        "wrong-password" => Deed::WrongPassword,
        "wrong-code" => Deed::WrongCode,
        "blocked" => Deed::Blocked,
        "slow" => {
            let delay_ms = given.get("delay_ms").and_then(Value::as_u64);
            let delay_ms = delay_ms.filter(|delay_ms| *delay_ms <= LONGEST_DELAY_MS);
            let wanted = || format!("`slow` needs `delay_ms`, a number from 0 to {LONGEST_DELAY_MS}");
            Deed::Slow { delay_ms: delay_ms.ok_or_else(wanted)? }
        }
        "status" => read_status(given)?,
        "reset-before" => Deed::ResetBefore,
        "reset-after" => Deed::ResetAfter,
        "unknown-page" => Deed::UnknownPage,
        "truncated" => Deed::Truncated,
        "dead-on-arrival" => Deed::DeadOnArrival,
        "other-user" => Deed::OtherUser,
        "consent" => Deed::Consent,
        "hold" => match given.get("when").map(Value::as_str) {
            None | Some(Some("before")) => Deed::Hold { after: false },
            Some(Some("after")) => Deed::Hold { after: true },
            Some(_) => return Err("`when` must be before or after".to_owned()),
        },
        _ => {
            let names: Vec<&str> = DEEDS.iter().map(|(name, _)| *name).collect();
            return Err(format!("`do` must be one of {}", names.join(", ")));
        }
    };
    Ok(deed)
}

fn read_status(given: &Map<String, Value>) -> Result<Deed, String> {
    let status = given.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (400..=599).contains(status));
    let status = status.ok_or("`status` needs `status`, a number from 400 to 599")?;
    let retry_after_s = match given.get("retry_after_s").map(Value::as_u64) {
        Some(None) => return Err("`retry_after_s` must be a number of seconds".to_owned()),
        found => found.flatten(),
    };
    Ok(Deed::Status { status, retry_after_s })
}
