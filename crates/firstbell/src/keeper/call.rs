//! A person who was asked to log in, beside everything else that a keeper does.

use firstbell_core::decide::Step;
use firstbell_core::event::{ASSISTED, Event};
use firstbell_core::failure::Failure;
use firstbell_core::token::Token;

use super::{House, Keeper};
use crate::caller::{Call, Exchange};

impl Keeper<'_> {
    /// Performs a step, with a person who is waited for beside it: what he sends must not wait.
    pub(super) async fn beside_call(&mut self, step: Step) -> Result<(), Failure> {
        if matches!(step, Step::Invite | Step::Login) {
            return Box::pin(self.perform(step)).await;
        }
        let (mut call, mut outcome) = (self.call.take(), None);
        let done = {
            let mut performed = Box::pin(self.perform(step));
            loop {
                tokio::select! {
                    biased;
                    done = &mut performed => break done,
                    came = ended(&mut call) => (call, outcome) = (None, Some(came)),
                }
            }
        };
        self.call = call;
        outcome.into_iter().for_each(|outcome| self.came(outcome));
        done
    }

    /// Asks a person to log in. He is waited for beside everything else.
    pub(super) async fn invite(&mut self) -> Result<(), Failure> {
        if let Some(before) = self.call.take() {
            let outcome = before.end().await;
            if outcome.is_ok() {
                self.came(outcome);
                return Ok(());
            }
        }
        self.hands.attest()?.note(Event::Began { driver: ASSISTED.into() })?;
        let House { channels, awaited, .. } = self.house;
        let exchange = Exchange { channels, awaited, operator: self.operator };
        self.call = Some(Call::begin(self.hands, exchange));
        Ok(())
    }

    /// Nobody waits for a person who is not needed any more.
    pub(super) async fn call_off(&mut self) {
        if let Some(call) = self.call.take_if(|_| !self.awaited) {
            let outcome = call.end().await;
            self.came(outcome);
        }
    }

    /// What came of it.
    pub(super) fn came(&mut self, outcome: Result<Token, Failure>) {
        (self.call, self.probe, self.marks) = (None, None, None);
        let fault = match outcome {
            Ok(_) | Err(Failure::Interrupted) => None,
            Err(failure) => Some(failure),
        };
        if let Some(failure) = fault {
            self.listener.failed(self.hands.clock.now(), &failure);
        }
    }
}

/// What becomes of the person who is waited for; never, where nobody is.
pub(super) async fn ended(call: &mut Option<Call<'_>>) -> Result<Token, Failure> {
    match call {
        Some(call) => call.ended().await,
        None => std::future::pending().await,
    }
}
