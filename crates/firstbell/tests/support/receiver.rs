//! A receiver of signed tokens, as the specification of Standard Webhooks describes one: it checks signature and time over the body
//! as it came, and drops what it has seen (<https://github.com/standard-webhooks/standard-webhooks>).
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::marker;
use crate::web::{Answer, Asked, Web};

pub struct Receiver {
    pub web: Web,
    key: String,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let (key, taken) = (marker(32), Arc::new(Mutex::new(Vec::new())));
        let (own, own_taken) = (key.clone(), Arc::clone(&taken));
        let web = Web::start(move |asked| answer(asked, &own, &mut own_taken.lock().unwrap()));
        Receiver { web, key, taken }
    }

    /// The lines that place a sink there; the key is in a file of this folder.
    pub fn sink(&self, folder: &Path) -> String {
        let file = folder.join("receiver.key");
        std::fs::write(&file, &self.key).unwrap();
        crate::support::private(&file);
        format!(
            "kind = \"http\"\nurl = \"{}/token\"\nkey = {{ file = \"{}\" }}\n",
            self.web.url(),
            file.display()
        )
    }

    /// All that it took, oldest first.
    pub fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    pub fn last(&self) -> Option<Value> {
        self.taken().pop()
    }
}

fn answer(asked: &Asked, key: &str, taken: &mut Vec<(String, Value)>) -> Answer {
    let of = |name: &str| asked.header(name).unwrap_or_default();
    let (id, at, signature) = (of("webhook-id"), of("webhook-timestamp"), of("webhook-signature"));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{id}.{at}.{}", asked.body).as_bytes());
    let ours = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    #[expect(clippy::disallowed_methods, reason = "a receiver of another program's")]
    let now = jiff::Timestamp::now().as_second();
    let fresh = at.parse::<i64>().is_ok_and(|at| (now - at).abs() < 300);
    if signature != ours || !fresh || asked.method != "POST" || asked.path != "/token" {
        return (401, String::new());
    }
    if asked.full {
        return (507, String::new());
    }
    if !taken.iter().any(|(seen, _)| seen == id) {
        taken.push((id.to_owned(), asked.json()));
    }
    (204, String::new())
}
