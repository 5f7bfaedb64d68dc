//! The ways in which a person's login comes back: our own listener at the registered address, and an address that is pasted.

mod callback;
mod page;
mod paste;
mod secure;

use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use url::Url;

use self::callback::Callback;
pub use self::callback::Closed;
pub use self::secure::{Certificate, Unusable};
use crate::ports::Returned;
use crate::terminal::Standing;

/// More at one time than any person sends; who comes beyond it waits.
const WAITING_MAX: usize = 8;
/// How long those who were given an answer have to read it.
const LAST: Duration = Duration::from_secs(5);

/// The ways that are open. They end with this value.
#[derive(Debug)]
pub struct Ways {
    returned: Receiver<Returned>,
    callback: Option<Callback>,
    paste: Option<Sender<Returned>>,
    _echo: Option<Standing>,
}

impl Ways {
    /// Opens those that there are; says why the listener is not among them, where it is not.
    pub async fn open(registered: &Url, certificate: Option<&Certificate>) -> (Ways, Option<Closed>) {
        let (sends, returned) = channel(WAITING_MAX);
        let (callback, closed) = match Callback::open(registered, certificate, sends.clone()).await {
            Ok(callback) => (Some(callback), None),
            Err(closed) => (None, Some(closed)),
        };
        // The thread that reads has switched the terminal's echo off when it is left behind.
        let echo = Standing::now();
        (Ways { returned, callback, paste: Some(sends), _echo: echo }, closed)
    }

    /// The listener alone, for whoever has no terminal; says why there is none.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn listen(registered: &Url, certificate: Option<&Certificate>) -> Result<Ways, Closed> {
        let (sends, returned) = channel(WAITING_MAX);
        let callback = Callback::open(registered, certificate, sends).await?;
        Ok(Ways { returned, callback: Some(callback), paste: None, _echo: None })
    }

    /// The next address that comes back; nobody is asked to paste one before the first is wanted. None where every way has
    /// ended.
    pub async fn next(&mut self) -> Option<Returned> {
        if let Some(sends) = self.paste.take() {
            paste::read(sends);
        }
        self.returned.recv().await
    }

    /// Ends them, and leaves those who wait for an answer the moment to read it.
    pub async fn close(mut self) {
        // Whoever comes from now on, or still waits in the row, is told no.
        self.returned.close();
        while self.returned.try_recv().is_ok() {}
        if let Some(callback) = self.callback.take() {
            let _ = tokio::time::timeout(LAST, callback.close()).await;
        }
    }
}

/// Whether a text has what the way back of a login has. Whether it may be taken is for others to say.
pub fn carries_token(text: &str) -> bool {
    text.contains("request_token=")
}

/// Hands it on; false where nobody listens any more.
async fn hand_on(sends: &Sender<Returned>, returned: Returned) -> bool {
    sends.send(returned).await.is_ok()
}
