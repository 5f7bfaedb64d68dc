//! `/orders` and `/trades` (Kite Connect docs, /orders).

use axum::response::Response;

use super::call::{Call, refused};
use crate::desk::Wish;

/// `POST /orders/{variety}`.
pub(super) async fn place(call: Call) -> Response {
    let wish = match Wish::read(call.part("name"), |name| call.form.first(name)) {
        Ok(wish) => wish,
        Err(no) => return refused(no),
    };
    let protected = call.settings(|settings| settings.market_protection);
    call.desk(|desk| desk.place(&wish, protected, call.now))
}

/// `PUT /orders/{variety}/{order_id}`.
pub(super) async fn modify(call: Call) -> Response {
    call.desk(|desk| desk.modify(call.part("order_id"), |name| call.form.first(name), call.now))
}

/// `DELETE /orders/{variety}/{order_id}`; of a cover order it is the exit.
pub(super) async fn cancel(call: Call) -> Response {
    call.desk(|desk| desk.cancel(call.part("order_id"), call.now))
}

/// `GET /orders`.
pub(super) async fn all(call: Call) -> Response {
    call.desk(|desk| Ok(desk.orders()))
}

/// `GET /orders/{order_id}`.
pub(super) async fn history(call: Call) -> Response {
    call.desk(|desk| desk.history(call.part("name")))
}

/// `GET /trades`.
pub(super) async fn trades(call: Call) -> Response {
    call.desk(|desk| desk.trades(None))
}

/// `GET /orders/{order_id}/trades`.
pub(super) async fn trades_of(call: Call) -> Response {
    call.desk(|desk| desk.trades(Some(call.part("name"))))
}
