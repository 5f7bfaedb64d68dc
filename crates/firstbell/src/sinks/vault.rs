//! The token in HashiCorp Vault's key-value engine, version 2, or whatever speaks like it
//! (<https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>).

use std::path::PathBuf;

use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use serde_json::Value;

use super::kind::{Done, Fault, Held, Kind, REACH, Table, Tools};
use crate::ports::{Call, Delivery, Received};
use crate::shape::card;

pub(super) const KEYS: &[&str] = &["address", "mount", "path", "token", "namespace", "authority"];

#[derive(Debug)]
struct Vault {
    address: Origin,
    mount: String,
    path: String,
    namespace: Option<String>,
    authority: Option<PathBuf>,
}

/// What is there.
struct Found {
    version: u64,
    data: Value,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    let address = table.section.parsed("address", |text| Origin::parse(text).map_err(|e| e.to_string()));
    if !table.section.asked("address") {
        table.section.fault("address is missing, such as \"https://vault.example:8200\"");
    }
    let mount = table.named("mount", "secret");
    let path = table.named("path", "firstbell/{account}");
    if [&mount, &path].iter().any(|path| !is_path(path)) {
        table.section.fault("mount and path have parts of letters, digits, -, _ and . with / between them");
    }
    table.secret("token");
    let namespace = table.section.text("namespace");
    let authority = table.authority();
    Some(Box::new(Vault { address: address?, mount, path, namespace, authority }))
}

fn is_path(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    text.split('/')
        .all(|part| !part.is_empty() && part.bytes().all(plain) && !part.bytes().all(|b| b == b'.'))
}

impl Vault {
    async fn send(&self, tools: &Tools<'_>, mut call: Call) -> Result<Received, Fault> {
        let token = tools.key("token").expect("required when it was read");
        call.own_headers.push(("x-vault-token".into(), token.clone()));
        if let Some(namespace) = &self.namespace {
            call.own_headers.push(("x-vault-namespace".into(), Secret::new(namespace.clone())));
        }
        tools.send(call, self.authority.as_deref()).await
    }

    fn url(&self, path: &str) -> Secret {
        Secret::new(self.address.join(&format!("/v1/{path}")))
    }

    fn data(&self) -> String {
        format!("{}/data/{}", self.mount, self.path)
    }

    /// A version that was deleted counts too: the next one is written over it.
    async fn look(&self, tools: &Tools<'_>) -> Result<Found, Fault> {
        let reply = self.send(tools, Call::get(self.url(&self.data()))).await?;
        let body: Value = serde_json::from_slice(reply.body.expose()).unwrap_or_default();
        match reply.status {
            200 => {}
            404 if body["data"]["metadata"].is_object() => {}
            404 => return Ok(Found { version: 0, data: Value::Null }),
            _ => return Err(refused(&reply)),
        }
        let strange = || {
            Fault::new("gave an answer that is none of Vault's", "See that mount is of kind kv, version 2.")
        };
        let version = body["data"]["metadata"]["version"].as_u64().ok_or_else(strange)?;
        Ok(Found { version, data: body["data"]["data"].clone() })
    }
}

impl Kind for Vault {
    fn place(&self) -> String {
        format!("{}/{}", self.mount, self.path)
    }

    fn check<'a>(&'a self, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let body = serde_json::json!({ "paths": [self.data()] }).to_string();
            let url = self.url("sys/capabilities-self");
            let reply = self.send(tools, Call::post(url, "application/json", Secret::new(body))).await?;
            if reply.status != 200 {
                return Err(refused(&reply));
            }
            let body: Value = serde_json::from_slice(reply.body.expose()).unwrap_or_default();
            let of = |place: &Value| place.as_array().cloned();
            let may =
                of(&body["capabilities"]).or_else(|| of(&body["data"][self.data()])).unwrap_or_default();
            let may = |name: &str| may.iter().any(|own| own == name || own == "root");
            if may("read") && may("create") && may("update") {
                return Ok(());
            }
            Err(Fault::new("lacks a right", self.policy()))
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let found = self.look(tools).await?;
            let card = card(delivery);
            let ours: Value = serde_json::from_str(card.expose()).unwrap_or_default();
            if found.data == ours || Held::of(&found.data).is_some_and(|held| held.is_newer(delivery.token)) {
                return Ok(());
            }
            let body = format!("{{\"options\":{{\"cas\":{}}},\"data\":{}}}", found.version, card.expose());
            let call = Call::post(self.url(&self.data()), "application/json", Secret::new(body));
            let reply = self.send(tools, call).await?;
            match reply.status {
                200 | 204 => Ok(()),
                // Somebody wrote between our look and our word: we look again.
                400 => Err(Fault::new(
                    "was written by somebody else meanwhile, or refuses the form (HTTP 400)",
                    REACH,
                )),
                403 => Err(Fault::new("refuses us (HTTP 403)", self.policy())),
                _ => Err(refused(&reply)),
            }
        })
    }
}

impl Vault {
    fn policy(&self) -> String {
        format!("Give its token a policy with read, create and update on {}.", self.data())
    }
}

fn refused(reply: &Received) -> Fault {
    let cure = match reply.status {
        403 => "Its token is wrong or over, or lacks read, create and update: look at the sink's token.",
        404 => "See that mount is of kind kv, version 2.",
        429 | 473 | 472 => "It is a standby that does not pass requests on: name the active one.",
        503 => "It is sealed or in maintenance: unseal it.",
        _ => "Look at the server's log. It is tried again by itself.",
    };
    Fault::new(format!("answered with HTTP {}", reply.status), cure)
}
