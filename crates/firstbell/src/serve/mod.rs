//! The local API: what the daemon knows and what its owner may tell it, as HTTP on sockets and, when asked for, loopback TCP.
//!
//! A thread of its own serves it ([`Server`]). It reads the board's rows and sends [`Errand`]s to the keeping thread; it never
//! touches the store. `gate` lets a request in before `api` does anything for it; `routes` is the one table of what can be asked.

mod api;
mod ask;
mod audit;
mod door;
mod events;
mod gate;
mod hall;
mod keys;
mod metrics;
mod openapi;
mod peer;
mod room;
mod routes;
mod server;
mod turnstile;
mod wire;

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;

pub use self::ask::{Answer, Card, ask, process, token};
pub use self::audit::write_down;
pub use self::hall::{Errand, attend};
pub use self::keys::{Key, Ring, Scope};
pub use self::server::{Premises, Server, Stock, converse};

/// What the owner may tell the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// No logins any more.
    Pause,
    /// Logins again.
    Resume,
    /// The account is well.
    Unlock,
    /// Look at once: something was stored or changed.
    Look,
}

impl Order {
    /// What it is in the history; none where it changes nothing.
    pub fn event(self) -> Option<Event> {
        match self {
            Order::Pause => Some(Event::Paused),
            Order::Resume => Some(Event::Resumed),
            Order::Unlock => Some(Event::Unlocked),
            Order::Look => None,
        }
    }

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Order::Pause => "pause",
            Order::Resume => "resume",
            Order::Unlock => "unlock",
            Order::Look => "look",
        }
    }
}

/// Who carries orders out.
pub trait Desk {
    /// Does what the owner says; none where there is no such account.
    fn order(&self, account: &str, order: Order) -> Option<Result<(), Failure>>;
    /// Whether every keeper looks when it should.
    fn is_alive(&self) -> bool;
}
