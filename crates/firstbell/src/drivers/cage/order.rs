//! What passes between firstbell and the warden of a cage: one order in, one report out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::bounds::Bounds;

/// What the warden is to start. No secret is in it.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Order {
    /// The engine's program.
    pub(in super::super) program: PathBuf,
    /// The browser that it starts, where it is no browser itself.
    pub(in super::super) browser: Option<PathBuf>,
    /// Its arguments.
    pub(in super::super) arguments: Vec<String>,
    /// Its whole environment.
    pub(in super::super) environment: Vec<(String, String)>,
    /// Where it starts.
    pub(in super::super) folder: PathBuf,
    /// The text that it writes before the number of its control port; the first that comes counts.
    pub(in super::super) ready: Vec<String>,
    /// Whether it and what it starts need no socket of this machine's programs.
    pub(in super::super) alone: bool,
    /// Where the warden listens for firstbell.
    pub(in super::super) control: PathBuf,
    /// Where firstbell's forwarder listens for the engine.
    pub(in super::super) out: PathBuf,
}

/// What the warden says, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Report {
    /// The engine waits for commands.
    Ready {
        /// Its control port.
        port: u16,
        /// The port of the way out, for engines that take no socket.
        proxy: u16,
        /// What the kernel holds it to.
        bounds: Bounds,
        /// How many filters of system calls it was started under: its sandbox's come on top.
        filters: u32,
    },
    /// This machine gives no namespaces.
    NoCage(String),
    /// The engine found no sandbox.
    NoSandbox,
    /// The engine ended, or cannot be started.
    Ended(String),
}
