//! An account's history while something is done with it: what is noted is durable, and the state follows.

use firstbell_core::broker::App;
use firstbell_core::budget::{Cause, Fingerprint};
use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::state::State;
use firstbell_core::token::Token;
use jiff::Timestamp;

use crate::ports::{Clock, Store, TokenChange};

/// The stored token of an app. Where the history cannot be read it is in doubt from its first moment: an exchange may have
/// ended it, so it is proven before each use.
///
/// # Errors
/// Where the token itself cannot be read.
pub fn stored(store: &dyn Store, clock: &dyn Clock, app: &App) -> Result<Option<Token>, Failure> {
    match Ledger::open(store, clock, app) {
        Ok(ledger) => ledger.current(),
        Err(failure) => {
            tracing::warn!(%failure, "the history cannot be read; the stored token is proven before it is used");
            let token = store.current(&app.user())?.filter(|token| token.api_key == app.api_key);
            Ok(token.map(|token| Token { life: token.life.doubted(token.life.issued), ..token }))
        }
    }
}

/// The history of one account, opened for writing. Held by whoever holds the account's login lock.
pub struct Ledger<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    user: String,
    api_key: &'a str,
    state: State,
    /// Noted, but not yet written: goes down with the next write.
    waiting: Vec<(Timestamp, Event)>,
    journal: Option<&'a dyn Journal>,
}

/// Hears each event when it is durable.
pub trait Journal {
    /// One event.
    fn hear(&self, at: Timestamp, event: &Event);
}

impl<'a> Ledger<'a> {
    /// Reads the history, to look.
    ///
    /// # Errors
    /// Where the store cannot be read, or the history is broken.
    pub fn open(store: &'a dyn Store, clock: &'a dyn Clock, app: &'a App) -> Result<Ledger<'a>, Failure> {
        Ok(Ledger::of(store, clock, app, store.state(&app.user())?))
    }

    /// Reads the history, to go on with it: what a restored backup lacks counts as spent, before anything else happens.
    ///
    /// # Errors
    /// As above, and where it cannot be told or written down which history is the newest.
    pub fn attest(store: &'a dyn Store, clock: &'a dyn Clock, app: &'a App) -> Result<Ledger<'a>, Failure> {
        Ok(Ledger::of(store, clock, app, store.attest(&app.user(), clock.now())?))
    }

    /// The same, with somebody who hears each event.
    #[must_use]
    pub fn heard_by(self, journal: Option<&'a dyn Journal>) -> Ledger<'a> {
        Ledger { journal, ..self }
    }

    /// What the history amounts to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether one more submission is allowed.
    ///
    /// # Errors
    /// [`Failure::Stopped`] with the reason.
    pub fn admits(&self, cause: Cause, credential: &Fingerprint) -> Result<(), Failure> {
        self.state.budget.admits(cause, credential).map_err(Failure::Stopped)
    }

    /// The current token.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn current(&self) -> Result<Option<Token>, Failure> {
        // A token of another app works with that app's key only.
        let token = self.store.current(&self.user)?.filter(|token| token.api_key == self.api_key);
        Ok(token.map(|mut token| {
            if let Some(died) = self.state.died_at {
                token.life.dead_from = token.life.dead_from.min(died.min(self.clock.now()));
            }
            if let Some(from) = self.state.doubted_from {
                // A doubt that is still to come is of a clock that was wrong, and a doubt all the same.
                token.life = token.life.doubted(from.min(self.clock.now()));
            }
            token
        }))
    }

    /// The token that waits to be proven.
    ///
    /// # Errors
    /// Where the store cannot be read, or the token's row is damaged.
    pub fn pending(&self) -> Result<Option<Token>, Failure> {
        self.store.pending(&self.user)
    }

    /// Writes an event; when this returns it survives a power cut.
    ///
    /// # Errors
    /// Where it could not be written: what was about to happen must not.
    pub fn note(&mut self, event: Event) -> Result<(), Failure> {
        self.write(event, TokenChange::Keep)
    }

    /// Notes an event that goes down with the next write. For events whose loss makes us more careful, never less.
    pub fn note_soon(&mut self, event: Event) {
        let at = self.clock.now();
        self.state.take(at, &event);
        self.waiting.push((at, event));
    }

    /// Keeps a token that is not proven yet.
    ///
    /// # Errors
    /// Where it could not be written.
    pub fn pend(&mut self, token: &Token) -> Result<(), Failure> {
        self.write(Event::Issued { generation: token.generation }, TokenChange::Pend(token))
    }

    /// The pending token is proven, and takes the current one's place.
    ///
    /// # Errors
    /// Where it could not be written; the current token stays.
    pub fn promote(&mut self, token: &Token) -> Result<(), Failure> {
        self.write(Event::Proven { generation: token.generation }, TokenChange::Promote)
    }

    /// The pending token is worthless.
    ///
    /// # Errors
    /// Where it could not be written.
    pub fn drop_pending(&mut self) -> Result<(), Failure> {
        self.write(Event::Dropped { generation: self.state.generation + 1 }, TokenChange::Drop)
    }

    fn of(store: &'a dyn Store, clock: &'a dyn Clock, app: &'a App, state: State) -> Ledger<'a> {
        let (user, api_key, waiting) = (app.user(), app.api_key.as_str(), Vec::new());
        Ledger { store, clock, user, api_key, state, waiting, journal: None }
    }

    fn write(&mut self, event: Event, change: TokenChange<'_>) -> Result<(), Failure> {
        let at = self.clock.now();
        let mut events = std::mem::take(&mut self.waiting);
        events.push((at, event));
        self.store.record(&self.user, &events, change)?;
        let (_, event) = &events[events.len() - 1];
        self.state.take(at, event);
        if let Some(journal) = self.journal {
            events.iter().for_each(|(at, event)| journal.hear(*at, event));
        }
        Ok(())
    }
}
