//! What a failed login is remembered by: the page's bones and a drawing of them, taken before the engine ends.

use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Seen};
use firstbell_core::skeleton::Skeleton;

use crate::ports::{Album, Driver, Exposure};

/// A page that does not show itself within this is not waited for: the browser holds secrets and is to end.
const LOOK: Duration = Duration::from_secs(5);

/// How long a page may take to show what it was answered.
const SHOW_MS: u64 = 400;

/// Looks at the page on which a login ended, and keeps what is seen of it. What goes wrong here is told in the log only: the
/// login's own failure is the one that counts.
pub async fn take(driver: &mut dyn Driver, album: &dyn Album, failure: &Failure, secrets: &[&Secret]) {
    let look = async {
        // The page has had its answer no longer than we: it is given a moment to say so to a person.
        let _ = driver.perform(Action::Look { wait_ms: SHOW_MS }).await;
        let Ok(Seen::Bones(told)) = driver.perform(Action::Witness).await else { return None };
        let skeleton = Skeleton::read(&told, secrets)?;
        let picture = match driver.perform(Action::Draw { html: skeleton.drawing() }).await {
            Ok(Seen::Picture(png)) => Some(png),
            _ => None,
        };
        Some((skeleton, picture))
    };
    let Ok(Some((skeleton, picture))) = tokio::time::timeout(LOOK, look).await else { return };
    let exposure =
        Exposure { failure: failure.to_string(), code: failure.code(), bones: skeleton.text(), picture };
    if let Err(failure) = album.keep(&exposure) {
        tracing::warn!(%failure, "the evidence of a failed login could not be kept");
    }
}

/// Whether a page may have had a part in this failure.
pub fn is_worth(failure: &Failure) -> bool {
    use Failure::*;
    !matches!(failure, Stopped(_) | Broken { .. } | Interrupted | NoToken { .. } | Unreachable { .. })
}
