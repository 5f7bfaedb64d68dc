//! The OpenAPI document, made of the table of routes.

use serde_json::{Map, Value, json};

use super::routes::{ACCOUNT, Kind, ROUTES, Route};

/// What every route may say before anything is done for a request.
const REFUSALS: [u16; 6] = [400, 401, 403, 413, 429, 503];

/// The document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "firstbell, local API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "On the machine only: a Unix socket where the kernel says who asks, or loopback TCP with a key on every \
                            request. Scopes are a ladder: status, token, admin.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters = Vec::new();
    if route.path.contains(ACCOUNT) {
        let schema = json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,32}$" });
        parameters.push(json!({ "name": "account", "in": "path", "required": true, "schema": schema }));
    }
    for (name, number, description) in route.query {
        let schema = json!({ "type": if *number { "integer" } else { "string" } });
        parameters.push(json!({ "name": name, "in": "query", "schema": schema, "description": description }));
    }
    let mut responses = Map::new();
    let lacking = route.path.contains(ACCOUNT).then_some(404);
    for status in REFUSALS.into_iter().chain(lacking) {
        responses.insert(status.to_string(), response(Kind::Error));
    }
    for (status, kind) in route.answers {
        responses.insert(status.to_string(), response(*kind));
    }
    json!({
        "summary": route.summary,
        "security": [{ "key": [route.scope.name()] }],
        "x-scope": route.scope.name(),
        "parameters": parameters,
        "responses": responses,
    })
}

fn response(kind: Kind) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let (description, media, schema) = match kind {
        Kind::Nothing => return json!({ "description": "the time is over and nothing is newer: ask again" }),
        Kind::Card => ("a token", "application/json", schema("Card")),
        Kind::Accounts => ("the accounts", "application/json", schema("Accounts")),
        Kind::Stream => ("events", "text/event-stream", json!({ "type": "string" })),
        Kind::Alive => ("whether it is so, and the accounts", "application/json", schema("Alive")),
        Kind::Ready => ("whether it is so, and the accounts", "application/json", schema("Ready")),
        Kind::Metrics => ("numbers", "text/plain", json!({ "type": "string" })),
        Kind::Document => ("this document", "application/json", json!({ "type": "object" })),
        Kind::Done => ("done", "application/json", schema("Done")),
        Kind::Error => ("why not, and what to do", "application/json", schema("Error")),
    };
    json!({ "description": description, "content": { media: { "schema": schema } } })
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let moment = || json!({ "type": "string", "format": "date-time" });
    let maybe = |kind: &str| json!({ "type": [kind, "null"] });
    let all = |properties: Value| {
        let required: Vec<String> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
        json!({ "type": "object", "properties": properties, "required": required })
    };
    let or_null = |mut schema: Value| {
        schema["type"] = json!(["object", "null"]);
        schema
    };
    let sink = all(json!({
        "name": text(),
        "kind": text(),
        "generation": maybe("integer"),
        "at": maybe("string"),
        "fault": maybe("string"),
        "tries": { "type": "integer" },
    }));
    let next = all(json!({ "step": text(), "at": moment(), "because": text() }));
    let short = all(json!({ "account": text(), "served": text(), "next": next }));
    let health = |word: &str| {
        all(json!({ word: { "type": "boolean" }, "accounts": { "type": "array", "items": short } }))
    };
    let account = all(json!({
        "account": text(),
        "user_id": text(),
        "token": { "type": "string", "enum": ["none", "trusted", "suspect", "dead"] },
        "generation": maybe("integer"),
        "issued": maybe("string"),
        "trusted_until": maybe("string"),
        "served": text(),
        "pending": { "type": "boolean" },
        "paused": { "type": "boolean" },
        "last_failure": or_null(all(json!({ "at": moment(), "failure": text() }))),
        "tries_left": or_null(all(json!({ "password": { "type": "integer" }, "code": { "type": "integer" } }))),
        "next": next,
        "next_login": maybe("string"),
        "needs_you": maybe("string"),
        "lacks": { "type": "array", "items": text() },
        "sinks": { "type": "array", "items": sink },
    }));
    let error = json!({
        "type": "object",
        "properties": { "error": text(), "cure": text(), "code": text(), "retry_after_s": { "type": "integer" } },
        "required": ["error", "cure", "code"],
    });
    json!({
        "Account": account,
        "Accounts": all(json!({ "accounts": { "type": "array", "items": { "$ref": "#/components/schemas/Account" } } })),
        "Alive": health("alive"),
        "Ready": health("ready"),
        "Done": all(json!({ "account": text(), "done": text() })),
        "Error": error,
        "Card": all(json!({
            "version": { "type": "integer" },
            "account": text(),
            "user_id": text(),
            "api_key": text(),
            "access_token": text(),
            "generation": { "type": "integer" },
            "issued": moment(),
            "trusted_until": moment(),
        })),
    })
}
