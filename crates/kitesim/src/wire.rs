//! Accepts connections and speaks HTTP/1.1 on them; can reset a connection instead of replying.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::mishap::Cut;
use crate::names::Asked;

/// A rehearsal opens a handful; a flood must not take every file descriptor of the machine.
const MOST_CONNECTIONS: usize = 512;
const LONGEST_HEAD_BYTES: usize = 64 * 1024;

/// A client that does not finish its handshake must not keep a seat.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);

/// Whose connection a request came by; the API asks for it where only registered addresses may order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves a router on a listener for ever, behind TLS when there is something to accept it.
pub(crate) async fn serve(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(seat) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file descriptors, or a peer that left at once: breathe, then go on.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (router, tls) = (router.clone(), tls.clone());
        tokio::spawn(async move {
            welcome(stream, router.layer(Extension(Peer(peer.ip()))), tls).await;
            drop(seat);
        });
    }
}

async fn welcome(stream: TcpStream, router: Router, tls: Option<TlsAcceptor>) {
    // Without it the kernel may keep small replies back for a while; nothing breaks when it fails.
    let _slower = stream.set_nodelay(true);
    let cut = Arc::new(AtomicBool::new(false));
    let line = Line { stream, cut: Arc::clone(&cut) };
    let Some(tls) = tls else {
        return converse(line, cut, router).await;
    };
    // Whoever refuses our certificate has ended the conversation.
    let Ok(Ok(line)) = timeout(LONGEST_HANDSHAKE, tls.accept(line)).await else { return };
    let Some(asked) = line.get_ref().1.server_name().map(|name| Asked(name.to_owned())) else { return };
    converse(line, cut, router.layer(Extension(asked))).await;
}

async fn converse<S>(line: S, cut: Arc<AtomicBool>, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let line = TokioIo::new(line);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let reply = router.call(request);
        let cut = Arc::clone(&cut);
        async move {
            let response: Response = reply.await.map_err(io::Error::other)?;
            if response.extensions().get::<Cut>().is_some() {
                cut.store(true, Ordering::Relaxed);
                return Err(io::Error::other("cut"));
            }
            Ok(response)
        }
    });
    let mut http = http1::Builder::new();
    // The date is the simulated one, or none at all.
    http.auto_date_header(false).max_buf_size(LONGEST_HEAD_BYTES);
    // Whatever a client does to its own connection is no business of the others.
    let _ended = http.serve_connection(line, service).with_upgrades().await;
}

/// A connection that is reset on its end when it was marked as cut.
struct Line {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.cut.load(Ordering::Relaxed) {
            // With no time to linger, closing sends RST and not FIN.
            let _polite = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
