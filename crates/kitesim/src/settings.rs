//! How the pretended Kite behaves where the real one varies or where sources disagree.

use jiff::civil::Time;
use jiff::{Span, Timestamp};
use url::Url;

use crate::clock;
use crate::habits::{Habits, Page};

/// The switches of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Which second factor the account asks for.
    pub(crate) second_factor: Factor,
    /// How long a request token may wait for its exchange.
    pub(crate) grant_life_s: i64,
    /// The Indian time of day at which every access token dies.
    pub(crate) flush: Time,
    /// How many steps before and after the present one a code may belong to.
    pub(crate) totp_window: i64,
    /// Whether the code of an already accepted step is accepted again.
    pub(crate) totp_reuse: bool,
    /// What a new exchange does to older tokens of the same app.
    pub(crate) second_session: SecondSession,
    /// Whether the app refuses this user at the end of the login.
    pub(crate) not_enabled: bool,
    /// Whether connections stay open after a reply. A browser whose open connection is reset sends the request
    /// again by itself, passwords too; without open connections it sends once.
    pub(crate) keep_alive: bool,
    /// The registered redirect URL; nothing means the landing page.
    pub(crate) redirect: Option<Url>,
    /// How the website varies.
    pub(crate) habits: Habits,
}

/// A second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factor {
    /// A code of an external authenticator app.
    Totp,
    /// A code shown by Kite's own mobile app.
    AppCode,
    /// A code sent by text message.
    Sms,
    /// A PIN; what a login page of generation B asks for.
    Pin,
    /// Two answers; what a login page of generation A asks for.
    Question,
}

/// What a new exchange does to older tokens of the same app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondSession {
    /// The older tokens die.
    Replace,
    /// The older tokens live on beside the new one.
    KeepBoth,
    /// The live token is handed out again.
    SameToken,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            second_factor: Factor::Totp,
            // Kite Connect docs say "a few minutes"; its forum says two to five.
            grant_life_s: 300,
            // Kite Connect docs, /user: valid until 6 in the morning of the next day.
            flush: Time::constant(6, 0, 0, 0),
            totp_window: 1,
            totp_reuse: false,
            second_session: SecondSession::Replace,
            not_enabled: false,
            keep_alive: true,
            redirect: None,
            habits: Habits::default(),
        }
    }
}

impl Settings {
    /// The second factor that the account is asked for: the older pages know only their own.
    pub(crate) fn factor(&self) -> Factor {
        match self.habits.page {
            Page::A => Factor::Question,
            Page::B => Factor::Pin,
            Page::C | Page::D => self.second_factor,
        }
    }

    /// Whether a token or session that began at `start` has met a flush moment by `now`.
    pub(crate) fn flushed(&self, start: Timestamp, now: Timestamp) -> bool {
        let start = clock::in_india(start);
        let day = start.date();
        let day = if start.time() < self.flush { Ok(day) } else { day.checked_add(Span::new().days(1)) };
        day.is_ok_and(|day| clock::in_india(now) >= day.to_datetime(self.flush))
    }
}

impl Factor {
    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Factor::Totp => "totp",
            Factor::AppCode => "app_code",
            Factor::Sms => "sms",
            Factor::Pin => "pin",
            Factor::Question => "question",
        }
    }

    /// Every type that the account offers, as login replies list them (public login scripts, 2026).
    pub(crate) fn offered(self) -> &'static [&'static str] {
        match self {
            Factor::Totp => &["totp", "app_code"],
            Factor::AppCode => &["app_code", "sms"],
            Factor::Sms => &["sms"],
            Factor::Pin => &["pin"],
            Factor::Question => &["question"],
        }
    }
}

/// Whether a URL can be a registered redirect URL.
pub(crate) fn may_be_redirect(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_dies_at_the_first_flush_after_its_birth() {
        let settings = Settings::default();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let cases = [
            ("2026-10-05T08:30:00+05:30", "2026-10-06T05:59:59+05:30", false),
            ("2026-10-05T08:30:00+05:30", "2026-10-06T06:00:00+05:30", true),
            ("2026-10-05T05:30:00+05:30", "2026-10-05T06:00:00+05:30", true),
            ("2026-10-05T06:00:00+05:30", "2026-10-05T06:00:00+05:30", false),
            ("2026-10-05T06:00:00+05:30", "2026-10-06T06:00:00+05:30", true),
            ("2026-10-05T08:30:00+05:30", "2026-10-04T08:30:00+05:30", false),
        ];
        for (start, now, dead) in cases {
            assert_eq!(settings.flushed(at(start), at(now)), dead, "{start} {now}");
        }
    }
}
