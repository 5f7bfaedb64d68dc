//! The official Python and JavaScript clients call every public REST method, and learn of the flush by their hooks.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Browser, Sim};

/// A client's program that does an errand and tells of it in lines of JSON.
struct Client {
    child: Child,
    stdin: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Client {
    fn start(mut command: Command, sim: &Sim) -> Client {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let told = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut client = Client { child, stdin, told };
        client.say(&json!({
            "root": format!("http://{}", sim.site()), "api_key": sim.credential("api_key"),
            "api_secret": sim.credential("api_secret"), "request_token": Browser::signed_in(sim).grant(),
        }));
        client
    }

    fn say(&mut self, line: &Value) {
        writeln!(self.stdin, "{line}").expect("the client reads");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("the client tells");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}; its stderr says why"))
    }

    fn end(mut self) {
        assert!(self.child.wait().expect("the client ends").success());
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn python(sim: &Sim) -> Client {
    let program = workspace().join("target/venv/bin/python");
    assert!(program.exists(), "the Python environment is missing: run make python (make test does)");
    let mut command = Command::new(program);
    command.arg(script("every_method.py"));
    Client::start(command, sim)
}

fn node(sim: &Sim) -> Client {
    let modules = workspace().join("target/node/node_modules");
    assert!(modules.exists(), "the JavaScript client is missing: run make node (make test does)");
    let mut command = Command::new("node");
    command.arg(script("every_method.js")).env("NODE_PATH", modules);
    Client::start(command, sim)
}

/// A stage on which a client that does not count its calls gets through.
fn unhurried() -> Sim {
    Sim::under(&json!({"settings": {"rate_limits": "off"}}))
}

#[test]
fn row_22_row_24_row_25_every_method_of_the_official_python_client_and_its_expiry_hook() {
    let sim = unhurried();
    let mut client = python(&sim);
    let told = client.hear();
    assert_eq!(told["login_time"], "2026-10-05 08:30:30");
    assert_eq!(told["renew_access_token"], "refused");
    sim.lever("/flush", &json!({}));
    client.say(&json!("flushed"));
    let hooks = told["hooks_before"].as_i64().expect("it is a number");
    assert_eq!(client.hear(), json!({"code": 403, "hooks": hooks + 1}));
    assert_eq!(client.hear(), json!({"left_out": []}));
    client.end();
}

#[test]
fn row_22_row_24_row_25_every_method_of_the_official_javascript_client_and_its_expiry_hook() {
    let sim = unhurried();
    let mut client = node(&sim);
    client.hear();
    sim.lever("/flush", &json!({}));
    client.say(&json!("flushed"));
    assert_eq!(client.hear(), json!({"hooks": 1}));
    assert_eq!(client.hear(), json!({"left_out": []}));
    client.end();
}
