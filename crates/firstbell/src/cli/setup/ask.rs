//! Questions at a terminal: shown or unseen, asked again until the answer is one, with help for whoever types a question mark.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::censor;
use crate::cli::say;
use crate::halt::Halt;
use crate::setup::{Look, is_clean, is_help, is_no, is_yes};
use crate::terminal::Standing;

/// One question.
pub(super) struct Question<'q> {
    /// What stands before the answer.
    pub(super) prompt: &'q str,
    /// Where the answer is found.
    pub(super) help: &'q str,
    /// Whether the answer is unseen while it is typed.
    pub(super) unseen: bool,
}

/// Whoever asks. When it is gone the terminal stands as before.
pub(super) struct Asker<'a> {
    halt: &'a Halt,
    _standing: Option<Standing>,
}

impl<'a> Asker<'a> {
    /// At the terminal that we were started from.
    pub(super) fn new(halt: &'a Halt) -> Asker<'a> {
        Asker { halt, _standing: Standing::now() }
    }

    /// Asks until there is an answer that is one.
    pub(super) async fn ask<T>(
        &self,
        question: &Question<'_>,
        look: impl Fn(&Secret) -> Look<T>,
    ) -> Result<T, Failure> {
        loop {
            let answer = self.read(question.prompt, question.unseen).await?;
            if is_help(&answer) {
                say::error(&indented(question.help));
                continue;
            }
            match look(&answer) {
                Look::Good(value) => return Ok(value),
                Look::Wrong(why) => say::error(&format!("  ✗ {why}")),
                Look::Doubtful(value, why) => {
                    say::error(&format!("  ! {why}"));
                    if self.yes("  Take it all the same?", false).await? {
                        return Ok(value);
                    }
                }
            }
        }
    }

    /// A yes or a no; Enter is the usual answer.
    pub(super) async fn yes(&self, question: &str, usual: bool) -> Result<bool, Failure> {
        let prompt = format!("{question} [{}] ", if usual { "Y/n" } else { "y/N" });
        loop {
            let answer = self.read(&prompt, false).await?;
            match (answer.is_blank(), is_yes(&answer), is_no(&answer)) {
                (true, ..) => return Ok(usual),
                (_, true, _) => return Ok(true),
                (_, _, true) => return Ok(false),
                _ => say::error("  Type y or n."),
            }
        }
    }

    /// One line, whatever it says.
    pub(super) async fn read(&self, prompt: &str, unseen: bool) -> Result<Secret, Failure> {
        loop {
            let own = prompt.to_owned();
            // The thread that reads cannot be called off; it ends with the program.
            let reading = tokio::task::spawn_blocking(move || line(&own, unseen));
            let Some(read) = self.halt.or(reading).await else { return Err(Failure::Interrupted) };
            let read = read.unwrap_or_else(|e| Err(io::Error::other(e)));
            match read {
                // The end of input is a wish to leave, as Ctrl-C is.
                Ok(None) => return Err(Failure::Interrupted),
                Ok(Some(answer)) if is_clean(&answer) => return Ok(answer),
                Ok(Some(_)) => {
                    say::error("  A key that is no letter came in, such as an arrow. Type it once more.")
                }
                Err(e) => {
                    return Err(Failure::Broken {
                        part: Part::Secret,
                        why: format!("the terminal cannot be read: {e}"),
                        cure: "Run firstbell setup --yes, which asks nothing.".into(),
                    });
                }
            }
        }
    }
}

/// Reads from the terminal itself, a line at a time: what is typed ahead stays there for the next question.
fn line(prompt: &str, unseen: bool) -> io::Result<Option<Secret>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let was = tcgetattr(&terminal)?;
    if unseen {
        let mut quiet = was.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        quiet.local_modes.insert(LocalModes::ECHONL);
        // What was typed before nobody asked for it was shown; it is thrown away.
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
    }
    let read = terminal.write_all(prompt.as_bytes()).and_then(|()| bytes(&mut terminal));
    if unseen {
        tcsetattr(&terminal, OptionalActions::Now, &was)?;
    }
    Ok(read?.map(|bytes| {
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let answer = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
        if unseen {
            censor::know(&answer);
        }
        answer
    }))
}

fn bytes(terminal: &mut File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut all = Zeroizing::new(Vec::with_capacity(8192));
    let mut part = Zeroizing::new([0; 4096]);
    while !all.ends_with(b"\n") {
        match terminal.read(&mut part[..])? {
            0 => return Ok(None),
            count => all.extend_from_slice(&part[..count]),
        }
    }
    Ok(Some(all))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
