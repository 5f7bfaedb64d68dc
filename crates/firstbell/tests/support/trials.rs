//! What one simulated day has in store for the real process, drawn from a seed: a fault of the catalogue where it can happen.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::schedule::{Hours, Schedule};
use firstbell_core::token::Flush;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Small numbers that look random (SplitMix64 of Steele, Lea and Flood, 2014), the same for the same seed.
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// From the first of 2026 on, as the compiled calendar has them.
pub fn trading_days() -> impl Iterator<Item = Date> {
    let flush = Flush { begins_h: 5, ends_h: 8 };
    let schedule = Schedule { hours: Hours::default(), exchanges: Exchange::USUAL.to_vec(), flush, seed: 0 };
    let mut now: Timestamp = "2026-01-01T07:00:00+05:30".parse().unwrap();
    std::iter::from_fn(move || {
        let slot = schedule.next(Calendar::compiled(), now)?;
        now = slot.ends_at - SignedDuration::from_mins(1);
        Some(slot.date)
    })
}

/// One day's trouble.
#[derive(Clone, Debug)]
pub struct Trial {
    pub name: String,
    pub faults: Vec<Value>,
    pub settings: Value,
    pub event: Option<Value>,
    /// Whether the day has its token before the deadline although nobody does anything.
    pub heals: bool,
    /// Whether that is so only once for a seed, until the owner says that all is well.
    pub once: bool,
}

/// The places of a login, in their order; before the first two no credential has left.
const WAY: [&str; 7] = ["entry", "login-page", "login", "twofa", "finish", "exchange", "profile"];
const JSON: [&str; 4] = ["login", "twofa", "exchange", "profile"];

/// All settings that a trial may have changed.
pub fn usual() -> Value {
    json!({ "flush_mode": "hard", "captcha": false, "forced_reset": false, "second_factor": "totp", "not_enabled": false,
            "web_login": "none", "kill_switch": false, "risk_modal": false })
}

/// A trial that lasts from 08:52 on the trading day before until 08:52 on this one.
pub fn draw(chance: &mut Chance, date: Date) -> Trial {
    let kind = chance.below(26);
    let (mut faults, mut settings, mut event, mut heals) = (Vec::new(), usual(), None, true);
    settings["flush_mode"] = json!(chance.pick(&["hard", "window", "progressive", "midnight", "never"]));
    settings["seed"] = json!(chance.below(1_000));
    // The first two questions for the login page are of who tries beforehand whether all is there.
    let call = |at: &str| if at == "login-page" { 3 } else { 1 };
    let once = |at: &str, deed: &str| json!({ "at": at, "do": deed, "call": call(at), "from": morning(date, "00:00") });
    let name = match kind {
        0..=2 => {
            let (at, deed) =
                (chance.pick(&WAY), ["reset-before", "reset-after", "unknown-page"][kind as usize]);
            faults.push(once(at, deed));
            format!("F04 F05 F20 {deed} at {at}")
        }
        3 | 4 => {
            let (at, status) = (chance.pick(&WAY), chance.pick(&[500, 502, 503, 504]));
            faults.push(with(once(at, "status"), json!({ "status": status })));
            format!("F10 F11 {status} at {at}")
        }
        5 => {
            let (at, s) = (chance.pick(&WAY), 1 + chance.below(90));
            faults.push(with(once(at, "status"), json!({ "status": 429, "retry_after_s": s })));
            format!("F12 429 at {at} for {s} s")
        }
        6 => {
            let (at, body) = (chance.pick(&JSON), "<html><p>Please wait</p></html>");
            faults.push(with(
                once(at, "status"),
                json!({ "status": 200, "body": body, "body_type": "text/html" }),
            ));
            format!("F13 HTML for JSON at {at}")
        }
        7..=9 => {
            let deeds = ["truncated", "invalid-text", "wrong-type", "gzip-bomb"];
            let (at, deed) = (chance.pick(&JSON), chance.pick(&deeds));
            faults.push(once(at, deed));
            format!("F15 {deed} at {at}")
        }
        10 => {
            let (at, bytes) = (chance.pick(&WAY), 700_000);
            faults.push(with(once(at, "oversized"), json!({ "bytes": bytes })));
            format!("F15 oversized at {at}")
        }
        11 => {
            let at = chance.pick(&WAY);
            faults.push(with(once(at, "slow"), json!({ "delay_ms": 200 })));
            format!("F18 slow at {at}")
        }
        12 => {
            faults.push(with(once("exchange", "drip"), json!({ "every_ms": 1 })));
            "F14 drip at the exchange".into()
        }
        13 => {
            let until = chance.pick(&["08:31", "08:38", "08:50", "09:12"]);
            heals = until < "09:00";
            let down = |at: &&str| json!({ "at": at, "do": "reset-before", "from": morning(date, "08:10"), "until": morning(date, until) });
            faults.extend(WAY.iter().map(down));
            format!("F01 no network until {until}")
        }
        14 => {
            let until = chance.pick(&["08:31", "08:38", "08:50"]);
            let down = |at: &&str| json!({ "at": at, "do": "status", "status": 503, "from": morning(date, "08:10"), "until": morning(date, until) });
            faults.extend(WAY[..2].iter().map(down));
            format!("F10 down until {until}")
        }
        15 => {
            faults.push(once("exchange", "reset-after"));
            "F64 the exchange's reply is lost".into()
        }
        16 => {
            faults.push(once("exchange", "dead-on-arrival"));
            "F68 dead on arrival".into()
        }
        17 | 18 => {
            let first = 2 + chance.below(60);
            let kill = |call: u64| json!({ "at": "profile", "do": "tokens-killed", "call": call, "until": morning(date, "00:00") });
            faults.push(kill(first));
            if kind == 18 {
                faults.push(kill(first + 2));
            }
            format!("F69 {} tokens killed from question {first} on", kind - 16)
        }
        19 => {
            let what = chance.pick(&["master-logout", "web-login"]);
            (settings["web_login"], event) = (json!("kill"), Some(json!({ "event": what })));
            format!("F69 {what} in the morning")
        }
        20 => {
            faults.push(
                json!({ "at": "ticker", "do": "status", "status": 403, "until": morning(date, "00:00") }),
            );
            "F70 the ticker refuses".into()
        }
        21 => {
            heals = false;
            let (at, deed) = chance.pick(&[
                ("login", "wrong-password"),
                ("exchange", "other-user"),
                ("exchange", "wrong-checksum"),
                ("finish", "consent"),
            ]);
            faults.push(json!({ "at": at, "do": deed, "from": morning(date, "00:00") }));
            format!("F25 F48 F62 F65 {deed}")
        }
        22 => {
            faults.push(once("twofa", "wrong-code"));
            "F54 a wrong code once".into()
        }
        23 => {
            heals = false;
            let (key, value) = chance.pick(&[
                ("captcha", ""),
                ("forced_reset", ""),
                ("not_enabled", ""),
                ("second_factor", "sms"),
            ]);
            settings[key] = if value.is_empty() { json!(true) } else { json!(value) };
            format!("F26 F28 F29 F31 {key}")
        }
        24 => {
            let deed = chance.pick(&["no-grant", "foreign-grant"]);
            // A way back that is not as it should be is looked at by a person.
            heals = deed == "foreign-grant";
            faults.push(once("finish", deed));
            format!("F33 F35 {deed}")
        }
        _ => {
            heals = false;
            event = Some(
                json!({ "event": "password-reset", "password": format!("pW-{:016x}-{:016x}", chance.next(), chance.next()) }),
            );
            "F57 another password".into()
        }
    };
    Trial { name, faults, settings, event, heals, once: kind == 22 }
}

fn with(mut fault: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        fault[key] = value.clone();
    }
    fault
}

fn morning(date: Date, time: &str) -> String {
    format!("{date}T{time}:00+05:30")
}
