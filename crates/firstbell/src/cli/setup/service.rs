//! The daemon as a service of systemd: offered where there is one, written and started where the owner says so.

use std::path::Path;
use std::process::Stdio;

use firstbell_core::failure::{Failure, Part};
use tokio::process::Command;

use super::Setup;
use crate::cli::say;
use crate::config::Holder;
use crate::secrets::Source;
use crate::setup::{Unit, unit};

/// What systemctl needs of our environment to find the owner's service manager.
const VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/// The package's own unit, with more walls than one that is written here.
const PACKAGED: &str = "/usr/lib/systemd/system/firstbell.service";

/// Offers the service, and installs it where it is wanted. A rehearsal needs none. With `busy` the terminal still has another
/// reader, who would take the answer.
pub(super) async fn offer(setup: &Setup<'_>, busy: bool) -> Result<(), Failure> {
    if setup.draft.is_rehearsal() {
        return Ok(());
    }
    if rustix::process::geteuid().is_root() && Path::new(PACKAGED).exists() {
        say::error(
            "\nThe package brings the service: it keeps what stands in /etc/firstbell/config.toml, as the user firstbell. Put this \
             configuration there, store the secrets with firstbellctl secrets set, then: systemctl enable --now firstbell",
        );
        return Ok(());
    }
    let unit = of(setup)?;
    let line = |arguments: &Vec<&str>| format!("systemctl {}", arguments.join(" "));
    let commands: Vec<String> = unit.starts.iter().map(line).collect();
    if unit.path.exists() {
        say::error(&format!("  ✓ {:<13} {}", "service", unit.path.display()));
        return Ok(());
    }
    if !is_there(setup.env.get("PATH").map_or("", String::as_str)) {
        say::error(
            "\nNo systemd keeps this machine: have your own service manager start firstbell run, and again when it ends.",
        );
        return Ok(());
    }
    say::error(&format!(
        "\nfirstbell run can be a service of systemd. That writes {} and runs:\n  {}",
        unit.path.display(),
        commands.join("\n  ")
    ));
    let own = setup.env.keys().filter(|name| name.starts_with("FIRSTBELL_") && *name != "FIRSTBELL_CONFIG");
    let own: Vec<&str> = own.map(String::as_str).collect();
    if !own.is_empty() {
        say::error(&format!(
            "note: a service does not see your environment. What {} says must stand in the configuration, or in the unit.",
            own.join(", ")
        ));
    }
    if *setup.context()?.config.vault.holder() == Holder::Typed {
        say::error(
            "note: a service has no terminal at which a passphrase could be asked for, so it is not installed: say under [vault] \
             where it comes from (README.md, \"Where secrets live\"), then run firstbell setup again.",
        );
        return Ok(());
    }
    if busy {
        say::error("note: run firstbell setup once more to have it installed.");
        return Ok(());
    }
    if !setup.asks.yes("Install it?", false).await? {
        return Ok(());
    }
    write(&unit).map_err(|e| Failure::Broken {
        part: Part::Store,
        why: format!("{} cannot be written: {e}", unit.path.display()),
        cure: "Make its folder one that this user can write to, then run firstbell setup again.".into(),
    })?;
    for (arguments, line) in unit.starts.iter().zip(&commands) {
        if !start(setup, arguments).await {
            say::error(&format!(
                "  ✗ {line} did not end well. The unit is written: run the commands above by hand."
            ));
            return Ok(());
        }
    }
    say::error("  ✓ installed and started");
    if let Some(lingers) = unit.lingers {
        say::error(&format!("  So that it also runs while you are not logged in to this machine: {lingers}"));
    }
    Ok(())
}

fn of(setup: &Setup<'_>) -> Result<Unit, Failure> {
    let program = std::env::current_exe().map_err(|e| Failure::Broken {
        part: Part::Store,
        why: format!("nobody knows where this program is: {e}"),
        cure: "Start firstbell run by your own service manager.".into(),
    })?;
    let home = setup.env.get("HOME").map_or("/", String::as_str);
    let folder = setup.env.get("XDG_CONFIG_HOME").map(Path::new);
    let root = rustix::process::geteuid().is_root();
    let config = setup.context()?.config;
    let credential = match config.vault.holder() {
        Holder::Elsewhere(Source::Credential(name)) => Some(name.as_str()),
        _ => None,
    };
    Ok(unit(&program, setup.draft.path(), (root, Path::new(home)), folder, credential))
}

/// Whether systemd keeps this machine (sd_booted(3)), and can be spoken to.
fn is_there(path: &str) -> bool {
    Path::new("/run/systemd/system").is_dir()
        && path.split(':').any(|folder| Path::new(folder).join("systemctl").is_file())
}

fn write(unit: &Unit) -> std::io::Result<()> {
    if let Some(folder) = unit.path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&unit.path, &unit.text)
}

async fn start(setup: &Setup<'_>, arguments: &[&str]) -> bool {
    let kept = VARIABLES.iter().filter_map(|name| Some((*name, setup.env.get(*name)?)));
    let mut command = Command::new("systemctl");
    command.args(arguments).env_clear().envs(kept).stdin(Stdio::null()).kill_on_drop(true);
    command.status().await.is_ok_and(|status| status.success())
}
