//! How the pretended Kite behaves where the real one varies or where sources disagree.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::civil::{Date, Time};
use jiff::{Span, Timestamp};
use url::{Host, Url};

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
    /// What all prices follow from.
    pub(crate) seed: u64,
    /// What the app may ask for.
    pub(crate) plan: Plan,
    /// From which addresses orders are taken.
    pub(crate) static_ips: Vec<IpAddr>,
    /// Whether too many calls in a second are refused.
    pub(crate) rate_limits: bool,
    /// How the morning ends tokens.
    pub(crate) flush_mode: FlushMode,
    /// What a plain login on the website does to access tokens.
    pub(crate) web_login: WebLogin,
    /// Whether a logout of all devices ends access tokens.
    pub(crate) master_logout_kills: bool,
    /// Whether a new password ends access tokens.
    pub(crate) password_reset_kills: bool,
    /// Whether a new secret ends access tokens.
    pub(crate) new_secret_kills: bool,
    /// How far one request for candles may reach.
    pub(crate) candle_limits: CandleLimits,
    /// Whether market orders need market protection.
    pub(crate) market_protection: bool,
    /// Whether the API answers samples, to anybody and without any state.
    pub(crate) replay: bool,
    /// How much of an order the market takes at once.
    pub(crate) fills: Fills,
    /// Where order updates are posted to; nothing means that the app registered no URL.
    pub(crate) postback: Option<Url>,
    /// How many ticker connections the app may have.
    pub(crate) ticker_connections: u32,
    /// How many invented shares stand beside the short table of instruments.
    pub(crate) invented_shares: u32,
    /// Days without trade beside those that are known.
    pub(crate) holidays: Arc<[Date]>,
    /// Days with trade beside those that are known.
    pub(crate) sessions: Arc<[Date]>,
    /// With what everything secret begins that is handed out before an access token, so that a test can look for it.
    pub(crate) mark: String,
}

/// How much of an order the market takes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fills {
    /// All of it.
    #[default]
    Whole,
    /// Half of what is left in each second, in whole lots.
    Partial,
}

/// What an app may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Everything.
    Connect,
    /// No quotes, candles or ticks.
    Personal,
}

/// How the morning ends tokens; sources disagree, and a robust client lives with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushMode {
    /// At once, at the time of the setting `flush`.
    Hard,
    /// At some moment from 07:00 to 07:30, and once more at the end of it.
    Window,
    /// Part after part, from quotes at 05:20 to everything at 07:50.
    Progressive,
    /// At midnight.
    Midnight,
    /// Not at all, which no source says; a client must not mind.
    Never,
}

/// A part of the API; a progressive morning ends them one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `/quote` and what is below it.
    Quotes,
    /// Historical candles.
    Candles,
    /// Everything else.
    Rest,
}

/// What a plain login on the website does to access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WebLogin {
    /// Nothing.
    None,
    /// They lose the ticker and keep the rest.
    TickerOnly,
    /// They die.
    Kill,
}

/// How many days one request for candles may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CandleLimits {
    /// As Zerodha's staff says.
    Staff,
    /// As the integration suite of the official Python client expects.
    Suite,
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
            seed: 1,
            plan: Plan::Connect,
            static_ips: vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            rate_limits: true,
            flush_mode: FlushMode::Hard,
            web_login: WebLogin::None,
            // Kite Connect docs, /user: a master logout ends the token.
            master_logout_kills: true,
            // Zerodha's support pages: a reset "logs out all active sessions".
            password_reset_kills: true,
            // Zerodha's forum, 2026: a new secret leaves the present token alone.
            new_secret_kills: false,
            candle_limits: CandleLimits::Staff,
            market_protection: true,
            replay: false,
            // Shares of this liquidity fill at once; a rehearsal of the other case asks for it.
            fills: Fills::Whole,
            // Kite Connect docs, /postbacks: individual developers are advised to use the ticker instead.
            postback: None,
            // Kite Connect docs, WebSocket: three connections for each app.
            ticker_connections: 3,
            invented_shares: 0,
            holidays: Arc::default(),
            sessions: Arc::default(),
            mark: String::new(),
        }
    }
}

impl Settings {
    /// The same text, beginning with the mark.
    pub(crate) fn marked(&self, text: &str) -> String {
        self.mark.chars().chain(text.chars().skip(self.mark.len())).collect()
    }

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
        self.ended(Part::Rest, start, now)
    }

    /// Whether this part of what a token opens has met a flush moment since it began.
    pub(crate) fn ended(&self, part: Part, start: Timestamp, now: Timestamp) -> bool {
        let start = clock::in_india(start);
        let now = clock::in_india(now);
        let met = |day: Date| {
            let moments = self.moments(part, day).into_iter().flatten();
            moments.map(|time| day.to_datetime(time)).any(|moment| start < moment && moment <= now)
        };
        let next = start.date().checked_add(Span::new().days(1));
        met(start.date()) || next.is_ok_and(met)
    }

    /// The flush moments of a day for a part: operators' logs of 2026 saw the progressive ones.
    fn moments(&self, part: Part, day: Date) -> [Option<Time>; 3] {
        let at = |hour, minute| Some(Time::constant(hour, minute, 0, 0));
        match (self.flush_mode, part) {
            (FlushMode::Hard, _) => [Some(self.flush), None, None],
            (FlushMode::Midnight, _) => [at(0, 0), None, None],
            (FlushMode::Never, _) => [None, None, None],
            (FlushMode::Window, _) => {
                let spread =
                    (self.seed ^ u64::from(day.day_of_year().unsigned_abs())).wrapping_mul(0x9e37_79b9);
                [at(7, i8::try_from(spread % 30).unwrap_or(0)), at(7, 30), None]
            }
            (FlushMode::Progressive, Part::Quotes) => [at(5, 20), at(6, 35), at(7, 50)],
            (FlushMode::Progressive, Part::Candles) => [at(5, 33), at(6, 35), at(7, 50)],
            (FlushMode::Progressive, Part::Rest) => [at(6, 35), at(7, 50), None],
        }
    }
}

impl CandleLimits {
    /// How many days one request may reach for candles of so many minutes; nothing means whole days.
    pub(crate) fn days(self, minutes: Option<i64>) -> i64 {
        // Zerodha's forum, May 2020, and the integration suite of pykiteconnect.
        let [short, middle, long, longest] = match self {
            CandleLimits::Staff => [60, 100, 200, 400],
            CandleLimits::Suite => [30, 90, 180, 365],
        };
        match minutes {
            None => 2_000,
            Some(1) => short,
            Some(..=10) => middle,
            Some(..=30) => long,
            Some(_) => longest,
        }
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

/// Whether order updates may be posted to a URL: plain http on this machine, for nothing of ours leaves it.
pub(crate) fn may_be_postback(url: &Url) -> bool {
    let near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    near && url.scheme() == "http"
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

    #[test]
    fn postbacks_stay_on_this_machine() {
        let good = |text: &str| may_be_postback(&Url::parse(text).unwrap());
        assert!(good("http://127.0.0.1:9/x") && good("http://[::1]:9/") && good("http://localhost/"));
        assert!(!good("https://127.0.0.1/") && !good("http://example.com/") && !good("http://10.0.0.1/"));
    }

    #[test]
    fn what_is_minted_inside_a_window_dies_in_it() {
        let at = |text: &str| format!("2026-10-06T{text}:00+05:30").parse::<Timestamp>().unwrap();
        for (flush_mode, minted, alive, dead) in [
            (FlushMode::Window, "07:29", "07:29", "07:30"),
            (FlushMode::Progressive, "06:40", "07:49", "07:50"),
            (FlushMode::Progressive, "04:00", "06:34", "06:35"),
            (FlushMode::Midnight, "00:00", "23:59", "24:00"),
        ] {
            let settings = Settings { flush_mode, ..Settings::default() };
            assert!(!settings.flushed(at(minted), at(alive)), "{flush_mode:?}");
            let dead = if dead == "24:00" { "2026-10-07T00:00:00+05:30".parse().unwrap() } else { at(dead) };
            assert!(settings.flushed(at(minted), dead), "{flush_mode:?}");
        }
        let settings = Settings { flush_mode: FlushMode::Progressive, ..Settings::default() };
        assert!(settings.ended(Part::Quotes, at("04:00"), at("05:20")));
        assert!(!settings.ended(Part::Candles, at("04:00"), at("05:20")));
        assert!(!settings.ended(Part::Quotes, at("07:50"), at("23:59")));
    }
}
