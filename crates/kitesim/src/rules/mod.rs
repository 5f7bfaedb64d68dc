//! What the pretended Kite decides: one account, its counters, sessions, grants and tokens. Asks no clock.

mod connect;
mod extras;
mod gate;
mod recent;
mod tokens;

pub(crate) use connect::Finish;
use extras::Life;
pub(crate) use gate::{CodeVerdict, PasswordVerdict, Sent, SignedIn};
pub(crate) use tokens::{Demand, ExchangeVerdict, Session};

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;
use url::Url;

use crate::account::Account;
use crate::settings::{Settings, WebLogin};
use crate::totp::Seed;
use connect::{Grant, Visit};
use gate::{Pending, Web};
use recent::Recent;
use tokens::Token;

/// Everything that decides a reply.
pub(crate) struct Rules {
    /// Whose credentials are right.
    pub(crate) account: Account,
    /// The switches.
    pub(crate) settings: Settings,
    seed: Seed,
    landing: Url,
    ledger: Ledger,
}

/// What a reset forgets.
#[derive(Default)]
struct Ledger {
    wrong_passwords: u32,
    wrong_codes: u32,
    blocked: bool,
    /// Users and the apps that they allowed.
    consented: BTreeSet<(String, String)>,
    /// When the passwords of the last minute came.
    bursts: VecDeque<Timestamp>,
    /// Captchas that were drawn, by id.
    captchas: Recent<String>,
    accepted_steps: Vec<i64>,
    /// Passwords that await their code, by request id.
    pending: Recent<Pending>,
    /// Browser sessions, by `kf_session`.
    web: Recent<Web>,
    /// Connect logins under way, by `sess_id`.
    visits: Recent<Visit>,
    /// Request tokens given out.
    grants: Recent<Grant>,
    /// Access tokens given out.
    tokens: Recent<Token>,
}

impl Rules {
    /// The rules of a fresh day; `landing` is the redirect URL while the settings name none.
    pub(crate) fn new(account: Account, settings: Settings, landing: Url) -> Option<Rules> {
        let seed = Seed::parse(&account.totp_seed)?;
        Some(Rules { account, settings, seed, landing, ledger: Ledger::default() })
    }

    /// Forgets counters, blocks, consent, sessions, grants and tokens.
    pub(crate) fn reset(&mut self) {
        self.ledger = Ledger::default();
    }

    /// Ends every access token and every browser session, as the daily flush does.
    pub(crate) fn flush(&mut self) {
        self.ledger.tokens = Recent::default();
        self.ledger.web = Recent::default();
    }

    /// A logout of all devices: every browser session ends, and perhaps the access tokens.
    pub(crate) fn master_logout(&mut self) {
        self.ledger.web = Recent::default();
        if self.settings.master_logout_kills {
            self.ledger.tokens = Recent::default();
        }
    }

    /// Ends every access token, as a login elsewhere may.
    pub(crate) fn end_all_tokens(&mut self) {
        self.ledger.tokens = Recent::default();
    }

    /// A login on the website, which may end access tokens or bar them from the ticker.
    pub(crate) fn web_login(&mut self) {
        match self.settings.web_login {
            WebLogin::None => {}
            WebLogin::TickerOnly => self.ledger.tokens.values_mut().for_each(Token::bar_from_ticker),
            WebLogin::Kill => self.ledger.tokens = Recent::default(),
        }
    }

    /// A new password: the block and every browser session end, and perhaps the access tokens.
    pub(crate) fn reset_password(&mut self, password: String) {
        self.account.password = password;
        self.ledger.blocked = false;
        (self.ledger.wrong_passwords, self.ledger.wrong_codes) = (0, 0);
        self.ledger.web = Recent::default();
        if self.settings.password_reset_kills {
            self.ledger.tokens = Recent::default();
        }
    }

    /// A new secret of the app; the next exchange needs it.
    pub(crate) fn renew_secret(&mut self, api_secret: String) {
        self.account.api_secret = api_secret;
        if self.settings.new_secret_kills {
            self.ledger.tokens = Recent::default();
        }
    }

    /// Whether the account is blocked.
    pub(crate) fn blocked(&self) -> bool {
        self.ledger.blocked
    }

    /// How many access tokens would be accepted now.
    pub(crate) fn live_tokens(&self, now: Timestamp) -> usize {
        self.ledger.tokens.values().filter(|token| token.lives(&self.settings, now)).count()
    }

    /// How many access tokens would open the ticker now.
    pub(crate) fn live_tickers(&self, now: Timestamp) -> usize {
        self.ledger.tokens.values().filter(|token| token.opens_ticker(&self.settings, now)).count()
    }

    /// The registered redirect URL.
    pub(crate) fn redirect(&self) -> &Url {
        self.settings.redirect.as_ref().unwrap_or(&self.landing)
    }
}
