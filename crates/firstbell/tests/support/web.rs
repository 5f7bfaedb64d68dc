//! A small HTTP server of a test's own, which can be taken away, made to hang, or full.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Well,
    /// It reads, and answers when it is well again.
    Hangs,
    /// It takes nothing more.
    Full,
    Ends,
}

/// One request as it came.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Whether the server has no place left.
    pub full: bool,
}

impl Asked {
    /// A header's value; there must be one at most.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found: Vec<_> = self.headers.iter().filter(|(own, _)| own == name).collect();
        assert!(found.len() <= 1, "{name} stands there {} times", found.len());
        found.first().map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body))
    }
}

pub type Answer = (u16, String);
type Handler = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

struct Inside {
    handler: Handler,
    mode: Mutex<Mode>,
    changed: Condvar,
    tls: Option<Arc<rustls::ServerConfig>>,
}

pub struct Web {
    pub port: u16,
    inside: Arc<Inside>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Web {
    pub fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Web {
        Web::with(Box::new(handler), None)
    }

    /// The same with this certificate and its key.
    pub fn encrypted(
        [certificate, key]: [&Path; 2],
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Web {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
            .unwrap();
        Web::with(Box::new(handler), Some(Arc::new(config)))
    }

    fn with(handler: Handler, tls: Option<Arc<rustls::ServerConfig>>) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Arc::new(Inside { handler, mode: Mutex::new(Mode::Well), changed: Condvar::new(), tls });
        let thread = Some(accept(listener, Arc::clone(&inside)));
        Web { port, inside, thread }
    }

    pub fn url(&self) -> String {
        let scheme = if self.inside.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        *self.inside.mode.lock().unwrap() = mode;
        self.inside.changed.notify_all();
    }

    /// Nobody listens any more.
    pub fn kill(&mut self) {
        self.set(Mode::Ends);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// It is there again, at the same port.
    pub fn again(&mut self) {
        self.set(Mode::Well);
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.thread = Some(accept(listener, Arc::clone(&self.inside)));
    }
}

fn accept(listener: TcpListener, inside: Arc<Inside>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if *inside.mode.lock().unwrap() == Mode::Ends {
                return;
            }
            let inside = Arc::clone(&inside);
            std::thread::spawn(move || {
                let _answered = match &inside.tls {
                    None => serve(stream.try_clone().unwrap(), stream, &inside),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                        let stream = Arc::new(Mutex::new(rustls::StreamOwned::new(session, stream)));
                        serve(Half(Arc::clone(&stream)), Half(stream), &inside)
                    }
                };
            });
        }
    })
}

/// One side of an encrypted stream, which both sides share.
struct Half(Arc<Mutex<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>>);

impl Read for Half {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().read(into)
    }
}

impl Write for Half {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.lock().unwrap().flush()
    }
}

fn serve(read: impl Read, mut write: impl Write, inside: &Inside) -> Option<()> {
    let mut reader = BufReader::new(read);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pair = |line: &String| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    let headers: Vec<_> = lines[1..].iter().filter_map(pair).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, n)| n.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let mode = inside.mode.lock().unwrap();
    let mode = *inside.changed.wait_while(mode, |mode| *mode == Mode::Hangs).unwrap();
    if mode == Mode::Ends {
        return None;
    }
    let (path, query) = (path.to_owned(), query.to_owned());
    let body = String::from_utf8(body).unwrap();
    let (status, body) =
        (inside.handler)(&Asked { method, path, query, headers, body, full: mode == Mode::Full });
    let length = body.len();
    write!(
        write,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .ok()?;
    write.flush().ok()
}
