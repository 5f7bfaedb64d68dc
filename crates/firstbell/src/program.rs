//! A program of the owner's: started with little around it, given little time, and nothing of it left when it is over.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

/// What such programs need of our environment: where they and their keys are, and how to reach the owner's session.
const VARIABLES: [&str; 16] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "GNUPGHOME",
    "GPG_TTY",
    "PASSWORD_STORE_DIR",
];

/// What a program needs that is given a token.
const VARIABLES_LITTLE: [&str; 3] = ["PATH", "HOME", "LANG"];

/// One start of a program.
#[derive(Debug)]
pub struct Program<'a> {
    /// Its name or path, and its arguments. No shell reads them. Never empty.
    pub words: &'a [String],
    /// What it reads.
    pub input: &'a [u8],
    /// Where it reads that.
    pub feed: Feed,
    /// What it finds in its environment.
    pub around: Around<'a>,
    /// How long it may take.
    pub time: Duration,
    /// How many bytes of its output are read. None: it may say what it likes, and nobody hears it.
    pub output_max: u64,
}

/// Where a program reads what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Its standard input.
    Stdin,
    /// The descriptor of this number, as a pipe; its standard input is empty.
    Descriptor(i32),
}

/// What a program finds in its environment.
#[derive(Clone, Copy, Debug)]
pub enum Around<'a> {
    /// Where it and its keys are, and how to reach the owner's session.
    Session,
    /// The same, and these variables of ours.
    SessionWith(&'a [String]),
    /// `PATH`, `HOME` and `LANG`, and these.
    Little(&'a [(&'static str, String)]),
}

/// A pipe takes so much before somebody reads it (pipe(7): 16 pages).
const PIPE_BYTES: usize = 65_536;

impl Program<'_> {
    /// Runs it to its end, and gives what it wrote.
    ///
    /// # Errors
    /// Why it did not end well, to be read after its name.
    pub async fn run(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let (name, arguments) = self.words.split_first().expect("a program has a name");
        let (usual, with, own): (&[&str], &[String], &[_]) = match self.around {
            Around::Session => (&VARIABLES, &[], &[]),
            Around::SessionWith(with) => (&VARIABLES, with, &[]),
            Around::Little(own) => (&VARIABLES_LITTLE, &[], own),
        };
        let kept = usual.iter().copied().chain(with.iter().map(String::as_str));
        let kept = kept.filter_map(|key| Some((key, std::env::var_os(key)?)));
        let own = own.iter().map(|(name, value)| (*name, value.into()));
        let mut command = Command::new(name);
        command.args(arguments).env_clear().envs(kept.chain(own));
        let stdin = if self.feed == Feed::Stdin { Stdio::piped() } else { Stdio::null() };
        let stdout = if self.output_max > 0 { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(stdout).stderr(Stdio::null()).process_group(0).kill_on_drop(true);
        if let Feed::Descriptor(number) = self.feed {
            let parent_fd = self.piped().map_err(|e| format!("cannot be given its input: {e}"))?;
            let mapping = vec![FdMapping { parent_fd, child_fd: number }];
            command.fd_mappings(mapping).map_err(|e| format!("cannot be given its input: {e}"))?;
        }
        let mut child = command.spawn().map_err(|e| format!("cannot be started: {e}"))?;
        // Our side of what it was given.
        drop(command);
        let group = Group(child.id());
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        let run = async {
            let write = async {
                // One that reads nothing is no fault: it may need nothing.
                if let Some(mut stdin) = stdin {
                    let _ = stdin.write_all(self.input).await;
                }
            };
            let read = async {
                match stdout {
                    // It ends by itself even where it has more to say.
                    Some(stdout) => stdout.take(self.output_max + 1).read_to_end(&mut bytes).await.map(drop),
                    None => Ok(()),
                }
            };
            let (_, read) = tokio::join!(write, read);
            read?;
            child.wait().await
        };
        let ended = tokio::time::timeout(self.time, run).await;
        drop(group);
        let status: ExitStatus = ended
            .map_err(|_| format!("did not end within {} s", self.time.as_secs_f32()))?
            .map_err(|e| format!("broke off: {e}"))?;
        if !status.success() {
            return Err(format!("ended with {status}"));
        }
        Ok(bytes)
    }

    /// The reading end of a pipe that has the input in it already.
    fn piped(&self) -> std::io::Result<OwnedFd> {
        if self.input.len() > PIPE_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let (read, mut write) = std::io::pipe()?;
        write.write_all(self.input)?;
        Ok(read.into())
    }
}

/// The program and all that it started: none outlives it, however that ends.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may be gone already.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
