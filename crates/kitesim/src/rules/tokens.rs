//! The exchange of a request token, and the life and death of access tokens.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Life, Rules};
use crate::chance;
use crate::faults::{Deed, Strike};
use crate::settings::{Part, Plan, SecondSession, Settings};

/// An access token that was given out.
pub(super) struct Token {
    session: Session,
    dead: bool,
    no_ticker: bool,
}

/// What an exchange gives.
#[derive(Clone)]
pub(crate) struct Session {
    /// Whose session it is.
    pub(crate) user_id: String,
    /// The day's credential.
    pub(crate) access_token: String,
    /// For public validation of the session.
    pub(crate) public_token: String,
    /// The web application's own token.
    pub(crate) enctoken: String,
    /// When it began.
    pub(crate) since: Timestamp,
}

/// What an exchange asks with.
pub(crate) struct Demand<'a> {
    /// The app.
    pub(crate) api_key: &'a str,
    /// The grant.
    pub(crate) request_token: &'a str,
    /// The proof that the app's secret is known.
    pub(crate) checksum: &'a str,
}

/// What became of an exchange.
pub(crate) enum ExchangeVerdict {
    /// It went well.
    Accepted(Session),
    /// There is no such app here.
    UnknownKey,
    /// The checksum does not prove the secret.
    WrongChecksum,
    /// The request token was used before.
    Used,
    /// The request token is too old.
    Expired,
    /// The request token was never given out.
    UnknownGrant,
}

impl Token {
    pub(super) fn lives(&self, settings: &Settings, now: Timestamp) -> bool {
        !self.dead && !settings.flushed(self.session.since, now)
    }

    /// A login elsewhere took its ticker.
    pub(super) fn bar_from_ticker(&mut self) {
        self.no_ticker = true;
    }

    pub(super) fn opens_ticker(&self, settings: &Settings, now: Timestamp) -> bool {
        let allowed =
            settings.plan == Plan::Connect && !settings.ended(Part::Candles, self.session.since, now);
        self.lives(settings, now) && allowed && !self.no_ticker
    }
}

impl Rules {
    /// Judges an exchange. Only one that passes every check uses its request token up.
    pub(crate) fn exchange(
        &mut self,
        demand: &Demand<'_>,
        strike: &Strike,
        now: Timestamp,
    ) -> ExchangeVerdict {
        if demand.api_key != self.account.api_key {
            return ExchangeVerdict::UnknownKey;
        }
        let wrong = strike.has(&Deed::WrongChecksum);
        if wrong || demand.checksum != self.checksum(demand.request_token) {
            return ExchangeVerdict::WrongChecksum;
        }
        let Some(grant) = self.ledger.grants.find_mut(demand.request_token) else {
            return ExchangeVerdict::UnknownGrant;
        };
        if grant.used {
            return ExchangeVerdict::Used;
        }
        if now.duration_since(grant.since).as_secs() >= self.settings.grant_life_s {
            return ExchangeVerdict::Expired;
        }
        grant.used = true;
        ExchangeVerdict::Accepted(self.open_session(strike, now))
    }

    /// The live access tokens, without the tokens themselves.
    pub(crate) fn token_lives(&self, now: Timestamp) -> Vec<Life> {
        let live = self.ledger.tokens.values().filter(|token| token.lives(&self.settings, now));
        let life = |token: &Token| Life {
            user_id: token.session.user_id.clone(),
            since: token.session.since,
            ends: Life::end(now, |at| token.lives(&self.settings, at)),
        };
        live.map(life).collect()
    }

    /// Whose session an access token opens, if it opens one.
    pub(crate) fn holder(&self, api_key: &str, access_token: &str, now: Timestamp) -> Option<&str> {
        let token = self.ledger.tokens.find(access_token)?;
        let good = api_key == self.account.api_key && token.lives(&self.settings, now);
        good.then_some(token.session.user_id.as_str())
    }

    /// Whether a live access token may ask for this part: the plan may lack it, or the morning has taken it already.
    pub(crate) fn opens(&self, access_token: &str, part: Part, now: Timestamp) -> bool {
        let token = self.ledger.tokens.find(access_token);
        let ended = |token: &Token| self.settings.ended(part, token.session.since, now);
        self.settings.plan == Plan::Connect && !token.is_some_and(ended)
    }

    /// Whether an access token opens the ticker.
    pub(crate) fn opens_ticker(&self, api_key: &str, access_token: &str, now: Timestamp) -> bool {
        let token = self.ledger.tokens.find(access_token);
        api_key == self.account.api_key && token.is_some_and(|token| token.opens_ticker(&self.settings, now))
    }

    /// Whether this is the enctoken of a live access token's session.
    pub(super) fn owns_enctoken(&self, enctoken: &str, now: Timestamp) -> bool {
        self.ledger
            .tokens
            .values()
            .any(|own| own.session.enctoken == enctoken && own.lives(&self.settings, now))
    }

    /// Ends a live access token; false when it is none.
    #[must_use]
    pub(crate) fn end_token(&mut self, api_key: &str, access_token: &str, now: Timestamp) -> bool {
        let lives = self.holder(api_key, access_token, now).is_some();
        if lives {
            self.ledger.tokens.remove(access_token);
        }
        lives
    }

    /// Kite Connect docs, /user: the SHA-256 of key, request token and secret, as hexadecimal text.
    fn checksum(&self, request_token: &str) -> String {
        let mut digest = Sha256::new();
        for part in [&self.account.api_key, request_token, &self.account.api_secret] {
            digest.update(part.as_bytes());
        }
        HEXLOWER.encode(&digest.finalize())
    }

    fn open_session(&mut self, strike: &Strike, now: Timestamp) -> Session {
        let other = strike.has(&Deed::OtherUser);
        let user_id = if other { self.somebody_else() } else { self.account.user_id.clone() };
        let settings = &self.settings;
        let same = |token: &&Token| token.session.user_id == user_id && token.lives(settings, now);
        let old = self.ledger.tokens.values().find(same).map(|token| token.session.clone());
        if let (SecondSession::SameToken, Some(session)) = (settings.second_session, old) {
            return session;
        }
        if settings.second_session == SecondSession::Replace {
            let theirs = self.ledger.tokens.values_mut().filter(|token| token.session.user_id == user_id);
            theirs.for_each(|token| token.dead = true);
        }
        let session = Session {
            user_id,
            access_token: chance::alphanumeric(32),
            public_token: settings.marked(&chance::alphanumeric(32)),
            enctoken: settings.marked(&chance::enctoken()),
            since: now,
        };
        let token =
            Token { session: session.clone(), dead: strike.has(&Deed::DeadOnArrival), no_ticker: false };
        self.ledger.tokens.put(session.access_token.clone(), token);
        session
    }

    fn somebody_else(&self) -> String {
        let mut user_id = chance::user_id();
        while user_id == self.account.user_id {
            user_id = chance::user_id();
        }
        user_id
    }
}
