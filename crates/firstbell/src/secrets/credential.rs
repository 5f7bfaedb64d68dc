//! Secrets from systemd's credentials (`LoadCredential=`, `LoadCredentialEncrypted=`): files in a folder that the service manager
//! made for this service alone. By hand root has them decrypted where they are stored.

use std::path::{Path, PathBuf};

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::name::Wanted;
use super::{command, file};

/// Where systemd says it is.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";
/// Where a machine keeps those that are sealed (systemd.exec(5)).
const STORE: &str = "/etc/credstore.encrypted";

pub(super) fn fetch(name: &str, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
    let cure = || {
        format!(
            "Give the service LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name} (made with systemd-creds \
             encrypt --name={name} - /etc/credstore.encrypted/{name}), and start it by systemd."
        )
    };
    let Some(folder) = folder() else {
        return decrypted(name).map_err(|why| {
            wanted.missing(format!("is not among systemd's credentials: {FOLDER} is not set{why}"), cure())
        });
    };
    let path: &Path = &folder.join(name);
    file::read(path, file::By::Group).map_err(|why| {
        wanted.missing(format!("cannot be taken from the credential {}: {why}", path.display()), cure())
    })
}

/// The folder of this service's credentials.
pub(super) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from).filter(|folder| folder.is_absolute())
}

/// What root gets by hand; else why not, to go on the sentence.
fn decrypted(name: &str) -> Result<Secret, String> {
    let path = sealed_path(name);
    if !rustix::process::geteuid().is_root() || !path.exists() {
        return Err(String::new());
    }
    let words = ["systemd-creds", "decrypt", &format!("--name={name}"), &path.display().to_string(), "-"];
    let decrypted = command::ask_all(&words.map(str::to_owned), command::TIME);
    decrypted.map_err(|why| format!(", and systemd-creds, asked for it, {why}"))
}

/// Where a credential of this name is kept sealed.
pub fn sealed_path(name: &str) -> PathBuf {
    Path::new(STORE).join(name)
}
