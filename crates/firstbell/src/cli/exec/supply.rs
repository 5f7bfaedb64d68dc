//! Where `firstbell exec` has its tokens from: the daemon, which says at once when there is another one, else the store.

use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::token::{Standing, Token};

use super::super::context::Context;
use super::super::say;
use super::super::token::{believed, write_down};
use super::args::Wait;
use crate::clock::MachineClock;
use crate::config::Account;
use crate::ledger;
use crate::ports::Clock;
use crate::serve::{self, Answer};
use crate::shape::clock;
use crate::stores::Stores;

/// A daemon is asked to answer within this, and asked again.
const LONG_S: u16 = 30;
/// Without a daemon the store is looked at this often.
const LOOK: Duration = Duration::from_secs(2);
/// A daemon that answers with a fault is asked again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// A stored token that is in doubt is proven at most this often.
const PROOF_MS: u64 = 60_000;

/// Tokens for one account.
pub(super) struct Supply<'a> {
    context: &'a Context,
    account: &'a Account,
    clock: &'a MachineClock,
}

/// When a token in doubt was last proven, by the clock of the run.
struct Proofs(Option<u64>);

/// What a daemon says.
enum Word {
    /// No daemon keeps this account here.
    Nobody,
    /// This one.
    Token(Token),
    /// None, because of that.
    Withheld(String),
    /// Nothing newer within the time.
    NothingNewer,
}

impl<'a> Supply<'a> {
    pub(super) fn of(context: &'a Context, account: &'a Account, clock: &'a MachineClock) -> Supply<'a> {
        Supply { context, account, clock }
    }

    /// A token that can be believed, waited for if need be.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn first(&self, wait: Wait) -> Result<Token, Failure> {
        let mut why = match self.ask(None, 0).await {
            Ok(Word::Token(token)) => return Ok(token),
            Ok(Word::Withheld(why)) => why,
            Ok(Word::Nobody | Word::NothingNewer) => match believed(self.context, self.account).await {
                Err(Failure::NoToken { why }) => why,
                outcome => return outcome,
            },
            // A daemon that is being started anew, or reads its configuration: whoever waits can wait for that as well.
            Err(failure) if wait != Wait::No => failure.to_string(),
            Err(failure) => return Err(failure),
        };
        if wait == Wait::No {
            return Err(Failure::NoToken { why });
        }
        let until = match wait {
            Wait::Until(at) => format!(" until {} in India", clock(at)),
            _ => String::new(),
        };
        let name = &self.account.name;
        say::error(&format!("firstbell: waiting for a token of {name}{until}: {why}"));
        let mut proofs = Proofs(Some(self.clock.run_ms()));
        loop {
            if matches!(wait, Wait::Until(at) if self.clock.now() >= at) {
                return Err(Failure::NoToken { why: format!("none came in time: {why}") });
            }
            match self.ask(Some(0), self.patience_s(wait)).await {
                Ok(Word::Token(token)) => return Ok(token),
                Ok(Word::NothingNewer) => {}
                Ok(Word::Withheld(reason)) => {
                    why = reason;
                    tokio::time::sleep(AGAIN).await;
                }
                Ok(Word::Nobody) => {
                    match self.store(&mut proofs, 0).await {
                        Ok(Some(token)) => return Ok(token),
                        Ok(None) => {}
                        Err(failure) => why = failure.to_string(),
                    }
                    tokio::time::sleep(LOOK).await;
                }
                Err(failure) => {
                    why = failure.to_string();
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// The next token after a generation. Whatever is in the way is waited out: the program runs meanwhile.
    pub(super) async fn after(&self, generation: u64) -> Token {
        let mut proofs = Proofs(None);
        loop {
            match self.ask(Some(generation), LONG_S).await {
                Ok(Word::Token(token)) if token.generation > generation => return token,
                Ok(Word::NothingNewer) => {}
                Ok(Word::Nobody) => {
                    // A store that cannot be read now may be read later.
                    if let Some(token) = self.store(&mut proofs, generation).await.ok().flatten() {
                        return token;
                    }
                    tokio::time::sleep(LOOK).await;
                }
                Ok(Word::Token(_) | Word::Withheld(_)) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Seconds for one question, so that the end of the waiting is not missed.
    fn patience_s(&self, wait: Wait) -> u16 {
        let Wait::Until(at) = wait else { return LONG_S };
        let left_s = at.duration_since(self.clock.now()).as_secs();
        u16::try_from(left_s).unwrap_or(LONG_S).clamp(1, LONG_S)
    }

    async fn ask(&self, wait: Option<u64>, timeout_s: u16) -> Result<Word, Failure> {
        let answer =
            serve::token(&self.context.config.state_dir, &self.account.name, wait, timeout_s).await?;
        Ok(match answer {
            None => Word::Nobody,
            Some(Answer::Card(card)) => Word::Token(card.token),
            Some(Answer::NothingNewer) => Word::NothingNewer,
            Some(Answer::Withheld { error, .. }) => Word::Withheld(error),
        })
    }

    /// The stored token, if it is newer than this, and trusted or proven just now. One that came in the hours in which the broker
    /// ends tokens is in doubt for all its life: nobody else proves it.
    async fn store(&self, proofs: &mut Proofs, generation: u64) -> Result<Option<Token>, Failure> {
        let stores: Stores = self.context.stores()?;
        let token = ledger::stored(stores.store(), self.clock, &self.account.app)?;
        let Some(token) = token.filter(|token| token.generation > generation) else { return Ok(None) };
        match token.life.standing(self.clock.now()) {
            Standing::Trusted => {
                write_down(self.context, self.account, &token)?;
                Ok(Some(token))
            }
            Standing::Suspect if proofs.is_due(self.clock.run_ms()) => {
                match believed(self.context, self.account).await {
                    Ok(token) => Ok(Some(token).filter(|token| token.generation > generation)),
                    Err(Failure::NoToken { .. }) => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            Standing::Suspect | Standing::Dead => Ok(None),
        }
    }
}

impl Proofs {
    /// Whether it is time for another one, which counts as made then.
    fn is_due(&mut self, now_ms: u64) -> bool {
        let is_due = self.0.is_none_or(|last_ms| now_ms - last_ms >= PROOF_MS);
        if is_due {
            self.0 = Some(now_ms);
        }
        is_due
    }
}
