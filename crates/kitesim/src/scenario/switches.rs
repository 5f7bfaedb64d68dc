//! Reads the `settings` table of a scenario.

use jiff::civil::Time;
use serde_json::{Map, Value};
use url::Url;

use super::named;
use crate::settings::{Factor, SecondSession, Settings, may_be_redirect};

const FACTORS: [(&str, Factor); 3] =
    [("totp", Factor::Totp), ("app_code", Factor::AppCode), ("sms", Factor::Sms)];
const SESSIONS: [(&str, SecondSession); 3] = [
    ("replace", SecondSession::Replace),
    ("keep_both", SecondSession::KeepBoth),
    ("same_token", SecondSession::SameToken),
];
const LONGEST_GRANT_S: i64 = 86_400;
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
        _ => return super::habits::read_one(key, value, &mut settings.habits).unwrap_or(Err("unknown")),
    }
    Ok(())
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
