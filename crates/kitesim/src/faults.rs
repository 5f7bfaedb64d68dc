//! The menu of bad moments: what may go wrong, where, and at which call.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::when::When;

/// A place of the wire at which a fault can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A request that would be answered with the login page.
    LoginPage,
    /// `POST /api/login`.
    Login,
    /// `POST /api/twofa`.
    Twofa,
    /// `/connect/finish` of a user who is logged in.
    Finish,
    /// `POST /session/token`.
    Exchange,
    /// `GET /user/profile`.
    Profile,
    /// `/connect/login`, whatever it would answer.
    Entry,
    /// Placing, changing and cancelling orders.
    Orders,
    /// `/quote` and what is below it.
    Quotes,
    /// Historical candles.
    Candles,
    /// Every other call of the API.
    Api,
    /// The handshake of the ticker's WebSocket.
    Ticker,
    /// The handshake of TLS.
    Handshake,
}

/// Every place with its name in scenarios.
pub(crate) const PLACES: [(&str, Place); 13] = [
    ("login-page", Place::LoginPage),
    ("login", Place::Login),
    ("twofa", Place::Twofa),
    ("finish", Place::Finish),
    ("exchange", Place::Exchange),
    ("profile", Place::Profile),
    ("handshake", Place::Handshake),
    ("entry", Place::Entry),
    ("orders", Place::Orders),
    ("quotes", Place::Quotes),
    ("candles", Place::Candles),
    ("api", Place::Api),
    ("ticker", Place::Ticker),
];

impl Place {
    /// Its name in scenarios.
    pub(crate) fn name(self) -> &'static str {
        PLACES.iter().find(|(_, place)| *place == self).map_or("", |(name, _)| name)
    }
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Whatever was sent is a wrong password, and counts as one.
    WrongPassword,
    /// Whatever was sent is a wrong code, and counts as one.
    WrongCode,
    /// The account is blocked from here on.
    Blocked,
    /// The effect happens at once, the reply comes late.
    Slow {
        /// How late.
        delay_ms: u64,
    },
    /// Something answers in Kite's stead; no effect.
    Status(Answer),
    /// The connection is reset; no effect.
    ResetBefore,
    /// The effect happens, then the connection is reset.
    ResetAfter,
    /// A page that nobody knows stands in Kite's stead; no effect.
    UnknownPage,
    /// The effect happens, the JSON reply is cut in half.
    Truncated,
    /// The exchange goes well, but its token is dead.
    DeadOnArrival,
    /// The exchange goes well, but for another user.
    OtherUser,
    /// The exchange finds the checksum wrong; the request token is not spent.
    WrongChecksum,
    /// The user must first allow the app.
    Consent,
    /// The login ends at the redirect URL without a request token and with another status than success.
    NoGrant,
    /// The login ends with a request token that was never given out.
    ForeignGrant,
    /// Every access token dies before the call is looked at, as by a login elsewhere.
    TokensKilled,
    /// The effect happens, the reply's body comes byte by byte.
    Drip {
        /// The pause after each byte.
        every_ms: u64,
    },
    /// The effect happens, the reply has this many more bytes than it should.
    Oversized {
        /// How many.
        bytes: u64,
    },
    /// The effect happens, the reply says that it is of another type.
    WrongType,
    /// The effect happens, the reply's body is bytes that are no text.
    InvalidText,
    /// A small packed body that unpacks to very much stands in Kite's stead; no effect.
    GzipBomb,
    /// The login page is drawn in another way.
    Mutated {
        /// In which.
        how: Mutation,
        /// What the strange names are made of.
        seed: u64,
        /// How late it is drawn.
        delay_ms: u64,
    },
    /// The certificate's time is over.
    CertificateExpired,
    /// The certificate is for another name.
    CertificateOtherName,
    /// The certificate's time has not begun.
    CertificateEarly,
    /// The certificate is of an authority that nobody trusts.
    CertificateStranger,
    /// The handshake ends with an alert and without a certificate.
    HandshakeRefused,
    /// The request waits until it is released.
    Hold {
        /// Whether the effect has happened while it waits.
        after: bool,
    },
}

/// What stands in Kite's stead: a page of a proxy, or any other reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its HTTP status.
    pub(crate) status: u16,
    /// Its `Retry-After` header.
    pub(crate) retry_after_s: Option<u64>,
    /// Its `Location` header.
    pub(crate) location: Option<String>,
    /// Its body; nothing means a page of a proxy.
    pub(crate) body: Option<String>,
    /// The type of that body; nothing means JSON when it begins like that, else HTML.
    pub(crate) body_type: Option<String>,
}

/// A way in which the login page differs from what scripts know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Its fields have other ids.
    RenamedIds,
    /// It has more fields than it shows.
    DecoyFields,
    /// Its fields stand in another order.
    ReorderedFields,
    /// Its form comes late.
    LateRendering,
    /// Its script arrives in half.
    HalfLoaded,
    /// Its fields lose what was typed so far, once.
    LostCharacters,
    /// A script of somebody else reaches for another host at each key.
    StrangerScript,
}

/// Every mutation with its name in scenarios.
pub(crate) const MUTATIONS: [(&str, Mutation); 7] = [
    ("renamed-ids", Mutation::RenamedIds),
    ("decoy-fields", Mutation::DecoyFields),
    ("reordered-fields", Mutation::ReorderedFields),
    ("late-rendering", Mutation::LateRendering),
    ("half-loaded", Mutation::HalfLoaded),
    ("lost-characters", Mutation::LostCharacters),
    ("stranger-script", Mutation::StrangerScript),
];

impl Mutation {
    /// Its name in scenarios and for the page's script.
    pub(crate) fn name(self) -> &'static str {
        MUTATIONS.iter().find(|(_, how)| *how == self).map_or("", |(name, _)| name)
    }
}

/// One fault that stands.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) at: Place,
    /// At which call since it was set; nothing means at every call.
    pub(crate) call: Option<u64>,
    /// Under which other conditions.
    pub(crate) when: When,
    /// What it does.
    pub(crate) deed: Deed,
    /// The name of that in scenarios.
    pub(crate) name: &'static str,
}

/// All faults that stand, each with the calls that it has seen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    /// Replaces all faults; their calls are counted from here.
    pub(crate) fn replace(&mut self, faults: Vec<Fault>) {
        self.0 = faults.into_iter().map(|fault| (fault, 0)).collect();
    }

    /// Whether there is none.
    pub(crate) fn none(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them with the calls that each has seen, for inspection.
    pub(crate) fn listed(&self) -> Value {
        let told = |(fault, calls): &(Fault, u64)| json!({"at": fault.at.name(), "do": fault.name, "call": fault.call, "calls": calls});
        self.0.iter().map(told).collect()
    }

    /// Counts one call at a place and says what strikes it.
    pub(crate) fn strike(&mut self, at: Place, now: Timestamp) -> Strike {
        let mut deeds = Vec::new();
        for (fault, calls) in self.0.iter_mut().filter(|(fault, _)| fault.at == at) {
            *calls += 1;
            if fault.call.is_none_or(|call| call == *calls) && fault.when.met(*calls, now) {
                deeds.push(fault.deed.clone());
            }
        }
        Strike(deeds)
    }
}

/// What strikes one call.
#[derive(Debug, Default)]
pub(crate) struct Strike(Vec<Deed>);

impl Strike {
    /// Whether this deed is part of it.
    pub(crate) fn has(&self, deed: &Deed) -> bool {
        self.0.contains(deed)
    }

    /// Its deeds in the order of the scenario.
    pub(crate) fn deeds(&self) -> impl Iterator<Item = &Deed> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn calls_are_counted_for_each_fault_from_its_setting() {
        let mut faults = Faults::default();
        let second = Fault {
            at: Place::Login,
            call: Some(2),
            when: When::default(),
            deed: Deed::Blocked,
            name: "blocked",
        };
        let every = Fault {
            at: Place::Login,
            call: None,
            when: When::default(),
            deed: Deed::Truncated,
            name: "truncated",
        };
        faults.replace(vec![second, every]);
        assert!(faults.strike(Place::Twofa, NOW).deeds().next().is_none());
        let hits: Vec<bool> =
            (0..3).map(|_call| faults.strike(Place::Login, NOW).has(&Deed::Blocked)).collect();
        assert_eq!(hits, [false, true, false]);
        assert!(faults.strike(Place::Login, NOW).has(&Deed::Truncated));
        assert_eq!(Place::LoginPage.name(), "login-page");
    }
}
