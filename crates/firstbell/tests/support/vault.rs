//! A key-value engine, version 2, as HashiCorp documents Vault's
//! (<https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>): who may, versions, and check-and-set.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::marker;
use crate::web::{Answer, Asked, Web};

/// All versions of what is at each path; a version without data was deleted.
type Kept = Arc<Mutex<BTreeMap<String, Vec<Value>>>>;

pub struct Vault {
    pub web: Web,
    pub token: String,
    kept: Kept,
    may: Arc<Mutex<Vec<&'static str>>>,
    /// What somebody else writes just before the next write, once.
    pub first: Arc<Mutex<Option<Value>>>,
}

impl Vault {
    pub fn start() -> Vault {
        Vault::with(Web::start)
    }

    pub fn encrypted(files: [&Path; 2]) -> Vault {
        Vault::with(|handler| Web::encrypted(files, handler))
    }

    fn with(start: impl FnOnce(Box<dyn Fn(&Asked) -> Answer + Send + Sync>) -> Web) -> Vault {
        let token = format!("hvs.{}", marker(24));
        let (kept, may) = (Kept::default(), Arc::new(Mutex::new(vec!["create", "read", "update"])));
        let (own, own_kept, own_may) = (token.clone(), Arc::clone(&kept), Arc::clone(&may));
        let first = Arc::new(Mutex::new(None));
        let own_first = Arc::clone(&first);
        let web = start(Box::new(move |asked| {
            if asked.header("x-vault-token") != Some(&own) {
                return (403, json!({ "errors": ["permission denied"] }).to_string());
            }
            if asked.method == "POST"
                && let Some(path) = asked.path.strip_prefix("/v1/secret/data/")
                && let Some(theirs) = own_first.lock().unwrap().take()
            {
                own_kept.lock().unwrap().entry(path.to_owned()).or_default().push(theirs);
            }
            answer(asked, &own_kept, &own_may.lock().unwrap())
        }));
        Vault { web, token, kept, may, first }
    }

    /// The lines that place a sink there; the token is in a file of this folder.
    pub fn sink(&self, folder: &Path) -> String {
        let file = folder.join("vault.token");
        std::fs::write(&file, &self.token).unwrap();
        crate::support::private(&file);
        format!(
            "kind = \"vault\"\naddress = \"{}\"\npath = \"algo/{{account}}\"\ntoken = {{ file = \"{}\" }}\n",
            self.web.url(),
            file.display()
        )
    }

    pub fn allow(&self, may: &[&'static str]) {
        *self.may.lock().unwrap() = may.to_vec();
    }

    /// The newest version's data.
    pub fn data(&self, path: &str) -> Option<Value> {
        let kept = self.kept.lock().unwrap();
        kept.get(path)?.last().filter(|data| !data.is_null()).cloned()
    }

    pub fn versions(&self, path: &str) -> usize {
        self.kept.lock().unwrap().get(path).map_or(0, Vec::len)
    }

    /// As `vault kv delete` does.
    pub fn delete(&self, path: &str) {
        self.kept.lock().unwrap().get_mut(path).unwrap().push(Value::Null);
    }
}

fn answer(asked: &Asked, kept: &Kept, may: &[&str]) -> Answer {
    let denied = || (403, json!({ "errors": ["1 error occurred:\n\t* permission denied\n\n"] }).to_string());
    if (asked.method.as_str(), asked.path.as_str()) == ("POST", "/v1/sys/capabilities-self") {
        let body = asked.json();
        let path = body["paths"][0].as_str().unwrap();
        return (200, json!({ "capabilities": may, path: may, "data": { path: may } }).to_string());
    }
    let Some(path) = asked.path.strip_prefix("/v1/secret/data/") else {
        return (404, json!({ "errors": [] }).to_string());
    };
    let mut kept = kept.lock().unwrap();
    let versions = kept.get(path).map_or(0, Vec::len);
    let metadata = |version: usize, deletion_time: &str| json!({ "created_time": "2026-11-25T03:00:00.1Z", "deletion_time": deletion_time, "destroyed": false, "version": version });
    match asked.method.as_str() {
        "GET" if !may.contains(&"read") => denied(),
        "GET" => match kept.get(path).and_then(|all| all.last()) {
            None => (404, json!({ "errors": [] }).to_string()),
            Some(Value::Null) => {
                let data = json!({ "data": null, "metadata": metadata(versions, "2026-11-25T04:00:00Z") });
                (404, json!({ "data": data }).to_string())
            }
            Some(data) => {
                let data = json!({ "data": data, "metadata": metadata(versions, "") });
                (200, json!({ "data": data }).to_string())
            }
        },
        "POST" | "PUT" => {
            if !may.contains(&if versions == 0 { "create" } else { "update" }) {
                return denied();
            }
            if asked.full {
                return (500, json!({ "errors": ["no space left on device"] }).to_string());
            }
            let body = asked.json();
            let cas = &body["options"]["cas"];
            if !cas.is_null() && cas.as_u64() != Some(versions as u64) {
                let why = "check-and-set parameter did not match the current version";
                return (400, json!({ "errors": [why] }).to_string());
            }
            if !body["data"].is_object() {
                return (400, json!({ "errors": ["no data provided"] }).to_string());
            }
            kept.entry(path.to_owned()).or_default().push(body["data"].clone());
            (200, json!({ "data": metadata(versions + 1, "") }).to_string())
        }
        _ => (405, json!({ "errors": ["unsupported operation"] }).to_string()),
    }
}
