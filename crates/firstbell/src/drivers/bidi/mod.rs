//! A browser over WebDriver BiDi, whoever started it: one page, watched and typed into as the chrome driver does.

mod intercept;
mod page;
mod socket;
mod typing;

use std::io;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;
use firstbell_core::secret::Secret;
use firstbell_core::sight::Seen;

use self::page::Page;
pub(super) use self::socket::{Incoming, Link, Socket};
use super::engine::{Deed, Texts};
use super::{observer, typing as hands};

/// A session that shows no empty page within this never will.
const OPEN: Duration = Duration::from_secs(45);
/// Typing into a page is over within this; a page that hangs is given up.
const TYPE: Duration = Duration::from_secs(20);

/// What stands at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Firefox itself: the session is still to be begun.
    BareFirefox,
    /// Firefox behind a server that has begun a session.
    Firefox,
    /// Chromium behind one.
    Chromium,
}

/// One session of one engine, with one page.
pub(super) struct Session<'a> {
    page: Page<'a>,
}

impl<'a> Session<'a> {
    /// Takes over the engine at a WebSocket address.
    pub(super) async fn open(
        plan: &'a Plan,
        url: &str,
        link: Box<dyn Link>,
        engine: Kind,
    ) -> io::Result<Session<'a>> {
        let open = async {
            let socket = Socket::open(url, link).await?;
            Page::open(plan, socket, engine).await
        };
        let page = tokio::time::timeout(OPEN, open).await;
        let page = page.unwrap_or_else(|_| Err(io::Error::other("it did not open a page in time")))?;
        Ok(Session { page })
    }

    /// The browser's own number of the page.
    pub(super) fn page(&self) -> &str {
        &self.page.context
    }

    /// What is to be told when the watch over the browser has ended.
    pub(super) fn unwatched(&self) -> Result<Seen, Failure> {
        self.page.view.gone("the watch over the browser ended")
    }

    /// Whether something that was typed is in the page and not answered.
    pub(super) fn holds_a_secret(&self) -> bool {
        self.page.view.is_guarded()
    }

    pub(super) async fn step(&mut self, deed: Deed, texts: &mut dyn Texts) -> Result<Seen, Failure> {
        let gone = "the browser ended";
        let wait_ms = match deed {
            Deed::Open { url, wait_ms } => match self.page.navigate(&url).await {
                Ok(()) => wait_ms,
                Err(_) => return self.page.view.gone(gone),
            },
            Deed::Fill(form) => {
                match tokio::time::timeout(TYPE, hands::fill(&mut self.page, &form, texts)).await {
                    Ok(Ok(None)) => form.wait_ms,
                    Ok(Ok(Some(seen))) => return Ok(seen),
                    Ok(Err(_)) => return self.page.view.gone(gone),
                    Err(_) => return self.page.view.gone("the page hung"),
                }
            }
            Deed::Witness => {
                let told = self.page.ask_script(observer::WITNESS).await;
                return match told {
                    Ok(told) => Ok(Seen::Bones(Secret::new(told.to_string()))),
                    Err(_) => self.page.view.gone(gone),
                };
            }
            Deed::Draw { html } => {
                return match self.page.draw(html).await {
                    Ok(png) => Ok(png.map_or(Seen::Unchanged, Seen::Picture)),
                    Err(_) => self.page.view.gone(gone),
                };
            }
            Deed::Look { wait_ms } => wait_ms,
        };
        match tokio::time::timeout(Duration::from_millis(wait_ms), self.page.news()).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(e)) => self.page.view.gone(&e.to_string()),
            Err(_) if self.page.view.never_sent() => {
                self.page.view.disarm();
                let why = "the page sent nothing to the address that the plan knows";
                Ok(Seen::Untyped { why: why.into() })
            }
            Err(_) => Ok(Seen::Unchanged),
        }
    }
}
