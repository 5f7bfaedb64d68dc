//! An address that a person pastes into the terminal, unseen, or that comes through a pipe: one a line.

use std::io::{BufRead, IsTerminal, Read};

use firstbell_core::secret::Secret;
use tokio::sync::mpsc::Sender;
use zeroize::Zeroizing;

use super::carries_token;
use crate::ports::Returned;

/// Longer than the way back of any login.
const BYTES_MAX: u64 = 4096;

/// Reads addresses until there are no more or nobody wants them. Reading waits for a person and cannot be called off: the
/// thread ends with the program.
pub(super) fn read(sends: Sender<Returned>) {
    std::thread::spawn(move || {
        while let Some(line) = line() {
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            let carries_token = carries_token(text);
            let returned =
                Returned { url: Secret::new(text.to_owned()), carries_token, answer: None, offered: false };
            if sends.blocking_send(returned).is_err() {
                break;
            }
        }
    });
}

/// The next line; none at the end, and for one that is too long to be an address.
fn line() -> Option<Zeroizing<String>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return rpassword::prompt_password(
            "Or paste the address that the login ended at (it is not shown): ",
        )
        .ok()
        .map(Zeroizing::new);
    }
    let mut line = Zeroizing::new(String::with_capacity(4097));
    let read = stdin.lock().take(BYTES_MAX + 1).read_line(&mut line).ok()?;
    (read > 0 && read as u64 <= BYTES_MAX).then_some(line)
}
