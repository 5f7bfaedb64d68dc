//! Reads the `settings` table of a scenario.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::{Date, Time};
use serde_json::{Map, Value};
use url::Url;

use super::named;
use crate::market::MOST_INVENTED;
use crate::settings::{
    CandleLimits, Factor, Fills, FlushMode, Plan, SecondSession, Settings, WebLogin, may_be_postback,
    may_be_redirect,
};

const FACTORS: [(&str, Factor); 3] =
    [("totp", Factor::Totp), ("app_code", Factor::AppCode), ("sms", Factor::Sms)];
const SESSIONS: [(&str, SecondSession); 3] = [
    ("replace", SecondSession::Replace),
    ("keep_both", SecondSession::KeepBoth),
    ("same_token", SecondSession::SameToken),
];
const PLANS: [(&str, Plan); 2] = [("connect", Plan::Connect), ("personal", Plan::Personal)];
const FLUSHES: [(&str, FlushMode); 5] = [
    ("hard", FlushMode::Hard),
    ("window", FlushMode::Window),
    ("progressive", FlushMode::Progressive),
    ("midnight", FlushMode::Midnight),
    ("never", FlushMode::Never),
];
const WEB_LOGINS: [(&str, WebLogin); 3] =
    [("none", WebLogin::None), ("ws_only_403", WebLogin::TickerOnly), ("kill", WebLogin::Kill)];
const CANDLES: [(&str, CandleLimits); 2] = [("staff", CandleLimits::Staff), ("suite", CandleLimits::Suite)];
const FILLS: [(&str, Fills); 2] = [("whole", Fills::Whole), ("partial", Fills::Partial)];
const EFFECTS: [(&str, bool); 2] = [("kill", true), ("none", false)];
const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];
/// Zerodha's forum, March 2026: two addresses; a rehearsal may want one for each of 127.0.0.1, ::1 and a third.
const MOST_ADDRESSES: usize = 8;
/// Shorter ones are met by chance, and something of a token must be left to chance.
const MARKS: RangeInclusive<usize> = 12..=20;
const LONGEST_GRANT_S: i64 = 86_400;
/// More connections than this measure the machine and no client.
const MOST_TICKERS: u32 = 1_000;
/// A year has fewer days without trade.
const MOST_DAYS: usize = 400;
/// Ten steps are five minutes either way; more would accept any stale code.
const WIDEST_WINDOW: i64 = 10;

/// Changes the given settings in place; what cannot be read is left as it was and complained about.
pub(super) fn read(given: &Map<String, Value>, settings: &mut Settings, complaints: &mut Vec<String>) {
    for (key, value) in given {
        if let Err(complaint) = read_one(key, value, settings) {
            complaints.push(format!("settings.{key}: {complaint}"));
        }
    }
}

fn read_one(key: &str, value: &Value, settings: &mut Settings) -> Result<(), &'static str> {
    match key {
        "second_factor" => {
            let factor = named(Some(value), &FACTORS);
            settings.second_factor = factor.ok_or("must be totp, app_code or sms")?;
        }
        "second_session" => {
            let session = named(Some(value), &SESSIONS);
            settings.second_session = session.ok_or("must be replace, keep_both or same_token")?;
        }
        "grant_life_s" => {
            let life_s = value.as_i64().filter(|life_s| (0..=LONGEST_GRANT_S).contains(life_s));
            settings.grant_life_s = life_s.ok_or("must be a number of seconds from 0 to 86400")?;
        }
        "flush" => {
            let time = value.as_str().and_then(hour_and_minute);
            settings.flush = time.ok_or("must be a time of day in India, HH:MM")?;
        }
        "totp_window" => {
            let window = value.as_i64().filter(|window| (0..=WIDEST_WINDOW).contains(window));
            settings.totp_window = window.ok_or("must be a number of steps from 0 to 10")?;
        }
        "totp_reuse" => settings.totp_reuse = value.as_bool().ok_or("must be true or false")?,
        "keep_alive" => settings.keep_alive = value.as_bool().ok_or("must be true or false")?,
        "not_enabled" => settings.not_enabled = value.as_bool().ok_or("must be true or false")?,
        "redirect" => {
            let url = value.as_str().and_then(|text| Url::parse(text).ok()).filter(may_be_redirect);
            settings.redirect = Some(url.ok_or("must be an http or https URL with a host")?);
        }
        _ => return read_api(key, value, settings),
    }
    Ok(())
}

/// The switches of the API.
fn read_api(key: &str, value: &Value, settings: &mut Settings) -> Result<(), &'static str> {
    match key {
        "seed" => settings.seed = value.as_u64().ok_or("must be a number from 0")?,
        "plan" => settings.plan = named(Some(value), &PLANS).ok_or("must be connect or personal")?,
        "static_ips" => {
            let addresses = value.as_array().filter(|list| list.len() <= MOST_ADDRESSES);
            let read = |one: &Value| one.as_str().and_then(|text| text.parse::<IpAddr>().ok());
            let addresses = addresses.and_then(|list| list.iter().map(read).collect());
            settings.static_ips = addresses.ok_or("must be a list of at most 8 IP addresses")?;
        }
        "rate_limits" => settings.rate_limits = named(Some(value), &SWITCH).ok_or("must be on or off")?,
        "flush_mode" => {
            let mode = named(Some(value), &FLUSHES);
            settings.flush_mode = mode.ok_or("must be hard, window, progressive, midnight or never")?;
        }
        "web_login" => {
            settings.web_login =
                named(Some(value), &WEB_LOGINS).ok_or("must be none, ws_only_403 or kill")?;
        }
        "master_logout" => {
            settings.master_logout_kills = named(Some(value), &EFFECTS).ok_or("must be kill or none")?;
        }
        "password_reset" => {
            settings.password_reset_kills = named(Some(value), &EFFECTS).ok_or("must be kill or none")?;
        }
        "new_secret" => {
            settings.new_secret_kills = named(Some(value), &EFFECTS).ok_or("must be kill or none")?;
        }
        "candle_limits" => {
            settings.candle_limits = named(Some(value), &CANDLES).ok_or("must be staff or suite")?;
        }
        "market_protection" => {
            settings.market_protection = named(Some(value), &SWITCH).ok_or("must be on or off")?;
        }
        "replay" => settings.replay = value.as_bool().ok_or("must be true or false")?,
        _ => return read_market(key, value, settings),
    }
    Ok(())
}

/// The switches of the market, the ticker and the postbacks.
fn read_market(key: &str, value: &Value, settings: &mut Settings) -> Result<(), &'static str> {
    let count = |most: u32| value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= most);
    match key {
        "fills" => settings.fills = named(Some(value), &FILLS).ok_or("must be whole or partial")?,
        "postback" => {
            let url = value.as_str().and_then(|text| Url::parse(text).ok()).filter(may_be_postback);
            let bad = "must be an http URL with a loopback address or localhost";
            settings.postback = if value == "" { None } else { Some(url.ok_or(bad)?) };
        }
        "ticker_connections" => {
            settings.ticker_connections = count(MOST_TICKERS).ok_or("must be a number from 0 to 1000")?;
        }
        "invented_shares" => {
            settings.invented_shares = count(MOST_INVENTED).ok_or("must be a number from 0 to 9000")?;
        }
        "holidays" => settings.holidays = days(value).ok_or("must be a list of days, YYYY-MM-DD")?,
        "sessions" => settings.sessions = days(value).ok_or("must be a list of days, YYYY-MM-DD")?,
        "mark" => {
            let is_mark =
                |text: &&str| MARKS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
            let mark = value.as_str().filter(|text| text.is_empty() || is_mark(text));
            settings.mark = mark.ok_or("must be 12 to 20 letters and digits, or nothing")?.to_owned();
        }
        _ => return super::habits::read_one(key, value, &mut settings.habits).unwrap_or(Err("unknown")),
    }
    Ok(())
}

fn days(value: &Value) -> Option<Arc<[Date]>> {
    let list = value.as_array().filter(|list| list.len() <= MOST_DAYS)?;
    list.iter().map(|day| day.as_str()?.parse::<Date>().ok()).collect()
}

/// `HH:MM` and nothing else.
pub(super) fn hour_and_minute(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        two.then(|| digits.parse::<i8>().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_twice() {
        assert!(hour_and_minute("06:00").is_some());
        for text in ["6:00", "24:00", "06:60", "06:00:00", "0600", "+6:00", ""] {
            assert!(hour_and_minute(text).is_none(), "{text}");
        }
    }
}
