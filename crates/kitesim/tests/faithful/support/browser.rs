//! A client that keeps cookies and knows the way through a login.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;

use super::{Ask, Line, Reply, Sim, get, post};

/// Somebody at the pretended Kite.
pub(crate) struct Browser<'a> {
    sim: &'a Sim,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(sim: &'a Sim) -> Browser<'a> {
        Browser { sim, cookies: BTreeMap::new() }
    }

    /// Somebody who has logged in with the code of the present step. The clock then stands at the next step, so
    /// that another login in the same test has a fresh code.
    pub(crate) fn signed_in(sim: &'a Sim) -> Browser<'a> {
        let mut browser = Browser::new(sim);
        let reply = browser.log_in();
        assert_eq!(reply.status, 200, "{}", reply.text());
        sim.lever("/clock", &serde_json::json!({"advance_s": 30}));
        browser
    }

    pub(crate) fn ask(&mut self, ask: Ask) -> Reply {
        let ask = self.with_cookies(ask);
        let reply = Line::to(self.sim.site()).ask(&ask).expect("Kite replies");
        self.keep(&reply);
        reply
    }

    pub(crate) fn with_cookies(&self, ask: Ask) -> Ask {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { ask } else { ask.header("Cookie", &pairs.join("; ")) }
    }

    pub(crate) fn keep(&mut self, reply: &Reply) {
        for line in reply.all("set-cookie") {
            let (name, value) =
                line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.into(), value.into());
        }
    }

    pub(crate) fn password(&mut self, password: &str) -> Reply {
        let user_id = self.sim.credential("user_id").to_owned();
        self.ask(post("/api/login").form(&[("user_id", &user_id), ("password", password)]))
    }

    /// The right password; gives the request id.
    pub(crate) fn request_id(&mut self) -> String {
        let reply = self.password(self.sim.credential("password"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        text(&reply.json()["data"]["request_id"])
    }

    pub(crate) fn code(&mut self, request_id: &str, code: &str) -> Reply {
        let user_id = self.sim.credential("user_id").to_owned();
        let fields = [("user_id", user_id.as_str()), ("request_id", request_id), ("twofa_value", code)];
        self.ask(post("/api/twofa").form(&fields))
    }

    /// Both steps with what is right; gives the reply to the second.
    pub(crate) fn log_in(&mut self) -> Reply {
        let request_id = self.request_id();
        let code = self.sim.code(0);
        self.code(&request_id, &code)
    }

    pub(crate) fn connect_login(&mut self, more: &str) -> Reply {
        let target = format!("/connect/login?v=3&api_key={}{more}", self.sim.credential("api_key"));
        self.ask(get(&target))
    }

    /// Follows a redirect on the pretended Kite.
    pub(crate) fn follow(&mut self, reply: &Reply) -> Reply {
        let origin = format!("http://{}", self.sim.site());
        let target = reply.location().strip_prefix(&origin).expect("the hop stays at Kite").to_owned();
        self.ask(get(&target))
    }

    /// The last hop of the Connect login of somebody who is logged in.
    pub(crate) fn last_hop(&mut self) -> Reply {
        let first = self.connect_login("");
        self.follow(&first)
    }

    /// A fresh request token.
    pub(crate) fn grant(&mut self) -> String {
        self.last_hop().location_field("request_token").expect("the redirect has a request token")
    }
}

/// The code of one step, worked out apart from the program's own way.
pub(crate) fn code_at(seed: &str, step: i64) -> String {
    let key = data_encoding::BASE32.decode(seed.as_bytes()).expect("the seed is base32");
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).expect("any key will do");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let start = usize::from(digest[19] & 15);
    let word: [u8; 4] = digest[start..start + 4].try_into().expect("four bytes");
    format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("it is text").to_owned()
}
