//! The small traits between what decides and what does, each with its promises.

mod call;

use std::future::Future;
use std::pin::Pin;

use firstbell_core::broker::App;
use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::invitation::Refusal;
use firstbell_core::notice::Severity;
use firstbell_core::plan::Plan;
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Action, Seen};
use firstbell_core::state::State;
use firstbell_core::token::Token;
use jiff::Timestamp;
use tokio::sync::oneshot::Sender;

pub use self::call::{Call, FORM, Http, Method, Received, WireFault};

/// A future that need not move between threads: one login is one thread's work.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The time. The one place that asks for it is `clock.rs`.
pub trait Clock {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// Milliseconds on a clock that only runs forward.
    fn run_ms(&self) -> u64;
    /// Ends after this many milliseconds. For moments that are known beforehand only, never in place of a condition.
    fn rest(&self, ms: u64) -> Soon<'_, ()>;
    /// Ends when the clock of the day shows this moment or a later one, whatever slept or was set in between; sooner where
    /// somebody sets the clock, and after an hour at the latest. Who waits looks again.
    fn until(&self, at: Timestamp) -> Soon<'_, ()>;
}

/// Walks one login for us. Not shared; dropped after one walk whatever happened.
pub trait Driver {
    /// Performs the action, and says what it sees next. A [`Action::Fill`] lets exactly one request of its step leave
    /// this machine, whatever the page does. Nothing is typed at another origin than the plan's.
    ///
    /// # Errors
    /// [`Failure`] where the engine itself broke and nothing of this action left; what the page or the network does,
    /// and an engine that breaks while an answer is awaited, is [`Seen`].
    fn perform(&mut self, action: Action) -> Soon<'_, Result<Seen, Failure>>;
    /// Ends the engine. When this is over no process and no file of it is left.
    fn close(self: Box<Self>) -> Soon<'static, Result<(), Failure>>;
}

/// What an engine that is no browser works with, and a sink.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// Calls out.
    pub http: &'a dyn Http,
    /// The time that its waits take.
    pub clock: &'a dyn Clock,
}

/// Starts drivers.
pub trait Engines {
    /// The names of the engines to be tried, the first one first. Never empty.
    fn names(&self) -> Vec<&'static str>;
    /// Starts the one of this name.
    ///
    /// # Errors
    /// [`Failure::Broken`] where a part of this machine is missing.
    fn open<'a>(
        &'a self,
        name: &'static str,
        plan: &'a Plan,
        app: &'a App,
        reach: Reach<'a>,
    ) -> Soon<'a, Result<Box<dyn Driver + 'a>, Failure>>;
}

/// An address that came back from a person's login, or from whoever else knows where that goes.
#[derive(Debug)]
pub struct Returned {
    /// The address, whole.
    pub url: Secret,
    /// Whether it has a request token at all: one that is refused is somebody's.
    pub carries_token: bool,
    /// Where it is to be said that it was accepted, or why not, if anybody waits for that.
    pub answer: Option<Sender<Result<(), String>>>,
    /// Whether other logins are asked as well whose it is: who does not take it then says so to nobody but the one who asks.
    pub offered: bool,
}

/// A person who logs in for us, on whichever device, and the ways in which that comes back.
pub trait Person {
    /// Hands over the link. It is for this person only.
    fn invite(&mut self, link: &str, until: Timestamp);
    /// Says that something came back and was dropped.
    fn dropped(&mut self, carries_token: bool, why: &Refusal);
    /// The next address that comes back. None where no way is left.
    fn next(&mut self) -> Soon<'_, Option<Returned>>;
}

/// Gives the six digits of the present time step where firstbell does not make them itself. Asked at the last moment, with
/// the field ready, at most once for a time step.
pub trait CodeSource {
    /// One code, now.
    ///
    /// # Errors
    /// [`Failure::Broken`] where none came in time, or what came is not exactly six digits, with what to do.
    fn code(&self) -> Soon<'_, Result<Secret, Failure>>;
    /// Whether a person reads and types the code.
    fn is_person(&self) -> bool;
}

/// What becomes of an account's tokens with an event.
#[derive(Debug)]
pub enum TokenChange<'a> {
    /// Nothing.
    Keep,
    /// This one waits to be proven; the current one stays.
    Pend(&'a Token),
    /// The pending one is proven and takes the current one's place.
    Promote,
    /// The pending one is worthless; the current one stays.
    Drop,
}

/// What a look at every event of an account found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many events are there and whole, up to the flaw if there is one.
    pub events: u64,
    /// How many there were before them, which a snapshot stands for.
    pub pruned: u64,
    /// The moment of the oldest one.
    pub from: Option<Timestamp>,
    /// The moment of the newest one.
    pub until: Option<Timestamp>,
    /// The first event that is not as it was written.
    pub flaw: Option<Flaw>,
}

/// An event that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its place, counted from 1.
    pub seq: u64,
    /// What is wrong, to be read after "event N".
    pub why: &'static str,
}

/// Keeps what must outlive us. Each call is one transaction: after a crash at any instant either all of it is there or
/// nothing. When `record` returns, what it wrote survives a power cut. Several processes may use one store at a time, and
/// several machines one that they share: then nothing is recorded by a process that holds less than it believes, and nothing
/// that announces a submission without the account's turn.
///
/// Events are chained: one that is changed, taken out, put in or moved by whoever lacks the key breaks the history, and a
/// broken history is an error, never read on. A store that is damaged is never read on either: it opens as its whole
/// previous generation, or not at all.
pub trait Store {
    /// Appends events of an account, and changes its tokens with them.
    ///
    /// # Errors
    /// [`Failure::Broken`] with what to do. What was to happen after it must not: either nothing was written, or all was
    /// and the machine could not be made to remember so.
    fn record(
        &self,
        account: &str,
        events: &[(Timestamp, Event)],
        change: TokenChange<'_>,
    ) -> Result<(), Failure>;
    /// What the history of an account amounts to: the fold of all events that were ever recorded, those that are pruned
    /// included. Takes the same time for a long history as for a short one.
    ///
    /// # Errors
    /// As above, and where the history is broken.
    fn state(&self, account: &str) -> Result<State, Failure>;
    /// The same, for whoever is about to spend: where a later event of this account was seen on this machine before, or
    /// nobody knows whether one was, [`Event::Restored`] is recorded at `at` first, and the state is what follows.
    ///
    /// # Errors
    /// As above, and where what was seen cannot be read or kept.
    fn attest(&self, account: &str, at: Timestamp) -> Result<State, Failure>;
    /// The events of an account, oldest first, without those that are pruned.
    ///
    /// # Errors
    /// As above; a damaged event is an error, never skipped.
    fn history(&self, account: &str) -> Result<Vec<(Timestamp, Event)>, Failure>;
    /// Looks at every event that is there. Changes nothing.
    ///
    /// # Errors
    /// Where the store cannot be read; a broken history is what this looks for.
    fn verify(&self, account: &str) -> Result<Verified, Failure>;
    /// Prunes what is older than the owner wants to keep. Cheap when it was done within a day.
    ///
    /// # Errors
    /// As above; the events are all there then.
    fn tidy(&self, now: Timestamp) -> Result<(), Failure>;
    /// The current token: proven once, whatever it is worth now.
    ///
    /// # Errors
    /// As above; a token that the key does not open is an error.
    fn current(&self, account: &str) -> Result<Option<Token>, Failure>;
    /// The token that waits to be proven.
    ///
    /// # Errors
    /// As above.
    fn pending(&self, account: &str) -> Result<Option<Token>, Failure>;
}

/// Keeps secrets sealed. The same promises as [`Store`].
pub trait Vault {
    /// Keeps a secret in the place of an older one of the same name.
    ///
    /// # Errors
    /// [`Failure::Broken`] with what to do.
    fn keep(&self, account: &str, name: &str, secret: &Secret) -> Result<(), Failure>;
    /// The secret of a name.
    ///
    /// # Errors
    /// As above.
    fn fetch(&self, account: &str, name: &str) -> Result<Option<Secret>, Failure>;
    /// Forgets a secret; says whether there was one.
    ///
    /// # Errors
    /// As above.
    fn forget(&self, account: &str, name: &str) -> Result<bool, Failure>;
}

/// What a sink is given.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// The account's name in the configuration.
    pub account: &'a str,
    /// The app's key: programs need both.
    pub api_key: &'a str,
    /// The client id.
    pub user_id: &'a str,
    /// The token.
    pub token: &'a Token,
}

/// A place that a fresh token is written to, for other programs. Whoever reads it sees the old or the new one, whole; where the
/// place tells which token it holds, a newer one is never replaced by an older one. A write that was dropped half way may still
/// happen, and the same token may be delivered again: to a place that holds it already that is nothing new.
pub trait Sink {
    /// Proves, before there is a token, that a write will succeed; leaves nothing behind. May hang: who calls it holds the clock.
    ///
    /// # Errors
    /// [`Failure::Broken`] with what to do.
    fn check(&self) -> Soon<'_, Result<(), Failure>>;
    /// Writes the token. May hang: who calls it holds the clock.
    ///
    /// # Errors
    /// As above; what was there before is still there.
    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>) -> Soon<'a, Result<(), Failure>>;
}

/// What a login that failed looked like. Nothing in it is secret.
#[derive(Debug)]
pub struct Exposure {
    /// What happened, as a sentence.
    pub failure: String,
    /// The same as a short name.
    pub code: &'static str,
    /// The page's elements, masked.
    pub bones: String,
    /// A drawing of them, as PNG.
    pub picture: Option<Vec<u8>>,
}

/// Keeps the evidence of failed logins for a while.
pub trait Album {
    /// Keeps one; where it cannot ([`Failure::Broken`]), the login's own failure counts for more.
    fn keep(&self, exposure: &Exposure) -> Result<(), Failure>;
}

/// What a person is told, written once for all channels. Nothing in it is secret; a channel only gives it its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How grave it is.
    pub severity: Severity,
    /// One line: whom it is about and what it is.
    pub title: String,
    /// A few lines of plain text, for one phone screen.
    pub body: String,
    /// What the message is about; the same for all messages of one incident.
    pub incident: String,
    /// Whether the incident is over with this message.
    pub over: bool,
}

/// What a channel knows of a message that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The provider took it; whether it arrived is not known.
    Accepted,
    /// The provider says that it arrived.
    Delivered,
}

/// Why a channel did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFault {
    /// What happened, in our own words: no address with a token in it, and nothing of what the other side said.
    pub why: String,
    /// What the owner can do.
    pub cure: String,
    /// How long the other side asks us to wait.
    pub wait_s: Option<u32>,
    /// Whether the same message may be sent again: not where the channel refuses us or what we are.
    pub again: bool,
    /// Whether somebody got it all the same: then it is told, and not sent again.
    pub partly: bool,
}

/// A way to a person. One message is sent once for each call; a fault says that it surely or perhaps did not arrive.
pub trait Channel {
    /// Its name in the configuration.
    fn name(&self) -> &str;
    /// Sends one message. Over within 15 s.
    ///
    /// # Errors
    /// [`ChannelFault`].
    fn send<'a>(&'a self, message: &'a Message) -> Soon<'a, Result<Receipt, ChannelFault>>;
}
