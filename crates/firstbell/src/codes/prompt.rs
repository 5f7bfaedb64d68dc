//! Codes from whoever sits at the terminal, or from a line of standard input.

use std::io::{BufRead, IsTerminal, Read};
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use zeroize::Zeroizing;

use super::digits;
use crate::ports::{CodeSource, Soon};
use crate::terminal::Standing;

/// A person who has not answered by then is not there.
const TIME: Duration = Duration::from_secs(90);

pub(super) struct Terminal;

impl CodeSource for Terminal {
    fn code(&self) -> Soon<'_, Result<Secret, Failure>> {
        Box::pin(async {
            let cannot = |why: &str| digits::failed(why.to_owned(), "Run firstbell login at a terminal.");
            // Reading waits for a person, and cannot be called off; the thread ends with the program. It has switched the
            // terminal's echo off by then, and only we are left to switch it on again.
            let _echo = Standing::now();
            let asked = tokio::time::timeout(TIME, tokio::task::spawn_blocking(ask)).await;
            let line = asked.map_err(|_| cannot("nobody typed one in time"))?;
            let line = line.ok().and_then(Result::ok).ok_or_else(|| cannot("nobody could be asked"))?;
            digits::read(line.as_bytes(), "the terminal")
        })
    }

    fn is_person(&self) -> bool {
        true
    }
}

fn ask() -> std::io::Result<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("\nThe six digits that your authenticator shows now: ")
            .map(Zeroizing::new);
    }
    let mut line = Zeroizing::new(String::with_capacity(128));
    std::io::stdin().lock().take(digits::BYTES_MAX + 1).read_line(&mut line)?;
    Ok(line)
}
