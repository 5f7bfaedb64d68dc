//! What the serving thread sees: the rows of the board, the keys, the counts, and a way to have orders carried out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::token::Token;
use hyper::body::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::audit::Audit;
use super::gate::Right;
use super::keys::{Key, Ring};
use super::turnstile::Turnstile;
use super::wire::Why;
use super::{Desk, Order};
use crate::board::Row;
use crate::clock::MachineClock;
use crate::ports::{Clock, Delivery};
use crate::shape::{Format, shape};
use crate::tally::Tally;

/// The keeping thread may be in the middle of a write.
const PATIENCE: Duration = Duration::from_secs(4);
/// Statuses that are counted by their number.
pub(super) const STATUSES: [u16; 10] = [200, 204, 400, 401, 403, 404, 405, 413, 429, 503];

/// What the keeping thread is asked.
#[derive(Debug)]
pub enum Errand {
    /// To do what the owner says; none where there is no such account.
    Order(String, Order, oneshot::Sender<Option<Result<(), Failure>>>),
    /// Whether every keeper looks when it should.
    Alive(oneshot::Sender<bool>),
}

/// Does what the serving thread asks for, until that thread is no more.
pub async fn attend(mut errands: mpsc::Receiver<Errand>, desk: &dyn Desk) {
    while let Some(errand) = errands.recv().await {
        // Whoever does not wait any more need not know.
        match errand {
            Errand::Order(account, order, answer) => drop(answer.send(desk.order(&account, order))),
            Errand::Alive(answer) => drop(answer.send(desk.is_alive())),
        }
    }
}

/// The card of an account's token, made once for each generation.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) row: Arc<Row>,
    card: Mutex<Option<(u64, Timestamp, Bytes)>>,
}

/// Text that is wiped when the last answer with it is gone.
struct Card(Secret);

impl AsRef<[u8]> for Card {
    fn as_ref(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl Shelf {
    pub(super) fn of(row: Arc<Row>) -> Shelf {
        Shelf { row, card: Mutex::default() }
    }

    pub(super) fn card(&self, token: &Token) -> Bytes {
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, issued, bytes)) = &*card
            && (*generation, *issued) == (token.generation, token.life.issued)
        {
            return bytes.clone();
        }
        let row = &self.row;
        let delivery =
            Delivery { account: &row.account, api_key: &row.api_key, user_id: &row.user_id, token };
        let bytes = Bytes::from_owner(Card(shape(Format::Json, &delivery)));
        *card = Some((token.generation, token.life.issued, bytes.clone()));
        bytes
    }
}

/// What was asked, and what was refused, since the start of the process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    statuses: [AtomicU64; STATUSES.len()],
    refused: [AtomicU64; Why::ALL.len()],
    handled: AtomicU64,
}

impl Counts {
    pub(super) fn answered(&self, status: u16) {
        if let Some(place) = STATUSES.iter().position(|known| *known == status) {
            self.statuses[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn refused(&self, why: Why) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn handled(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers by status.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        STATUSES.iter().copied().zip(self.statuses.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Refusals by reason.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter().map(|count| count.load(Ordering::Relaxed));
        Why::ALL.iter().map(|why| why.name()).zip(counts)
    }

    /// How many requests anything was done for.
    pub(super) fn done(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }
}

/// What outlives a change of the configuration.
#[derive(Debug)]
pub(super) struct Lasting {
    pub(super) audit: Audit,
    pub(super) counts: Counts,
    pub(super) turnstile: Turnstile,
}

/// What the serving thread sees.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) shelves: Vec<Shelf>,
    /// None until the vault could be read.
    pub(super) keys: watch::Receiver<Option<Arc<Ring>>>,
    pub(super) lasting: Arc<Lasting>,
    pub(super) tally: Arc<Tally>,
    pub(super) errands: mpsc::Sender<Errand>,
    /// True when this thread is to end.
    pub(super) leaving: watch::Receiver<bool>,
}

impl std::ops::Deref for Hall {
    type Target = Lasting;

    fn deref(&self) -> &Lasting {
        &self.lasting
    }
}

impl Hall {
    pub(super) fn shelf(&self, account: &str) -> Option<&Shelf> {
        self.shelves.iter().find(|shelf| shelf.row.account == account)
    }

    /// The key that somebody shows.
    pub(super) fn key(&self, shown: &[u8]) -> Option<Key> {
        self.keys.borrow().as_ref().and_then(|ring| ring.find(shown).cloned())
    }

    /// Whether a key still opens anything.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.keys.borrow().as_ref().is_some_and(|ring| ring.has(key))
    }

    /// Ends when the key with which somebody listens or waits is taken away.
    pub(super) async fn revoked(&self, right: &Right) {
        let Some(key) = &right.key else { return std::future::pending().await };
        let mut keys = self.keys.clone();
        let is_gone = |ring: &Option<Arc<Ring>>| !ring.as_ref().is_some_and(|ring| ring.has(key));
        let nobody_knows = keys.wait_for(is_gone).await.is_err();
        if nobody_knows {
            std::future::pending::<()>().await;
        }
    }

    /// Has an order carried out; the outer none where nobody did so in time.
    pub(super) async fn order(&self, account: &str, order: Order) -> Option<Option<Result<(), Failure>>> {
        self.ask(|answer| Errand::Order(account.to_owned(), order, answer)).await
    }

    /// Whether every keeper looks when it should; one that cannot even say so does not.
    pub(super) async fn is_alive(&self) -> bool {
        self.ask(Errand::Alive).await.unwrap_or(false)
    }

    async fn ask<T>(&self, errand: impl FnOnce(oneshot::Sender<T>) -> Errand) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.errands.send(errand(answer)).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
    }

    /// Ends when this thread is to end.
    pub(super) async fn left(&self) {
        let mut leaving = self.leaving.clone();
        let _gone = leaving.wait_for(|leaving| *leaving).await;
    }
}

/// The machine's time.
pub(super) fn now() -> Timestamp {
    MachineClock::start().now()
}
