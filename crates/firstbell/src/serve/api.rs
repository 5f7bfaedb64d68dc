//! What is done for a request that was let in.

use std::time::Duration;

use firstbell_core::token::Token;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::gate::{self, Admitted, Caller, Right};
use super::hall::{Hall, Shelf, now};
use super::routes::{Call, Query};
use super::server::Post;
use super::wire::{self, Reply, Trouble};
use super::{Order, audit, events, metrics, openapi};
use crate::board::Offer;
use crate::shape::india;

/// How long is waited for another generation, where nobody says so.
const WAIT_S: u64 = 30;
/// Nobody is told to stay away for longer: a person may mend what is in the way at any time.
const AGAIN_MAX_S: i64 = 300;

/// Answers a request, or refuses it.
pub(super) async fn answer(post: &Post, caller: &Caller, request: &Request<Incoming>) -> Response<Reply> {
    let hall = &post.hall;
    let response = match gate::admit(hall, caller, &post.hosts, request).await {
        Ok(admitted) => {
            hall.counts.handled();
            handle(post, caller, &admitted).await
        }
        Err(why) => {
            hall.counts.refused(why);
            wire::refuse(why)
        }
    };
    hall.counts.answered(response.status().as_u16());
    response
}

async fn handle(post: &Post, caller: &Caller, admitted: &Admitted<'_>) -> Response<Reply> {
    let (hall, right) = (&*post.hall, &admitted.right);
    let shelf = match admitted.account {
        None => None,
        Some(name) => match hall.shelf(name).filter(|_| right.sees(name)) {
            Some(shelf) => Some(shelf),
            None => return wire::no_account(),
        },
    };
    match (admitted.route.call, shelf) {
        (Call::Token, Some(shelf)) => token(post, (caller, right), shelf, &admitted.query).await,
        (Call::Order(order), Some(shelf)) => order_of(hall, (caller, right), &shelf.row.account, order).await,
        (Call::Accounts, _) => wire::json(StatusCode::OK, &json!({ "accounts": accounts(hall, right) })),
        (Call::Events, _) => events::open(post, right, admitted.query.account),
        (Call::Alive, _) => health(hall, right, ("alive", hall.is_alive().await)),
        (Call::Ready, _) => health(hall, right, ("ready", is_ready(hall, right))),
        (Call::Metrics, _) => {
            wire::whole(StatusCode::OK, metrics::MEDIA, Bytes::from(metrics::text(hall, right)))
        }
        (Call::Document, _) => wire::json(StatusCode::OK, &openapi::document()),
        (Call::Token | Call::Order(_), None) => wire::no_account(),
    }
}

async fn token(
    post: &Post,
    (caller, right): (&Caller, &Right),
    shelf: &Shelf,
    query: &Query<'_>,
) -> Response<Reply> {
    let hall = &*post.hall;
    let Some(after) = query.wait else {
        let now = now();
        return match shelf.row.offer(now) {
            Offer::Token(token, _) => release(hall, (caller, right), shelf, &token),
            Offer::Withheld { why, again_at } => withheld(&why, again_at, shelf.row.now(now)),
        };
    };
    // Heard of from before the first look on: nothing falls in between.
    let mut offers = shelf.row.offers();
    let newer = |shelf: &Shelf| match shelf.row.offer(now()) {
        Offer::Token(token, _) if token.generation > after => Some(token),
        _ => None,
    };
    if let Some(token) = newer(shelf) {
        return release(hall, (caller, right), shelf, &token);
    }
    let Ok(_seat) = post.seats.try_acquire() else { return crowded() };
    let comes = async {
        loop {
            if let Some(token) = newer(shelf) {
                return Some(token);
            }
            tokio::select! {
                changed = offers.changed() => if changed.is_err() { return None },
                () = hall.left() => return None,
                // Its end is answered as every request with it is.
                () = hall.revoked(right) => return None,
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(query.timeout_s.unwrap_or(WAIT_S)), comes).await {
        Ok(Some(token)) => release(hall, (caller, right), shelf, &token),
        Ok(None) if right.key.as_ref().is_some_and(|key| !hall.has(key)) => wire::refuse(wire::Why::WrongKey),
        Ok(None) => wire::unavailable("firstbell reads its configuration anew, or ends", "Ask again.", 1),
        Err(_over) => wire::nothing(),
    }
}

/// Gives a token away, once it is written down who gets it.
fn release(hall: &Hall, (caller, right): (&Caller, &Right), shelf: &Shelf, token: &Token) -> Response<Reply> {
    // A key may have been taken away while its program waited.
    if let Some(key) = &right.key
        && !hall.has(key)
    {
        return wire::refuse(wire::Why::WrongKey);
    }
    let about = [("account", shelf.row.account.as_str().into()), ("generation", token.generation.into())];
    let line = audit::line("token", &about, &who(caller, right));
    match hall.audit.write(&line) {
        Ok(()) => wire::whole(StatusCode::OK, wire::JSON, shelf.card(token)),
        Err(error) => {
            let error = format!("no token is given away while the audit log cannot be written: {error}");
            wire::unavailable(&error, audit::CURE, 5)
        }
    }
}

/// Who asks, as it stands in the audit log.
fn who(caller: &Caller, right: &Right) -> String {
    match caller {
        Caller::Peer { written, .. } => written.clone(),
        Caller::Stranger => {
            let key = right.key.as_ref().map(|key| key.name.as_str());
            format!("\"via\":\"tcp\",\"key\":{}", Value::from(key))
        }
    }
}

fn withheld(why: &str, again_at: Option<Timestamp>, now: Timestamp) -> Response<Reply> {
    let (cure, seconds) = match again_at {
        Some(at) => {
            let seconds = at.duration_since(now).as_secs() + 1;
            (format!("firstbell looks again at {}; ask then, or wait with ?wait=0.", india(at)), seconds)
        }
        None => ("A person has to act: firstbell status says how.".to_owned(), 60),
    };
    wire::trouble(&Trouble {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "no_token",
        error: &format!("there is no valid token: {why}"),
        cure: &cure,
        retry_after_s: Some(seconds.clamp(1, AGAIN_MAX_S)),
    })
}

pub(super) fn crowded() -> Response<Reply> {
    wire::trouble(&Trouble {
        status: StatusCode::TOO_MANY_REQUESTS,
        code: "too_many",
        error: "too many programs wait already",
        cure: "Ask without wait, or let one program of the machine wait for all.",
        retry_after_s: Some(5),
    })
}

async fn order_of(
    hall: &Hall,
    (caller, right): (&Caller, &Right),
    account: &str,
    order: Order,
) -> Response<Reply> {
    // A look changes nothing. Any other is carried out even where it cannot be written down: a pause on a full disk is a pause.
    if order.event().is_some() {
        let line = audit::line(order.name(), &[("account", account.into())], &who(caller, right));
        if let Err(error) = hall.audit.write(&line) {
            tracing::warn!(%error, account, order = order.name(), "an order could not be written to the audit log");
        }
    }
    match hall.order(account, order).await {
        Some(Some(Ok(()))) => {
            wire::json(StatusCode::OK, &json!({ "account": account, "done": order.name() }))
        }
        Some(Some(Err(failure))) => wire::failed(&failure),
        Some(None) => wire::no_account(),
        None => {
            let error =
                "the keepers are busy; the order is carried out when they are not, or was lost with them";
            wire::unavailable(
                error,
                "See firstbell status in a moment, and say it again where it was lost.",
                5,
            )
        }
    }
}

/// The accounts that a caller may see, as they stand.
fn accounts(hall: &Hall, right: &Right) -> Vec<Value> {
    let rows = hall.shelves.iter().map(|shelf| &shelf.row).filter(|row| right.sees(&row.account));
    rows.map(|row| (*row.words()).clone()).filter(|words| !words.is_null()).collect()
}

/// Whether every account that a caller may see has a token that is handed out.
pub(super) fn is_ready(hall: &Hall, right: &Right) -> bool {
    let now = now();
    let mut seen = hall.shelves.iter().filter(|shelf| right.sees(&shelf.row.account)).peekable();
    seen.peek().is_some() && seen.all(|shelf| shelf.row.offer(now).token().is_some())
}

/// What a watcher wants in its status, and a person in its body.
fn health(hall: &Hall, right: &Right, (word, well): (&str, bool)) -> Response<Reply> {
    let short = |a: &Value| json!({ "account": a["account"], "served": a["served"], "next": a["next"] });
    let accounts: Vec<Value> = accounts(hall, right).iter().map(short).collect();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    wire::json(status, &json!({ word: well, "accounts": accounts }))
}
