//! Secrets from systemd's credentials (`LoadCredential=`, `LoadCredentialEncrypted=`): files in a folder that the service manager
//! made for this service alone.

use std::path::{Path, PathBuf};

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;

use super::file;
use super::name::Wanted;

/// Where systemd says it is.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";

pub(super) fn fetch(name: &str, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
    let cure = || {
        format!(
            "Give the service LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name} (made with systemd-creds \
             encrypt --name={name} - /etc/credstore.encrypted/{name}), and start it by systemd."
        )
    };
    let folder = std::env::var_os(FOLDER).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.ok_or_else(|| {
        wanted.missing(format!("is not among systemd's credentials: {FOLDER} is not set"), cure())
    })?;
    let path: &Path = &folder.join(name);
    file::read(path, file::By::Group).map_err(|why| {
        wanted.missing(format!("cannot be taken from the credential {}: {why}", path.display()), cure())
    })
}
