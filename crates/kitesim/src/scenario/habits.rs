//! Reads those keys of the `settings` table that are the website's.

use serde_json::Value;

use super::named;
use crate::habits::{Habits, PAGES};

/// More passwords a minute than this are no limit.
const LARGEST_BURST: u64 = 10_000;

/// Changes one setting of the website; nothing when the key is not one of them.
pub(super) fn read_one(key: &str, value: &Value, habits: &mut Habits) -> Option<Result<(), &'static str>> {
    let switch = match key {
        "page" => {
            let page = named(Some(value), &PAGES).ok_or("must be A, B, C or D");
            return Some(page.map(|page| habits.page = page));
        }
        "pin" => {
            let pin = value.as_str().filter(|pin| pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()));
            return Some(pin.ok_or("must be six digits, as text").map(|pin| habits.pin = pin.to_owned()));
        }
        "answers" => {
            let answers = answers(value).ok_or("must be two texts that are not empty");
            return Some(answers.map(|answers| habits.answers = answers));
        }
        "login_burst" => {
            let burst = value.as_u64().filter(|burst| *burst <= LARGEST_BURST);
            let burst = burst.ok_or("must be a number of passwords a minute from 0 to 10000");
            return Some(burst.map(|burst| habits.login_burst = burst));
        }
        "consent" => &mut habits.consent,
        "continue_as" => &mut habits.continue_as,
        "forced_reset" => &mut habits.forced_reset,
        "captcha" => &mut habits.captcha,
        "kill_switch" => &mut habits.kill_switch,
        "risk_modal" => &mut habits.risk_modal,
        _ => return None,
    };
    Some(value.as_bool().ok_or("must be true or false").map(|on| *switch = on))
}

fn answers(value: &Value) -> Option<[String; 2]> {
    let [first, second] = value.as_array()?.as_slice() else { return None };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Some([text(first)?, text(second)?])
}
