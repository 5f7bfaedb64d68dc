//! A person who logs in at kitesim: by hand at the wire, with the cookies of a browser, or in a real Chromium.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::BTreeMap;
use std::process::Command;

use firstbell_core::secret::Secret;
use firstbell_core::totp::Seed;
use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{Account, Sim, request_with};

/// The six digits that the account's authenticator shows now.
pub fn code(account: &Account) -> String {
    #[expect(clippy::disallowed_methods, reason = "the simulator runs on the machine's time")]
    let now = jiff::Timestamp::now();
    Seed::parse(&Secret::new(account.totp_seed.clone())).unwrap().code(now).digits.expose().to_owned()
}

/// One browser's worth of cookies.
#[derive(Default)]
pub struct Person {
    cookies: BTreeMap<String, String>,
}

impl Person {
    /// One who is logged in at the website.
    pub fn signed_in(sim: &Sim) -> Person {
        let mut person = Person::default();
        let account = &sim.account;
        let link = format!("{}/connect/login?v=3&api_key={}", sim.site, account.api_key);
        person.visit(sim, &link);
        let user = [("user_id", account.user_id.as_str()), ("password", &account.password)];
        let said = person.submit(sim, "/api/login", &user);
        let code = code(account);
        let factor = [
            ("user_id", account.user_id.as_str()),
            ("request_id", said["data"]["request_id"].as_str().unwrap()),
            ("twofa_value", &code),
            ("twofa_type", "totp"),
        ];
        person.submit(sim, "/api/twofa", &factor);
        person
    }

    /// Where a link leads in the end: the address that the browser is sent back to.
    pub fn back(&mut self, sim: &Sim, link: &str) -> String {
        let mut at = link.to_owned();
        for _ in 0..4 {
            at = self.visit(sim, &at);
            if !at.starts_with(&sim.site) {
                return at;
            }
        }
        panic!("{link} leads nowhere: {at}");
    }

    /// One hop: where it leads.
    fn visit(&mut self, sim: &Sim, url: &str) -> String {
        let path = url.strip_prefix(&sim.site).unwrap_or_else(|| panic!("{url} is not the site's"));
        let (status, head, body) = request_with("GET", &sim.site, path, None, &self.cookie());
        self.keep(&head);
        assert_eq!(status, 302, "{url}: {body}");
        let location = head.lines().find_map(|line| line.strip_prefix("location: "));
        location.unwrap_or_else(|| panic!("{head}")).trim().to_owned()
    }

    fn submit(&mut self, sim: &Sim, path: &str, fields: &[(&str, &str)]) -> Value {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut curl = Command::new("curl");
        curl.args(["-si", "--data-binary", &form]);
        curl.args(["-H", self.cookie().trim_end(), &format!("{}{path}", sim.site)]);
        let said = String::from_utf8(curl.output().unwrap().stdout).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {said}"));
        self.keep(head);
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["status"], "success", "{path}: {body}");
        body
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", pairs.join("; "))
    }

    fn keep(&mut self, head: &str) {
        for line in head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// A real Chromium with a window, driven as a person would.
pub struct Window {
    session: String,
    server: Server,
}

impl Window {
    pub fn open() -> Window {
        let mut window = Window { session: String::new(), server: Server::chromedriver() };
        let options = json!({ "args": ["--headless=new", "--no-proxy-server"], "binary": "/usr/lib/chromium/chromium" });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "timeouts": { "implicit": 30_000 },
        }}});
        let began = window.ask("POST", "", &wanted);
        window.session = format!("/{}", began["sessionId"].as_str().unwrap_or_else(|| panic!("{began}")));
        window
    }

    pub fn go(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// Logs in by a link, as the account's owner does.
    pub fn log_in(&self, link: &str, account: &Account) {
        self.go(link);
        self.type_into("input[type=text]", &account.user_id);
        self.type_into("input[type=password]", &account.password);
        self.click("button[type=submit]");
        self.type_into("input[maxlength='6']", &code(account));
    }

    /// What the address bar shows as soon as it begins so.
    pub fn arrives_at(&self, start: &str) -> String {
        for _ in 0..600 {
            let address = self.address();
            if address.starts_with(start) {
                return address;
            }
            // Each question waits for the browser.
        }
        panic!("it never got to {start}: {}", self.address());
    }

    pub fn type_into(&self, selector: &str, text: &str) {
        let field = self.find(selector);
        self.ask("POST", &format!("/element/{field}/value"), &json!({ "text": text }));
    }

    pub fn click(&self, selector: &str) {
        let button = self.find(selector);
        self.ask("POST", &format!("/element/{button}/click"), &json!({}));
    }

    pub fn text(&self, selector: &str) -> String {
        let element = self.find(selector);
        self.ask("GET", &format!("/element/{element}/text"), &Value::Null).as_str().unwrap().to_owned()
    }

    /// What the address bar shows.
    pub fn address(&self) -> String {
        self.ask("GET", "/url", &Value::Null).as_str().unwrap().to_owned()
    }

    fn find(&self, selector: &str) -> String {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let element = found.as_object().and_then(|element| element.values().next()?.as_str());
        element.unwrap_or_else(|| panic!("{selector}: {found}")).to_owned()
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-X", method, &format!("{}/session{}{path}", self.server.url, self.session)]);
        if !body.is_null() {
            curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        }
        let said = curl.output().unwrap().stdout;
        let mut said: Value =
            serde_json::from_slice(&said).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert!(said["value"]["error"].is_null(), "{method} {path}: {said}");
        said["value"].take()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let url = format!("{}/session{}", self.server.url, self.session);
        let _ = Command::new("curl").args(["-s", "-X", "DELETE", &url]).output();
    }
}
