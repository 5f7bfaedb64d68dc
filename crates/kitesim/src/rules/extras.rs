//! What may stand before a password is looked at: too many of them in a minute, and the captcha.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Rules;
use crate::chance;

/// Tokens live for a day; three reach over any switch of it.
const FARTHEST_S: i64 = 3 * 86_400;
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// A token or session that lives, for inspection.
#[derive(Debug, Serialize)]
pub(crate) struct Life {
    pub(super) user_id: String,
    pub(super) since: Timestamp,
    /// When it will die of itself; nothing when that is far away.
    pub(super) ends: Option<Timestamp>,
}

impl Life {
    /// The first second from now on at which something lives no more: whatever the rule of its death is, it holds for
    /// good, so the moment can be searched by halving.
    pub(super) fn end(now: Timestamp, lives: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        let at = |seconds: i64| {
            let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
            whole.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
        };
        let (mut alive, mut dead) = (0, FARTHEST_S);
        if lives(at(dead)) {
            return None;
        }
        while dead - alive > 1 {
            let middle = alive + (dead - alive) / 2;
            if lives(at(middle)) { alive = middle } else { dead = middle }
        }
        Some(at(dead))
    }
}

impl Rules {
    /// Counts one password, and says whether more came within the last minute than the settings allow.
    pub(crate) fn too_many(&mut self, now: Timestamp) -> bool {
        let most = self.settings.habits.login_burst;
        let came = &mut self.ledger.bursts;
        if most == 0 {
            came.clear();
            return false;
        }
        // A clock that was set back leaves moments of the future behind; they count for nothing.
        came.retain(|at| *at <= now && now.duration_since(*at) < MINUTE);
        let over = u64::try_from(came.len()).is_ok_and(|count| count >= most);
        if !over {
            came.push_back(now);
        }
        over
    }

    /// Draws a captcha; gives its id and its text.
    pub(crate) fn draw_captcha(&mut self) -> (String, String) {
        let (id, text) = (chance::alphanumeric(16), chance::lower(5));
        self.ledger.captchas.put(id.clone(), text.clone());
        (id, text)
    }

    /// Whether a captcha was read rightly, or none is asked for. Each is good for one try.
    pub(crate) fn captcha_solved(&mut self, id: Option<&str>, text: Option<&str>) -> bool {
        if !self.settings.habits.captcha {
            return true;
        }
        let Some(id) = id else { return false };
        let drawn = self.ledger.captchas.find(id).cloned();
        self.ledger.captchas.remove(id);
        drawn.is_some() && drawn.as_deref() == text
    }

    /// How many wrong passwords and wrong codes stand against the account.
    pub(crate) fn wrong_tries(&self) -> (u32, u32) {
        (self.ledger.wrong_passwords, self.ledger.wrong_codes)
    }
}
