//! What a request must be before anything is done for it: ours by its Host, no browser's, short, and by somebody who may.

use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, EXPECT, HOST, ORIGIN, TRANSFER_ENCODING, UPGRADE};
use hyper::{HeaderMap, Request, Version};

use super::hall::Hall;
use super::keys::{Key, Scope};
use super::peer::Peer;
use super::routes::{self, Lost, Query, Route};
use super::wire::Why;

/// A path and its query; the longest of ours have less than a hundred.
const TARGET_MAX: usize = 512;

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) enum Caller {
    /// A process on a socket, what its user may do, and both as they are written to the audit log.
    Peer { scope: Option<Scope>, written: String },
    /// Nobody knows: he must show a key with every request.
    Stranger,
}

impl Caller {
    /// Of the state folder's socket, or the shared one, where only these users may ask.
    pub(super) fn of(peer: &Peer, shared: Option<&[u32]>) -> Caller {
        let scope = match shared {
            _ if peer.is_ours() => Some(Scope::Admin),
            Some(users) if users.contains(&peer.uid) => Some(Scope::Token),
            _ => None,
        };
        let via = if shared.is_some() { "shared" } else { "socket" };
        Caller::Peer { scope, written: format!("\"via\":\"{via}\",{}", peer.written()) }
    }
}

/// Who asks, and what he may do.
#[derive(Debug)]
pub(super) struct Right {
    pub(super) scope: Scope,
    pub(super) key: Option<Key>,
}

impl Right {
    /// Whether he may see this account.
    pub(super) fn sees(&self, account: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.sees(account))
    }
}

/// A request that may be answered.
#[derive(Debug)]
pub(super) struct Admitted<'r> {
    pub(super) route: &'static Route,
    pub(super) account: Option<&'r str>,
    pub(super) query: Query<'r>,
    pub(super) right: Right,
}

/// Lets a request in, or says why not. Nothing is done for it before this says yes.
pub(super) async fn admit<'r>(
    hall: &Hall,
    caller: &Caller,
    hosts: &[String],
    request: &'r Request<Incoming>,
) -> Result<Admitted<'r>, Why> {
    check(request, hosts)?;
    let right = match caller {
        Caller::Peer { scope, .. } => Right { scope: scope.ok_or(Why::Stranger)?, key: None },
        Caller::Stranger => shown(hall, request.headers()).await?,
    };
    let uri = request.uri();
    let (route, account) =
        routes::find(request.method().as_str(), uri.path()).map_err(|lost| match lost {
            Lost::Path => Why::Path,
            Lost::Method => Why::Method,
        })?;
    if right.scope < route.scope {
        return Err(Why::Scope);
    }
    let query = Query::read(uri.query(), route.query).ok_or(Why::Query)?;
    Ok(Admitted { route, account, query, right })
}

fn check(request: &Request<Incoming>, hosts: &[String]) -> Result<(), Why> {
    let mut host = None;
    for (name, value) in request.headers() {
        let text = name.as_str();
        if name == HOST {
            let ours = hosts.iter().any(|host| host.as_bytes() == value.as_bytes());
            if !ours || host.replace(()).is_some() {
                return Err(Why::Host);
            }
        } else if name == TRANSFER_ENCODING || name == EXPECT {
            return Err(Why::Body);
        } else if name == ORIGIN
            || name == UPGRADE
            || text.starts_with("sec-")
            || text.starts_with("access-control-")
        {
            return Err(Why::Browser);
        }
    }
    host.ok_or(Why::Host)?;
    let uri = request.uri();
    if request.version() != Version::HTTP_11 || uri.authority().is_some() || !uri.path().starts_with('/') {
        return Err(Why::Form);
    }
    if !request.body().is_end_stream() {
        return Err(Why::Body);
    }
    if uri.path().len() + uri.query().map_or(0, str::len) > TARGET_MAX {
        return Err(Why::Size);
    }
    Ok(())
}

/// The right of the key that a request shows.
async fn shown(hall: &Hall, headers: &HeaderMap) -> Result<Right, Why> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return Err(Why::NoKey) };
    let key = one.as_bytes().strip_prefix(b"Bearer ").ok_or(Why::NoKey)?;
    if hall.keys.borrow().is_none() {
        return Err(Why::NoRing);
    }
    match hall.key(key) {
        Some(key) => Ok(Right { scope: key.scope, key: Some(key) }),
        None => match hall.turnstile.pass().await {
            Ok(()) => Err(Why::WrongKey),
            Err(_full) => Err(Why::Crowd),
        },
    }
}
