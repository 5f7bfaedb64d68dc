//! What brings each new token to one sink: at once, again and again where it fails, and never an older one behind a newer one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::token::Token;
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::board::{Offer, Row};
use crate::hands::Hands;
use crate::keeper::Listener;
use crate::landing::Landing;
use crate::shape::india;
use crate::sinks::SinkConfig;

/// The pause after the first try in vain; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// What each sink was brought, by account, name and place: it outlives a change of the configuration, so that nobody is told of
/// a token twice because of that.
#[derive(Debug, Default)]
pub struct Brought(RefCell<BTreeMap<Key, (Arc<Token>, Landing)>>);

/// An account, a sink's name, and its place.
type Key = (String, String, String);

/// Brings the tokens of all accounts to all their sinks, each by itself, for as long as it is let.
pub async fn carry<'a>(
    accounts: impl Iterator<Item = (Hands<'a>, &'a Row, &'a dyn Listener)>,
    brought: &'a Brought,
) -> Infallible {
    let couriers = accounts.flat_map(|(hands, row, listener)| {
        let sinks = &hands.account.sinks;
        row.landings.begin(sinks.iter().map(|sink| (sink.name.clone(), sink.kind)));
        sinks.iter().enumerate().map(move |(place, sink)| {
            let offers = row.offers();
            Courier { hands, row, listener, sink, place, offers, brought, has: None }.serve()
        })
    });
    let _never: Vec<Infallible> = join_all(couriers).await;
    // There are no sinks.
    std::future::pending().await
}

struct Courier<'a> {
    hands: Hands<'a>,
    row: &'a Row,
    listener: &'a dyn Listener,
    sink: &'a SinkConfig,
    place: usize,
    offers: watch::Receiver<Offer>,
    brought: &'a Brought,
    /// The token that the sink has.
    has: Option<Arc<Token>>,
}

impl Courier<'_> {
    async fn serve(mut self) -> Infallible {
        if let Some((token, landing)) = self.brought.0.borrow().get(&self.key()) {
            self.has = Some(Arc::clone(token));
            self.row.landed(self.place, |new| *new = landing.clone());
        }
        let checked = self.sink.check(self.hands.stores.vault(), self.hands.reach()).await;
        let (mut well, mut pause) = (self.note(checked, None), PAUSE);
        loop {
            let token = self.offers.borrow_and_update().token().cloned();
            match token {
                Some(token) if !well || self.has.as_ref().is_none_or(|has| is_other(has, &token)) => {
                    well = self.bring(&token).await;
                }
                None if !well => {
                    let checked = self.sink.check(self.hands.stores.vault(), self.hands.reach()).await;
                    well = self.note(checked, None);
                }
                _ => {}
            }
            pause = if well { PAUSE } else { pause };
            let wait = if well { self.sink.retry } else { pause.min(self.sink.retry) };
            tokio::select! {
                changed = self.offers.changed() => match changed {
                    // A newer one does not wait for what an older one was refused.
                    Ok(()) => pause = PAUSE,
                    // Nobody offers any more.
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep(wait) => {
                    if well && self.sink.is_kept() {
                        well = self.look_after().await;
                    }
                    pause = if well { PAUSE } else { pause.saturating_mul(2).min(self.sink.retry) };
                }
            }
        }
    }

    /// Whether the token that it has is still there: a server that was begun anew may have forgotten it.
    async fn look_after(&mut self) -> bool {
        let offered = self.offers.borrow().token().cloned();
        match (offered, self.has.clone()) {
            (Some(token), Some(has)) if !is_other(&has, &token) => self.bring(&token).await,
            _ => true,
        }
    }

    async fn bring(&mut self, token: &Arc<Token>) -> bool {
        let delivery = self.hands.delivery(token);
        let done = self.sink.deliver(self.hands.stores.vault(), self.hands.reach(), &delivery).await;
        let well = done.is_ok();
        self.note(done, Some(token.generation));
        if let (true, Some(landing)) = (well, self.row.landings.one(self.place)) {
            self.has = Some(Arc::clone(token));
            self.brought.0.borrow_mut().insert(self.key(), (Arc::clone(token), landing));
        }
        well
    }

    fn key(&self) -> Key {
        (self.row.account.clone(), self.sink.name.clone(), self.sink.place())
    }

    /// Says what came of it, in the log where it is news.
    fn note(&self, done: Result<(), Failure>, generation: Option<u64>) -> bool {
        let at = self.hands.clock.now();
        let mut news = false;
        self.row.landed(self.place, |landing| match &done {
            Ok(()) => {
                (landing.fault, landing.tries) = (None, 0);
                if let Some(generation) = generation
                    && landing.generation.replace(generation) != Some(generation)
                {
                    landing.at = Some(india(at));
                }
            }
            Err(failure) => {
                let fault = format!("{failure}. {}", failure.cure());
                news = landing.fault.as_ref() != Some(&fault);
                landing.fault = Some(fault);
                landing.tries += 1;
            }
        });
        if let (Err(failure), true) = (&done, news) {
            self.listener.failed(at, failure);
        }
        done.is_ok()
    }
}

fn is_other(has: &Token, offered: &Token) -> bool {
    (has.generation, &has.api_key, has.life.issued)
        != (offered.generation, &offered.api_key, offered.life.issued)
}
