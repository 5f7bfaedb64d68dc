//! A login that a person makes: a link with a nonce goes out, an address comes back, and only one that belongs to the link is
//! exchanged.

use std::pin::pin;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::invitation::{Invitation, Refusal};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Grant, Token};
use jiff::{SignedDuration, Timestamp};

use super::Login;
use crate::ledger::Ledger;
use crate::ports::{Call, Person, Returned, Soon};

/// A clock that is off by more is wrong; a code would not be taken either.
const OFF_MAX_S: i64 = 30;
/// A person may take the wrong account once or twice; each such login costs an exchange.
const LINKS_MAX: usize = 3;

/// Opens the history of the account for writing, and keeps other logins of it away for as long as the second value lives.
pub trait Queue<'s> {
    /// What keeps others away.
    type Lock;

    /// Waits for its turn.
    ///
    /// # Errors
    /// Where the history or the lock cannot be opened.
    fn take(&self) -> Soon<'_, Result<(Ledger<'s>, Self::Lock), Failure>>;
}

impl Login<'_> {
    /// Lets a person log in, and returns the new token, proven and stored. No credential of ours is sent, and none counted.
    /// Whatever comes back and does not belong to this attempt is dropped and told, and the waiting goes on. While nobody
    /// does anything but wait, it is nobody's turn. Where somebody else logged in meanwhile, his token is given.
    ///
    /// # Errors
    /// [`Failure::NobodyCame`] at the end of the attempt's life; else what went wrong with the one token that belonged to
    /// it. The current token is untouched then.
    pub async fn assisted<'s, Q: Queue<'s>>(
        self,
        queue: &Q,
        api_secret: &Secret,
        person: &mut dyn Person,
        life: SignedDuration,
    ) -> Result<Token, Failure> {
        let before = {
            let (mut ledger, _lock) =
                self.halt.or(queue.take()).await.unwrap_or(Err(Failure::Interrupted))?;
            if let Some(token) = self.earlier(&mut ledger).await? {
                return Ok(token);
            }
            if let Err(failure) = self.halt.or(self.clocked()).await.unwrap_or(Err(Failure::Interrupted)) {
                return self.noted(&mut ledger, Err(failure));
            }
            ledger.state().proven_at
        };
        let outcome = self.ask_person(queue, (api_secret, before), person, life).await;
        match outcome {
            // Nobody waits for anything after the word to end.
            Err(Failure::Interrupted) => Err(Failure::Interrupted),
            Err(failure) => {
                let taken = self.halt.or(queue.take()).await;
                let (mut ledger, _lock) = taken.unwrap_or(Err(Failure::Interrupted))?;
                self.noted(&mut ledger, Err(failure))
            }
            outcome => outcome,
        }
    }

    async fn ask_person<'s, Q: Queue<'s>>(
        self,
        queue: &Q,
        (api_secret, before): (&Secret, Option<Timestamp>),
        person: &mut dyn Person,
        life: SignedDuration,
    ) -> Result<Token, Failure> {
        let mut pending = Invitation::new(chance()?, self.clock.now(), life);
        let mut links = 1;
        loop {
            self.progress.begin("waiting for a person to log in");
            person.invite(&pending.link(self.broker, self.app), pending.until());
            let (grant, answer) =
                self.halt.or(self.wait(&mut pending, person)).await.unwrap_or(Err(Failure::Interrupted))?;
            let taken = self.halt.or(queue.take()).await;
            let (mut ledger, _lock) = taken.unwrap_or(Err(Failure::Interrupted))?;
            // Machines compare no clocks: another proof than the one of before is somebody else's.
            let others = ledger.state().proven_at != before;
            if let Some(token) = if others { ledger.current()? } else { None } {
                // One more exchange would end what programs have begun to use.
                if let Some(answer) = answer {
                    let _ = answer.send(Ok(()));
                }
                return Ok(token);
            }
            let exchange = async {
                self.clocked().await?;
                self.redeem(&mut ledger, api_secret, &grant).await
            };
            let outcome = self.redeem_while(&mut pending, person, exchange).await;
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

    /// A token that is made under a wrong clock would be believed in at the wrong hours, and no code of ours shows the clock.
    async fn clocked(self) -> Result<(), Failure> {
        let reply = self.http.send(Call::get(Secret::new(self.ground.api.join("/")))).await;
        // Where nobody tells the time the exchange will hardly succeed.
        let date = reply.ok().and_then(|reply| reply.date);
        match date.map(|date| date.duration_since(self.clock.now()).as_secs()) {
            Some(off_s) if off_s.abs() > OFF_MAX_S => Err(Failure::ClockWrong { off_s }),
            _ => Ok(()),
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
