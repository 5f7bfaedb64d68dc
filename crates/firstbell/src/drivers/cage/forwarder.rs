//! The only way out of a cage: SOCKS 5 on a Unix socket, to the plan's hosts and to nobody else.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use firstbell_core::plan::Plan;

use super::super::names::is_public;

const VERSION: u8 = 5;
const CONNECT: u8 = 1;
/// RFC 1928 §6.
const GRANTED: u8 = 0;
const FORBIDDEN: u8 = 2;
const UNREACHABLE: u8 = 4;
const REFUSED: u8 = 5;

/// Hosts and ports that may be reached.
#[derive(Debug)]
struct Allowed(Vec<(String, u16)>);

impl Allowed {
    /// The plan's own origin, and the further hosts over TLS.
    fn of(plan: &Plan) -> Allowed {
        let origin = Url::parse(&plan.origin.join("/")).ok();
        let own = origin.and_then(|url| Some((bare(url.host_str()?), url.port_or_known_default()?)));
        Allowed(own.into_iter().chain(plan.hosts.iter().map(|host| (bare(host), 443))).collect())
    }

    fn knows(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|(h, p)| *h == bare(host) && *p == port)
    }
}

/// The forwarder at work; it ends with this at the latest.
#[derive(Debug)]
pub(super) struct WayOut {
    keep: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl WayOut {
    /// Begins to serve.
    pub(super) fn open(listener: UnixListener, plan: &Plan) -> WayOut {
        let (keep, kept) = oneshot::channel();
        WayOut { keep: Some(keep), serving: tokio::spawn(run(listener, Allowed::of(plan), kept)) }
    }

    /// Ends every connection. When this is over nothing goes out any more, not even what was on its way here.
    pub(super) async fn shut(&mut self) {
        self.keep = None;
        if !self.serving.is_finished() {
            let _ = (&mut self.serving).await;
        }
    }
}

/// Serves until nobody keeps it.
async fn run(listener: UnixListener, allowed: Allowed, mut kept: oneshot::Receiver<()>) {
    let allowed = Arc::new(allowed);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut kept => break,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { break };
                let allowed = Arc::clone(&allowed);
                open.spawn(async move { serve(stream, &allowed).await });
                while open.try_join_next().is_some() {}
            }
        }
    }
    open.shutdown().await;
}

async fn serve(mut stream: UnixStream, allowed: &Allowed) -> io::Result<()> {
    let (host, port) = greet(&mut stream).await?;
    let (code, outside) = match allowed.knows(&host, port) {
        true => reach(&host, port).await,
        false => {
            // A page that reaches for other hosts is worth knowing; a browser's own chatter is refused here too.
            // Not its name: a page chooses that, and may put into it what was typed.
            tracing::debug!(port, "the way out refused a host that is not the plan's");
            (FORBIDDEN, None)
        }
    };
    stream.write_all(&[VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if let Some(mut outside) = outside {
        copy_bidirectional(&mut stream, &mut outside).await?;
    }
    Ok(())
}

/// Reads the greeting and the request; answers the greeting.
async fn greet(stream: &mut UnixStream) -> io::Result<(String, u16)> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "not SOCKS 5");
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let mut methods = vec![0; usize::from(head[1])];
    stream.read_exact(&mut methods).await?;
    if head[0] != VERSION || !methods.contains(&0) {
        return Err(odd());
    }
    stream.write_all(&[VERSION, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    if request[0] != VERSION || request[1] != CONNECT {
        return Err(odd());
    }
    let host = match request[3] {
        1 => IpAddr::from(read::<4>(stream).await?).to_string(),
        4 => IpAddr::from(read::<16>(stream).await?).to_string(),
        3 => {
            let [length] = read::<1>(stream).await?;
            let mut name = vec![0; usize::from(length)];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| odd())?
        }
        _ => return Err(odd()),
    };
    Ok((host, u16::from_be_bytes(read::<2>(stream).await?)))
}

async fn read<const N: usize>(stream: &mut UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Connects. A public name that answers with an address of a private network is an attack on the name service.
async fn reach(host: &str, port: u16) -> (u8, Option<TcpStream>) {
    let literal = host.parse::<IpAddr>().is_ok();
    let addresses: Vec<SocketAddr> = match lookup_host((host, port)).await {
        Ok(addresses) => addresses.filter(|a| literal || is_public(a.ip())).collect(),
        Err(_) => return (UNREACHABLE, None),
    };
    if addresses.is_empty() {
        tracing::warn!(host, "the name service gives a private address for a public host");
        return (FORBIDDEN, None);
    }
    match TcpStream::connect(addresses.as_slice()).await {
        Ok(stream) => (GRANTED, Some(stream)),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => (REFUSED, None),
        Err(_) => (UNREACHABLE, None),
    }
}

fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(allowed: Allowed, request: &[u8]) -> Vec<u8> {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let serving = tokio::spawn(async move { serve(theirs, &allowed).await });
        ours.write_all(&[5, 1, 0]).await.unwrap();
        ours.write_all(request).await.unwrap();
        let mut reply = Vec::new();
        ours.read_to_end(&mut reply).await.unwrap();
        let _ = serving.await;
        reply
    }

    fn named(host: &str, port: u16) -> Vec<u8> {
        let length = u8::try_from(host.len()).unwrap();
        let mut bytes = vec![5, 1, 0, 3, length];
        bytes.extend(host.as_bytes());
        bytes.extend(port.to_be_bytes());
        bytes
    }

    #[tokio::test]
    async fn only_the_plan_s_hosts_are_reached() {
        let allowed = || Allowed(vec![("kite.zerodha.com".into(), 443)]);
        for (host, port) in [
            ("evil.example", 443),
            ("kite.zerodha.com", 80),
            ("kite.zerodha.com.evil.example", 443),
            ("127.0.0.1", 443),
        ] {
            let reply = asked(allowed(), &named(host, port)).await;
            assert_eq!(reply[..4], [5, 0, 5, FORBIDDEN], "{host}:{port}");
        }
        assert!(allowed().knows("KITE.zerodha.com.", 443), "names are the same in any case");
    }

    #[tokio::test]
    async fn a_public_name_with_a_private_address_is_refused_and_nonsense_is_dropped() {
        let reply = asked(Allowed(vec![("localhost".into(), 9)]), &named("localhost", 9)).await;
        assert_eq!(reply[..4], [5, 0, 5, FORBIDDEN]);
        assert_eq!(asked(Allowed(Vec::new()), &[5, 2, 0, 1]).await, [5, 0], "only CONNECT is spoken");
    }
}
