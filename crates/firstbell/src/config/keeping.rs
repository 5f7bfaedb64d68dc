//! How accounts are kept: the hours of a morning, how many log in at once, and the address that orders must come from.

use std::net::IpAddr;

use firstbell_core::brokers::kite::Kite;
use firstbell_core::origin::Origin;
use firstbell_core::schedule::Hours;
use firstbell_core::token::Flush;
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

use super::account::read_date;
use crate::written::Section;

/// How the daemon keeps accounts.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The hours, in India.
    pub hours: Hours,
    /// The hours in which the broker ends tokens, in the place of the broker document's.
    pub flush: Option<Flush>,
    /// How many accounts log in at one time.
    pub at_once: usize,
    /// Where the broker must see us come from.
    pub egress: Option<Egress>,
    /// How a person is told.
    pub telling: Telling,
    /// A rehearsal's clock in the place of the machine's.
    pub leap: Option<Leap>,
}

/// How a person is told, whatever the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// How long a message may go unproven before the channels of the next order are told.
    pub patience: SignedDuration,
    /// Whether good mornings are told of too.
    pub morning_line: bool,
    /// Whether each channel is tried once a week.
    pub self_test: bool,
}

impl Default for Telling {
    fn default() -> Telling {
        Telling { patience: SignedDuration::from_mins(2), morning_line: false, self_test: true }
    }
}

/// The address that is registered at the broker, and who tells ours.
#[derive(Clone, Debug)]
pub struct Egress {
    /// The registered one.
    pub address: IpAddr,
    /// Answers a GET with the caller's address as text.
    pub asked: String,
    /// When it was last registered anew: that may be done once a week.
    pub changed: Option<Date>,
}

/// Where a rehearsal's clock is, and which days it plays.
#[derive(Clone, Debug)]
pub struct Leap {
    /// kitesim's inspection address.
    pub control: Origin,
    /// When the rehearsal begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
}

impl Keeping {
    /// Reads `[schedule]` and `[egress]`.
    pub(super) fn read(root: &mut Section<'_>) -> Keeping {
        let mut keeping = Keeping {
            hours: Hours::default(),
            flush: None,
            at_once: 2,
            egress: None,
            telling: Telling::default(),
            leap: None,
        };
        if let Some(section) = root.section("schedule") {
            read_schedule(section, &mut keeping);
        }
        keeping.egress = root.section("egress").and_then(read_egress);
        if let Some(section) = root.section("alerts") {
            keeping.telling = read_telling(section);
        }
        keeping
    }
}

fn read_schedule(mut section: Section<'_>, keeping: &mut Keeping) {
    let usual = Hours::default();
    let seconds = |n: Option<u64>, usual: SignedDuration| {
        n.map_or(usual, |n| SignedDuration::from_secs(i64::try_from(n).unwrap_or(i64::MAX)))
    };
    let bounded = |section: &mut Section<'_>, key: &str, least: u64, most: u64| {
        let number = section.number(key, least);
        if number.is_some_and(|n| n > most) {
            section.fault(&format!("{key} is at most {most}"));
        }
        number.map(|n| n.min(most))
    };
    let login_at = section.parsed("login_at", read_time).unwrap_or(usual.login_at);
    let deadline = section.parsed("deadline", read_time).unwrap_or(usual.deadline);
    let lead = bounded(&mut section, "check_before_s", 30, 7_200);
    let spread = bounded(&mut section, "spread_s", 0, 600);
    let probe_every = bounded(&mut section, "probe_every_s", 60, 86_400);
    let at_once = bounded(&mut section, "at_once", 1, 100);
    keeping.hours = Hours {
        login_at,
        deadline,
        lead: seconds(lead, usual.lead),
        spread: seconds(spread, usual.spread),
        probe_every: seconds(probe_every, usual.probe_every),
    };
    keeping.at_once = at_once.map_or(keeping.at_once, |n| usize::try_from(n).unwrap_or(1));
    let hour = |hour: u64| i8::try_from(hour).expect("it is at most 23");
    let ends = ("tokens_end_from_h", "tokens_end_until_h");
    let (from, until) = (bounded(&mut section, ends.0, 0, 22), bounded(&mut section, ends.1, 1, 23));
    keeping.flush = match (from, until) {
        (Some(from), Some(until)) if from < until => {
            Some(Flush { begins_h: hour(from), ends_h: hour(until) })
        }
        (None, None) => None,
        _ => {
            section.fault(
                "tokens_end_from_h and tokens_end_until_h go together, the first one being the earlier",
            );
            None
        }
    };
    // The ladder of tries needs some room.
    if deadline.duration_since(login_at) < keeping.hours.spread + SignedDuration::from_mins(1) {
        section.fault("deadline must be a minute or more after login_at and its spread");
    }
    section.end(&[
        "login_at",
        "deadline",
        "check_before_s",
        "spread_s",
        "probe_every_s",
        "at_once",
        ends.0,
        ends.1,
    ]);
}

fn read_telling(mut section: Section<'_>) -> Telling {
    let usual = Telling::default();
    let patience = section.number("unconfirmed_s", 10);
    if patience.is_some_and(|s| s > 3_600) {
        section.fault("unconfirmed_s is at most 3600: a morning is short");
    }
    let patience = patience.map_or(usual.patience, |s| {
        SignedDuration::from_secs(i64::try_from(s.min(3_600)).expect("it is at most an hour"))
    });
    let morning_line = section.flag("morning_line").unwrap_or(usual.morning_line);
    let self_test = section.flag("self_test").unwrap_or(usual.self_test);
    section.end(&["unconfirmed_s", "morning_line", "self_test"]);
    Telling { patience, morning_line, self_test }
}

fn read_time(text: &str) -> Result<Time, String> {
    let shaped = text.len() == 5 && text.as_bytes()[2] == b':';
    let time = shaped.then(|| Time::strptime("%H:%M", text).ok()).flatten();
    time.ok_or_else(|| "must be a time of day in India such as \"08:30\"".into())
}

fn read_egress(mut section: Section<'_>) -> Option<Egress> {
    let address = section.parsed("address", |text| {
        text.parse::<IpAddr>().map_err(|_| "must be the address that is registered at Zerodha".to_owned())
    });
    let asked = section.parsed("url", |text| {
        let url = url::Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
        let origin = Origin::parse(&url.origin().ascii_serialization()).map_err(|e| e.to_string())?;
        match url.scheme() == "https" || origin.is_loopback() {
            true => Ok(url.to_string()),
            false => Err("must be an https address".to_owned()),
        }
    });
    if !section.asked("address") || !section.asked("url") {
        section.fault("needs both address and url: url answers with the address that we come from");
    }
    let changed = section.parsed("changed", read_date);
    section.end(&["address", "url", "changed"]);
    Some(Egress { address: address?, asked: asked?, changed })
}

/// Reads `[rehearsal.leap]`.
fn read_leap(mut section: Section<'_>) -> Option<Leap> {
    let moment = |text: &str| {
        text.parse::<Timestamp>().map_err(|_| "must be a moment such as 2026-01-01T00:00:00+05:30".to_owned())
    };
    let control = section.parsed("control", |text| {
        let origin = Origin::parse(text).map_err(|e| e.to_string())?;
        if origin.is_loopback() { Ok(origin) } else { Err("must be a loopback address".to_owned()) }
    });
    let (from, to) = (section.parsed("from", moment), section.parsed("to", moment));
    if control.is_none() || from.is_none() || to.is_none() {
        section.fault("needs control, from and to");
    }
    section.end(&["control", "from", "to"]);
    Some(Leap { control: control?, from: from?, to: to? })
}

/// Reads the loopback addresses of a rehearsal, and its clock.
pub(super) fn read_rehearsal(mut section: Section<'_>) -> (Option<(Origin, Origin)>, Option<Leap>) {
    let read = |text: &str| Origin::parse(text).map_err(|e| e.to_string());
    let site = section.parsed("site", read);
    let api = section.parsed("api", read);
    if !section.asked("site") || !section.asked("api") {
        section.fault("needs both site and api");
    }
    let pair = site.zip(api);
    if let Some((site, api)) = &pair
        && Kite::rehearsal(site.clone(), api.clone()).is_err()
    {
        section.fault(
            "site and api must be loopback addresses, such as http://127.0.0.1:8080: a real account's \
                       secrets go to Zerodha only",
        );
    }
    let leap = section.section("leap").and_then(read_leap);
    section.end(&["site", "api", "leap"]);
    (pair, leap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Faults;

    fn read(text: &str) -> Result<Keeping, Vec<String>> {
        let faults = Faults::new("c.toml", text);
        let mut root = Section::root(text, faults.clone());
        let keeping = Keeping::read(&mut root);
        let lines = faults.lines();
        if lines.is_empty() { Ok(keeping) } else { Err(lines) }
    }

    #[test]
    fn hours_are_read_and_the_usual_ones_stand_where_none_are_written() {
        let usual = read("").unwrap();
        assert_eq!((usual.hours, usual.at_once, usual.flush), (Hours::default(), 2, None));
        let text = "[schedule]\nlogin_at = \"08:05\"\ndeadline = \"08:50\"\nprobe_every_s = 60\nat_once = 7\n\
                    tokens_end_from_h = 0\ntokens_end_until_h = 6\n";
        let own = read(text).unwrap();
        assert_eq!(own.hours.login_at, Time::constant(8, 5, 0, 0));
        assert_eq!((own.at_once, own.flush), (7, Some(Flush { begins_h: 0, ends_h: 6 })));
    }

    #[test]
    fn hours_that_cannot_be_are_told() {
        for wrong in [
            "login_at = \"8:30\"",
            "login_at = \"24:10\"",
            "deadline = \"08:30\"",
            "probe_every_s = 59",
            "spread_s = 601",
            "tokens_end_from_h = 5",
            "tokens_end_from_h = 8\ntokens_end_until_h = 5",
            "tokens_end_from_h = 5\ntokens_end_until_h = 24",
            "at_once = 0",
            "jitter = 5",
        ] {
            assert!(read(&format!("[schedule]\n{wrong}\n")).is_err(), "{wrong}");
        }
        assert!(read("[egress]\naddress = \"203.0.113.7\"\nurl = \"http://echo.example/\"\n").is_err());
        assert!(read("[egress]\naddress = \"203.0.113.7\"\n").is_err());
        assert!(read("[egress]\naddress = \"203.0.113.7\"\nurl = \"https://echo.example/ip\"\n").is_ok());
    }
}
