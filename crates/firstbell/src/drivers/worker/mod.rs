//! A browser in another process: a worker drives it, and gets each text when its place is proven. It never holds the seed, the
//! API secret or a token.

mod hire;
mod line;
mod message;
mod work;

use std::io;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Seen};
use tokio::time::timeout;

pub(super) use self::hire::Post;
use self::hire::Staff;
use self::message::{Asked, Order, Report, Said, Text, broken};
pub(super) use self::work::work;
use super::bounds::Bounds;
use super::engine::{Deed, Form};
use super::job::Job;
use super::view::broke;
use crate::ports::{Driver, Soon};

/// Every engine's own limits at its start are over before this.
const START: Duration = Duration::from_secs(150);
/// What a deed may take beside the time that it is given to wait: typing, and what a page is asked.
const DO: Duration = Duration::from_secs(30);
/// An engine ends within this.
const END: Duration = Duration::from_secs(15);

/// What a worker is told of that nobody hears from any more.
const GONE: &str = "the process that drives the browser ended";

/// The keeper's side: one worker, for one login.
#[derive(Debug)]
pub(super) struct Worker {
    staff: Staff,
    bounds: Bounds,
    number: u64,
    /// A text was handed over, and nothing has come yet that says what became of it.
    is_out: bool,
    /// Nothing can be said to it any more, and nothing it says is believed.
    is_lost: bool,
}

impl Worker {
    /// Has a worker start an engine.
    ///
    /// # Errors
    /// [`Failure::Broken`] where there is no worker, or a part of this machine is missing.
    pub(super) async fn hire(post: Post<'_>, job: Job) -> Result<Worker, Failure> {
        let staff = Staff::find(post).await?;
        let mut worker = Worker { staff, bounds: Bounds::NONE, number: 0, is_out: false, is_lost: false };
        let failure = match worker.ask(Order::Begin(Box::new(job)), START).await {
            Ok(Report::Done { open_port, bounds }) => {
                worker.bounds = bounds.unwrap_or(Bounds::NONE);
                worker.warn(open_port.as_deref());
                return Ok(worker);
            }
            Ok(Report::Broke { why, cure }) => broken(&why, &cure),
            Ok(_) | Err(_) => broke(GONE),
        };
        worker.staff.leave().await;
        Err(failure)
    }

    /// What the kernel holds its engine to.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A defence that is missing is told.
    fn warn(&self, open_port: Option<&str>) {
        if let Some(why) = open_port {
            let why = message::plain(why);
            tracing::warn!(
                why,
                "the login engine's control port is open to this machine's users, as the owner accepted"
            );
        }
        let Bounds { fence, filter } = self.bounds;
        tracing::info!(?fence, ?filter, "what the kernel holds the login engine to");
    }

    /// Has it prove the engine's sandbox.
    ///
    /// # Errors
    /// [`Failure::Broken`] where it is not in force, or nobody knows.
    pub(super) async fn prove(&mut self) -> Result<(), Failure> {
        match self.ask(Order::Prove, DO).await {
            Ok(Report::Done { .. }) => Ok(()),
            Ok(Report::Broke { why, cure }) => Err(broken(&why, &cure)),
            Ok(_) | Err(_) => Err(broke(GONE)),
        }
    }

    /// Gives an order, and waits for the report on it.
    async fn ask(&mut self, order: Order, limit: Duration) -> io::Result<Report> {
        self.number += 1;
        self.say(order, limit).await
    }

    /// Says something of the present order, and waits for what comes back.
    async fn say(&mut self, order: Order, limit: Duration) -> io::Result<Report> {
        if self.is_lost {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let Some((hears, says)) = self.staff.line() else { return Err(io::ErrorKind::NotConnected.into()) };
        let number = self.number;
        // Until it was said whole.
        self.is_lost = true;
        let said = async {
            says.send(&Asked { number, order }).await?;
            self.is_lost = false;
            loop {
                match hears.next::<Said>().await? {
                    Some(said) if said.number == number => return Ok(said.report),
                    // On an order that was not waited for.
                    Some(said) if said.number < number => {}
                    Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        };
        let said = timeout(limit, said).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if said.is_err() {
            self.dismiss();
        }
        said
    }

    async fn act(&mut self, action: Action) -> Result<Seen, Failure> {
        let (deed, texts, wait_ms) = apart(action);
        let limit = Duration::from_millis(wait_ms) + DO;
        let mut texts = texts.into_iter().enumerate();
        let mut said = self.ask(Order::Perform(deed), limit).await;
        loop {
            match said {
                Ok(Report::Want { field }) => match texts.next() {
                    Some((next, text)) if next == field => {
                        self.is_out = true;
                        said = self.say(Order::Type(Text(text)), limit).await;
                    }
                    _ => {
                        self.dismiss();
                        return self
                            .gone("the process that drives the browser asked for what it may not have");
                    }
                },
                Ok(Report::Saw(saw)) => return Ok(self.seen(saw.into())),
                // Its engine broke, and it knows that nothing is under way.
                Ok(Report::Broke { why, cure }) => {
                    self.is_out = false;
                    return Err(broken(&why, &cure));
                }
                Ok(Report::Done { .. }) => {
                    self.dismiss();
                    return self.gone("the process that drives the browser answered what it was not asked");
                }
                Err(_) => return self.gone(GONE),
            }
        }
    }

    fn seen(&mut self, seen: Seen) -> Seen {
        let is_over = match &seen {
            Seen::Page(sight) => sight.answer.is_some(),
            Seen::Lost { .. } | Seen::Untyped { .. } => true,
            _ => false,
        };
        self.is_out = self.is_out && !is_over;
        seen
    }

    /// What is not known of a text that it was given counts as sent.
    fn gone(&self, why: &str) -> Result<Seen, Failure> {
        if self.is_out { Ok(Seen::Lost { left: true, why: why.into() }) } else { Err(broke(why)) }
    }

    fn dismiss(&mut self) {
        self.is_lost = true;
        self.staff.dismiss();
    }

    async fn end(mut self) -> Result<(), Failure> {
        let ended = self.ask(Order::Close, END).await;
        self.staff.leave().await;
        match ended {
            Ok(Report::Broke { why, cure }) => Err(broken(&why, &cure)),
            // What a worker has left that ended too early is gone with it by now.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Driver for Worker {
    fn perform(&mut self, action: Action) -> Soon<'_, Result<Seen, Failure>> {
        Box::pin(self.act(action))
    }

    fn close(self: Box<Self>) -> Soon<'static, Result<(), Failure>> {
        Box::pin(self.end())
    }
}

/// What is to be done, the texts that stay here until they are asked for, and how long it may wait.
fn apart(action: Action) -> (Deed, Vec<Secret>, u64) {
    match action {
        Action::Open { url, wait_ms } => (Deed::Open { url, wait_ms }, Vec::new(), wait_ms),
        Action::Fill(fill) => {
            let (marks, texts) = fill.fields.into_iter().map(|(_, mark, text)| (mark, text)).unzip();
            let (step, submit, wait_ms) = (fill.step, fill.submit, fill.wait_ms);
            (Deed::Fill(Form { step, marks, submit, wait_ms }), texts, wait_ms)
        }
        Action::Witness => (Deed::Witness, Vec::new(), 0),
        Action::Draw { html } => (Deed::Draw { html }, Vec::new(), 0),
        Action::Look { wait_ms } => (Deed::Look { wait_ms }, Vec::new(), wait_ms),
    }
}
