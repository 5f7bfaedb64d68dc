//! Passwords and codes: the two counters, the block, and the browser session at the end.

use jiff::Timestamp;

use super::{Life, Rules};
use crate::chance;
use crate::faults::{Deed, Strike};
use crate::seen::Steps;
use crate::settings::Factor;
use crate::totp;

/// Zerodha's support pages: five wrong passwords, or separately five wrong codes, block the account.
const TRIES: u32 = 5;

/// A password that was right and awaits its code.
pub(super) struct Pending {
    session: String,
}

/// A browser session; nothing inside while nobody has logged in.
pub(super) struct Web(Option<(String, Timestamp)>);

/// What became of a password.
pub(crate) enum PasswordVerdict {
    /// It was right.
    Accepted {
        /// Names this login in the second step.
        request_id: String,
        /// The browser session it belongs to.
        session: String,
    },
    /// It was wrong.
    Wrong {
        /// How many wrong ones are left before the block.
        remaining: u32,
    },
    /// There is no such user here.
    UnknownUser,
    /// The account is blocked, so nobody looked at it.
    Blocked,
}

/// What came with a code.
pub(crate) struct Sent<'a> {
    /// The user it claims to be of.
    pub(crate) user_id: &'a str,
    /// The name of the login, from the first step.
    pub(crate) request_id: Option<&'a str>,
    /// The `kf_session` cookie, which may stand in for the request id.
    pub(crate) session: Option<&'a str>,
    /// Which second factor it claims to be; nothing means the usual one.
    pub(crate) factor: Option<&'a str>,
    /// The code.
    pub(crate) code: &'a str,
}

/// What became of a code.
pub(crate) enum CodeVerdict {
    /// It was right.
    Accepted(SignedIn),
    /// It was wrong.
    Wrong {
        /// How many wrong ones are left before the block.
        remaining: u32,
        /// It would have been right, had it not been used before.
        reused: bool,
    },
    /// The account is blocked, so nobody looked at it.
    Blocked,
    /// No password awaits this code.
    UnknownRequest,
    /// The account has no such second factor.
    Unavailable,
}

/// What a code proves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Wrong,
    /// It was right, but has been used.
    Reused,
    /// It is the code of this step.
    Step(i64),
    /// It is what the account always answers.
    Known,
}

/// The cookies of a login.
pub(crate) struct SignedIn {
    /// The refreshed `kf_session`.
    pub(crate) session: String,
    /// The web application's own token.
    pub(crate) enctoken: String,
    /// The token against cross-site requests.
    pub(crate) public_token: String,
}

impl Rules {
    /// A browser session for somebody who has not logged in.
    pub(crate) fn new_session(&mut self) -> String {
        let session = self.settings.marked(&chance::alphanumeric(32));
        self.ledger.web.put(session.clone(), Web(None));
        session
    }

    /// Judges a password, and counts it when it is wrong.
    pub(crate) fn password(
        &mut self,
        user_id: &str,
        password: &str,
        session: Option<&str>,
        strike: &Strike,
    ) -> PasswordVerdict {
        if user_id != self.account.user_id {
            return PasswordVerdict::UnknownUser;
        }
        self.ledger.blocked |= strike.has(&Deed::Blocked);
        if self.ledger.blocked {
            return PasswordVerdict::Blocked;
        }
        if password != self.account.password || strike.has(&Deed::WrongPassword) {
            self.ledger.wrong_passwords += 1;
            let remaining = TRIES.saturating_sub(self.ledger.wrong_passwords);
            self.ledger.blocked = remaining == 0;
            return PasswordVerdict::Wrong { remaining };
        }
        self.ledger.wrong_passwords = 0;
        let known = session.filter(|session| self.ledger.web.find(session).is_some());
        let session = known.map(str::to_owned).unwrap_or_else(|| self.new_session());
        let request_id = self.settings.marked(&chance::alphanumeric(64));
        self.ledger.pending.put(request_id.clone(), Pending { session: session.clone() });
        PasswordVerdict::Accepted { request_id, session }
    }

    /// To which step a code belongs; for the record.
    pub(crate) fn steps(&self, code: &str, now: Timestamp) -> Steps {
        let arrived = totp::step_at(now);
        Steps { arrived, matched: self.seed.matched(code, arrived, self.settings.totp_window) }
    }

    /// Judges a code, and counts it when it is wrong.
    pub(crate) fn code(&mut self, sent: &Sent<'_>, strike: &Strike, now: Timestamp) -> CodeVerdict {
        let known = self.awaited(sent).filter(|_| sent.user_id == self.account.user_id);
        let Some(request_id) = known else {
            return CodeVerdict::UnknownRequest;
        };
        self.ledger.blocked |= strike.has(&Deed::Blocked);
        if self.ledger.blocked {
            return CodeVerdict::Blocked;
        }
        let offered = self.settings.factor().offered();
        if sent.factor.is_some_and(|factor| !offered.contains(&factor)) {
            return CodeVerdict::Unavailable;
        }
        let proof = if strike.has(&Deed::WrongCode) { Proof::Wrong } else { self.proof(sent.code, now) };
        match proof {
            Proof::Wrong | Proof::Reused => {
                self.ledger.wrong_codes += 1;
                let remaining = TRIES.saturating_sub(self.ledger.wrong_codes);
                self.ledger.blocked = remaining == 0;
                return CodeVerdict::Wrong { remaining, reused: proof == Proof::Reused };
            }
            Proof::Step(step) => self.remember(step),
            Proof::Known => {}
        }
        self.ledger.wrong_codes = 0;
        self.ledger.pending.remove(&request_id);
        self.web_login();
        CodeVerdict::Accepted(self.sign_in(now))
    }

    /// Whether one of the cookies belongs to a login that no flush has ended.
    pub(crate) fn signed_in(&self, session: Option<&str>, enctoken: Option<&str>, now: Timestamp) -> bool {
        let by_session = session.and_then(|session| self.ledger.web.find(session));
        let by_token = enctoken.and_then(|token| {
            self.ledger.web.values().find(|web| web.0.as_ref().is_some_and(|(own, _)| own == token))
        });
        let lives = |web: &Web| web.0.as_ref().is_some_and(|(_, since)| !self.settings.flushed(*since, now));
        by_session.is_some_and(lives) || by_token.is_some_and(lives)
    }

    /// What a code proves: a PIN and answers are the same every day, all other factors are of a step.
    fn proof(&self, code: &str, now: Timestamp) -> Proof {
        let habits = &self.settings.habits;
        let known = match self.settings.factor() {
            Factor::Pin => Some(code == habits.pin),
            Factor::Question => Some(code == habits.answers.join("\n")),
            Factor::Totp | Factor::AppCode | Factor::Sms => None,
        };
        match (known, self.steps(code, now).matched) {
            (Some(true), _) => Proof::Known,
            (Some(false), _) | (None, None) => Proof::Wrong,
            (None, Some(step)) if self.settings.totp_reuse => Proof::Step(step),
            (None, Some(step)) if self.ledger.accepted_steps.contains(&step) => Proof::Reused,
            (None, Some(step)) => Proof::Step(step),
        }
    }

    /// Whether a password of this request id was right and its code has not come.
    pub(crate) fn awaits_code(&self, request_id: &str) -> bool {
        self.ledger.pending.find(request_id).is_some()
    }

    /// The browser sessions of whoever is logged in, without their cookies.
    pub(crate) fn session_lives(&self, now: Timestamp) -> Vec<Life> {
        let begun = self.ledger.web.values().filter_map(|web| web.0.as_ref().map(|(_, since)| *since));
        let live = begun.filter(|since| !self.settings.flushed(*since, now));
        let life = |since: Timestamp| Life {
            user_id: self.account.user_id.clone(),
            since,
            ends: Life::end(now, |at| !self.settings.flushed(since, at)),
        };
        live.map(life).collect()
    }

    /// Whether an enctoken opens the website's own API.
    pub(crate) fn opens_web(&self, enctoken: &str, now: Timestamp) -> bool {
        self.signed_in(None, Some(enctoken), now) || self.owns_enctoken(enctoken, now)
    }

    fn awaited(&self, sent: &Sent<'_>) -> Option<String> {
        let pending = &self.ledger.pending;
        match (sent.request_id, sent.session) {
            (Some(id), _) => pending.find(id).map(|_| id.to_owned()),
            (None, Some(session)) => pending.newest(|one| one.session == session).map(str::to_owned),
            (None, None) => None,
        }
    }

    fn remember(&mut self, step: i64) {
        let steps = &mut self.ledger.accepted_steps;
        if steps.len() == 1000 {
            steps.remove(0);
        }
        steps.push(step);
    }

    fn sign_in(&mut self, now: Timestamp) -> SignedIn {
        let marked = |text: &str| self.settings.marked(text);
        let (session, enctoken) = (marked(&chance::alphanumeric(32)), marked(&chance::enctoken()));
        let public_token = marked(&chance::alphanumeric(32));
        self.ledger.web.put(session.clone(), Web(Some((enctoken.clone(), now))));
        SignedIn { session, enctoken, public_token }
    }
}
