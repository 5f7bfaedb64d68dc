//! The Secrets of a namespace as Kubernetes documents them
//! (<https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/>): who may, media types,
//! versions, dry runs, and a quota.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::marker;
use crate::web::{Answer, Asked, Web};

const SECRETS: &str = "/api/v1/namespaces/trading/secrets";

#[derive(Default)]
struct Kept {
    secrets: BTreeMap<String, Value>,
    version: u64,
}

pub struct Cluster {
    pub web: Web,
    pub token: String,
    kept: Arc<Mutex<Kept>>,
    /// Somebody else changes this value of a Secret just before the next write, once.
    pub first: Arc<Mutex<Option<(String, String)>>>,
}

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::with(Web::start)
    }

    pub fn encrypted(files: [&Path; 2]) -> Cluster {
        Cluster::with(|handler| Web::encrypted(files, handler))
    }

    fn with(start: impl FnOnce(Box<dyn Fn(&Asked) -> Answer + Send + Sync>) -> Web) -> Cluster {
        let (token, kept) = (format!("eyJ{}", marker(40)), Arc::new(Mutex::new(Kept::default())));
        let (own, own_kept) = (format!("Bearer {token}"), Arc::clone(&kept));
        let first = Arc::new(Mutex::new(None::<(String, String)>));
        let own_first = Arc::clone(&first);
        let web = start(Box::new(move |asked| {
            if asked.header("authorization") != Some(&own) {
                return status(401, "Unauthorized");
            }
            let mut kept = own_kept.lock().unwrap();
            if asked.method == "PATCH"
                && let Some((key, value)) = own_first.lock().unwrap().take()
            {
                kept.version += 1;
                let version = kept.version.to_string();
                let name = asked.path.rsplit('/').next().unwrap();
                let found = kept.secrets.get_mut(name).unwrap();
                found["metadata"]["resourceVersion"] = version.into();
                found["data"][key] = BASE64.encode(value.as_bytes()).into();
            }
            answer(asked, &mut kept)
        }));
        Cluster { web, token, kept, first }
    }

    /// The lines that place a sink there; the token is in a file of this folder.
    pub fn sink(&self, folder: &Path) -> String {
        let file = folder.join("cluster.token");
        std::fs::write(&file, &self.token).unwrap();
        crate::support::private(&file);
        format!(
            "kind = \"kubernetes\"\nserver = \"{}\"\nnamespace = \"trading\"\ntoken = {{ file = \"{}\" }}\n",
            self.web.url(),
            file.display()
        )
    }

    /// A value of a Secret, as a pod that mounts it reads it.
    pub fn value(&self, secret: &str, key: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap();
        let text = kept.secrets.get(secret)?["data"][key].as_str()?.to_owned();
        Some(String::from_utf8(BASE64.decode(text.as_bytes()).unwrap()).unwrap())
    }

    pub fn whole(&self, secret: &str) -> Option<Value> {
        self.kept.lock().unwrap().secrets.get(secret).cloned()
    }
}

fn status(code: u16, reason: &str) -> Answer {
    let body =
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code });
    (code, body.to_string())
}

fn answer(asked: &Asked, kept: &mut Kept) -> Answer {
    let dry = asked.query.split('&').any(|pair| pair == "dryRun=All");
    let Some(rest) = asked.path.strip_prefix(SECRETS) else { return status(404, "NotFound") };
    let name = rest.trim_start_matches('/').to_owned();
    if asked.full && asked.method != "GET" {
        return status(403, "Forbidden");
    }
    match asked.method.as_str() {
        "GET" => match kept.secrets.get(&name) {
            Some(secret) => (200, secret.to_string()),
            None => status(404, "NotFound"),
        },
        "POST" => {
            if asked.header("content-type") != Some("application/json") {
                return status(415, "UnsupportedMediaType");
            }
            let mut secret = asked.json();
            let name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if (&secret["apiVersion"], &secret["kind"]) != (&json!("v1"), &json!("Secret")) {
                return status(400, "BadRequest");
            }
            if !secret["metadata"]["resourceVersion"].is_null() {
                return status(400, "BadRequest");
            }
            if kept.secrets.contains_key(&name) {
                return status(409, "AlreadyExists");
            }
            keep(kept, name, &mut secret, dry, 201)
        }
        "PATCH" => {
            if asked.header("content-type") != Some("application/merge-patch+json") {
                return status(415, "UnsupportedMediaType");
            }
            let patch = asked.json();
            let Some(mut secret) = kept.secrets.get(&name).cloned() else { return status(404, "NotFound") };
            let wanted = &patch["metadata"]["resourceVersion"];
            if !wanted.is_null() && *wanted != secret["metadata"]["resourceVersion"] {
                return status(409, "Conflict");
            }
            merge(&mut secret, &patch);
            keep(kept, name, &mut secret, dry, 200)
        }
        _ => status(405, "MethodNotAllowed"),
    }
}

fn keep(kept: &mut Kept, name: String, secret: &mut Value, dry: bool, code: u16) -> Answer {
    let data = secret["data"].as_object().cloned().unwrap_or_default();
    if !data.values().all(|value| value.as_str().is_some_and(|text| BASE64.decode(text.as_bytes()).is_ok())) {
        return status(400, "BadRequest");
    }
    secret["metadata"]["resourceVersion"] = (kept.version + 1).to_string().into();
    let answer = secret.to_string();
    if !dry {
        kept.version += 1;
        kept.secrets.insert(name, secret.take());
    }
    (code, answer)
}

/// RFC 7396.
fn merge(into: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut into[name.as_str()], value);
        }
    }
}
