//! Secrets from the keyring of the owner's session (Secret Service: GNOME Keyring, KWallet, KeePassXC), through `secret-tool`.

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::command;
use super::name::Wanted;

pub(super) fn fetch(label: &str, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
    // The library that speaks to the service on D-Bus would be a hundred further crates; this program is its own project's.
    let words = ["secret-tool", "lookup", "service", "firstbell", "name", label].map(str::to_owned);
    command::ask(&words, &[], command::TIME).map_err(|why| {
        let cure = format!(
            "Store it with: secret-tool store --label='firstbell {label}' service firstbell name {label} (Debian, Ubuntu: \
             package libsecret-tools). A keyring is open only while its owner is logged in; for a server take the vault or \
             a systemd credential."
        );
        wanted.missing(format!("is not in the keyring: secret-tool {why}"), cure)
    })
}

/// Names that need no quotes in a shell, so that the command we show can be copied.
pub(super) fn read_label(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !text.is_empty() && text.chars().all(is_plain) && !text.starts_with(['.', '-']) {
        true => Ok(text.to_owned()),
        false => Err("must be a name of letters, digits, -, _ and .".into()),
    }
}
