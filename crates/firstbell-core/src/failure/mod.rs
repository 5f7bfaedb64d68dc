//! Every way to fail, and what each asks of us: go again, wait, stop what was spent, or ask a human.

mod named;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::obstacle::{Factor, Obstacle, TlsFault};

/// The short name of [`Failure::NobodyCame`].
pub const NOBODY_CAME: &str = "nobody-came";
/// The short name of [`Failure::Interrupted`].
pub const INTERRUPTED: &str = "interrupted";

/// Part of the machine on which firstbell runs that a login needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The browser that the chosen driver starts.
    Browser,
    /// The store of events, tokens and sealed secrets.
    Store,
    /// The key that seals the store.
    Key,
    /// A secret that the account needs.
    Secret,
    /// A place that a fresh token is written to.
    Sink,
}

/// Where in a morning something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Opening the login page.
    Open,
    /// User id and password.
    Credentials,
    /// The second factor.
    Code,
    /// The way back to the registered redirect address.
    Return,
    /// Request token and checksum for an access token.
    Exchange,
    /// The first call with the new token.
    Proof,
}

/// What a failure asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Nothing was spent that matters: the same may be tried again soon.
    Again,
    /// A moment is known before which trying is wrong.
    Wait,
    /// Something was spent and nobody knows how it ended, or it ended by bad luck: after a look, once more.
    Once,
    /// A credential was refused, or somebody may be in the way: not again until the owner acts.
    Stop,
    /// Only a person can get on from here; trying again changes nothing.
    Human,
}

/// Why the account's budget admits no further submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// This password was refused.
    Password,
    /// Codes of this seed were refused twice.
    Code,
    /// The broker has blocked the account.
    Blocked,
    /// Two submissions in a row were refused or ended without an answer.
    Unsure,
    /// The history is not known to be the newest one.
    Restored,
}

/// Every way in which a morning can fail. Texts of the broker or of a page never come in here: they are a stranger's
/// words, and might repeat a secret.
#[expect(
    missing_docs,
    reason = "the fields are shown, each with its meaning, in the sentence of its variant below"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made; nothing left this machine.
    Unreachable { stage: Stage, why: String },
    /// The broker answered with a server error before any credential left.
    BrokerDown { stage: Stage, status: u16 },
    /// The broker asks us to wait.
    Throttled { stage: Stage, wait_s: Option<u32> },
    /// Nothing known appeared in time, before any credential left.
    Slow { stage: Stage },
    /// A credential left and no answer that can be read came back.
    Unanswered { stage: Stage, why: String },
    /// The password was refused.
    PasswordRejected { remaining: Option<u8> },
    /// The code was refused.
    CodeRejected { remaining: Option<u8> },
    /// The broker has blocked the account.
    Blocked,
    /// The budget admits no further submission.
    Stopped(Stop),
    /// The page asks for another second factor than the six digits of an external TOTP.
    OtherFactor { factor: Factor },
    /// Something that is known stands in the way, and no program gets past it.
    Barred(Obstacle),
    /// The encrypted connection is not one to the broker, or nobody can tell.
    Insecure { stage: Stage, fault: TlsFault },
    /// Every engine of the ladder was tried, and each said why it got no further.
    Ladder { said: Vec<(String, Failure)> },
    /// The first login of this user to this app needs a consent that only the owner gives.
    ConsentWanted,
    /// The user is not linked to the app.
    NotEnabled,
    /// The broker does not know the API key.
    UnknownKey,
    /// A page or an answer that no sign of the plan matches.
    UnknownPage { stage: Stage, seen: String },
    /// The page is not of the broker's origin.
    WrongOrigin { origin: String },
    /// The redirect does not go where the owner registered it.
    WrongReturn { why: String },
    /// This computer's clock differs from the broker's by more than a code survives.
    ClockWrong { off_s: i64 },
    /// The exchange was refused: the API secret does not belong to the API key.
    SecretRefused,
    /// The exchange was refused: the request token was used or is too old.
    GrantRefused,
    /// Nobody completed the login that a person was asked for.
    NobodyCame { why: String },
    /// The broker's reply names another user or app.
    ForeignToken,
    /// The first call with the new token was refused.
    DeadOnArrival,
    /// There is no token that can be trusted.
    NoToken { why: String },
    /// Something of this machine is missing or broken.
    Broken { part: Part, why: String, cure: String },
    /// The owner interrupted the run.
    Interrupted,
}

impl Failure {
    /// What this failure asks of us.
    pub fn ask(&self) -> Ask {
        use Failure::*;
        match self {
            // The password was taken before this, so the next try is a whole login once more: not one of many.
            Unreachable { stage, .. } | BrokerDown { stage, .. } | Slow { stage }
                if matches!(stage, Stage::Code | Stage::Return | Stage::Exchange) =>
            {
                Ask::Once
            }
            Insecure { fault: TlsFault::Handshake, stage: Stage::Code | Stage::Return | Stage::Exchange } => {
                Ask::Once
            }
            Unreachable { .. } | BrokerDown { .. } | Slow { .. } | NobodyCame { .. } | Interrupted => {
                Ask::Again
            }
            Insecure { fault: TlsFault::Handshake, .. } => Ask::Again,
            Barred(Obstacle::ContinueAs) => Ask::Again,
            Throttled { .. } | Barred(Obstacle::Maintenance) => Ask::Wait,
            Barred(Obstacle::ForcedReset | Obstacle::PrivateAddress) | Insecure { .. } => Ask::Stop,
            Unanswered { .. } | GrantRefused | DeadOnArrival => Ask::Once,
            PasswordRejected { .. } | CodeRejected { .. } | Blocked | Stopped(_) => Ask::Stop,
            SecretRefused | ForeignToken | WrongOrigin { .. } | WrongReturn { .. } => Ask::Stop,
            OtherFactor { .. } | ConsentWanted | NotEnabled | UnknownKey | UnknownPage { .. } => Ask::Human,
            Barred(_) | Ladder { .. } => Ask::Human,
            ClockWrong { .. } | NoToken { .. } | Broken { .. } => Ask::Human,
        }
    }

    /// A short name for events, JSON and metrics. Stable.
    pub fn code(&self) -> &'static str {
        use Failure::*;
        match self {
            Unreachable { .. } => "unreachable",
            BrokerDown { .. } => "broker-down",
            Throttled { .. } => "throttled",
            Slow { .. } => "slow",
            Unanswered { .. } => "unanswered",
            PasswordRejected { .. } => "password-rejected",
            CodeRejected { .. } => "code-rejected",
            Blocked => "blocked",
            Stopped(_) => "stopped",
            OtherFactor { .. } => "other-factor",
            Barred(obstacle) => obstacle.as_str(),
            Insecure { .. } => "insecure",
            Ladder { said } => telling(said).map_or("broken", Failure::code),
            ConsentWanted => "consent-wanted",
            NotEnabled => "not-enabled",
            UnknownKey => "unknown-key",
            UnknownPage { .. } => "unknown-page",
            WrongOrigin { .. } => "wrong-origin",
            WrongReturn { .. } => "wrong-return",
            ClockWrong { .. } => "clock-wrong",
            SecretRefused => "secret-refused",
            GrantRefused => "grant-refused",
            NobodyCame { .. } => NOBODY_CAME,
            ForeignToken => "foreign-token",
            DeadOnArrival => "dead-on-arrival",
            NoToken { .. } => "no-token",
            Broken { .. } => "broken",
            Interrupted => INTERRUPTED,
        }
    }

    /// What the owner can do now. Every failure has one.
    pub fn cure(&self) -> String {
        use Failure::*;
        match self {
            Unreachable { .. } => "Check this computer's connection, then run firstbell login again.".into(),
            BrokerDown { .. } | Slow { .. } => "Wait a minute, then run firstbell login again.".into(),
            Throttled { wait_s: Some(s), .. } => format!("Run firstbell login again after {s} seconds."),
            Throttled { .. } => "Run firstbell login again after a minute or more.".into(),
            Unanswered { stage: Stage::Exchange, .. } => "The request token is used up; the login itself was good. Run \
                                                          firstbell login again."
                .into(),
            Unanswered { .. } => "This attempt counts as spent; firstbell status says whether another one is left.".into(),
            PasswordRejected { .. } | Stopped(Stop::Password) => {
                "Log in once at kite.zerodha.com by hand. If the password changed, run firstbell secrets set password; \
                 if it works unchanged, run firstbell unlock."
                    .into()
            }
            CodeRejected { .. } | Stopped(Stop::Code) => {
                "Compare with the code that your authenticator shows now. If it differs, run firstbell secrets set \
                 totp_seed with the key that Kite showed when external TOTP was set up; then firstbell unlock."
                    .into()
            }
            Blocked | Stopped(Stop::Blocked) => {
                "Reset the password at kite.zerodha.com (Forgot user ID or password), then run firstbell secrets set \
                 password."
                    .into()
            }
            Stopped(Stop::Unsure | Stop::Restored) => {
                "Log in once at kite.zerodha.com by hand, to see that the account is well; then run firstbell unlock."
                    .into()
            }
            OtherFactor { .. } => "In Kite, open My profile → Password & security and set up external TOTP; then run \
                                   firstbell secrets set totp_seed."
                .into(),
            Barred(obstacle) => obstacle.cure().into(),
            Insecure { fault: TlsFault::Date, .. } => {
                "Nothing was sent. Check this computer's clock (timedatectl), then its network.".into()
            }
            Insecure { .. } => "Nothing was sent. Check the network for a proxy, a filter or a sign-in page, and try \
                                another one; and this computer's clock (timedatectl)."
                .into(),
            Ladder { said } => telling(said).map_or_else(String::new, Failure::cure),
            ConsentWanted => "Open the app's login link once in your own browser and authorise it there.".into(),
            NotEnabled => "On the Kite developer console, link this client id to the app.".into(),
            UnknownKey => "Compare api_key in the configuration with the Kite developer console.".into(),
            UnknownPage { .. } => "Log in once at kite.zerodha.com by hand. firstbell history --last shows what this page \
                                   looked like; a new version of firstbell, or a plan of your own (firstbell plan), \
                                   teaches it."
                .into(),
            WrongOrigin { .. } => "Nothing was typed there. Check the network for a sign-in page or a filter, and \
                                   this computer's name servers."
                .into(),
            WrongReturn { .. } => "Compare redirect_url in the configuration with the Kite developer console, letter \
                                   by letter."
                .into(),
            ClockWrong { .. } => "Set this computer's clock (timedatectl set-ntp true), then run firstbell login \
                                  again."
                .into(),
            SecretRefused => "Copy the API secret anew from the Kite developer console: firstbell secrets set \
                              api_secret."
                .into(),
            NobodyCame { .. } => "Run firstbell login --assisted again, and open its new link in time.".into(),
            ForeignToken => "Check user_id and api_key in the configuration: this login belongs to somebody else. \
                             The token was not kept."
                .into(),
            DeadOnArrival => "The token was not kept. Between 05:00 and 08:00 Kite ends tokens at any moment; \
                              otherwise see whether another program logs in with the same API key."
                .into(),
            GrantRefused | NoToken { .. } => "Run firstbell login.".into(),
            Broken { cure, .. } => cure.clone(),
            Interrupted => "Run firstbell login again; what was spent is remembered.".into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Failure::*;
        match self {
            Unreachable { stage, why } => {
                write!(f, "{stage}: no connection to Zerodha ({why}); nothing was sent")
            }
            BrokerDown { stage, status } => write!(f, "{stage}: Zerodha is having trouble (HTTP {status})"),
            Throttled { stage, .. } => write!(f, "{stage}: Zerodha asks us to wait"),
            Slow { stage } => write!(f, "{stage}: nothing that firstbell knows appeared in time"),
            Unanswered { stage, why } => write!(f, "{stage}: sent, but no readable answer came back ({why})"),
            PasswordRejected { remaining } => {
                write!(f, "Zerodha rejected the password{}", Attempts(*remaining))
            }
            CodeRejected { remaining } => {
                write!(f, "Zerodha rejected the code of the second factor{}", Attempts(*remaining))
            }
            Blocked => f.write_str("Zerodha has blocked the account"),
            Stopped(stop) => write!(f, "not logging in: {stop}"),
            OtherFactor { factor } => {
                write!(f, "Zerodha asks for {factor}, not for the code of an external TOTP")
            }
            Barred(obstacle) => obstacle.fmt(f),
            Insecure { stage, fault: TlsFault::Handshake } => {
                write!(
                    f,
                    "{stage}: no secure connection to Zerodha ({}); nothing was sent",
                    TlsFault::Handshake
                )
            }
            Insecure { stage, fault } => {
                write!(f, "{stage}: Zerodha's certificate is not valid: {fault}; nothing was sent")
            }
            Ladder { said } => {
                f.write_str("no engine got to the end")?;
                said.iter().try_for_each(|(engine, failure)| write!(f, "; {engine}: {failure}"))
            }
            ConsentWanted => f.write_str("Zerodha asks the owner to authorise the app"),
            NotEnabled => f.write_str("this client id is not linked to the app"),
            UnknownKey => f.write_str("Zerodha does not know this API key"),
            UnknownPage { stage, seen } => write!(f, "{stage}: a page that firstbell does not know ({seen})"),
            WrongOrigin { origin } => write!(f, "the login page came from {origin}, not from Zerodha"),
            WrongReturn { why } => write!(f, "the way back from the login is wrong: {why}"),
            ClockWrong { off_s } => write!(f, "this computer's clock is off by {off_s} s; no code was made"),
            SecretRefused => f.write_str("Zerodha refused the checksum: the API secret is wrong"),
            GrantRefused => {
                f.write_str("Zerodha refused the request token: it was used already or is too old")
            }
            NobodyCame { why } => write!(f, "nobody completed the login: {why}"),
            ForeignToken => f.write_str("Zerodha returned a token for another account or app"),
            DeadOnArrival => f.write_str("the new token was refused at its first use"),
            NoToken { why } => write!(f, "there is no valid token: {why}"),
            Broken { why, .. } => f.write_str(why),
            Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Of what the engines said, the one that tells most about the broker: a missing browser says nothing of its pages.
fn telling(said: &[(String, Failure)]) -> Option<&Failure> {
    let weight = |failure: &Failure| match failure {
        Failure::Broken { .. } => 0,
        Failure::Slow { .. } => 1,
        _ => 2,
    };
    said.iter().map(|(_, failure)| failure).max_by_key(|failure| weight(failure))
}

struct Attempts(Option<u8>);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(1) => f.write_str(" (1 attempt remains before the account is blocked)"),
            Some(n) => write!(f, " ({n} attempts remain before the account is blocked)"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Open => "opening the login page",
            Stage::Credentials => "user id and password",
            Stage::Code => "second factor",
            Stage::Return => "way back",
            Stage::Exchange => "token exchange",
            Stage::Proof => "first call with the token",
        })
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Password => {
                "this password was rejected before, and another try would bring the account nearer to a \
                               block"
            }
            Stop::Code => "codes of this TOTP key were rejected twice",
            Stop::Blocked => "Zerodha has blocked the account",
            Stop::Unsure => {
                "two attempts in a row ended badly or without an answer, and Zerodha blocks an account after \
                             five"
            }
            Stop::Restored => {
                "the history on this machine is older than the last one seen here, or came here from elsewhere (a \
                 restored backup, a moved machine?), so attempts may be missing in it and count as spent"
            }
        })
    }
}
