//! A program of the owner's: started with little around it, given little time, and nothing of it left when it is over.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

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

/// One start of a program.
#[derive(Debug)]
pub struct Program<'a> {
    /// Its name or path, and its arguments. No shell reads them. Never empty.
    pub words: &'a [String],
    /// Variables that it gets of our environment beside those that all get.
    pub with: &'a [String],
    /// What it reads.
    pub input: &'a [u8],
    /// How long it may take.
    pub time: Duration,
    /// How many bytes of its output are read.
    pub output_max: u64,
}

impl Program<'_> {
    /// Runs it to its end, and gives what it wrote.
    ///
    /// # Errors
    /// Why it did not end well, to be read after its name.
    pub async fn run(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let (name, arguments) = self.words.split_first().expect("a program has a name");
        let kept = VARIABLES.iter().copied().chain(self.with.iter().map(String::as_str));
        let kept = kept.filter_map(|key| Some((key, std::env::var_os(key)?)));
        let mut child = Command::new(name)
            .args(arguments)
            .env_clear()
            .envs(kept)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("cannot be started: {e}"))?;
        let group = Group(child.id());
        let mut stdin = child.stdin.take().expect("it was piped");
        let stdout = child.stdout.take().expect("it was piped");
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        let run = async {
            let write = async {
                // One that reads nothing is no fault: it may need nothing.
                let _ = stdin.write_all(self.input).await;
                drop(stdin);
            };
            let mut output = stdout.take(self.output_max + 1);
            let (_, read) = tokio::join!(write, output.read_to_end(&mut bytes));
            read?;
            // It ends by itself even where it has more to say.
            drop(output);
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
