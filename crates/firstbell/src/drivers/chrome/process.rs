//! The browser as a process: started with a fixed list of arguments, ended with all its children.

use std::io::{self, Read, pipe};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use command_fds::{CommandFdExt, FdMapping};

use tokio::process::{Child, Command};

use firstbell_core::failure::{Failure, Part};
use firstbell_core::plan::Plan;

use super::super::group::{self, Group};
use super::super::private::{PrivateFolder, User, browser_user};
use super::program::{self, ChromeConfig};

/// The browser's descriptors for reading and writing DevTools messages; the number is Chromium's.
const READS: i32 = 3;
const WRITES: i32 = 4;

/// Chromium's switches, each with what it keeps away. None turns the sandbox off and none opens a port.
const SWITCHES: [&str; 22] = [
    "--remote-debugging-pipe",
    // Nothing is remembered, and nothing is fetched that the page did not ask for.
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--password-store=basic",
    "--disable-breakpad",
    "--disable-crash-reporter",
    // No window opens by itself, with a page of its own; the one that we ask for is the only one.
    "--no-startup-window",
    // A login needs no graphics processor, no sound, and no process kept ready for a second page.
    "--disable-gpu",
    "--mute-audio",
    "--disable-features=SpareRendererForSitePerProcess,MediaRouter,OptimizationHints,Translate,DialMediaRouteProvider",
    // One connection a request and one protocol: a request on a connection that was used before is sent again by the
    // browser itself when the connection breaks, and a password must never be sent twice.
    "--disable-http2",
    "--disable-quic",
    // A hostile script in the page finds no way out: no STUN, no compiled code.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--js-flags=--jitless",
    "--no-proxy-server",
];

/// Our ends of the two pipes.
pub(super) struct Ends {
    pub(super) write: OwnedFd,
    pub(super) read: OwnedFd,
    pub(super) errors: io::PipeReader,
}

/// Starts the browser.
pub(super) fn start(plan: &Plan, config: &ChromeConfig) -> Result<(Group, Ends), Failure> {
    let binary = program::find(config.binary.as_deref(), config.headful)?;
    let user = browser_user(config.user.as_deref())?;
    let folder = PrivateFolder::make(user)?;
    let started = spawn(plan, config, &binary, &folder, user);
    let (child, ends) = started.map_err(|e| cannot_start(&binary, &e.to_string()))?;
    Ok((Group::of(child, folder), ends))
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
        .args(SWITCHES)
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

/// No name resolves but the plan's own.
fn resolver_rules(plan: &Plan) -> String {
    let mut rules = String::from("MAP * ~NOTFOUND");
    for host in std::iter::once(plan.origin.host()).chain(plan.hosts.iter().map(String::as_str)) {
        rules.push_str(&format!(" , EXCLUDE {}", host.trim_matches(['[', ']'])));
    }
    rules
}

/// What a browser that ended by itself said, as a failure with a cure.
pub(super) fn died(mut errors: io::PipeReader) -> Failure {
    let mut text = Vec::new();
    // The browser is dead, so that this ends; its children may hold the pipe no longer than a moment.
    let _ = errors.by_ref().take(64 * 1024).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    if text.contains("No usable sandbox") || text.contains("setuid sandbox") || text.contains("namespace") {
        return Failure::Broken {
            part: Part::Browser,
            why: "the browser's sandbox is off on this system, and firstbell types no password without it".into(),
            cure: "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or an AppArmor \
                   profile for the browser), or log in without a browser: --driver http."
                .into(),
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_switch_opens_a_port_or_weakens_the_sandbox() {
        for switch in SWITCHES {
            assert!(!switch.contains("debugging-port") && !switch.contains("no-sandbox"), "{switch}");
            assert!(!switch.contains("ignore-certificate") && !switch.contains("single-process"), "{switch}");
        }
    }
}
