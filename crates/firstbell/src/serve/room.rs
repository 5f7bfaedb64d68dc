//! The places at a door. Whoever may not ask has few of his own, and no user who may has all: nobody can sit on every place.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::Peer;

/// At each door, so that whoever crowds one keeps nobody from another.
const PLACES: usize = 160;
/// So many of those who may not ask are told so at one time; others are hung up on.
const LOBBY: usize = 8;
/// A user of the shared socket has no fewer, however many are named.
const OWN_MIN: usize = 8;

/// A door's places.
#[derive(Debug)]
pub(super) struct Room {
    all: Arc<Semaphore>,
    lobby: Arc<Semaphore>,
    /// For each user who is named for the shared socket.
    own: HashMap<u32, Arc<Semaphore>>,
}

/// A place that is taken. Free again with this value.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// With these users named, who share it so that a part is left for our own programs.
    pub(super) fn of(users: &[u32]) -> Room {
        let each = (PLACES / (users.len() + 1)).max(OWN_MIN);
        let own = users.iter().map(|uid| (*uid, Arc::new(Semaphore::new(each)))).collect();
        Room { all: Arc::new(Semaphore::new(PLACES)), lobby: Arc::new(Semaphore::new(LOBBY)), own }
    }

    /// Waits until a place is free.
    pub(super) async fn free(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.all).acquire_owned().await.expect("nobody closes the room")
    }

    /// The place of whoever came for a free one; none where those for such as him are taken.
    pub(super) fn place(&self, free: OwnedSemaphorePermit, peer: &Peer, may_ask: bool) -> Option<Place> {
        if !may_ask {
            drop(free);
            return Some(Place { _of_all: Arc::clone(&self.lobby).try_acquire_owned().ok()?, _own: None });
        }
        let own = match self.own.get(&peer.uid).filter(|_| !peer.is_ours()) {
            Some(own) => Some(Arc::clone(own).try_acquire_owned().ok()?),
            None => None,
        };
        Some(Place { _of_all: free, _own: own })
    }

    /// Waits until nobody is there but those who may not ask.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(PLACES).expect("it is a few hundred");
        drop(self.all.acquire_many(all).await);
    }
}

impl From<OwnedSemaphorePermit> for Place {
    fn from(free: OwnedSemaphorePermit) -> Place {
        Place { _of_all: free, _own: None }
    }
}
