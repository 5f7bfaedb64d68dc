//! A listener at the registered address, where that is this machine's own: it takes the way back of a login and nothing else.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firstbell_core::secret::Secret;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use url::{Host, Url};

use super::secure::{Certificate, Unusable};
use super::{carries_token, hand_on, page};
use crate::ports::Returned;

/// A request's head must be there within this.
const HEAD: Duration = Duration::from_secs(5);
/// The whole of it, with the exchange and the proof that its answer waits for.
const WHOLE: Duration = Duration::from_secs(60);
/// A browser opens a few; more are somebody else's.
const CONNECTIONS_MAX: usize = 64;
/// A browser sends the cookies of every program that ever served at this host.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Whoever does not go where he is sent is forgotten at some time.
const TOLD_MAX: usize = 16;

/// Why there is no listener.
#[derive(Debug)]
pub enum Closed {
    /// The registered address is not plain http at this machine itself.
    Elsewhere,
    /// The owner's certificate.
    Unusable(Unusable),
    /// Another program listens there.
    Taken(SocketAddr),
    /// The system does not let us.
    Refused(SocketAddr, std::io::Error),
}

/// The listener. Gone with this value.
#[derive(Debug)]
pub(super) struct Callback {
    task: JoinHandle<()>,
    over: Option<oneshot::Sender<()>>,
}

impl Callback {
    /// Listens at the registered address.
    pub(super) async fn open(
        registered: &Url,
        certificate: Option<&Certificate>,
        sends: Sender<Returned>,
    ) -> Result<Callback, Closed> {
        let secure = certificate.map(Certificate::acceptor).transpose().map_err(Closed::Unusable)?;
        let port = registered.port_or_known_default().filter(|port| *port != 0);
        let addresses = match (certificate, port) {
            (Some(certificate), Some(port)) => vec![certificate.address(port)],
            _ => addresses(registered).ok_or(Closed::Elsewhere)?,
        };
        let listeners = bind(&addresses).await?;
        let (over, ends) = oneshot::channel();
        let site = Site {
            registered: registered.clone(),
            secure,
            sends,
            busy: AtomicUsize::default(),
            told: Mutex::default(),
        };
        let task = tokio::spawn(async move { site.serve(listeners, ends).await });
        Ok(Callback { task, over: Some(over) })
    }

    /// Takes nobody any more, and is over when those who asked have their answers.
    pub(super) async fn close(mut self) {
        drop(self.over.take());
        let _ = (&mut self.task).await;
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the registered address is, if that is here. A name that only a name server knows is not.
fn addresses(registered: &Url) -> Option<Vec<SocketAddr>> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let port = registered.port_or_known_default().filter(|port| *port != 0)?;
    let hosts = match registered.host().filter(|_| registered.scheme() == "http")? {
        Host::Domain("localhost") => vec![v4, v6],
        Host::Ipv4(host) if host == Ipv4Addr::LOCALHOST => vec![v4],
        Host::Ipv6(host) if host == Ipv6Addr::LOCALHOST => vec![v6],
        _ => return None,
    };
    Some(hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect())
}

/// All of them that this machine has: a browser may take either of localhost's.
async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Closed> {
    let mut listeners = Vec::new();
    for address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(e) if e.kind() == ErrorKind::AddrInUse => return Err(Closed::Taken(*address)),
            // A machine without IPv6 has no [::1], and no browser goes there.
            Err(_) if address.is_ipv6() && !listeners.is_empty() => {}
            Err(e) => return Err(Closed::Refused(*address, e)),
        }
    }
    Ok(listeners)
}

struct Site {
    registered: Url,
    secure: Option<TlsAcceptor>,
    sends: Sender<Returned>,
    /// Connections whose request is being answered.
    busy: AtomicUsize,
    /// What is to be shown to those who were sent on to an address without the token: its query, and whether theirs was
    /// accepted. Each is shown once.
    told: Mutex<VecDeque<(String, bool)>>,
}

impl Site {
    async fn serve(&self, listeners: Vec<TcpListener>, mut ends: oneshot::Receiver<()>) {
        let mut open = FuturesUnordered::new();
        let mut closing = false;
        // At the end those who asked get their answers, and those who were sent on their page. A browser also opens
        // connections on which it asks nothing.
        while !closing || self.busy.load(Ordering::Relaxed) > 0 || !self.told().is_empty() {
            tokio::select! {
                _ = &mut ends, if !closing => closing = true,
                accepted = accept(&listeners), if open.len() < CONNECTIONS_MAX => match accepted {
                    Ok(stream) => open.push(self.talk(stream)),
                    Err(error) => {
                        tracing::warn!(%error, "the listener cannot accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(()) = open.next(), if !open.is_empty() => {}
            }
        }
    }

    async fn talk(&self, stream: TcpStream) {
        let Some(secure) = &self.secure else { return self.converse(stream).await };
        if let Ok(Ok(stream)) = tokio::time::timeout(HEAD, secure.accept(stream)).await {
            self.converse(stream).await;
        }
    }

    async fn converse(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let asked = AtomicBool::new(false);
        let service = service_fn(|request| {
            if !asked.swap(true, Ordering::Relaxed) {
                self.busy.fetch_add(1, Ordering::Relaxed);
            }
            async move { Ok::<_, Infallible>(self.answer(&request).await) }
        });
        let talk = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES_MAX)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // Whoever is slow or breaks off gets nothing, and harms nobody.
        let _ = tokio::time::timeout(WHOLE, talk).await;
        if asked.load(Ordering::Relaxed) {
            self.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET {
            return page::nothing(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !request.body().is_end_stream() {
            return page::nothing(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let uri = request.uri();
        let (false, Some(target)) = (uri.authority().is_some(), uri.path_and_query()) else {
            return page::nothing(StatusCode::BAD_REQUEST);
        };
        if let Some(accepted) = self.hear(uri.path(), uri.query().unwrap_or_default()) {
            return page::outcome(accepted);
        }
        let (here, carries_token) = (self.is_here(request), carries_token(uri.query().unwrap_or_default()));
        let is_way_back = carries_token || here && uri.path() == self.registered.path();
        if !is_way_back {
            return page::nothing(StatusCode::NOT_FOUND);
        }
        // Another host's name is a stranger's word, and is not said again.
        let origin = self.registered.origin().ascii_serialization();
        let origin = if here { origin.as_str() } else { "http://another-name.invalid" };
        let (answer, hears) = oneshot::channel();
        let url = Secret::new(format!("{origin}{target}"));
        let returned = Returned { url, carries_token, answer: Some(answer), offered: false };
        let accepted =
            hand_on(&self.sends, returned).await && hears.await.is_ok_and(|outcome| outcome.is_ok());
        // Where it would come back to us, the browser goes on to an address without the token.
        if here { self.send_on(accepted) } else { page::outcome(accepted) }
    }

    fn send_on(&self, accepted: bool) -> Response<Full<Bytes>> {
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            return page::outcome(accepted);
        }
        let query = format!("told={}", data_encoding::HEXLOWER.encode(&random));
        let mut told = self.told();
        told.truncate(TOLD_MAX - 1);
        told.push_front((query.clone(), accepted));
        page::elsewhere(&format!("{}?{query}", self.registered.path()))
    }

    fn hear(&self, path: &str, query: &str) -> Option<bool> {
        let mut told = self.told();
        let at = told.iter().position(|(known, _)| known == query && path == self.registered.path())?;
        told.remove(at).map(|(_, accepted)| accepted)
    }

    fn told(&self) -> MutexGuard<'_, VecDeque<(String, bool)>> {
        // Nothing that holds it can panic half-way.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the request names the registered host and port: a page that had its own name lead here names that one.
    fn is_here(&self, request: &Request<Incoming>) -> bool {
        let host = self.registered.host_str().unwrap_or_default();
        let want = self.registered.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut hosts = request.headers().get_all(HOST).iter();
        let named = hosts.next().is_some_and(|named| named.as_bytes().eq_ignore_ascii_case(want.as_bytes()));
        named && hosts.next().is_none()
    }
}

/// The next one at any of them.
async fn accept(listeners: &[TcpListener]) -> std::io::Result<TcpStream> {
    let accepts = listeners.iter().map(|listener| Box::pin(listener.accept()));
    let (accepted, ..) = futures_util::future::select_all(accepts).await;
    accepted.map(|(stream, _)| stream)
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::Elsewhere => f.write_str(
                "the registered redirect address is not plain http at 127.0.0.1, localhost or [::1], so firstbell does not \
                 listen there (with a certificate of yours it can: [account.NAME.callback])",
            ),
            Closed::Unusable(why) => write!(f, "firstbell cannot listen with your certificate: {why}"),
            Closed::Taken(address) => {
                write!(f, "another program listens at {address}, so the login cannot come back by itself")
            }
            Closed::Refused(address, e) => write!(f, "firstbell cannot listen at {address} ({e})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_at_this_machine_is_listened_at() {
        let at = |url: &str| {
            let found = addresses(&url.parse().unwrap()).unwrap_or_default();
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at("http://127.0.0.1:5000/back"), "127.0.0.1:5000");
        assert_eq!(at("http://localhost/"), "127.0.0.1:80 [::1]:80");
        assert_eq!(at("http://[::1]:5000"), "[::1]:5000");
        for elsewhere in [
            "https://127.0.0.1:5000/back",
            "http://127.0.0.2:5000/",
            "http://0.0.0.0:5000/",
            "http://localhost.example:5000/",
            "http://192.168.1.2:5000/",
            "http://127.0.0.1:0/",
        ] {
            assert_eq!(at(elsewhere), "", "{elsewhere}");
        }
    }
}
