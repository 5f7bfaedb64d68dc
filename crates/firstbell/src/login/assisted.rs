//! A login that a person makes: a link with a nonce goes out, an address comes back, and only one that belongs to the link is
//! exchanged.

use std::pin::pin;

use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Part};
use firstbell_core::invitation::{Invitation, Refusal};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Grant, Token};
use jiff::SignedDuration;

use super::Login;
use crate::ledger::Ledger;
use crate::ports::{Person, Returned};

/// A person may take the wrong account once or twice; each such login costs an exchange.
const LINKS_MAX: usize = 3;

impl Login<'_> {
    /// Lets a person log in, and returns the new token, proven and stored. No credential of ours is sent, and none counted.
    /// Whatever comes back and does not belong to this attempt is dropped and told, and the waiting goes on.
    ///
    /// # Errors
    /// [`Failure::NobodyCame`] at the end of the attempt's life; else what went wrong with the one token that belonged to
    /// it. The current token is untouched then.
    pub async fn assisted(
        self,
        ledger: &mut Ledger<'_>,
        api_secret: &Secret,
        person: &mut dyn Person,
        life: SignedDuration,
    ) -> Result<Token, Failure> {
        if let Some(token) = self.earlier(ledger).await? {
            return Ok(token);
        }
        let outcome = self.ask_person(ledger, api_secret, person, life).await;
        self.noted(ledger, outcome)
    }

    async fn ask_person(
        self,
        ledger: &mut Ledger<'_>,
        api_secret: &Secret,
        person: &mut dyn Person,
        life: SignedDuration,
    ) -> Result<Token, Failure> {
        ledger.note(Event::Began { driver: "assisted".into() })?;
        let mut pending = Invitation::new(chance()?, self.clock.now(), life);
        let mut links = 1;
        loop {
            self.progress.begin("waiting for a person to log in");
            person.invite(&pending.link(self.broker, self.app), pending.until());
            let (grant, answer) =
                self.halt.or(self.wait(&mut pending, person)).await.unwrap_or(Err(Failure::Interrupted))?;
            let outcome =
                self.redeem_while(&mut pending, person, self.redeem(ledger, api_secret, &grant)).await;
            if let Some(answer) = answer {
                // Whoever waited may have gone.
                let _ = answer.send(outcome.as_ref().map(drop).map_err(ToString::to_string));
            }
            match outcome {
                Err(Failure::ForeignToken) if links < LINKS_MAX && !pending.is_over(self.clock.now()) => {
                    person.dropped(true, &Refusal::Wrong(Failure::ForeignToken.to_string()));
                    pending = pending.renewed(chance()?);
                    links += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits for the address that belongs to the attempt.
    async fn wait(self, pending: &mut Invitation, person: &mut dyn Person) -> Result<Belongs, Failure> {
        let now = self.clock.now();
        let left_ms = pending.until().duration_since(now).as_millis();
        let mut over = pin!(self.clock.rest(u64::try_from(left_ms).unwrap_or(0)));
        loop {
            let returned = tokio::select! {
                biased;
                () = &mut over => return Err(nobody("its link was not used in time")),
                returned = person.next() => returned,
            };
            let Some(returned) = returned else {
                return Err(nobody("no way is left in which it could come back"));
            };
            match pending.take(self.broker, self.app, &returned.url, self.clock.now()) {
                Ok(grant) => return Ok((grant, returned.answer)),
                Err(refusal) => drop_it(person, returned, &refusal),
            }
        }
    }

    /// Until the exchange is over; what comes back meanwhile comes too late.
    async fn redeem_while(
        self,
        pending: &mut Invitation,
        person: &mut dyn Person,
        exchange: impl Future<Output = Result<Token, Failure>>,
    ) -> Result<Token, Failure> {
        let mut exchange = pin!(exchange);
        let mut open = true;
        loop {
            let returned = tokio::select! {
                biased;
                outcome = &mut exchange => return outcome,
                returned = person.next(), if open => returned,
            };
            match returned {
                None => open = false,
                Some(returned) => {
                    match pending.take(self.broker, self.app, &returned.url, self.clock.now()) {
                        Ok(_) => unreachable!("an attempt gives one request token"),
                        Err(refusal) => drop_it(person, returned, &refusal),
                    }
                }
            }
        }
    }
}

/// The one request token of an attempt, and who waits to hear what became of it.
type Belongs = (Grant, Option<tokio::sync::oneshot::Sender<Result<(), String>>>);

fn drop_it(person: &mut dyn Person, returned: Returned, refusal: &Refusal) {
    if !returned.offered {
        person.dropped(returned.carries_token, refusal);
    }
    if let Some(answer) = returned.answer {
        let _ = answer.send(Err(refusal.to_string()));
    }
}

fn nobody(why: &str) -> Failure {
    Failure::NobodyCame { why: why.into() }
}

fn chance() -> Result<[u8; 16], Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| Failure::Broken {
        part: Part::Key,
        why: format!("the system gives no random numbers: {e}"),
        cure: "See that /dev/urandom can be read.".into(),
    })?;
    Ok(random)
}
