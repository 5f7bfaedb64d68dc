//! What the kernel holds an engine to, whoever has taken it over: a fence around what it reaches, and a filter of what it asks.

use std::io;

use serde::{Deserialize, Serialize};

use super::fence::{self, Fence, Ground};
use super::filter::{self, Filter, Whom};

/// How much of both is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Files and ports.
    pub fence: Fence,
    /// System calls.
    pub filter: Filter,
}

impl Bounds {
    /// Nothing is missing; also of what is not on this machine.
    pub const WHOLE: Bounds = Bounds { fence: Fence::Whole, filter: Filter::InForce };
    /// Nothing is known to be there.
    pub(super) const NONE: Bounds = Bounds { fence: Fence::None, filter: Filter::None };
}

/// Puts both around this thread, and all that it starts from here on.
///
/// # Errors
/// Where the kernel promises what it does not hold.
pub(super) fn set(ground: &Ground<'_>, whom: Whom) -> io::Result<Bounds> {
    Ok(Bounds { fence: fence::raise(ground)?, filter: filter::raise(whom)? })
}
