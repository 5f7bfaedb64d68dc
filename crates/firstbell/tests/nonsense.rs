//! Twenty thousand requests that no program of ours would send: never a token without a right, never a hang, and at the end the
//! server is well.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/serving.rs"]
mod serving;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use firstbell::serve::Scope;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serving::{Serving, text};

const CASES: u32 = 20_000;

/// Words of which requests are made, ours among them.
const WORDS: &[&str] = &[
    "GET",
    "POST",
    "HEAD",
    "OPTIONS",
    "CONNECT",
    "PRI",
    "GET ",
    " ",
    "\t",
    "\r\n",
    "\n",
    "\r",
    ":",
    "/",
    "?",
    "&",
    "=",
    "%",
    "/v1/accounts/main/token",
    "/v1/accounts/main/pause",
    "/v1/accounts",
    "/v1/accounts/ma%69n/token",
    "//v1/accounts",
    "/v1/../v1/accounts/main/token",
    "/v1/accounts/main/token?wait=0",
    "?wait=-1",
    "?wait=18446744073709551616",
    "?wait=0&timeout_s=300&wait=0",
    "/livez",
    "/metrics",
    "*",
    "http://firstbell/livez",
    "http://evil.example/livez",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    " HTTP/1.1",
    "Host: firstbell\r\n",
    "Host: localhost\r\n",
    "Host: evil.example\r\n",
    "host:firstbell\r\n",
    "Host : firstbell\r\n",
    "Host:\r\n firstbell\r\n",
    "Host: firstbell, evil\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "transfer-encoding:\tchunked\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Connection: upgrade\r\nUpgrade: websocket\r\n",
    "Upgrade: h2c\r\n",
    "Origin: null\r\n",
    "Sec-Fetch-Site: same-origin\r\n",
    "Authorization: Bearer \r\n",
    "Authorization: Bearer fbk_\r\n",
    "Cookie: a=b\r\n",
    "\r\n\r\n",
    "\0",
    "\u{feff}",
    "é",
];

fn word() -> impl Strategy<Value = Vec<u8>> {
    let long = (1_usize..40_000).prop_map(|n| vec![b'a'; n]);
    let many = (1_usize..200).prop_map(|n| "X-A: b\r\n".repeat(n).into_bytes());
    prop_oneof![
        24 => proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..64),
        1 => long,
        1 => many,
    ]
}

/// A right request, cut, doubled or with something put in; or words in a row.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let right = "GET /v1/accounts/main/token HTTP/1.1\r\nHost: firstbell\r\n\r\n".as_bytes().to_vec();
    let right = Just(right);
    let put_in = (right.clone(), 0..58_usize, word()).prop_map(|(mut request, at, word)| {
        let at = at.min(request.len());
        request.splice(at..at, word);
        request
    });
    let changed = (right.clone(), 0..58_usize, any::<u8>()).prop_map(|(mut request, at, byte)| {
        let at = at.min(request.len() - 1);
        request[at] = byte;
        request
    });
    let cut =
        (right.clone(), 0..58_usize).prop_map(|(request, at)| request[..at.min(request.len())].to_vec());
    let lines = (right, word()).prop_map(|(mut request, word)| {
        let end = request.len() - 2;
        request.splice(end..end, word);
        request
    });
    let words = proptest::collection::vec(word(), 0..12).prop_map(|words| words.concat());
    prop_oneof![3 => words, 2 => put_in, 2 => changed, 1 => cut, 3 => lines]
}

/// Everything that comes back until the other side is done.
fn said<S: Read + Write>(mut stream: S, words: &[u8], half: impl FnOnce(&S)) -> Vec<u8> {
    let mut reply = Vec::new();
    // Whoever is refused in the middle hears of it when he writes on.
    let _ = stream.write_all(words);
    half(&stream);
    match stream.read_to_end(&mut reply) {
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("it hangs: {:?}", String::from_utf8_lossy(words))
        }
        _ => reply,
    }
}

/// Whether a request is one that the socket should answer with a token, whatever is behind it.
fn is_right(words: &[u8]) -> bool {
    words.starts_with(b"GET /v1/accounts/main/token HTTP/1.1\r\n")
        || words.windows(40).any(|part| part.starts_with(b"GET /v1/accounts/main/token"))
}

/// A right key that something was done to.
fn almost(key: String) -> impl Strategy<Value = Vec<u8>> {
    let end = key.len();
    let right = Just(format!("Bearer {key}").into_bytes());
    let all = 0.."Bearer ".len() + end;
    let put_in = (right.clone(), all.clone(), word()).prop_map(|(mut text, at, word)| {
        text.splice(at..at, word);
        text
    });
    let changed = (right.clone(), all.clone(), 1..=u8::MAX).prop_map(|(mut text, at, bits)| {
        text[at] ^= bits;
        text
    });
    let cut = (right, all).prop_map(|(text, at)| text[..at].to_vec());
    prop_oneof![put_in, changed, cut]
}

#[test]
fn no_key_that_is_almost_right_opens_anything() {
    let serving = Serving::start(&["main"]);
    serving.post(7);
    let key = serving.key("algo", Scope::Token, None);
    let right = format!("Bearer {key}").into_bytes();
    let token = text(7).into_bytes();
    let config = Config { cases: 600, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[8; 32]));
    let outcome = runner.run(&almost(key.clone()), |shown| {
        // What is put in may end the line or the request; the whole line that is left may be the right one.
        let line = shown.split(|b| b"\r\n".contains(b)).next().unwrap_or_default().trim_ascii();
        prop_assume!(line != right);
        let mut stream = TcpStream::connect(serving.tcp).unwrap();
        let head =
            format!("GET /v1/accounts/main/token HTTP/1.1\r\nHost: {}\r\nAuthorization: ", serving.tcp);
        let words = [head.as_bytes(), &shown, b"\r\nConnection: close\r\n\r\n"].concat();
        let _ = stream.write_all(&words);
        // A wrong key is answered late, and the later the more there were: that it says nothing for a moment is as good.
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        prop_assert!(
            !reply.windows(token.len()).any(|part| part == token),
            "{:?}",
            String::from_utf8_lossy(&words)
        );
        Ok(())
    });
    outcome.unwrap();
    assert!(serving.number("firstbell_api_key_refused_total") > 100.0, "hardly any was looked at");
    let answer = serving.inet().get("/v1/accounts/main/token", &format!("Authorization: Bearer {key}\r\n"));
    assert_eq!(answer.status, 200);
}

#[test]
fn nonsense_gets_no_token_and_brings_nothing_down() {
    let serving = Serving::start(&["main"]);
    serving.post(7);
    let key = serving.key("algo", Scope::Token, None);
    let token = text(7).into_bytes();
    let has_token = |reply: &[u8]| reply.windows(token.len()).any(|part| part == token);
    let socket = serving.folder.join("socket");
    let patience = Some(Duration::from_secs(20));
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let outcome = runner.run(&(request(), 0..4_u8), |(words, door)| {
        let reply = if door == 0 {
            let stream = TcpStream::connect(serving.tcp).unwrap();
            stream.set_read_timeout(patience).unwrap();
            // Over TCP nothing is given without a key, and none of these has one. A wrong one waits: they have a test of their own.
            let words = String::from_utf8_lossy(&words).replace("firstbell", &serving.tcp.to_string());
            if words.contains("Bearer fbk_") || words.contains("Bearer ") {
                return Ok(());
            }
            let reply = said(stream, words.as_bytes(), |stream| drop(stream.shutdown(Shutdown::Write)));
            prop_assert!(!has_token(&reply), "a token without a key: {words:?}");
            reply
        } else {
            let stream = UnixStream::connect(&socket).unwrap();
            stream.set_read_timeout(patience).unwrap();
            let reply = said(stream, &words, |stream| drop(stream.shutdown(Shutdown::Write)));
            let shown = String::from_utf8_lossy(&words).into_owned();
            prop_assert!(!has_token(&reply) || is_right(&words), "a token for {shown:?}");
            // What stands behind the first empty line is another request, or none.
            let unix = shown.replace("\r\n", "\n");
            let first = unix.split("\n\n").next().unwrap();
            let foreign = ["evil", "Origin", "Sec-Fetch"].iter().any(|mark| first.contains(mark));
            let pipelined = shown.matches("HTTP/1.1").count() > 1;
            prop_assert!(!has_token(&reply) || !foreign || pipelined, "a token for a browser: {shown:?}");
            reply
        };
        let starts = reply.is_empty() || reply.starts_with(b"HTTP/1.");
        prop_assert!(starts, "{:?}", String::from_utf8_lossy(&reply));
        Ok(())
    });
    outcome.unwrap();
    let answer = serving.unix().get("/v1/accounts/main/token", "");
    assert_eq!((answer.status, answer.json()["generation"].as_u64()), (200, Some(7)));
    let answer = serving.inet().get("/v1/accounts/main/token", &format!("Authorization: Bearer {key}\r\n"));
    assert_eq!(answer.status, 200);
    assert!(serving.number("firstbell_api_refused_total{why=\"host\"}") > 100.0);
}
