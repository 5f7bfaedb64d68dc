//! A person who logs in on the phone: the link goes to the paired chats, and the address comes back from there.

use firstbell_core::invitation::Refusal;
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::words;
use super::{Attempt, Awaited};
use crate::ports::{Person, Returned, Soon};

/// A login's way to the phone and back, while this lives.
#[derive(Debug)]
pub struct Phone {
    attempt: Attempt,
    links: UnboundedSender<String>,
}

/// What is to be written to the paired chats. Who gives a link cannot wait until it is sent.
#[derive(Debug)]
pub struct Links(UnboundedReceiver<String>);

impl Phone {
    /// One for a login of this account.
    pub fn of(awaited: &Awaited, account: &str) -> (Phone, Links) {
        let (links, written) = unbounded_channel();
        (Phone { attempt: awaited.wait(account), links }, Links(written))
    }
}

impl Person for Phone {
    fn invite(&mut self, link: &str, until: Timestamp) {
        // Nobody writes it any more where the login is over.
        let _ = self.links.send(words::link(link, until));
    }

    fn dropped(&mut self, carries_token: bool, why: &Refusal) {
        // The chat says it to the person.
        tracing::warn!(%why, carries_token, "what came back from a login was dropped");
    }

    fn next(&mut self) -> Soon<'_, Option<Returned>> {
        Box::pin(self.attempt.next())
    }
}

impl Links {
    /// The next text to be written; none when its login is over.
    pub async fn next(&mut self) -> Option<String> {
        self.0.recv().await
    }
}
