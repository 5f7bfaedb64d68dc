//! What a human must hear: how grave it is, and the words, in one order: what happened, what it means for today, what firstbell
//! will do, what you can do.

use std::fmt;

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Information,
    /// Something is wrong, and there is time.
    Warning,
    /// Something is wrong, and there is hardly any time left.
    Critical,
}

impl Severity {
    /// All of them, the least grave one first.
    pub const ALL: [Severity; 3] = [Severity::Information, Severity::Warning, Severity::Critical];

    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
