//! What an answer of the broker's login means, by the plan's rules, and what it says of the submission it answers.

use crate::budget::Verdict;
use crate::failure::{Failure, Stage};
use crate::obstacle::{Factor, Obstacle};
use crate::plan::{AnswerRule, Meaning, Plan, Step};
use crate::sight::Answer;

/// The verdict on the submission, and the failure, of an answer that is not good. After a submission the
/// unknown is never taken for "try again": a changed wording must not turn a refusal into a retry.
pub(crate) fn read_answer(plan: &Plan, answer: &Answer) -> (Verdict, Failure) {
    let stage = match answer.after {
        Step::Open => Stage::Open,
        Step::Credentials => Stage::Credentials,
        Step::Code => Stage::Code,
        Step::Finish => Stage::Return,
    };
    let message = answer.message.as_deref().unwrap_or("").to_lowercase();
    let remaining = attempts_left(&message);
    let fits = |rule: &&AnswerRule| {
        rule.after == answer.after
            && rule.page == answer.page
            && rule.status.is_none_or(|s| s == answer.status)
            && (rule.error.is_none() || rule.error == answer.error)
            // "3 attempts remain before your account is blocked" is a refusal, and not yet a block.
            && !(rule.means == Meaning::Blocked && remaining.is_some_and(|n| n > 0))
            && (rule.says.is_empty() || rule.says.iter().any(|text| message.contains(text)))
    };
    match (plan.answers.iter().find(fits).map(|rule| rule.means), answer.status) {
        (Some(Meaning::PasswordRejected), _) => (Verdict::Rejected, Failure::PasswordRejected { remaining }),
        (Some(Meaning::CodeRejected), _) => (Verdict::Rejected, Failure::CodeRejected { remaining }),
        (Some(Meaning::Blocked), _) => (Verdict::Blocked, Failure::Blocked),
        (Some(Meaning::OtherFactor), _) => {
            (Verdict::Unknown, Failure::OtherFactor { factor: Factor::Another })
        }
        (Some(Meaning::NotEnabled), _) => (Verdict::Accepted, Failure::NotEnabled),
        (Some(Meaning::UnknownKey), _) => (Verdict::Unknown, Failure::UnknownKey),
        // The password that has expired is never submitted again: the owner stores another one.
        (Some(Meaning::ForcedReset), _) => (Verdict::Rejected, Failure::Barred(Obstacle::ForcedReset)),
        (Some(Meaning::Captcha), _) => (Verdict::Unknown, Failure::Barred(Obstacle::Captcha)),
        (Some(Meaning::SecurityCheck), _) => (Verdict::Unknown, Failure::Barred(Obstacle::SecurityCheck)),
        (Some(Meaning::Maintenance), _) => (Verdict::Unknown, Failure::Barred(Obstacle::Maintenance)),
        (None, 429) => (Verdict::Unknown, Failure::Throttled { stage, wait_s: answer.retry_after_s }),
        (None, status @ 500..=599) if matches!(answer.after, Step::Open | Step::Finish) => {
            (Verdict::Unknown, Failure::BrokerDown { stage, status })
        }
        (None, status @ 500..=599) => {
            (Verdict::Unknown, Failure::Unanswered { stage, why: format!("HTTP {status}") })
        }
        (None, status) => {
            let kind = answer
                .error
                .as_deref()
                .filter(|e| e.len() <= 40 && e.bytes().all(|b| b.is_ascii_alphabetic()));
            let seen = format!("HTTP {status}, {}", kind.unwrap_or("not the answer of a login"));
            (Verdict::Unknown, Failure::UnknownPage { stage, seen })
        }
    }
}

/// The number before the word "attempt", where the broker shows it.
fn attempts_left(message: &str) -> Option<u8> {
    let before = message.split("attempt").next().filter(|b| b.len() < message.len())?;
    before.split(|c: char| !c.is_ascii_digit()).rfind(|part| !part.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_before_attempts_is_what_remains() {
        assert_eq!(attempts_left("invalid account credentials. 4 attempts remain"), Some(4));
        assert_eq!(attempts_left("invalid app code. 1 attempt(s) remaining"), Some(1));
        assert_eq!(attempts_left("code 42 was wrong; you have 3 attempts"), Some(3));
        assert_eq!(attempts_left("invalid totp"), None);
        assert_eq!(attempts_left("999 attempts"), None);
        assert_eq!(attempts_left("attempts"), None);
    }
}
