//! The login page in a real browser: the selectors of public scripts, and a whole login, through chromedriver on the PATH
//! (KITESIM_CHROMEDRIVER and KITESIM_CHROMIUM name other programs).

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Line, Sim, delete, get, post};

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const ENTER: &str = "\u{e007}";

/// XPaths that many public scripts of 2021 to 2026 have copied; the same skeleton must satisfy all of them.
const STEP_1: [(&str, &str); 7] = [
    ("/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[1]/input", "userid"),
    ("/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[2]/input", "password"),
    (
        "/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[4]/button[@class='button-orange wide']",
        "",
    ),
    ("//*[@id='container']/div/div/div/form/div[4]/button", ""),
    ("//input[@type='text'][@placeholder='User ID']", "userid"),
    ("//input[@type='password'][@placeholder='Password']", "password"),
    ("//div[@id='container']//button[@type='submit'][text()='Login ']", ""),
];
const STEP_2: [(&str, &str); 6] = [
    ("/html/body/div[1]/div/div[2]/div[1]/div[2]/div/div[2]/form/div[1]/input", "userid"),
    ("//*[@id='container']/div/div/div[2]/form/div[3]/button", ""),
    ("//input[@label='External TOTP'][@inputmode='numeric'][@maxlength='6']", "userid"),
    ("//input[@type='number'][@placeholder='••••••'][@class='su-input-field']", "userid"),
    ("//form[@class='twofa-form']/div[contains(@class,'twofa-value')]/input", "userid"),
    ("//button[@class='button-orange wide'][text()='Continue ']", ""),
];

/// A browser under a driver of its own.
struct Driver {
    process: Child,
    host: String,
    session: String,
}

impl Driver {
    fn start() -> Driver {
        let program = env::var("KITESIM_CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".into());
        let mut process =
            Command::new(program).arg("--port=0").stdout(Stdio::piped()).spawn().expect("chromedriver");
        let told = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let port = told.map_while(Result::ok).find_map(|line| {
            Some(line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned())
        });
        let host = format!("127.0.0.1:{}", port.expect("it says its port"));
        let mut driver = Driver { process, host, session: String::new() };
        let mut options = json!({"args": ["--headless", "--no-sandbox", "--window-size=800,900"]});
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

    fn order(&self, path: &str, order: &Value) -> Value {
        let ask = post(&format!("{}{path}", self.session)).json(order);
        let reply = Line::to(&self.host).ask(&ask).expect("the driver replies").json()["value"].clone();
        assert!(reply.get("error").is_none(), "{path} {order}: {reply}");
        reply
    }

    fn url(&self) -> String {
        let reply =
            Line::to(&self.host).ask(&get(&format!("{}/url", self.session))).expect("the driver replies");
        reply.json()["value"].as_str().expect("an address").to_owned()
    }

    /// The only element of an XPath, or nothing.
    fn find(&self, xpath: &str) -> Option<String> {
        let found = self.order("/elements", &json!({"using": "xpath", "value": xpath}));
        let found = found.as_array().expect("a list");
        assert!(found.len() < 2, "{xpath} finds {}", found.len());
        found.first().map(|element| element[ELEMENT].as_str().expect("an element").to_owned())
    }

    fn run(&self, script: &str) -> Value {
        self.order("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits in the page until a condition holds.
    fn until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0]; const look = () => ({condition}) ? done(true) : setTimeout(look, 5); look();"
        );
        self.order("/execute/async", &json!({"script": script, "args": []}));
    }

    fn type_into(&self, id: &str, text: &str) {
        let element = self.find(&format!("//*[@id='{id}']")).expect("it is there");
        self.order(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    fn expect_all(&self, xpaths: &[(&str, &str)]) {
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

#[test]
fn rows_11_12_13_15_a_whole_login_in_a_browser() {
    let sim = Sim::start();
    let driver = Driver::start();
    let entry = format!("http://{}/connect/login?v=3&api_key={}", sim.site(), sim.credential("api_key"));
    driver.order("/url", &json!({"url": entry}));
    driver.expect_all(&STEP_1);
    assert!(driver.find("//h2[text()='Login to Kite']").is_some());
    assert_eq!(driver.run("return document.body.innerText.includes('SIMULATION')"), true);

    driver.type_into("userid", &format!("{}{ENTER}", sim.credential("user_id")));
    driver.until("document.querySelectorAll('span.su-message')[1].textContent !== ''");
    assert_eq!(sim.seen()["password_submissions"], 0);
    driver.type_into("password", &format!("wrong{ENTER}"));
    driver.until("document.querySelector('p.error')");
    driver.run("document.getElementById('password').value = ''");
    driver.type_into("password", &format!("{}{ENTER}", sim.credential("password")));
    driver.until("document.querySelector('form.twofa-form')");
    driver.expect_all(&STEP_2);
    assert!(driver.find("//*[@id='password']").is_none());
    assert_eq!(driver.run("return document.activeElement.id"), "userid");

    driver.type_into("userid", "12345\u{e007}");
    assert_eq!(sim.seen()["code_submissions"], 0);
    driver.run("document.getElementById('userid').value = ''");
    let code = sim.code(0);
    driver.type_into("userid", &sim.code(9));
    driver.until("document.querySelector('p.error')");
    assert_eq!(driver.run("return document.getElementById('userid').value"), "");
    driver.type_into("userid", &code);
    assert!((0..10_000).any(|_| driver.url().contains("request_token=")));
    let registered = sim.announced["redirect"].as_str().unwrap();
    assert!(driver.url().starts_with(registered), "{}", driver.url());
    let seen = sim.seen();
    assert_eq!((&seen["password_submissions"], &seen["code_submissions"]), (&json!(2), &json!(2)));
    assert_eq!(seen["finishes"], 1);
}
