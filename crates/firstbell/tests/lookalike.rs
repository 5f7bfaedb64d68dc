//! Pages at other addresses than the plan's, however alike they look: nothing is typed, and nothing arrives there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use support::engines::{self, Engine};
use support::{Ended, Home, Sim};

/// Each test for each engine that shows a page. Chrome meets everything; the others meet every page and every way to it, but
/// not every pair of both.
macro_rules! lookalikes {
    ($($name:ident: $engine:expr),* $(,)?) => {$(
        mod $name {
            use super::engines;

            #[test]
            fn a_look_alike_is_not_typed_into() {
                super::look_alikes($engine);
            }

            #[test]
            fn a_form_in_a_frame_or_in_another_window_is_not_typed_into() {
                super::frames_and_windows($engine);
            }

            #[test]
            fn a_page_that_goes_elsewhere_after_the_look_takes_nothing_along() {
                super::all_go_elsewhere($engine);
            }
        }
    )*};
}

lookalikes!(
    chrome: engines::CHROME,
    firefox: engines::FIREFOX,
    chromedriver: engines::CHROMEDRIVER,
    geckodriver: engines::GECKODRIVER,
);

const FORM: &str = "<form id=f><input id=userid type=text placeholder='User ID'>\
    <input id=password type=password placeholder=Password><button>Login</button></form>";

/// Everything that arrived at a server, as it came.
type Arrived = Arc<Mutex<String>>;

/// A server on this address that gives one page to everybody, or leads everybody elsewhere.
fn serve(address: &str, reply: impl Fn(&str) -> String + Send + 'static) -> (u16, Arrived) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (arrived, own) = (Arrived::default(), format!("http://{address}:{port}"));
    let remembers = Arc::clone(&arrived);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 16_384];
            let read = stream.read(&mut bytes).unwrap_or(0);
            remembers.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            let _ = stream.write_all(reply(&own).as_bytes());
        }
    });
    (port, arrived)
}

fn page(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn lead(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// All pairs for chrome; for the others every second one, the other way round for each next row.
fn pairs<A: Copy, B: Copy>(engine: Engine, rows: &[A], ways: [B; 2]) -> Vec<(A, B)> {
    let all = rows.iter().enumerate().flat_map(|(i, row)| [(i, 0, *row), (i, 1, *row)]);
    let chosen = all.filter(|(i, way, _)| engine == engines::CHROME || i % 2 == *way);
    chosen.map(|(_, way, row)| (row, ways[way])).collect()
}

/// Logs in at a site of ours; gives how it ended, and whether the password arrived anywhere.
fn login(engine: Engine, port: u16, arrived: &[&Arrived]) -> Ended {
    let sim = Sim::start();
    let home = Home::new(&sim);
    let text = std::fs::read_to_string(home.config()).unwrap();
    let site = format!("site = \"{}\"", sim.site);
    std::fs::write(home.config(), text.replace(&site, &format!("site = \"http://127.0.0.1:{port}\"")))
        .unwrap();
    home.prepend(&engines::lines(engine));
    let ended = home.run(&["login", "--json"]);
    for arrived in arrived {
        let arrived = arrived.lock().unwrap();
        assert!(!arrived.contains(&sim.account.password), "the password arrived: {arrived}");
        assert!(!arrived.starts_with("POST") && !arrived.contains("\nPOST"), "something was sent: {arrived}");
    }
    ended
}

fn look_alikes(engine: Engine) {
    let addresses = [
        // Another host, another port, a user name that looks like a host, a name for the same machine, a name in other
        // letters, and another scheme.
        "http://127.0.0.2:OTHER/login",
        "http://127.0.0.1:OTHER/login",
        "http://127.0.0.1:OWN@127.0.0.2:OTHER/login",
        "http://localhost:OWN/login",
        "http://kite.zeródha.com/login",
        "http://kite.zerodha.com.evil.example/login",
        "https://127.0.0.1:OWN/login",
        "data:text/html,FORM",
    ];
    for (address, by_script) in pairs(engine, &addresses, [false, true]) {
        let (other, foreign) = serve("127.0.0.2", |_| page(FORM));
        let address = address.replace("OTHER", &other.to_string()).replace("FORM", "<p>x</p>");
        let (port, own) = serve("127.0.0.1", move |own| {
            let to = address.replace("OWN", own.rsplit(':').next().unwrap());
            if by_script { page(&format!("<script>location.replace('{to}')</script>")) } else { lead(&to) }
        });
        let ended = login(engine, port, &[&own, &foreign]);
        assert!([4, 5].contains(&ended.code), "{engine:?}: {ended:?}");
        assert!(!ended.stderr.contains("user id and password"), "{engine:?}: {ended:?}");
        assert!(foreign.lock().unwrap().is_empty(), "{engine:?}: it was followed");
    }
}

fn frames_and_windows(engine: Engine) {
    for body in [
        format!("<iframe srcdoc=\"{}\"></iframe>", FORM.replace('"', "'")),
        "<iframe src='http://127.0.0.2:OTHER/'></iframe>".to_owned(),
        "<script>const w = open('about:blank'); if (w) w.document.write(`FORM`);</script><h1>Hello</h1>"
            .replace("FORM", FORM),
        "<script>open('http://127.0.0.2:OTHER/')</script><h1>Hello</h1>".to_owned(),
    ] {
        let (other, foreign) = serve("127.0.0.2", |_| page(FORM));
        let body = body.replace("OTHER", &other.to_string());
        let (port, own) = serve("127.0.0.1", move |_| page(&body));
        let ended = login(engine, port, &[&own, &foreign]);
        assert_eq!(ended.json()["failure"], "unknown-page", "{engine:?}: {ended:?}");
        assert!(!ended.stderr.contains("user id and password"), "{engine:?}: {ended:?}");
        assert!(foreign.lock().unwrap().is_empty(), "{engine:?}: it was opened");
    }
}

fn all_go_elsewhere(engine: Engine) {
    let deeds = [
        "location.replace('http://127.0.0.2:OTHER/?' + v())",
        "f.action = 'http://127.0.0.2:OTHER/'; f.submit()",
        "f.target = '_blank'; f.action = 'http://127.0.0.2:OTHER/'; f.submit()",
        "open('http://127.0.0.2:OTHER/?' + v())",
        // Away and back at once, to a page that the browser may have kept as it was.
        "location.href = '/away'",
    ];
    // Where nothing leaves, a login waits for its page's deadline: all of them wait together.
    std::thread::scope(|scope| {
        for (deed, after) in pairs(engine, &deeds, [1, 9]) {
            scope.spawn(move || goes_elsewhere(engine, deed, after));
        }
    });
}

fn goes_elsewhere(engine: Engine, deed: &str, after: usize) {
    let (other, foreign) = serve("127.0.0.2", |_| page("x"));
    let deed = deed.replace("OTHER", &other.to_string());
    let (port, own) = serve("127.0.0.1", move |_| {
        let script = format!(
            "const f = document.getElementById('f'), p = document.getElementById('password'), v = () => p.value; \
             f.addEventListener('submit', (e) => e.preventDefault()); \
             if (location.pathname === '/away') history.back(); \
             p.addEventListener('input', () => {{ if (p.value.length === {after}) {{ {deed} }} }});"
        );
        page(&format!("{FORM}<script>{script}</script>"))
    });
    let ended = login(engine, port, &[&own, &foreign]);
    assert_ne!(ended.code, 0, "{engine:?}: {ended:?}");
    assert!(foreign.lock().unwrap().is_empty(), "{engine:?}: it was reached");
}
