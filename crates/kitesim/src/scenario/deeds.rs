//! Reads one `[[fault]]` table of a scenario.

use serde_json::{Map, Value};

use super::{named, when};
use crate::faults::{Answer, Deed, Fault, MUTATIONS, PLACES, Place};

use Place::{
    Api, Candles, Entry, Exchange, Finish, Handshake, Login, LoginPage, Orders, Profile, Quotes, Ticker,
    Twofa,
};

const EVERYWHERE: &[Place] =
    &[LoginPage, Login, Twofa, Finish, Exchange, Profile, Entry, Orders, Quotes, Candles, Api, Ticker];
/// The places that answer JSON.
const JSON: &[Place] = &[Login, Twofa, Exchange, Profile, Orders, Quotes, Candles, Api];
/// The places that want an access token.
const TOKENED: &[Place] = &[Profile, Orders, Quotes, Candles, Api];

/// Every deed with the places at which it can happen.
const DEEDS: [(&str, &[Place]); 34] = [
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
    ("wrong-checksum", &[Exchange]),
    ("consent", &[Finish]),
    ("no-grant", &[Finish]),
    ("foreign-grant", &[Finish]),
    ("tokens-killed", TOKENED),
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
    ("lost-characters", &[LoginPage]),
    ("stranger-script", &[LoginPage]),
    ("certificate-expired", &[Handshake]),
    ("certificate-other-name", &[Handshake]),
    ("certificate-early", &[Handshake]),
    ("certificate-stranger", &[Handshake]),
    ("handshake-refused", &[Handshake]),
];

/// The keys that belong to few deeds.
const OWNED: [(&str, &[&str]); 9] = [
    ("delay_ms", &["slow", "late-rendering"]),
    ("status", &["status"]),
    ("retry_after_s", &["status"]),
    ("location", &["status"]),
    ("body", &["status"]),
    ("body_type", &["status"]),
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
    let name = DEEDS.iter().find(|(known, _)| *known == name).map_or("", |(known, _)| known);
    Some(Fault { at: at?, call: call.flatten(), when, deed: deed?, name })
}

fn read_deed(name: &str, given: &Map<String, Value>) -> Result<Deed, String> {
    let deed = match name {
        "wrong-password" => Deed::WrongPassword,
        "wrong-code" => Deed::WrongCode,
        "blocked" => Deed::Blocked,
        "slow" => Deed::Slow { delay_ms: number(name, given, "delay_ms", None, LONGEST_DELAY_MS)? },
        "status" => Deed::Status(read_answer(given)?),
        "reset-before" => Deed::ResetBefore,
        "reset-after" => Deed::ResetAfter,
        "unknown-page" => Deed::UnknownPage,
        "truncated" => Deed::Truncated,
        "dead-on-arrival" => Deed::DeadOnArrival,
        "other-user" => Deed::OtherUser,
        "wrong-checksum" => Deed::WrongChecksum,
        "consent" => Deed::Consent,
        "no-grant" => Deed::NoGrant,
        "foreign-grant" => Deed::ForeignGrant,
        "tokens-killed" => Deed::TokensKilled,
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
        "certificate-early" => Deed::CertificateEarly,
        "certificate-stranger" => Deed::CertificateStranger,
        "handshake-refused" => Deed::HandshakeRefused,
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

fn read_answer(given: &Map<String, Value>) -> Result<Answer, String> {
    let status = given.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (200..=599).contains(status));
    let status = status.ok_or("`status` needs `status`, a number from 200 to 599")?;
    let retry_after_s = match given.get("retry_after_s").map(Value::as_u64) {
        Some(None) => return Err("`retry_after_s` must be a number of seconds".to_owned()),
        found => found.flatten(),
    };
    let text = |key: &str, header: bool| match given.get(key).map(Value::as_str) {
        None => Ok(None),
        Some(Some(text)) if !header || text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => {
            Ok(Some(text.to_owned()))
        }
        Some(_) if header => Err(format!("`{key}` must be a text of printable ASCII")),
        Some(_) => Err(format!("`{key}` must be a text")),
    };
    Ok(Answer {
        status,
        retry_after_s,
        location: text("location", true)?,
        body: text("body", false)?,
        body_type: text("body_type", true)?,
    })
}
