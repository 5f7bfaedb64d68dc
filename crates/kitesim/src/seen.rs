//! What arrived at the pretended Kite, kept for inspection: never a password, code, token or secret.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

/// How many entries of each list are kept; the counts go on beyond it.
const MOST_ENTRIES: usize = 1000;
/// A hostile path must not fill the memory.
const LONGEST_TEXT: usize = 200;

/// The record of one simulation since its start or its last reset.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Seen {
    password_submissions: u64,
    code_submissions: u64,
    submissions: VecDeque<Submission>,
    /// Login pages served.
    pub(crate) login_pages: u64,
    /// Request tokens sent to the registered redirect URL.
    pub(crate) finishes: u64,
    exchanges: VecDeque<Exchange>,
    /// Calls to `/user/profile`, refused ones too.
    pub(crate) profile_calls: u64,
    /// Codes that were asked for by text message.
    pub(crate) messages: u64,
    /// Tokens ended by `DELETE /session/token`.
    pub(crate) logouts: u64,
    requests: VecDeque<Request>,
    postbacks: VecDeque<Posted>,
    #[serde(skip)]
    last: u64,
}

/// What was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// `POST /api/login`.
    Password,
    /// `POST /api/twofa`.
    Code,
}

/// The number under which an entry is completed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Debug, Serialize)]
struct Submission {
    #[serde(skip)]
    ticket: u64,
    kind: Kind,
    user_id: String,
    at: Timestamp,
    verdict: &'static str,
    #[serde(flatten)]
    steps: Option<Steps>,
}

/// To which step of the clock a code belongs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Steps {
    /// The step in which it arrived.
    #[serde(rename = "arrived_step")]
    pub(crate) arrived: i64,
    /// The step whose code it is, when that lies within the accepted window.
    #[serde(rename = "matched_step")]
    pub(crate) matched: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Exchange {
    #[serde(skip)]
    ticket: u64,
    verdict: &'static str,
    at: Timestamp,
}

/// An order update that was posted.
#[derive(Debug, Serialize)]
struct Posted {
    at: Timestamp,
    order_id: String,
    status: String,
    /// The receiver's status; nothing when there was no answer.
    answer: Option<u16>,
}

#[derive(Debug, Serialize)]
struct Request {
    #[serde(skip)]
    ticket: u64,
    method: String,
    path: String,
    /// Nothing while it is unanswered, and for ever when the connection was cut.
    status: Option<u16>,
}

impl Seen {
    /// Notes a submission on its arrival: whatever is never judged stays "lost".
    pub(crate) fn submitted(
        &mut self,
        kind: Kind,
        user_id: &str,
        at: Timestamp,
        steps: Option<Steps>,
    ) -> Ticket {
        match kind {
            Kind::Password => self.password_submissions += 1,
            Kind::Code => self.code_submissions += 1,
        }
        let ticket = self.ticket();
        let user_id = short(user_id);
        push(
            &mut self.submissions,
            Submission { ticket: ticket.0, kind, user_id, at, verdict: "lost", steps },
        );
        ticket
    }

    /// Completes a submission.
    pub(crate) fn judged(&mut self, ticket: Ticket, verdict: &'static str) {
        if let Some(found) = self.submissions.iter_mut().rev().find(|entry| entry.ticket == ticket.0) {
            found.verdict = verdict;
        }
    }

    /// Notes an exchange on its arrival.
    pub(crate) fn exchange_arrived(&mut self, at: Timestamp) -> Ticket {
        let ticket = self.ticket();
        push(&mut self.exchanges, Exchange { ticket: ticket.0, verdict: "lost", at });
        ticket
    }

    /// Completes an exchange.
    pub(crate) fn exchange_judged(&mut self, ticket: Ticket, verdict: &'static str) {
        if let Some(found) = self.exchanges.iter_mut().rev().find(|entry| entry.ticket == ticket.0) {
            found.verdict = verdict;
        }
    }

    /// Notes a request on its arrival; the query is left out, for it may hold tokens.
    pub(crate) fn request_arrived(&mut self, method: &str, path: &str) -> Ticket {
        let ticket = self.ticket();
        let (method, path) = (short(method), short(path));
        push(&mut self.requests, Request { ticket: ticket.0, method, path, status: None });
        ticket
    }

    /// Completes a request.
    pub(crate) fn request_answered(&mut self, ticket: Ticket, status: u16) {
        if let Some(found) = self.requests.iter_mut().rev().find(|entry| entry.ticket == ticket.0) {
            found.status = Some(status);
        }
    }

    /// Notes a postback and its answer.
    pub(crate) fn posted(&mut self, at: Timestamp, order_id: String, status: String, answer: Option<u16>) {
        push(&mut self.postbacks, Posted { at, order_id, status, answer });
    }

    /// Forgets everything; tickets that are still out complete nothing any more.
    pub(crate) fn reset(&mut self) {
        *self = Seen { last: self.last, ..Seen::default() };
    }

    fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }
}

fn push<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == MOST_ENTRIES {
        list.pop_front();
    }
    list.push_back(entry);
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_judged_stays_lost() {
        let mut seen = Seen::default();
        let lost = seen.submitted(Kind::Password, "AB1234", Timestamp::UNIX_EPOCH, None);
        let steps = Some(Steps { arrived: 7, matched: None });
        let kept = seen.submitted(Kind::Code, "AB1234", Timestamp::UNIX_EPOCH, steps);
        seen.judged(kept, "rejected");
        let json = serde_json::to_value(&seen).unwrap();
        assert_eq!(json["submissions"][0]["verdict"], "lost");
        assert!(json["submissions"][0].get("arrived_step").is_none());
        assert_eq!(json["submissions"][1]["verdict"], "rejected");
        assert_eq!(json["submissions"][1]["arrived_step"], 7);
        assert!(json["submissions"][1]["matched_step"].is_null());
        seen.reset();
        seen.judged(lost, "accepted");
        assert_eq!(serde_json::to_value(&seen).unwrap()["password_submissions"], 0);
    }

    #[test]
    fn lists_and_texts_are_bounded() {
        let mut seen = Seen::default();
        for _ in 0..MOST_ENTRIES + 5 {
            seen.request_arrived("GET", &"x".repeat(5000));
        }
        assert_eq!(seen.requests.len(), MOST_ENTRIES);
        assert_eq!(seen.requests[0].path.len(), LONGEST_TEXT);
    }
}
