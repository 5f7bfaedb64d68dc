//! The variables of the environment: those that outrank the file, those that secrets come from, and those of other programs.

use std::path::Path;

use super::{Account, Environment, Shared, VaultConfig};
use crate::alerts::ChannelConfig;
use crate::drivers::{DriverConfig, DriverName};

/// Variables that firstbell reads beside its file. A misspelt one is a fault: it would be a setting that nobody obeys.
const VARIABLES: [&str; 6] = [
    "FIRSTBELL_BROWSER",
    "FIRSTBELL_CONFIG",
    "FIRSTBELL_DRIVER",
    "FIRSTBELL_LOG",
    "FIRSTBELL_STATE_DIR",
    "FIRSTBELL_WORKER",
];

/// Variables by which programs find the local API, and those that `exec` and hooks give them: set where such programs run
/// firstbell's commands too.
const PROGRAMS: [&str; 7] = [
    "FIRSTBELL_ACCOUNT",
    "FIRSTBELL_FD",
    "FIRSTBELL_GENERATION",
    "FIRSTBELL_KEY",
    "FIRSTBELL_KEY_FILE",
    "FIRSTBELL_SOCKET",
    "FIRSTBELL_URL",
];

/// The variables that secrets come from.
pub(super) fn of<'a>(
    accounts: &'a [Account],
    channels: &'a [ChannelConfig],
    shared: Option<&'a Shared>,
    vault: &'a VaultConfig,
) -> Vec<&'a str> {
    let of_accounts = accounts.iter().flat_map(|a| a.secrets.iter().map(|(_, source)| source));
    let of_channels = channels.iter().flat_map(|c| c.secrets.iter().map(|(_, source)| source));
    let of_sinks =
        accounts.iter().flat_map(|a| &a.sinks).flat_map(|s| s.secrets.iter().map(|(_, source)| source));
    let of_store = shared.map(|shared| &shared.source);
    let all = of_accounts.chain(of_channels).chain(of_sinks).chain(of_store).chain(vault.sources());
    all.flat_map(|source| source.variables()).collect()
}

/// Reads them over the file; gives what is wrong with them.
pub(super) fn read(env: &Environment, drivers: &mut DriverConfig, sources: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(name) = env.get("FIRSTBELL_DRIVER") {
        match DriverName::parse(name) {
            Ok(driver) => drivers.ladder = vec![driver],
            Err(why) => lines.push(format!("environment: FIRSTBELL_DRIVER {why}")),
        }
    }
    if let Some(binary) = env.get("FIRSTBELL_BROWSER") {
        drivers.chrome.binary = Some(binary.into());
    }
    if let Some(socket) = env.get("FIRSTBELL_WORKER") {
        drivers.worker = Some(socket.into());
    }
    for name in ["FIRSTBELL_STATE_DIR", "FIRSTBELL_WORKER"] {
        if env.get(name).is_some_and(|path| !Path::new(path).is_absolute()) {
            lines.push(format!("environment: {name} must be an absolute path"));
        }
    }
    let known = |k: &str| VARIABLES.contains(&k) || PROGRAMS.contains(&k) || sources.contains(&k);
    let unknown = env.keys().filter(|k| k.starts_with("FIRSTBELL_") && !known(k));
    lines.extend(unknown.map(|k| format!("environment: {k} is not known; known: {}", VARIABLES.join(", "))));
    lines
}
