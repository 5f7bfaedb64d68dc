//! The browser as a process: started with a fixed list of arguments, ended with all its children.

use std::io::{self, Read, pipe};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use command_fds::{CommandFdExt, FdMapping};

use tokio::process::{Child, Command};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::plan::Plan;

use super::super::bounds::{self, Bounds};
use super::super::cage::no_sandbox;
use super::super::fence::Ground;
use super::super::group::{self, Group};
use super::super::policies;
use super::super::private::{PrivateFolder, User, browser_user};
use super::super::switches::{SWITCHES, resolver_rules};
use super::super::watchdog::MEMORY_MB;
use super::program::{self, ChromeConfig};

/// The browser's descriptors for reading and writing DevTools messages; the number is Chromium's.
const READS: i32 = 3;
const WRITES: i32 = 4;

/// What only a browser on a pipe needs: the pipe, no proxy of anybody's, and no window that opens by itself, with a page of
/// its own (chromedriver waits for that one).
const PIPE: [&str; 3] = ["--remote-debugging-pipe", "--no-proxy-server", "--no-startup-window"];

/// Our ends of the two pipes.
pub(super) struct Ends {
    pub(super) write: OwnedFd,
    pub(super) read: OwnedFd,
    pub(super) errors: io::PipeReader,
}

/// Starts the browser.
pub(super) fn start(plan: &Plan, config: &ChromeConfig) -> Result<(Group, Ends, Bounds), Failure> {
    let binary = program::find(config.binary.as_deref(), config.headful)?;
    policies::chromium(Path::new("/"), &binary)?;
    let user = browser_user(config.user.as_deref())?;
    let folder = PrivateFolder::make(user)?;
    let ground = Ground { programs: &[&binary], folder: folder.path(), port: Some(plan.origin.port()) };
    // A window needs what its owner's desktop keeps in his home, and perhaps a sandbox that is given rights when it starts.
    let bounds =
        if config.headful { Ok(Bounds::NONE) } else { bounds::set(&ground, program::kind_of(&binary)) };
    let started = bounds.and_then(|bounds| Ok((spawn(plan, config, &binary, &folder, user)?, bounds)));
    let ((child, ends), bounds) = started.map_err(|e| cannot_start(&binary, &e.to_string()))?;
    Ok((Group::of(child, folder, config.memory_mb.unwrap_or(MEMORY_MB)), ends, bounds))
}

fn spawn(
    plan: &Plan,
    config: &ChromeConfig,
    binary: &Path,
    folder: &PrivateFolder,
    user: Option<User>,
) -> io::Result<(Child, Ends)> {
    group::prepare()?;
    let (their_read, our_write) = pipe()?;
    let (our_read, their_write) = pipe()?;
    let (errors, their_errors) = pipe()?;
    let mut command = Command::new(binary);
    command
        // The owner's first: where two disagree, the last one counts.
        .args(&config.arguments)
        .args(SWITCHES)
        .args(PIPE)
        .arg(format!("--user-data-dir={}", folder.part("profile").display()))
        .arg(format!("--host-resolver-rules={}", resolver_rules(plan)))
        .args((!config.headful && !program::is_shell(binary)).then_some("--headless=new"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("HOME", folder.part("home"))
        .env("TMPDIR", folder.part("tmp"))
        .env("XDG_CONFIG_HOME", folder.part("home"))
        .env("XDG_CACHE_HOME", folder.part("home"))
        .env("XDG_RUNTIME_DIR", folder.part("tmp"))
        .current_dir(folder.part("home"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(their_errors)
        .process_group(0);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    if config.headful {
        let display = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];
        command.envs(display.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
    }
    let mappings = vec![
        FdMapping { parent_fd: their_read.into(), child_fd: READS },
        FdMapping { parent_fd: their_write.into(), child_fd: WRITES },
    ];
    command.fd_mappings(mappings).map_err(|e| io::Error::other(e.to_string()))?;
    let child = command.spawn()?;
    Ok((child, Ends { write: our_write.into(), read: our_read.into(), errors }))
}

/// What a browser that ended by itself said, as a failure with a cure.
pub(super) fn died(mut errors: io::PipeReader) -> Failure {
    let mut text = Vec::new();
    // The browser is dead, so that this ends; its children may hold the pipe no longer than a moment.
    let _ = errors.by_ref().take(64 * 1024).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    if text.contains("No usable sandbox") || text.contains("setuid sandbox") || text.contains("namespace") {
        return no_sandbox();
    }
    cannot_start(Path::new("the browser"), "it ended by itself")
}

fn cannot_start(binary: &Path, why: &str) -> Failure {
    Failure::Broken {
        part: Part::Browser,
        why: format!("{} does not start: {why}", binary.display()),
        cure: "Try it by hand (--version), install it anew, or log in without a browser: --driver http."
            .into(),
    }
}
