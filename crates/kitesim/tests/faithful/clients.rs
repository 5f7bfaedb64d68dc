//! The official Python and JavaScript clients call every public REST method, and learn of the flush by their hooks.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::orders::Trader;
use crate::support::{Browser, Line, MORNING, Sim, get, refusal};

/// A client's program that does an errand and tells of it in lines of JSON.
pub(crate) struct Client {
    child: Child,
    stdin: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Client {
    fn start(command: Command, sim: &Sim) -> Client {
        let errand = json!({
            "root": format!("http://{}", sim.site()), "api_key": sim.credential("api_key"),
            "api_secret": sim.credential("api_secret"), "request_token": Browser::signed_in(sim).grant(),
        });
        Client::sent(command, &errand)
    }

    pub(crate) fn sent(mut command: Command, errand: &Value) -> Client {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let told = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut client = Client { child, stdin, told };
        client.say(errand);
        client
    }

    fn say(&mut self, line: &Value) {
        writeln!(self.stdin, "{line}").expect("the client reads");
    }

    pub(crate) fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("the client tells");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}; its stderr says why"))
    }

    pub(crate) fn end(mut self) {
        assert!(self.child.wait().expect("the client ends").success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing left to end.
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

pub(crate) fn python(name: &str) -> Command {
    let program = workspace().join("target/venv/bin/python");
    assert!(program.exists(), "the Python environment is missing: run make python (make test does)");
    let mut command = Command::new(program);
    command.arg(script(name));
    command
}

fn node(name: &str) -> Command {
    let modules = workspace().join("target/node/node_modules");
    assert!(modules.exists(), "the JavaScript client is missing: run make node (make test does)");
    let mut command = Command::new("node");
    command.arg(script(name)).env("NODE_PATH", modules);
    command
}

/// A stage on which a client that does not count its calls gets through.
fn unhurried() -> Sim {
    Sim::under(&json!({"settings": {"rate_limits": "off"}}))
}

#[test]
fn row_22_row_24_row_25_every_method_of_the_official_python_client_and_its_expiry_hook() {
    let sim = unhurried();
    let mut client = Client::start(python("every_method.py"), &sim);
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
    let mut client = Client::start(node("every_method.js"), &sim);
    client.hear();
    sim.lever("/flush", &json!({}));
    client.say(&json!("flushed"));
    assert_eq!(client.hear(), json!({"hooks": 1}));
    assert_eq!(client.hear(), json!({"left_out": []}));
    client.end();
}

/// Both clients' unit suites send no token and look at the kind of what comes back.
#[test]
fn row_26_row_27_every_method_of_both_official_clients_against_replay() {
    let sim = Sim::with(&["--replay", "--clock", MORNING], None);
    let root = json!({"root": format!("http://{}", sim.site())});
    let mut client = Client::sent(python("replay.py"), &root);
    let told = client.hear();
    assert_eq!(told["left_out"], json!([]));
    assert_eq!(told["rest"], json!(["dict", "dict", "dict", "list"]));
    let kind = |name: &str| told["kinds"][name].as_str().expect("it was called").to_owned();
    for name in
        ["orders", "trades", "holdings", "instruments", "mf_instruments", "historical_data", "get_gtts"]
    {
        assert_eq!(kind(name), "list", "{name}");
    }
    for name in ["profile", "margins", "positions", "quote", "place_gtt", "basket_order_margins"] {
        assert_eq!(kind(name), "dict", "{name}");
    }
    assert_eq!((kind("place_order"), kind("invalidate_access_token")), ("str".to_owned(), "bool".to_owned()));
    client.end();
    let mut client = Client::sent(node("replay.js"), &root);
    let told = client.hear();
    assert_eq!((&told["left_out"], &told["child"].is_string()), (&json!([]), &true));
    assert_eq!(
        (&told["kinds"]["getInstruments"], &told["kinds"]["getQuote"]),
        (&json!("list"), &json!("object"))
    );
    client.end();
    assert_eq!(sim.seen()["live_tokens"], 0);
}

/// What a ticker of an official client is told to do.
fn errand(trader: &Trader, access_token: &str, reconnect: bool) -> Value {
    json!({
        "root": format!("ws://{}/", trader.sim.site()), "api_key": trader.sim.credential("api_key"),
        "access_token": access_token, "tokens": [408_065, 256_265], "reconnect": reconnect,
    })
}

/// Ticks in full mode of a share and an index, order updates, the end with the token, and the refusal after it.
fn ticker_receives(start: impl Fn(&Value) -> Client) {
    let trader = Trader::under(&json!({"rate_limits": "off"}));
    let mut client = start(&errand(&trader, trader.access_token(), false));
    let ticks = client.hear()["ticks"].clone();
    let tick = |token: u32| {
        let one = ticks.as_array().and_then(|list| list.iter().find(|one| one["instrument_token"] == token));
        one.expect("it ticks").clone()
    };
    let share = tick(408_065);
    assert_eq!((&share["mode"], share["depth"]["buy"].as_array().map(Vec::len)), (&json!("full"), Some(5)));
    let price = trader.data(get("/quote/ltp?i=NSE:INFY"))["NSE:INFY"]["last_price"].clone();
    assert_eq!(share["last_price"], price);
    assert_eq!(tick(256_265)["tradable"], json!(false));
    trader.ordered("regular", &[("price", "1000")]);
    assert_eq!(client.hear(), json!({"order": "OPEN"}));
    trader.sim.lever("/flush", &json!({}));
    assert_eq!(client.hear(), json!({"closed": true}));
    client.end();
    let mut refused = start(&errand(&trader, "wrong", false));
    let told = refused.hear();
    assert!(told["error"].as_str().is_some_and(|told| told.contains("403")), "{told}");
}

/// A connection that is cut is opened again by the client, which then receives as before.
fn ticker_reconnects(start: impl Fn(&Value) -> Client) {
    let trader = Trader::under(&json!({"rate_limits": "off"}));
    let mut client = start(&errand(&trader, trader.access_token(), true));
    assert_eq!(client.hear()["connection"], 1);
    trader.sim.lever("/event", &json!({"event": "ticker-drop"}));
    let again = client.hear();
    assert_eq!((&again["connection"], &again["ticks"][0]["mode"]), (&json!(2), &json!("full")));
    trader.ordered("regular", &[("price", "1000")]);
    assert_eq!(client.hear(), json!({"order": "OPEN"}));
}

#[test]
fn row_29_the_official_javascript_ticker_receives_ticks_orders_and_the_end() {
    ticker_receives(|errand| Client::sent(node("ticker.js"), errand));
}

#[test]
fn row_29_the_official_python_ticker_receives_ticks_orders_and_the_end() {
    ticker_receives(|errand| Client::sent(python("ticker.py"), errand));
}

#[test]
fn row_29_the_official_javascript_ticker_reconnects_after_a_drop() {
    ticker_reconnects(|errand| Client::sent(node("ticker.js"), errand));
}

#[test]
fn row_29_the_official_python_ticker_reconnects_after_a_drop() {
    ticker_reconnects(|errand| Client::sent(python("ticker.py"), errand));
}

#[test]
fn row_29_a_handshake_is_refused_as_the_real_one_is() {
    let trader = Trader::under(&json!({}));
    let shake = |access_token: &str| {
        let api_key = trader.sim.credential("api_key");
        get(&format!("/?access_token={access_token}&uid=1&api_key={api_key}"))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    assert_eq!(refusal(&trader.sim.ask(shake("wrong")), 403, "TokenException"), "Authentication failed.");
    let mut open = Vec::new();
    for _line in 0..3 {
        let mut line = Line::to(trader.sim.site());
        let reply = line.ask(&shake(trader.access_token())).expect("Kite replies");
        // RFC 6455, section 1.3.
        assert_eq!(
            (reply.status, reply.header("sec-websocket-accept")),
            (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        );
        open.push(line);
    }
    refusal(&trader.sim.ask(shake(trader.access_token())), 429, "NetworkException");
    // A quiet connection carries heartbeats of one byte, and ends with the code of a normal end.
    assert_eq!(open[0].bytes(3).expect("the ticker talks"), [0x82, 1, 0]);
    let heard = open[0].finish().expect("the ticker says farewell");
    assert!(heard.ends_with(&[0x88, 2, 0x03, 0xe8]), "{heard:?}");
    trader.sim.lever("/faults", &json!({"settings": {"plan": "personal"}}));
    refusal(&trader.sim.ask(shake(trader.access_token())), 403, "TokenException");
}
