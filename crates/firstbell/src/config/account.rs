//! One account, as the configuration has it.

use std::cell::Cell;

use firstbell_core::broker::App;
use firstbell_core::calendar::Exchange;
use firstbell_core::notice::Dates;
use firstbell_core::schedule::Assisted;
use jiff::ToSpan;
use jiff::civil::Date;
use url::Url;

use crate::codes::CodeConfig;
use crate::deadman::Switch;
use crate::returns::Certificate;
use crate::secrets::{Name, Source};
use crate::sinks::SinkConfig;
use crate::written::Section;

/// One account.
#[derive(Debug)]
pub struct Account {
    /// Its name on the command line.
    pub name: String,
    /// The app and the user.
    pub app: App,
    /// Where each secret comes from.
    pub secrets: Vec<(Name, Source)>,
    /// Where the codes of the second factor come from.
    pub codes: CodeConfig,
    /// Where it trades; decides with the calendar on which mornings it logs in.
    pub exchanges: Vec<Exchange>,
    /// Whether the account's plan includes live data: then the ticker must answer too.
    pub data: bool,
    /// Who hears, outside of this machine, how each morning went.
    pub switch: Option<Switch>,
    /// When a person is asked to log in.
    pub assisted: Assisted,
    /// With which certificate a listener answers at an https redirect address.
    pub callback: Option<Certificate>,
    /// Days to come that only the owner knows of.
    pub dates: Dates,
    /// Where a fresh token goes.
    pub sinks: Vec<SinkConfig>,
}

/// Reads `[account.NAME]`.
pub(super) fn read(name: String, mut section: Section<'_>) -> Option<Account> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
        section.fault("an account's name has 1 to 32 of a-z, 0-9, - and _");
    }
    section.parsed("broker", |b| {
        if b == "kite" { Ok(()) } else { Err("is not known; known brokers: kite".into()) }
    });
    let user_id = required(&mut section, "user_id", |t| word(t, 1, 16, "a Kite client id, such as AB1234"));
    let api_key =
        required(&mut section, "api_key", |t| word(t, 6, 64, "the API key of the developer console"));
    let redirect = required(&mut section, "redirect_url", read_redirect);
    let secrets = Name::ALL.map(|name| (name, Source::read(&mut section, name.as_str())));
    let codes = CodeConfig::read(&mut section);
    if section.asked("totp") && section.asked("totp_seed") {
        section.fault("totp and totp_seed are two places for one thing: write one of them");
    }
    let exchanges = read_exchanges(&mut section);
    let data = section.flag("data").unwrap_or(false);
    let switch = section.parsed("dead_mans_switch", Switch::parse);
    let (assisted, callback) = read_assisted(&mut section, redirect.as_ref());
    let dates = read_dates(&mut section);
    let sinks = read_sinks(&name, &mut section);
    let mut known = vec![
        "broker",
        "user_id",
        "api_key",
        "redirect_url",
        "exchanges",
        "data",
        "dead_mans_switch",
        "assisted",
        "callback",
        "password_set",
        "password_days",
        "subscription_until",
        "sink",
        "totp",
    ];
    known.extend(Name::ALL.map(Name::as_str));
    section.end(&known);
    let app = App { api_key: api_key?, user_id: user_id?, redirect: redirect? };
    Some(Account {
        name,
        app,
        secrets: secrets.to_vec(),
        codes,
        exchanges,
        data,
        switch,
        assisted,
        callback,
        dates,
        sinks,
    })
}

/// Whether a person is asked to log in, and with which certificate he is listened for.
fn read_assisted(section: &mut Section<'_>, redirect: Option<&Url>) -> (Assisted, Option<Certificate>) {
    let assisted =
        section.switch("assisted", |text| match text {
            "false" => Ok(Assisted::Never),
            "true" => Ok(Assisted::Last),
            "only" => Ok(Assisted::Only),
            _ => Err("must be false, true (where firstbell gets no further) or \"only\" (every morning)"
                .to_owned()),
        });
    let callback = section.section("callback").and_then(Certificate::read);
    if section.asked("callback") && redirect.is_some_and(|url| url.scheme() != "https") {
        section.fault("callback is for a redirect_url that begins with https");
    }
    (assisted.unwrap_or_default(), callback)
}

/// Zerodha documents no age at which it asks for another password. Half a year, unless the owner knows better.
const PASSWORD_DAYS: u64 = 180;

fn read_dates(section: &mut Section<'_>) -> Dates {
    let set = section.parsed("password_set", read_date);
    let days = section.number("password_days", 1);
    if days.is_some() && !section.asked("password_set") {
        section.fault("password_days without password_set: from which day on?");
    }
    let days = i32::try_from(days.unwrap_or(PASSWORD_DAYS).min(10_000)).expect("it is at most ten thousand");
    let password_due = set.and_then(|set| set.checked_add(days.days()).ok());
    let subscription_until = section.parsed("subscription_until", read_date);
    Dates { password_due, subscription_until, address_changed: None }
}

/// A day, as the owner writes it.
pub(super) fn read_date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "must be a day such as \"2026-12-31\"".to_owned())
}

fn read_sinks(account: &str, section: &mut Section<'_>) -> Vec<SinkConfig> {
    let tables = section.list("sink").into_iter();
    let sinks: Vec<_> = tables.filter_map(|table| SinkConfig::read(account, table)).collect();
    for (i, sink) in sinks.iter().enumerate() {
        if sinks[..i].iter().any(|other| other.name == sink.name) {
            section
                .fault(&format!("two sinks are called {}: give each a name = \"…\" of its own", sink.name));
        }
    }
    sinks
}

fn required<T>(section: &mut Section<'_>, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    let value = section.parsed(key, read);
    if !section.asked(key) {
        section.fault(&format!("{key} is missing"));
    }
    value
}

fn word(text: &str, min: usize, max: usize, what: &str) -> Result<String, String> {
    let fits = (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits { Ok(text.to_owned()) } else { Err(format!("must be {what}: letters and digits only")) }
}

fn read_redirect(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("is not an address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.fragment().is_some() || !url.username().is_empty() {
        return Err("must be the http or https address that is registered on the developer console".into());
    }
    Ok(url)
}

fn read_exchanges(section: &mut Section<'_>) -> Vec<Exchange> {
    let written = Cell::new(false);
    let read = |text: &str| {
        written.set(true);
        text.parse::<Exchange>()
    };
    let Some(mut exchanges) = section.texts("exchanges", read) else {
        return Exchange::USUAL.to_vec();
    };
    if exchanges.is_empty() && !written.get() {
        section.fault("exchanges names none; known: nse, bse, mcx");
    }
    exchanges.sort();
    exchanges.dedup();
    exchanges
}
