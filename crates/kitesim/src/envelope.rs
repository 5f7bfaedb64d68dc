//! Kite's JSON envelope around every success and every error.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error type of Kite's (Kite Connect docs, /exceptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The session is bad.
    Token,
    /// Something about the account.
    User,
    /// The second factor is wrong.
    TwoFa,
    /// Parameters are missing or bad.
    Input,
    /// The app or its address may not do this.
    Permission,
    /// An order cannot be placed, changed or found.
    Order,
    /// The money does not suffice.
    Margin,
    /// Too many calls.
    Network,
    /// Anything else.
    General,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Token => "TokenException",
            Kind::User => "UserException",
            Kind::TwoFa => "TwoFAException",
            Kind::Input => "InputException",
            Kind::Permission => "PermissionException",
            Kind::Order => "OrderException",
            Kind::Margin => "MarginException",
            Kind::Network => "NetworkException",
            Kind::General => "GeneralException",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Kind::Token | Kind::User | Kind::TwoFa | Kind::Permission => StatusCode::FORBIDDEN,
            Kind::Input | Kind::Order | Kind::Margin => StatusCode::BAD_REQUEST,
            Kind::Network => StatusCode::TOO_MANY_REQUESTS,
            Kind::General => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A refusal in the envelope, with the status that belongs to its type.
pub(crate) fn refusal(kind: Kind, message: &str) -> Response {
    refusal_with(kind.status(), kind, message)
}

/// A refusal in the envelope, with a status of its own.
pub(crate) fn refusal_with(status: StatusCode, kind: Kind, message: &str) -> Response {
    let body = json!({"status": "error", "message": message, "data": null, "error_type": kind.name()});
    (status, Json(body)).into_response()
}

/// A success in the envelope.
pub(crate) fn success(data: Value) -> Response {
    Json(json!({"status": "success", "data": data})).into_response()
}

/// The refusal of a call that lacks a field.
pub(crate) fn missing(field: &str) -> Response {
    refusal(Kind::Input, &format!("Missing or empty field `{field}`"))
}
