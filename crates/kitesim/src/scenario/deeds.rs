//! Reads one `[[fault]]` table of a scenario.

use serde_json::{Map, Value};

use super::{named, when};
use crate::faults::{Deed, Fault, MUTATIONS, PLACES, Place};

use Place::{Exchange, Finish, Handshake, Login, LoginPage, Profile, Twofa};

const EVERYWHERE: &[Place] = &[LoginPage, Login, Twofa, Finish, Exchange, Profile];
/// The places that answer JSON.
const JSON: &[Place] = &[Login, Twofa, Exchange, Profile];

/// Every deed with the places at which it can happen.
const DEEDS: [(&str, &[Place]); 25] = [
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
    ("drip", EVERYWHERE),
    ("oversized", EVERYWHERE),
    ("wrong-type", EVERYWHERE),
    ("invalid-text", EVERYWHERE),
    ("gzip-bomb", EVERYWHERE),
    ("renamed-ids", &[LoginPage]),
    ("decoy-fields", &[LoginPage]),
    ("reordered-fields", &[LoginPage]),
    ("late-rendering", &[LoginPage]),
    ("half-loaded", &[LoginPage]),
    ("certificate-expired", &[Handshake]),
    ("certificate-other-name", &[Handshake]),
];

/// The keys that belong to few deeds.
const OWNED: [(&str, &[&str]); 6] = [
    ("delay_ms", &["slow", "late-rendering"]),
    ("status", &["status"]),
    ("retry_after_s", &["status"]),
    ("when", &["hold"]),
    ("every_ms", &["drip"]),
    ("bytes", &["oversized"]),
];

/// More bytes than this fill a client's memory no better.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
const USUAL_BYTES: u64 = 64 * 1024 * 1024;
const USUAL_DRIP_MS: u64 = 5000;

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
            Some((_, owners)) if !owners.contains(&name) => {
                let owners = owners.join("\" and \"");
                complaints.push(format!("`{key}` belongs to `do = \"{owners}\"` alone"));
            }
            None if !["at", "call", "do"].contains(&key.as_str()) && !when::KEYS.contains(&key.as_str()) => {
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
    let when = when::read(given, complaints);
    let deed = read_deed(name, given).map_err(|complaint| complaints.push(complaint)).ok();
    Some(Fault { at: at?, call: call.flatten(), when, deed: deed? })
}

fn read_deed(name: &str, given: &Map<String, Value>) -> Result<Deed, String> {
    let deed = match name {
        "wrong-password" => Deed::WrongPassword,
        "wrong-code" => Deed::WrongCode,
        "blocked" => Deed::Blocked,
        "slow" => Deed::Slow { delay_ms: number(name, given, "delay_ms", None, LONGEST_DELAY_MS)? },
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
        "drip" => {
            Deed::Drip { every_ms: number(name, given, "every_ms", Some(USUAL_DRIP_MS), LONGEST_DELAY_MS)? }
        }
        "oversized" => {
            Deed::Oversized { bytes: number(name, given, "bytes", Some(USUAL_BYTES), MOST_BYTES)? }
        }
        "wrong-type" => Deed::WrongType,
        "invalid-text" => Deed::InvalidText,
        "gzip-bomb" => Deed::GzipBomb,
        "certificate-expired" => Deed::CertificateExpired,
        "certificate-other-name" => Deed::CertificateOtherName,
        _ => return read_mutation(name, given),
    };
    Ok(deed)
}

fn read_mutation(name: &str, given: &Map<String, Value>) -> Result<Deed, String> {
    let deed = match named(given.get("do"), &MUTATIONS) {
        Some(how) => {
            let delay_ms = number(name, given, "delay_ms", Some(3000), LONGEST_DELAY_MS)?;
            // A wrong seed is complained about where the conditions are read.
            Deed::Mutated { how, seed: given.get("seed").and_then(Value::as_u64).unwrap_or(1), delay_ms }
        }
        None => {
            let names: Vec<&str> = DEEDS.iter().map(|(name, _)| *name).collect();
            return Err(format!("`do` must be one of {}", names.join(", ")));
        }
    };
    Ok(deed)
}

/// A number that a deed needs, unless there is a usual one.
fn number(
    name: &str,
    given: &Map<String, Value>,
    key: &str,
    usual: Option<u64>,
    most: u64,
) -> Result<u64, String> {
    let found = match given.get(key) {
        Some(value) => value.as_u64().filter(|number| *number <= most),
        None => usual,
    };
    found.ok_or_else(|| format!("`{name}` needs `{key}`, a number from 0 to {most}"))
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
