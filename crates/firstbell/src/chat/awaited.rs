//! The logins that wait for a person to bring back an address through a chat.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use firstbell_core::secret::Secret;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use crate::ports::Returned;

/// More at one time than any person sends; who comes beyond it waits.
const WAITING_MAX: usize = 8;

/// Who waits, by account. Whoever holds a clone sees the same.
#[derive(Clone, Debug, Default)]
pub struct Awaited(Rc<RefCell<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    attempts: BTreeMap<String, (u64, Sender<Returned>)>,
    counted: u64,
}

/// A login that waits. It waits no more when this is dropped.
#[derive(Debug)]
pub struct Attempt {
    account: String,
    number: u64,
    awaited: Awaited,
    returned: Receiver<Returned>,
}

/// What became of an address that somebody pasted.
#[derive(Debug, PartialEq, Eq)]
pub enum Handed {
    /// The login of this account took it, and its token works.
    Accepted(String),
    /// Nobody took it, and why.
    Rejected(Vec<String>),
    /// No login is waiting.
    Nobody,
}

impl Awaited {
    /// From now on addresses are offered to a login of this account; an earlier one that still waits gets none any more.
    pub fn wait(&self, account: &str) -> Attempt {
        let (sends, returned) = channel(WAITING_MAX);
        let mut waiting = self.0.borrow_mut();
        waiting.counted += 1;
        let number = waiting.counted;
        waiting.attempts.insert(account.to_owned(), (number, sends));
        Attempt { account: account.to_owned(), number, awaited: self.clone(), returned }
    }

    /// Offers an address to every login that waits, until one takes it, and waits for what becomes of it there.
    pub async fn hand_on(&self, url: &Secret, carries_token: bool) -> Handed {
        let attempts: Vec<_> = {
            let waiting = self.0.borrow();
            waiting.attempts.iter().map(|(name, (_, sends))| (name.clone(), sends.clone())).collect()
        };
        if attempts.is_empty() {
            return Handed::Nobody;
        }
        let (offered, mut whys) = (attempts.len() > 1, Vec::new());
        for (account, sends) in attempts {
            let (answer, hears) = oneshot::channel();
            let returned = Returned { url: url.clone(), carries_token, answer: Some(answer), offered };
            let outcome = match sends.send(returned).await {
                Ok(()) => hears.await.ok(),
                Err(_) => None,
            };
            match outcome {
                Some(Ok(())) => return Handed::Accepted(account),
                Some(Err(why)) => whys.push(format!("{account}: {why}")),
                None => whys.push(format!("{account}: its login has ended meanwhile")),
            }
        }
        Handed::Rejected(whys)
    }
}

impl Attempt {
    /// The next address that somebody brings.
    pub async fn next(&mut self) -> Option<Returned> {
        self.returned.recv().await
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut waiting = self.awaited.0.borrow_mut();
        if waiting.attempts.get(&self.account).is_some_and(|(number, _)| *number == self.number) {
            waiting.attempts.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Secret {
        Secret::new("http://127.0.0.1/?request_token=x".into())
    }

    async fn answer(mut attempt: Attempt, outcome: Result<(), String>) -> (Attempt, bool) {
        let returned = attempt.next().await.unwrap();
        returned.answer.unwrap().send(outcome).unwrap();
        (attempt, returned.offered)
    }

    #[tokio::test]
    async fn an_address_goes_to_whoever_waits_until_one_takes_it() {
        let awaited = Awaited::default();
        assert_eq!(awaited.hand_on(&url(), true).await, Handed::Nobody);
        let (first, second) = (awaited.wait("a"), awaited.wait("b"));
        let no = Err("not mine".to_owned());
        let address = url();
        let ((first, offered), _second, handed) =
            tokio::join!(answer(first, no.clone()), answer(second, Ok(())), awaited.hand_on(&address, true));
        assert!(offered, "each is one of two");
        assert_eq!(handed, Handed::Accepted("b".into()));
        // The second one was dropped with its end.
        drop(_second);
        let ((first, offered), handed) = tokio::join!(answer(first, no), awaited.hand_on(&address, true));
        assert!(!offered, "it is the only one");
        assert_eq!(handed, Handed::Rejected(vec!["a: not mine".into()]));
        drop(first);
        assert_eq!(awaited.hand_on(&url(), true).await, Handed::Nobody);
    }

    #[tokio::test]
    async fn a_later_login_of_an_account_takes_the_earlier_one_s_place() {
        let awaited = Awaited::default();
        let (first, second) = (awaited.wait("a"), awaited.wait("a"));
        drop(first);
        let address = url();
        let (_, handed) = tokio::join!(answer(second, Ok(())), awaited.hand_on(&address, true));
        assert_eq!(handed, Handed::Accepted("a".into()));
    }
}
