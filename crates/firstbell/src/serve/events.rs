//! Server-sent events: how everything stands, and then each change, for as long as the other side listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::select_all;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Sender};

use super::api;
use super::gate::Right;
use super::hall::{Hall, now};
use super::server::Post;
use super::wire::{self, Reply};
use crate::board::{Offer, Row};
use crate::shape::india;

/// Proxies and programs take a silent connection for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// So many wait for a program that is slow to read; then only the last state of each thing is kept.
const AHEAD: usize = 8;

/// Begins a stream of what this caller may see.
pub(super) fn open(post: &Post, right: &Right, account: Option<&str>) -> Response<Reply> {
    let hall = &post.hall;
    let sees = |row: &Row| right.sees(&row.account) && account.is_none_or(|own| own == row.account);
    let rows: Vec<Arc<Row>> =
        hall.shelves.iter().map(|shelf| Arc::clone(&shelf.row)).filter(|row| sees(row)).collect();
    if rows.is_empty() {
        return wire::no_account();
    }
    let Ok(seat) = Arc::clone(&post.seats).try_acquire_owned() else { return api::crowded() };
    let (lines, comes) = mpsc::channel(AHEAD);
    let right = Right { scope: right.scope, key: right.key.clone() };
    let (hall, life) = (Arc::clone(hall), post.life);
    tokio::spawn(async move {
        let _seat = seat;
        let gone = lines.clone();
        let writer = Writer { lines, next: AtomicU64::new(1) };
        tokio::select! {
            // One that ends is told of no more: whoever listens is to begin anew for all.
            _first = select_all(rows.iter().map(|row| Box::pin(follow(row, &writer)))) => {}
            () = beat(&hall, &right, &writer) => {}
            () = hall.left() => {}
            () = hall.revoked(&right) => {}
            () = gone.closed() => {}
            () = tokio::time::sleep(life) => {}
        }
    });
    wire::reply(StatusCode::OK, "text/event-stream", Reply::Stream(comes))
}

/// Nobody listens any more.
struct Gone;

struct Writer {
    lines: Sender<Bytes>,
    next: AtomicU64,
}

impl Writer {
    async fn event(&self, name: &str, data: &Value) -> Result<(), Gone> {
        // A place first: numbers rise in the order of writing.
        let place = self.lines.reserve().await.map_err(|_| Gone)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        place.send(Bytes::from(format!("id: {id}\nevent: {name}\ndata: {data}\n\n")));
        Ok(())
    }
}

/// Tells of one account. Ends where nobody listens, or where the history was turned back: whoever listens then begins anew.
async fn follow(row: &Row, writer: &Writer) {
    let (mut offers, mut tidings) = (row.offers(), row.tidings());
    let (mut told, mut shown): (Told, Option<Arc<Value>>) = (Told::default(), None);
    loop {
        let Some(news) = told.news(&row.offer(now())) else { return };
        if let Some((name, mut data)) = news {
            data["account"] = row.account.as_str().into();
            if writer.event(name, &data).await.is_err() {
                return;
            }
            // While it was written there may have been another one.
            continue;
        }
        let words = row.words();
        if !words.is_null() && shown.as_ref() != Some(&words) {
            if writer.event("state", &words).await.is_err() {
                return;
            }
            shown = Some(words);
            continue;
        }
        let changed = tokio::select! {
            changed = offers.changed() => changed,
            changed = tidings.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// What was told last of a token.
#[derive(Default)]
struct Told {
    generation: Option<u64>,
    withheld: Option<String>,
}

impl Told {
    /// What is to be told of an offer; the outer none where generations went backwards.
    fn news(&mut self, offer: &Offer) -> Option<Option<(&'static str, Value)>> {
        match offer {
            Offer::Token(token, _) => {
                if self.generation.is_some_and(|told| token.generation < told) {
                    return None;
                }
                // The same one is news only after it was taken back.
                if self.withheld.take().is_none() && self.generation == Some(token.generation) {
                    return Some(None);
                }
                self.generation = Some(token.generation);
                let life = &token.life;
                let (issued, until) = (india(life.issued), india(life.trusted_until));
                let data =
                    json!({ "generation": token.generation, "issued": issued, "trusted_until": until });
                Some(Some(("token", data)))
            }
            Offer::Withheld { why, again_at } => {
                if self.withheld.as_ref() == Some(why) {
                    return Some(None);
                }
                self.withheld = Some(why.clone());
                Some(Some(("withheld", json!({ "why": why, "again_at": again_at.map(india) }))))
            }
        }
    }
}

/// Health at once and when it changes, and a sign of life in between.
async fn beat(hall: &Hall, right: &Right, writer: &Writer) {
    let mut told = None;
    // Heard of from before the first look on.
    let mut offers: Vec<_> = hall.shelves.iter().map(|shelf| shelf.row.offers()).collect();
    loop {
        let health = (hall.is_alive().await, api::is_ready(hall, right));
        if told.replace(health) != Some(health) {
            let data = json!({ "alive": health.0, "ready": health.1 });
            if writer.event("health", &data).await.is_err() {
                return;
            }
        }
        let changes = async {
            match offers.is_empty() {
                true => std::future::pending().await,
                false => drop(select_all(offers.iter_mut().map(|offer| Box::pin(offer.changed()))).await),
            }
        };
        tokio::select! {
            () = changes => {}
            () = tokio::time::sleep(HEARTBEAT) => {
                if writer.lines.send(Bytes::from_static(b":\n\n")).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withheld(why: &str) -> Offer {
        Offer::Withheld { why: why.into(), again_at: None }
    }

    #[test]
    fn the_same_reason_is_told_once() {
        let mut told = Told::default();
        assert!(matches!(told.news(&withheld("a")), Some(Some(("withheld", _)))));
        assert!(matches!(told.news(&withheld("a")), Some(None)));
        assert!(matches!(told.news(&withheld("b")), Some(Some(("withheld", _)))));
    }
}
