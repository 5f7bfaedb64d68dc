//! The Connect login: visits, consent, and the request token on the registered redirect URL.

use jiff::Timestamp;
use url::Url;

use super::Rules;
use crate::chance;
use crate::faults::{Deed, Strike};

/// A Connect login under way: the pairs that the redirect must bring back.
pub(super) struct Visit(Vec<(String, String)>);

/// A request token that was given out.
pub(super) struct Grant {
    pub(super) since: Timestamp,
    pub(super) used: bool,
}

/// How a Connect login ends.
pub(crate) enum Finish {
    /// At the registered redirect URL, with a request token.
    Granted(Url),
    /// The user must first allow the app.
    Consent,
    /// The app is not for this user.
    NotEnabled,
    /// Nobody began this login.
    UnknownVisit,
}

impl Rules {
    /// Begins a Connect login and gives its `sess_id`.
    pub(crate) fn begin_visit(&mut self, redirect_params: Vec<(String, String)>) -> String {
        let sess_id = self.settings.marked(&chance::alphanumeric(32));
        self.ledger.visits.put(sess_id.clone(), Visit(redirect_params));
        sess_id
    }

    /// Whether a `sess_id` is known.
    pub(crate) fn knows_visit(&self, sess_id: &str) -> bool {
        self.ledger.visits.find(sess_id).is_some()
    }

    /// Remembers that the user allowed the app; it is not asked for again.
    pub(crate) fn consent(&mut self) {
        let pair = self.user_and_app();
        self.ledger.consented.insert(pair);
    }

    /// Forgets that the user allowed the app; false when it was not allowed.
    #[must_use]
    pub(crate) fn revoke(&mut self) -> bool {
        let pair = self.user_and_app();
        self.ledger.consented.remove(&pair)
    }

    /// Whether the user has allowed the app.
    pub(crate) fn consented(&self) -> bool {
        self.ledger.consented.contains(&self.user_and_app())
    }

    fn user_and_app(&self) -> (String, String) {
        (self.account.user_id.clone(), self.account.api_key.clone())
    }

    /// Ends a Connect login.
    pub(crate) fn finish(&mut self, sess_id: &str, strike: &Strike, now: Timestamp) -> Finish {
        if self.settings.not_enabled {
            return Finish::NotEnabled;
        }
        let Some(Visit(redirect_params)) = self.ledger.visits.find(sess_id) else {
            return Finish::UnknownVisit;
        };
        if (self.settings.habits.consent || strike.has(&Deed::Consent)) && !self.consented() {
            return Finish::Consent;
        }
        let request_token = self.settings.marked(&chance::alphanumeric(32));
        let mut target = self.redirect().clone();
        let granted = !strike.has(&Deed::NoGrant);
        // The order of 2023 and later: action, type, status, request_token.
        let mut pairs = target.query_pairs_mut();
        pairs.append_pair("action", "login").append_pair("type", "login");
        pairs.append_pair("status", if granted { "success" } else { "cancelled" });
        if granted {
            pairs.append_pair("request_token", &request_token);
        }
        pairs.extend_pairs(redirect_params);
        drop(pairs);
        if !granted || strike.has(&Deed::ForeignGrant) {
            return Finish::Granted(target);
        }
        self.ledger.grants.put(request_token, Grant { since: now, used: false });
        Finish::Granted(target)
    }
}
