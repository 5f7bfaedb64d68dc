//! A page in a real browser, of another origin and behind a name that was bound to this machine: whatever it sends to the local
//! API is refused before anything is done for it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/serving.rs"]
mod serving;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use daemon::until;
use firstbell::serve::Scope;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use serde_json::Value;
use serving::Serving;
use tempfile::TempDir;

/// Each way in which a page can send something, one after another; each is reported when it is over.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><body><script>
const api = "API", key = "KEY", card = api + "/v1/accounts/main/token", pause = api + "/v1/accounts/main/pause";
const element = (name, set) => new Promise(done => {
  const made = document.createElement(name);
  made.onload = () => done("loaded"); made.onerror = () => done("error");
  Object.assign(made, set); document.body.append(made);
});
const form = (type) => new Promise(done => {
  const frame = document.createElement("iframe"); frame.name = "f" + Math.random(); document.body.append(frame);
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: pause, target: frame.name, enctype: type });
  form.innerHTML = "<input name=a value=b>"; document.body.append(form);
  frame.onload = () => done("loaded"); form.submit();
});
const told = (promise) => promise.then(async r => "read:" + r.type + ":" + await r.text(), e => "error");
const tries = {
  "fetch": () => told(fetch(card)),
  "fetch with credentials": () => told(fetch(card, { credentials: "include" })),
  "fetch without cors": () => told(fetch(card, { mode: "no-cors" })),
  "fetch with the key": () => told(fetch(card, { headers: { Authorization: "Bearer " + key } })),
  "post without cors": () => told(fetch(pause, { method: "POST", mode: "no-cors", body: "x" })),
  "post": () => told(fetch(pause, { method: "POST" })),
  "post json": () => told(fetch(pause, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })),
  "put": () => told(fetch(pause, { method: "PUT" })),
  "form": () => form("application/x-www-form-urlencoded"),
  "form as text": () => form("text/plain"),
  "beacon": async () => String(navigator.sendBeacon(pause, "x")),
  "img": () => element("img", { src: card }),
  "script": () => element("script", { src: card }),
  "style": () => element("link", { rel: "stylesheet", href: card }),
  "frame": () => element("iframe", { src: card }),
  "websocket": () => new Promise(done => {
    const socket = new WebSocket(card.replace("http", "ws"));
    socket.onopen = () => done("loaded"); socket.onerror = () => done("error");
  }),
  "eventsource": () => new Promise(done => {
    const source = new EventSource(api + "/v1/events");
    source.onopen = () => done("loaded"); source.onerror = () => { source.close(); done("error"); };
  }),
};
(async () => {
  for (const [name, attempt] of Object.entries(tries)) {
    const outcome = await attempt();
    await fetch("/report", { method: "POST", body: JSON.stringify({ name, outcome }) });
  }
  await fetch("/report", { method: "POST", body: JSON.stringify({ name: "end" }) });
})();
</script></body>"#;

/// How many ways there are in the page.
const WAYS: usize = 17;

/// A browser with nothing in between. Ends with the test.
struct Browser {
    child: Child,
    _home: TempDir,
}

impl Browser {
    fn open(url: &str, rules: &str) -> Browser {
        let home = tempfile::Builder::new().prefix("fb-page-").tempdir().unwrap();
        let mut command = Command::new("/usr/lib/chromium/chromium");
        command
            .args([
                "--headless=new",
                "--no-proxy-server",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .arg(format!("--host-resolver-rules={rules}"))
            .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
            .arg(url)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if geteuid().is_root() {
            // A browser keeps its sandbox from root.
            std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).unwrap();
            command.uid(65534).gid(65534);
        }
        Browser { child: command.spawn().unwrap(), _home: home }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// One request of the page's own server: its path and its body.
fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.split(' ').nth(1)?.to_owned(), String::from_utf8(body).ok()?))
}

fn reply(mut stream: TcpStream, body: &str) {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n";
    let _ = write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}");
}

/// What the server counted: all that it refused, and all that it did something for.
fn counted(serving: &Serving) -> (f64, f64) {
    let text = serving.unix().get("/metrics", "").text;
    let sum = |name: &str| {
        let own = text.lines().filter(|line| line.starts_with(name));
        own.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    };
    (sum("firstbell_api_refused_total"), sum("firstbell_api_handled_total"))
}

/// Has a page do all that it can against the API by this name; gives each way's outcome.
fn besieged(serving: &Serving, (page_host, api_host): (&str, &str)) -> BTreeMap<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let own: SocketAddr = listener.local_addr().unwrap();
    let key = serving.key(&format!("k{}", own.port()), Scope::Admin, None);
    let page = PAGE.replace("API", &format!("http://{api_host}:{}", serving.tcp.port())).replace("KEY", &key);
    let url = format!("http://{page_host}:{}/", own.port());
    let _browser = Browser::open(&url, "MAP evil.example 127.0.0.1");
    let (mut outcomes, mut before) = (BTreeMap::new(), counted(serving));
    loop {
        let (stream, _) = until("the page says something", || match listener.accept() {
            Ok(came) => Ok(came),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Err(format!("it has said {outcomes:?}")),
            Err(e) => panic!("{e}"),
        });
        stream.set_nonblocking(false).unwrap();
        let Some((path, body)) = read(&stream) else { continue };
        if path != "/report" {
            reply(stream, &page);
            continue;
        }
        let said: Value = serde_json::from_str(&body).unwrap();
        let name = said["name"].as_str().unwrap().to_owned();
        if name == "end" {
            return outcomes;
        }
        // It was sent, and it was refused; one that is still on its way is waited for.
        let mut looks = 0.0;
        let after = until(&format!("{name} from {page_host} to {api_host} is counted"), || {
            looks += 1.0;
            let after = counted(serving);
            if after.0 > before.0 { Ok(after) } else { Err(format!("{body}: {before:?}")) }
        });
        // Something was done for our own looks at the numbers, and for nothing else.
        assert_eq!(after.1 - before.1, looks, "{name} was let in");
        before = after;
        outcomes.insert(name, said["outcome"].as_str().unwrap().to_owned());
        reply(stream, "");
    }
}

#[test]
fn nothing_that_a_page_sends_is_let_in() {
    let serving = Serving::start(&["main"]);
    serving.post(1);
    // Another origin of this machine; a foreign name for this machine; and that name for the API as well, as DNS rebinding has it.
    let sieges =
        [("127.0.0.1", "127.0.0.1"), ("evil.example", "localhost"), ("evil.example", "evil.example")];
    for siege in sieges {
        let outcomes = besieged(&serving, siege);
        assert_eq!(outcomes.len(), WAYS, "{outcomes:#?}");
        for (name, outcome) in &outcomes {
            // Where the page hears anything at all, it is not allowed to read it.
            let blind = outcome == "error"
                || outcome == "read:opaque:"
                || ["form", "beacon", "frame"].iter().any(|w| name.starts_with(w));
            assert!(blind, "{siege:?}: {name} read {outcome}");
        }
    }
    assert!(serving.number("firstbell_api_refused_total{why=\"host\"}") >= WAYS as f64);
    assert!(serving.number("firstbell_api_refused_total{why=\"browser\"}") >= 2.0 * WAYS as f64 - 2.0);
}
