//! Chromium over a pipe: one page, off the record, told what to type and watched until something changes.

mod intercept;
mod page;
mod pipe;
mod process;
mod program;
mod typing;

use std::time::Duration;

use firstbell_core::failure::{Failure, Part};
use firstbell_core::plan::Plan;
use firstbell_core::secret::Secret;
use firstbell_core::sight::Seen;

use self::page::Page;
use self::pipe::Pipe;
pub use self::program::ChromeConfig;
pub(super) use self::program::{find, kind_of};
use super::bounds::Bounds;
use super::engine::{Deed, Engine, Texts};
use super::group::Group;
use super::sandbox;
use super::{observer, typing as hands};
use crate::ports::Soon;

/// A browser that has not answered within this does not start.
const START: Duration = Duration::from_secs(20);
/// Typing into a page is over within this; a page that hangs is given up.
const TYPE: Duration = Duration::from_secs(20);

/// One browser for one login.
pub(super) struct ChromeDriver<'a> {
    // In the order in which they end.
    process: Group,
    page: Page<'a>,
    bounds: Bounds,
    /// The filters of system calls that it was started under.
    filters: u32,
    proven: bool,
}

impl<'a> ChromeDriver<'a> {
    pub(super) async fn start(plan: &'a Plan, config: &ChromeConfig) -> Result<ChromeDriver<'a>, Failure> {
        let (process, ends, bounds) = process::start(plan, config)?;
        let filters = sandbox::inherited();
        let broken = |why: String| Failure::Broken {
            part: Part::Browser,
            why,
            cure: "Try again; if it stays so, install the browser anew or use --driver http.".into(),
        };
        let pipe =
            Pipe::new(ends.write, ends.read).map_err(|e| broken(format!("no pipe to the browser: {e}")))?;
        match tokio::time::timeout(START, Page::open(plan, pipe)).await {
            Ok(Ok(page)) => {
                page::drain(ends.errors);
                Ok(ChromeDriver { page, process, bounds, filters, proven: false })
            }
            Ok(Err(_)) => {
                let watchdog = process.why("").to_owned();
                process.end().await?;
                Err(if watchdog.is_empty() { process::died(ends.errors) } else { broken(watchdog) })
            }
            Err(_) => {
                process.end().await?;
                Err(broken(format!("the browser did not answer within {} s", START.as_secs())))
            }
        }
    }

    async fn step(&mut self, deed: Deed, texts: &mut dyn Texts) -> Result<Seen, Failure> {
        let wait_ms = match deed {
            Deed::Open { url, wait_ms } => match self.page.navigate(&url).await {
                Ok(()) => wait_ms,
                Err(_) => return self.page.view.gone(self.process.why("the browser ended")),
            },
            Deed::Fill(form) => {
                if !self.proven {
                    self.prove()?;
                    self.proven = true;
                }
                match tokio::time::timeout(TYPE, hands::fill(&mut self.page, &form, texts)).await {
                    Ok(Ok(None)) => form.wait_ms,
                    Ok(Ok(Some(seen))) => return Ok(seen),
                    Ok(Err(_)) => return self.page.view.gone(self.process.why("the browser ended")),
                    Err(_) => return self.page.view.gone("the page hung"),
                }
            }
            Deed::Witness => {
                let told = self.page.ask_script(observer::WITNESS.to_owned()).await;
                return match told {
                    Ok(told) => Ok(Seen::Bones(Secret::new(told.to_string()))),
                    Err(_) => self.page.view.gone(self.process.why("the browser ended")),
                };
            }
            Deed::Draw { html } => {
                return match self.page.draw(html).await {
                    Ok(png) => Ok(png.map_or(Seen::Unchanged, Seen::Picture)),
                    Err(_) => self.page.view.gone(self.process.why("the browser ended")),
                };
            }
            Deed::Look { wait_ms } => wait_ms,
        };
        match tokio::time::timeout(Duration::from_millis(wait_ms), self.page.news()).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(_)) => self.page.view.gone(self.process.why("the browser ended")),
            Err(_) if self.page.view.never_sent() => {
                self.page.view.disarm();
                let why = "the page sent nothing to the address that the plan knows";
                Ok(Seen::Untyped { why: why.into() })
            }
            Err(_) => Ok(Seen::Unchanged),
        }
    }
}

impl Engine for ChromeDriver<'_> {
    fn perform<'s>(&'s mut self, deed: Deed, texts: &'s mut dyn Texts) -> Soon<'s, Result<Seen, Failure>> {
        Box::pin(self.step(deed, texts))
    }

    fn prove(&self) -> Result<(), Failure> {
        sandbox::prove(self.process.pid(), self.filters)
    }

    fn open_port(&self) -> Option<&str> {
        None
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn close<'e>(self: Box<Self>) -> Soon<'e, Result<(), Failure>>
    where
        Self: 'e,
    {
        let ChromeDriver { process, page, .. } = *self;
        Box::pin(async move {
            let ended = process.end().await;
            drop(page);
            ended
        })
    }
}
