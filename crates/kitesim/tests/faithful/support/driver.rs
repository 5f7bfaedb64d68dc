//! A real browser through chromedriver on the PATH (KITESIM_CHROMEDRIVER and KITESIM_CHROMIUM name other programs).

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{Line, Sim, delete, get, post};

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
pub(crate) const ENTER: &str = "\u{e007}";

/// A browser under a driver of its own.
pub(crate) struct Driver {
    process: Child,
    host: String,
    session: String,
}

impl Driver {
    pub(crate) fn start() -> Driver {
        Driver::with(&[])
    }

    /// A browser with more arguments.
    pub(crate) fn with(arguments: &[&str]) -> Driver {
        // It takes a free port and then binds it twice; when another one was quicker, it ends without a word.
        let (process, host) = (0..5).find_map(|_try| launched()).expect("chromedriver starts");
        let mut driver = Driver { process, host, session: String::new() };
        let mut options = json!({"args": ["--headless", "--no-sandbox", "--window-size=800,900"]});
        options["args"].as_array_mut().expect("a list").extend(arguments.iter().map(|one| json!(one)));
        // The small headless one where it is: several of these tests run at once.
        let shell = "/usr/lib/chromium/chromium-headless-shell";
        let named = env::var("KITESIM_CHROMIUM").ok();
        if let Some(chromium) = named.or_else(|| Path::new(shell).exists().then(|| shell.to_owned())) {
            options["binary"] = json!(chromium);
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let made = driver.order("/session", &wanted);
        driver.session = format!("/session/{}", made["sessionId"].as_str().expect("a session"));
        driver
    }

    pub(crate) fn order(&self, path: &str, order: &Value) -> Value {
        let reply = self.try_order(path, order);
        assert!(reply.get("error").is_none(), "{path} {order}: {reply}");
        reply
    }

    fn try_order(&self, path: &str, order: &Value) -> Value {
        let ask = post(&format!("{}{path}", self.session)).json(order);
        Line::to(&self.host).ask(&ask).expect("the driver replies").json()["value"].clone()
    }

    pub(crate) fn url(&self) -> String {
        let reply =
            Line::to(&self.host).ask(&get(&format!("{}/url", self.session))).expect("the driver replies");
        reply.json()["value"].as_str().expect("an address").to_owned()
    }

    /// The only element of an XPath, or nothing.
    pub(crate) fn find(&self, xpath: &str) -> Option<String> {
        let found = self.order("/elements", &json!({"using": "xpath", "value": xpath}));
        let found = found.as_array().expect("a list");
        assert!(found.len() < 2, "{xpath} finds {}", found.len());
        found.first().map(|element| element[ELEMENT].as_str().expect("an element").to_owned())
    }

    /// The first element that a way of searching finds, as most scripts take it.
    pub(crate) fn first(&self, using: &str, value: &str) -> String {
        let found = self.order("/element", &json!({"using": using, "value": value}));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    pub(crate) fn css(&self, selector: &str) -> String {
        self.first("css selector", selector)
    }

    pub(crate) fn open(&self, address: &str) {
        self.order("/url", &json!({"url": address}));
    }

    /// The entry of a Connect login.
    pub(crate) fn open_connect(&self, sim: &Sim) {
        self.open(&format!("http://{}/connect/login?v=3&api_key={}", sim.site(), sim.credential("api_key")));
    }

    pub(crate) fn keys(&self, element: &str, text: &str) {
        self.order(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    pub(crate) fn click(&self, element: &str) {
        self.order(&format!("/element/{element}/click"), &json!({}));
    }

    pub(crate) fn clear(&self, element: &str) {
        self.order(&format!("/element/{element}/clear"), &json!({}));
    }

    pub(crate) fn value(&self, element: &str) -> String {
        let ask = get(&format!("{}/element/{element}/property/value", self.session));
        let reply = Line::to(&self.host).ask(&ask).expect("the driver replies");
        reply.json()["value"].as_str().expect("a text").to_owned()
    }

    /// Keys into whatever has the focus, with a pause after each, as typing libraries do.
    pub(crate) fn type_slowly(&self, text: &str, pause_ms: u64) {
        let mut steps = Vec::new();
        for letter in text.chars() {
            steps.push(json!({"type": "keyDown", "value": letter.to_string()}));
            steps.push(json!({"type": "keyUp", "value": letter.to_string()}));
            steps.push(json!({"type": "pause", "duration": pause_ms}));
        }
        self.order("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": steps}]}));
    }

    /// Waits until the address holds a text, as scripts poll it.
    pub(crate) fn until_at(&self, part: &str) {
        assert!((0..10_000).any(|_| self.url().contains(part)), "{} and not {part}", self.url());
    }

    pub(crate) fn run(&self, script: &str) -> Value {
        self.order("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits in the page until a condition holds.
    pub(crate) fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0]; const look = () => ({condition}) ? done(true) : setTimeout(look, 5); look();"
        );
        let order = json!({"script": script, "args": []});
        // A page that makes way for the next one takes the waiting script with it; the next page is asked again.
        let answer =
            (0..5).map(|_page| self.try_order("/execute/async", &order)).find(|answer| *answer == true);
        assert!(answer.is_some(), "{condition} never held");
    }

    pub(crate) fn type_into(&self, id: &str, text: &str) {
        let element = self.find(&format!("//*[@id='{id}']")).expect("it is there");
        self.order(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    pub(crate) fn expect_all(&self, xpaths: &[(&str, &str)]) {
        for (xpath, id) in xpaths {
            let element = self.find(xpath).unwrap_or_else(|| panic!("{xpath} finds nothing"));
            let found = Line::to(&self.host)
                .ask(&get(&format!("{}/element/{element}/property/id", self.session)))
                .expect("the driver replies");
            assert_eq!(found.json()["value"], *id, "{xpath}");
        }
        let first = "return document.getElementsByTagName('button')[0].className";
        assert_eq!(self.run(first), "button-orange wide");
    }
}

/// A driver and its address, when it came to be.
fn launched() -> Option<(Child, String)> {
    let program = env::var("KITESIM_CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".into());
    let mut process =
        Command::new(program).arg("--port=0").stdout(Stdio::piped()).spawn().expect("chromedriver");
    let told = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
    let port = told.map_while(Result::ok).find_map(|line| {
        Some(line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned())
    });
    let Some(port) = port else {
        // Its output has ended, so it has too.
        let _code = process.wait();
        return None;
    };
    Some((process, format!("127.0.0.1:{port}")))
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The driver ends its browser; whatever fails here leaves only the driver itself to end.
            let _ended = Line::to(&self.host).ask(&delete(&self.session));
        }
        let _gone = self.process.kill();
        let _code = self.process.wait();
    }
}
