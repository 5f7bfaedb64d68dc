//! Codes from a program, such as a password manager: started at the last moment, with little around it and little time.

use std::process::Stdio;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::digits;
use crate::ports::{CodeSource, Soon};

/// A program that asks its owner to unlock something takes a while; a code lives for 30 seconds.
const TIME: Duration = Duration::from_secs(25);

/// What such programs need of our environment: where they and their keys are, and how to reach the owner's session.
const VARIABLES: [&str; 13] = [
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
    "GNUPGHOME",
    "GPG_TTY",
    "PASSWORD_STORE_DIR",
];

pub(super) struct Program<'a> {
    pub(super) words: &'a [String],
}

impl CodeSource for Program<'_> {
    fn code(&self) -> Soon<'_, Result<Secret, Failure>> {
        Box::pin(self.ask())
    }

    fn is_person(&self) -> bool {
        false
    }
}

impl Program<'_> {
    async fn ask(&self) -> Result<Secret, Failure> {
        let (name, arguments) = self.words.split_first().expect("checked when it was read");
        let cannot = |why: String| digits::failed(format!("{name} {why}"), "See that it runs by hand.");
        let kept = VARIABLES.iter().filter_map(|key| Some((*key, std::env::var_os(key)?)));
        let mut child = Command::new(name)
            .args(arguments)
            .env_clear()
            .envs(kept)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| cannot(format!("cannot be started: {e}")))?;
        let group = Group(child.id());
        let stdout = child.stdout.take().expect("it was piped");
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        let run = async {
            stdout.take(digits::BYTES_MAX + 1).read_to_end(&mut bytes).await?;
            child.wait().await
        };
        let ended = tokio::time::timeout(TIME, run).await;
        drop(group);
        let status = ended
            .map_err(|_| cannot(format!("did not end within {} s", TIME.as_secs())))?
            .map_err(|e| cannot(format!("broke off: {e}")))?;
        if !status.success() {
            return Err(cannot(format!("ended with {status}")));
        }
        digits::read(&bytes, name)
    }
}

/// The program and all that it started: none outlives the question, however that ends.
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
