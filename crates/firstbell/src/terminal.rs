//! The terminal of whoever started us, put back as it was when a question that switched its echo off is left behind.

use std::fs::File;
use std::io::IsTerminal;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal as it stands. It stands so again when this is dropped, whatever a thread that is left behind has done to it.
#[derive(Debug)]
pub struct Standing {
    terminal: File,
    was: Termios,
}

impl Standing {
    /// As it stands now; none where nobody sits at one.
    pub fn now() -> Option<Standing> {
        let terminal = File::open("/dev/tty").ok().filter(|_| std::io::stdin().is_terminal())?;
        let was = tcgetattr(&terminal).ok()?;
        Some(Standing { terminal, was })
    }

    /// What is typed does not show any more: to be called before a question, because some type faster than they are asked.
    pub fn hush(&self) {
        let mut silent = self.was.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // One that cannot be silenced is no worse than before; who reads the answer silences it once more.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &silent);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.was);
    }
}
