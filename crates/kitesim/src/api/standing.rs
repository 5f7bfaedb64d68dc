//! What stands for longer than a day: GTT triggers, alerts, and mutual funds (Kite Connect docs, /gtt, /alerts, /mf).

use axum::response::Response;
use serde_json::json;

use super::call::Call;
use super::quotes;
use crate::desk::{No, fund_holdings, funds_csv};

/// `GET /gtt/triggers`.
pub(super) async fn triggers(call: Call) -> Response {
    call.desk(|desk| Ok(desk.triggers()))
}

/// `POST /gtt/triggers`.
pub(super) async fn place_trigger(call: Call) -> Response {
    let sent = ["type", "condition", "orders"].map(|name| call.form.first(name).unwrap_or_default());
    call.desk(|desk| desk.set_trigger(None, &sent, call.now))
}

/// `GET /gtt/triggers/{id}`.
pub(super) async fn trigger(call: Call) -> Response {
    call.desk(|desk| desk.trigger(trigger_id(&call)?))
}

/// `PUT /gtt/triggers/{id}`.
pub(super) async fn modify_trigger(call: Call) -> Response {
    let sent = ["type", "condition", "orders"].map(|name| call.form.first(name).unwrap_or_default());
    call.desk(|desk| desk.set_trigger(Some(trigger_id(&call)?), &sent, call.now))
}

/// `DELETE /gtt/triggers/{id}`.
pub(super) async fn drop_trigger(call: Call) -> Response {
    call.desk(|desk| desk.drop_trigger(trigger_id(&call)?))
}

fn trigger_id(call: &Call) -> Result<u64, No> {
    call.part("id").parse().map_err(|_error| No::Input("Invalid `trigger_id`.".to_owned()))
}

/// `GET /alerts`.
pub(super) async fn alerts(call: Call) -> Response {
    call.desk(|desk| Ok(desk.alerts()))
}

/// `POST /alerts`.
pub(super) async fn make_alert(call: Call) -> Response {
    call.desk(|desk| desk.set_alert(None, |name| call.form.first(name), call.now))
}

/// `GET /alerts/{uuid}`.
pub(super) async fn alert(call: Call) -> Response {
    call.desk(|desk| desk.alert(call.part("uuid")))
}

/// `PUT /alerts/{uuid}`.
pub(super) async fn modify_alert(call: Call) -> Response {
    call.desk(|desk| desk.set_alert(Some(call.part("uuid")), |name| call.form.first(name), call.now))
}

/// `DELETE /alerts?uuid=…&uuid=…`.
pub(super) async fn drop_alerts(call: Call) -> Response {
    let uuids: Vec<&str> = call.query.every("uuid").collect();
    call.desk(|desk| Ok(desk.drop_alerts(&uuids)))
}

/// `GET /alerts/{uuid}/history`: an alert that never rang has none.
pub(super) async fn alert_history(call: Call) -> Response {
    call.desk(|desk| desk.alert(call.part("uuid")).map(|_alert| json!([])))
}

/// `GET /mf/orders`.
pub(super) async fn fund_orders(call: Call) -> Response {
    call.desk(|desk| desk.fund_orders(None))
}

/// `POST /mf/orders`.
pub(super) async fn place_fund(call: Call) -> Response {
    call.desk(|desk| desk.place_fund(|name| call.form.first(name), call.now))
}

/// `GET /mf/orders/{order_id}`.
pub(super) async fn fund_order(call: Call) -> Response {
    call.desk(|desk| desk.fund_orders(Some(call.part("id"))))
}

/// `DELETE /mf/orders/{order_id}`.
pub(super) async fn cancel_fund(call: Call) -> Response {
    call.desk(|desk| desk.cancel_fund(call.part("id")))
}

/// `GET /mf/sips`.
pub(super) async fn plans(call: Call) -> Response {
    call.desk(|desk| desk.plans(None))
}

/// `POST /mf/sips`.
pub(super) async fn place_plan(call: Call) -> Response {
    call.desk(|desk| desk.place_plan(|name| call.form.first(name), call.now))
}

/// `GET /mf/sips/{sip_id}`.
pub(super) async fn plan(call: Call) -> Response {
    call.desk(|desk| desk.plans(Some(call.part("id"))))
}

/// `PUT /mf/sips/{sip_id}`.
pub(super) async fn modify_plan(call: Call) -> Response {
    call.desk(|desk| desk.modify_plan(call.part("id"), |name| call.form.first(name)))
}

/// `DELETE /mf/sips/{sip_id}`.
pub(super) async fn cancel_plan(call: Call) -> Response {
    call.desk(|desk| desk.cancel_plan(call.part("id")))
}

/// `GET /mf/holdings`.
pub(super) async fn holdings(call: Call) -> Response {
    call.desk(|_desk| Ok(fund_holdings()))
}

/// `GET /mf/instruments`.
pub(super) async fn instruments(call: Call) -> Response {
    quotes::table(funds_csv(call.now))
}
