//! What one simulated day has in store for the real process, drawn from a seed: a fault of the catalogue where it can happen.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::schedule::{Assisted, Hours, Schedule};
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
    let schedule = Schedule {
        hours: Hours::default(),
        exchanges: Exchange::USUAL.to_vec(),
        flush,
        assisted: Assisted::Never,
        seed: 0,
    };
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
    let mut settings = usual();
    settings["flush_mode"] = json!(chance.pick(&["hard", "window", "progressive", "midnight", "never"]));
    settings["seed"] = json!(chance.below(1_000));
    let name = String::new();
    let mut trial = Trial { name, faults: Vec::new(), settings, event: None, heals: true, once: false };
    match chance.below(26) {
        kind @ 0..13 => trial.one_answer(chance, date, kind),
        kind @ 13..20 => trial.outage_or_death(chance, date, kind),
        kind => trial.for_a_person(chance, date, kind),
    }
    trial
}

/// A fault that strikes once, at the first login of a day.
fn once(date: Date, at: &str, deed: &str) -> Value {
    // The first two questions for the login page are of who tries beforehand whether all is there.
    let call = if at == "login-page" { 3 } else { 1 };
    json!({ "at": at, "do": deed, "call": call, "from": morning(date, "00:00") })
}

impl Trial {
    fn put(&mut self, name: String, fault: Value) {
        self.name = name;
        self.faults.push(fault);
    }

    /// One answer of one login goes wrong.
    fn one_answer(&mut self, chance: &mut Chance, date: Date, kind: u64) {
        let (at, reads) = (chance.pick(&WAY), chance.pick(&JSON));
        match kind {
            0..=2 => {
                let deed = chance.pick(&["reset-before", "reset-after", "unknown-page"]);
                self.put(format!("F04 F05 F20 {deed} at {at}"), once(date, at, deed));
            }
            3 | 4 => {
                let status = chance.pick(&[500, 502, 503, 504]);
                let fault = with(once(date, at, "status"), json!({ "status": status }));
                self.put(format!("F10 F11 {status} at {at}"), fault);
            }
            5 => {
                let s = 1 + chance.below(90);
                let fault = with(once(date, at, "status"), json!({ "status": 429, "retry_after_s": s }));
                self.put(format!("F12 429 at {at} for {s} s"), fault);
            }
            6 => {
                let page = json!({ "status": 200, "body": "<html><p>Please wait</p></html>", "body_type": "text/html" });
                self.put(format!("F13 HTML for JSON at {reads}"), with(once(date, reads, "status"), page));
            }
            7..=9 => {
                let deed = chance.pick(&["truncated", "invalid-text", "wrong-type", "gzip-bomb"]);
                self.put(format!("F15 {deed} at {reads}"), once(date, reads, deed));
            }
            10 => {
                let fault = with(once(date, at, "oversized"), json!({ "bytes": 700_000 }));
                self.put(format!("F15 oversized at {at}"), fault);
            }
            11 => {
                let fault = with(once(date, at, "slow"), json!({ "delay_ms": 200 }));
                self.put(format!("F18 slow at {at}"), fault);
            }
            _ => {
                let fault = with(once(date, "exchange", "drip"), json!({ "every_ms": 1 }));
                self.put("F14 drip at the exchange".into(), fault);
            }
        }
    }

    /// The broker is away for a while, or ends tokens before their time.
    fn outage_or_death(&mut self, chance: &mut Chance, date: Date, kind: u64) {
        let span = |until: &str| json!({ "from": morning(date, "08:10"), "until": morning(date, until) });
        let until_today = json!({ "until": morning(date, "00:00") });
        match kind {
            13 => {
                let until = chance.pick(&["08:31", "08:38", "08:50", "09:12"]);
                self.heals = until < "09:00";
                self.name = format!("F01 no network until {until}");
                let down = |at: &&str| with(json!({ "at": at, "do": "reset-before" }), span(until));
                self.faults.extend(WAY.iter().map(down));
            }
            14 => {
                let until = chance.pick(&["08:31", "08:38", "08:50"]);
                self.name = format!("F10 down until {until}");
                let down = |at: &&str| with(json!({ "at": at, "do": "status", "status": 503 }), span(until));
                self.faults.extend(WAY[..2].iter().map(down));
            }
            15 => self.put("F64 the exchange's reply is lost".into(), once(date, "exchange", "reset-after")),
            16 => self.put("F68 dead on arrival".into(), once(date, "exchange", "dead-on-arrival")),
            17 | 18 => {
                let first = 2 + chance.below(30);
                let kill = |call: u64| {
                    let kill = json!({ "at": "profile", "do": "tokens-killed", "call": call });
                    with(kill, until_today.clone())
                };
                self.put(
                    format!("F69 {} times tokens killed, from question {first} on", kind - 16),
                    kill(first),
                );
                if kind == 18 {
                    self.faults.push(kill(first + 2));
                }
            }
            _ => {
                let what = chance.pick(&["master-logout", "web-login"]);
                self.name = format!("F69 {what} in the morning");
                (self.settings["web_login"], self.event) = (json!("kill"), Some(json!({ "event": what })));
            }
        }
    }

    /// What mostly needs the owner.
    fn for_a_person(&mut self, chance: &mut Chance, date: Date, kind: u64) {
        self.heals = matches!(kind, 20 | 22);
        match kind {
            20 => {
                let fault =
                    json!({ "at": "ticker", "do": "status", "status": 403, "until": morning(date, "00:00") });
                self.put("F70 the ticker refuses".into(), fault);
            }
            21 => {
                let (at, deed) = chance.pick(&[
                    ("login", "wrong-password"),
                    ("exchange", "other-user"),
                    ("exchange", "wrong-checksum"),
                    ("finish", "consent"),
                ]);
                let fault = json!({ "at": at, "do": deed, "from": morning(date, "00:00") });
                self.put(format!("F25 F48 F62 F65 {deed}"), fault);
            }
            22 => {
                self.once = true;
                self.put("F54 a wrong code once".into(), once(date, "twofa", "wrong-code"));
            }
            23 => {
                let (key, value) = chance.pick(&[
                    ("captcha", ""),
                    ("forced_reset", ""),
                    ("not_enabled", ""),
                    ("second_factor", "sms"),
                ]);
                self.settings[key] = if value.is_empty() { json!(true) } else { json!(value) };
                self.name = format!("F26 F28 F29 F31 {key}");
            }
            24 => {
                // A way back that is not as it should be is looked at by a person; a foreign grant is refused once.
                let deed = chance.pick(&["no-grant", "foreign-grant"]);
                self.heals = deed == "foreign-grant";
                self.put(format!("F33 F35 {deed}"), once(date, "finish", deed));
            }
            _ => {
                let password = format!("pW-{:016x}-{:016x}", chance.next(), chance.next());
                self.name = "F57 another password".into();
                self.event = Some(json!({ "event": "password-reset", "password": password }));
            }
        }
    }
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
