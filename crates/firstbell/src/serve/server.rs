//! The serving thread: it has a runtime of its own, so that nothing that a keeper waits for delays the read of a token.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, watch};

use super::api;
use super::audit::Audit;
use super::door::Doors;
use super::gate::Caller;
use super::hall::{Counts, Errand, Hall, Lasting, Shelf};
use super::keys::{Ring, Scope};
use super::peer::Peer;
use super::room::{Place, Room};
use super::turnstile::Turnstile;
use super::wire::{NAME, Why};
use crate::board::Row;
use crate::config::Api;
use crate::tally::Tally;

/// So many of those at a door may wait for news.
const WAITING_MAX: usize = 128;
/// Whoever comes has said what he wants within this.
const FIRST: Duration = Duration::from_secs(5);
/// A connection that was of use may rest so long before its next request.
const IDLE: Duration = Duration::from_secs(60);
/// None lives longer: what nobody reads from any more ends too.
const LIFE: Duration = Duration::from_secs(3_600);
/// The longest answer: whoever began to wait at the end of a connection's life is still answered.
const LONGEST: Duration = Duration::from_secs(300);
/// So long is waited for answers that are on their way when this thread is to end.
const GRACE: Duration = Duration::from_millis(150);
/// A head that is longer is refused; none of ours has a tenth.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 48;
/// Orders that wait for the keeping thread.
const ERRANDS_MAX: usize = 64;

/// The doors, and what outlives a change of the configuration.
#[derive(Debug)]
pub struct Premises {
    doors: Doors,
    lasting: Arc<Lasting>,
}

/// What is served until the next change of the configuration.
#[derive(Debug)]
pub struct Stock {
    /// Every account's row of the board.
    pub rows: Vec<Arc<Row>>,
    /// Who may use the shared socket.
    pub users: Vec<u32>,
    /// The keys; none until they could be read.
    pub keys: watch::Receiver<Option<Arc<Ring>>>,
    /// What is counted of logins.
    pub tally: Arc<Tally>,
}

/// The serving thread. It ends with this value; whoever waits for news is told to come again.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in it was told of where it happened.
            let _ = thread.join();
        }
    }
}

/// One door: who is let in by which names, and how many may wait.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) hall: Arc<Hall>,
    pub(super) hosts: Vec<String>,
    /// Places for those who wait, fewer than there are connections: somebody can always ask.
    pub(super) seats: Arc<Semaphore>,
    /// How long a connection, or a stream of events, goes on.
    pub(super) life: Duration,
    room: Room,
}

impl Premises {
    /// Binds the socket in the state folder. To be called by the one daemon that holds the folder's lease.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the path is too long or the folder not writable.
    pub fn open(state_dir: &Path) -> Result<Premises, Failure> {
        let (audit, counts, turnstile) = (Audit::of(state_dir), Counts::default(), Turnstile::default());
        let lasting = Arc::new(Lasting { audit, counts, turnstile });
        Ok(Premises { doors: Doors::open(state_dir)?, lasting })
    }

    /// Opens and shuts further doors as the configuration says; gives those that cannot be opened.
    pub fn adopt(&mut self, api: &Api) -> Vec<Failure> {
        self.doors.adopt(api)
    }

    /// Begins to serve, on a thread of its own. What that thread wants of this one comes as errands.
    ///
    /// # Errors
    /// [`Failure::Broken`] where the system gives no thread or no descriptor.
    pub fn serve(&self, stock: Stock) -> Result<(Server, mpsc::Receiver<Errand>), Failure> {
        let broken = |e: std::io::Error| Failure::Broken {
            part: Part::Store,
            why: format!("the local API cannot be served: {e}"),
            cure: "See whether the machine has descriptors, threads and memory left.".into(),
        };
        let own = self.doors.own.listener.try_clone().map_err(broken)?;
        let shared = self.doors.shared.as_ref().map(|bound| bound.listener.try_clone());
        let shared = shared.transpose().map_err(broken)?.map(|listener| (listener, stock.users));
        let tcp = self.doors.tcp.as_ref().map(|(address, listener)| Ok((*address, listener.try_clone()?)));
        let tcp = tcp.transpose().map_err(broken)?;
        let (stop, leaving) = watch::channel(false);
        let (errands, asked) = mpsc::channel(ERRANDS_MAX);
        let shelves = stock.rows.into_iter().map(Shelf::of).collect();
        let lasting = Arc::clone(&self.lasting);
        let hall =
            Arc::new(Hall { shelves, keys: stock.keys, lasting, tally: stock.tally, errands, leaving });
        let (tell, told) = std::sync::mpsc::channel();
        let work = move || {
            // Made here: one that is dropped inside of another, where there is no thread for it, panics.
            let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, outcome) = made.map_or_else(|e| (None, Err(e)), |made| (Some(made), Ok(())));
            let _ = tell.send(outcome);
            let Some(runtime) = runtime else { return };
            runtime.block_on(async move {
                let posts = [
                    Some(Post::at(&hall, sockets_hosts(), &[])),
                    shared.as_ref().map(|(_, users)| Post::at(&hall, sockets_hosts(), users)),
                    tcp.as_ref().map(|(address, _)| Post::at(&hall, tcp_hosts(*address), &[])),
                ];
                let [own_post, shared_post, tcp_post] = posts.clone();
                tokio::select! {
                    () = hall.left() => {}
                    () = async {
                        tokio::join!(
                            unix(own_post.zip(Some((own, None)))),
                            unix(shared_post.zip(shared.map(|(listener, users)| (listener, Some(users))))),
                            inet(tcp_post.zip(tcp.map(|(_, listener)| listener))),
                        );
                    } => {}
                }
                let empty = posts.iter().flatten().map(|post| post.room.empty());
                // Whoever is slower is cut off.
                let _ = tokio::time::timeout(GRACE, futures_util::future::join_all(empty)).await;
            });
        };
        let thread = std::thread::Builder::new().name("firstbell-api".into()).spawn(work).map_err(broken)?;
        told.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended"))).map_err(broken)?;
        Ok((Server { stop, thread: Some(thread) }, asked))
    }
}

/// One conversation over a pipe as if it had come in at the socket: by the owner, or by somebody of whom nothing is known but the
/// key that he shows. Needs no door and no thread: for whoever wants to see what is made of any bytes. `state_dir` has the audit
/// log; the errands are those that the conversation gave.
pub async fn converse<S>(state_dir: &Path, stock: Stock, stream: S, owner: bool) -> mpsc::Receiver<Errand>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (audit, counts, turnstile) = (Audit::of(state_dir), Counts::default(), Turnstile::default());
    let lasting = Arc::new(Lasting { audit, counts, turnstile });
    let ((_stays, leaving), (errands, asked)) = (watch::channel(false), mpsc::channel(ERRANDS_MAX));
    let shelves = stock.rows.into_iter().map(Shelf::of).collect();
    let hall = Hall { shelves, keys: stock.keys, lasting, tally: stock.tally, errands, leaving };
    let post = Post::at(&Arc::new(hall), sockets_hosts(), &[]);
    let caller = match owner {
        true => Caller::Peer { scope: Some(Scope::Admin), written: "\"via\":\"pipe\"".into() },
        false => Caller::Stranger,
    };
    let place = post.room.free().await.into();
    talk(stream, caller, post, place).await;
    asked
}

fn sockets_hosts() -> Vec<String> {
    vec![NAME.to_owned(), "localhost".to_owned()]
}

/// The names of a loopback address, with its port: no other name leads here by right.
fn tcp_hosts(address: SocketAddr) -> Vec<String> {
    vec![address.to_string(), format!("localhost:{}", address.port())]
}

impl Post {
    fn at(hall: &Arc<Hall>, hosts: Vec<String>, users: &[u32]) -> Arc<Post> {
        let seats = Arc::new(Semaphore::new(WAITING_MAX));
        Arc::new(Post { hall: Arc::clone(hall), hosts, seats, life: LIFE, room: Room::of(users) })
    }
}

type UnixDoor = (std::os::unix::net::UnixListener, Option<Vec<u32>>);

/// Lets callers in at a socket; `users` where it is the shared one. Never ends where there is such a door.
async fn unix(door: Option<(Arc<Post>, UnixDoor)>) {
    let Some((post, (listener, users))) = door else { return };
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, "a socket cannot be listened at"),
    };
    loop {
        let free = post.room.free().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some(peer) = Peer::of(&stream) else {
                    post.hall.counts.refused(Why::Stranger);
                    continue;
                };
                let caller = Caller::of(&peer, users.as_deref());
                let may_ask = !matches!(caller, Caller::Peer { scope: None, .. });
                // On the shared socket he hears why; in the state folder he has no business at all.
                if !may_ask && users.is_none() {
                    post.hall.counts.refused(Why::Stranger);
                    tracing::warn!("another user of this machine knocked at the socket and was sent away");
                    continue;
                }
                match post.room.place(free, &peer, may_ask) {
                    Some(place) => drop(tokio::spawn(talk(stream, caller, Arc::clone(&post), place))),
                    None => post.hall.counts.refused(Why::Crowd),
                }
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn inet(door: Option<(Arc<Post>, std::net::TcpListener)>) {
    let Some((post, listener)) = door else { return };
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, "an address cannot be listened at"),
    };
    loop {
        let place = post.room.free().await.into();
        match listener.accept().await {
            Ok((stream, _)) => {
                // An answer is one piece: nothing is gained by waiting for more. Where it cannot be said, it is slower.
                let _ = stream.set_nodelay(true);
                drop(tokio::spawn(talk(stream, Caller::Stranger, Arc::clone(&post), place)));
            }
            Err(error) => pause(&error).await,
        }
    }
}

/// Out of descriptors, most likely: who is being served now gives one back.
async fn pause(error: &std::io::Error) {
    tracing::warn!(%error, "a door cannot accept");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// One connection, from its first request to its end. Whoever is slow or breaks off gets nothing, and harms nobody.
async fn talk<S>(stream: S, caller: Caller, post: Arc<Post>, _place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (spoke, post) = (AtomicBool::new(false), &*post);
    let service = service_fn(|request| {
        spoke.store(true, Ordering::Relaxed);
        let caller = &caller;
        async move { Ok::<_, Infallible>(api::answer(post, caller, &request).await) }
    });
    let talk = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut talk = std::pin::pin!(talk);
    let late = async {
        tokio::time::sleep(FIRST).await;
        if spoke.load(Ordering::Relaxed) {
            tokio::time::sleep(post.life).await;
        }
    };
    let patience = tokio::select! {
        _over = &mut talk => return,
        () = late => {
            if !spoke.load(Ordering::Relaxed) {
                return;
            }
            LONGEST + FIRST
        }
        () = post.hall.left() => {
            // Whoever has only just come is heard first.
            if !spoke.load(Ordering::Relaxed) && tokio::time::timeout(GRACE / 2, &mut talk).await.is_ok() {
                return;
            }
            FIRST
        }
    };
    // What is being answered is answered; nothing else is begun.
    talk.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(patience, talk).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A post whose connections live for a moment, with one account that has no token.
    fn short() -> (Arc<Post>, impl Send) {
        let (audit, counts, turnstile) =
            (Audit::of(Path::new("/nowhere")), Counts::default(), Turnstile::default());
        let lasting = Arc::new(Lasting { audit, counts, turnstile });
        let ((stop, leaving), (ring, keys)) = (watch::channel(false), watch::channel(None));
        let shelves = vec![Shelf::of(Arc::new(Row::new("main", "key123key", "AB1234")))];
        let (errands, _nobody) = mpsc::channel(1);
        let hall = Hall { shelves, keys, lasting, tally: Arc::default(), errands, leaving };
        let (hall, hosts) = (Arc::new(hall), sockets_hosts());
        let (seats, life) = (Arc::new(Semaphore::new(8)), Duration::from_millis(100));
        (Arc::new(Post { hall, hosts, seats, life, room: Room::of(&[]) }), (stop, ring))
    }

    async fn asked(path: &str) -> String {
        let (post, _stays) = short();
        let (mut here, there) = tokio::io::duplex(64 * 1024);
        let caller = Caller::Peer { scope: Some(Scope::Admin), written: String::new() };
        let place = post.room.free().await.into();
        let talks = tokio::spawn(talk(there, caller, post, place));
        here.write_all(format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes()).await.unwrap();
        let mut reply = String::new();
        here.read_to_string(&mut reply).await.unwrap();
        talks.await.unwrap();
        reply
    }

    #[tokio::test]
    async fn whoever_waits_beyond_the_end_of_a_connection_is_answered_and_a_stream_is_ended() {
        // Longer than the first word, the life and what was once left for the end.
        let waits = asked("/v1/accounts/main/token?wait=0&timeout_s=11");
        let (waited, heard) = tokio::join!(waits, asked("/v1/events"));
        assert!(waited.starts_with("HTTP/1.1 204"), "{waited:?}");
        assert!(heard.contains("event: withheld") && heard.ends_with("\r\n0\r\n\r\n"), "{heard:?}");
    }
}
