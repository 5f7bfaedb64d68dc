//! A failure of which only the name is left: what its sentence and its cure can be made of again.

use super::{Ask, Failure, NOBODY_CAME, Part, Stage, Stop};
use crate::obstacle::{Factor, Obstacle, TlsFault};

impl Failure {
    /// What the owner can do, and how firstbell goes on then: what asked it to stop holds until he says so.
    pub fn way_on(&self, asked: Ask) -> String {
        let cure = self.cure();
        let says = ["unlock", "secrets set"].iter().any(|word| cure.contains(word));
        if asked == Ask::Stop && !says { format!("{cure} Then run firstbell unlock.") } else { cure }
    }

    /// Short, without the place and the details that only a log needs, and that are lost where only the name is left.
    pub fn plain(&self) -> String {
        match self {
            Failure::Unreachable { .. } => "no connection to Zerodha".into(),
            Failure::BrokerDown { .. } => "Zerodha is having trouble".into(),
            Failure::Throttled { .. } => "Zerodha asks us to wait".into(),
            Failure::Slow { .. } => "the login page did not appear in time".into(),
            Failure::Unanswered { .. } => "something was sent and no answer came back".into(),
            Failure::UnknownPage { .. } => "Zerodha shows a page that firstbell does not know".into(),
            Failure::Insecure { .. } => "the connection is not securely Zerodha’s; nothing was sent".into(),
            Failure::OtherFactor { .. } => {
                "Zerodha asks for another second factor than an external TOTP".into()
            }
            Failure::WrongOrigin { .. } => "the login page did not come from Zerodha".into(),
            Failure::WrongReturn { .. } => "the login did not end at the registered redirect URL".into(),
            Failure::ClockWrong { .. } => "this computer’s clock is wrong; no code was made".into(),
            Failure::NobodyCame { .. } => "nobody completed the login that was asked for".into(),
            Failure::Broken { .. } => "a part of this computer is missing or broken".into(),
            other => other.to_string(),
        }
    }

    /// A failure of this code, as far as the code tells it: for words about one that only its name is left of.
    pub fn of_code(code: &str) -> Option<Failure> {
        let (stage, why) = (Stage::Open, String::new);
        Some(match code {
            "unreachable" => Failure::Unreachable { stage, why: why() },
            "broker-down" => Failure::BrokerDown { stage, status: 500 },
            "throttled" => Failure::Throttled { stage, wait_s: None },
            "slow" => Failure::Slow { stage },
            "unanswered" => Failure::Unanswered { stage: Stage::Credentials, why: why() },
            "password-rejected" => Failure::PasswordRejected { remaining: None },
            "code-rejected" => Failure::CodeRejected { remaining: None },
            "blocked" => Failure::Blocked,
            "stopped" => Failure::Stopped(Stop::Unsure),
            "insecure" => Failure::Insecure { stage, fault: TlsFault::Handshake },
            "consent-wanted" => Failure::ConsentWanted,
            "not-enabled" => Failure::NotEnabled,
            "unknown-key" => Failure::UnknownKey,
            "unknown-page" => Failure::UnknownPage { stage, seen: why() },
            "secret-refused" => Failure::SecretRefused,
            "grant-refused" => Failure::GrantRefused,
            "other-factor" => Failure::OtherFactor { factor: Factor::Another },
            "wrong-origin" => Failure::WrongOrigin { origin: why() },
            "wrong-return" => Failure::WrongReturn { why: why() },
            "clock-wrong" => Failure::ClockWrong { off_s: 0 },
            NOBODY_CAME => Failure::NobodyCame { why: why() },
            "foreign-token" => Failure::ForeignToken,
            "dead-on-arrival" => Failure::DeadOnArrival,
            "broken" => Failure::Broken {
                part: Part::Browser,
                why: why(),
                cure: "run firstbell login: it names the part and the command that mends it.".into(),
            },
            other => Failure::Barred(*Obstacle::ALL.iter().find(|obstacle| obstacle.as_str() == other)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_gives_has_that_name() {
        let names = [
            "unreachable",
            "broker-down",
            "throttled",
            "slow",
            "unanswered",
            "password-rejected",
            "code-rejected",
            "blocked",
            "stopped",
            "insecure",
            "consent-wanted",
            "not-enabled",
            "unknown-key",
            "unknown-page",
            "secret-refused",
            "grant-refused",
            "other-factor",
            "wrong-origin",
            "wrong-return",
            "clock-wrong",
            "foreign-token",
            "dead-on-arrival",
            "broken",
        ];
        for name in names {
            assert_eq!(Failure::of_code(name).unwrap().code(), name);
        }
        for obstacle in Obstacle::ALL {
            assert_eq!(Failure::of_code(obstacle.as_str()), Some(Failure::Barred(obstacle)));
        }
        assert_eq!(Failure::of_code("ladder"), None);
    }
}
