//! What `firstbell run` gives to the serving thread: the rows of its keepers, and the keys of programs.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use tokio::sync::{Notify, watch};

use super::journal::Lines;
use crate::config::Config;
use crate::keeper::Face;
use crate::serve::{Ring, Stock};
use crate::stores::Stores;

/// A key that another node made, or whose maker could not ring, is known after this.
pub(super) const KEYS_PAUSE: Duration = Duration::from_secs(20);

/// What the serving thread is given for a round.
pub(super) fn stock(
    config: &Config,
    faces: &[Face],
    (keys, lines): (watch::Receiver<Option<Arc<Ring>>>, &Lines),
) -> Stock {
    let rows = faces.iter().map(|face| Arc::clone(&face.row)).collect();
    Stock { rows, users: config.api.users.clone(), keys, tally: Arc::clone(&lines.tally) }
}

/// Reads the keys anew when somebody may have changed them. What the daemon knows of them goes on where the vault cannot be read.
pub(super) async fn hold_keys(
    config: &Config,
    stores: &Stores,
    (ring, bell): (&watch::Sender<Option<Arc<Ring>>>, &Notify),
) -> Infallible {
    if config.api.listen.is_none() {
        return std::future::pending().await;
    }
    loop {
        match Ring::of(stores.vault()) {
            Ok(read) => drop(ring.send_if_modified(|known| {
                let news = known.as_deref() != Some(&read);
                *known = Some(Arc::new(read));
                news
            })),
            Err(failure) => tracing::warn!(%failure, "the keys of the local API cannot be read"),
        }
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep(KEYS_PAUSE) => {}
        }
    }
}

/// The serving thread is no more.
pub(super) fn ended() -> Failure {
    let why = "the thread of the local API ended by itself".into();
    Failure::Broken {
        part: Part::Store,
        why,
        cure: "Please report the internal error that was told before this.".into(),
    }
}
