//! Secrets from files that nobody else can read: one secret a file, as container platforms mount them.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::name::Wanted;

/// Far more than any password, key or secret has.
const BYTES_MAX: usize = 4096;

pub(super) fn fetch(path: &Path, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
    let cannot = |why: String| {
        let cure = format!("Make {0} a plain file of yours with mode 600: chmod 600 {0}.", path.display());
        wanted.missing(format!("cannot be taken from {}: {why}", path.display()), cure)
    };
    // A link could be swapped for another between the look and the read.
    // And a pipe in the file's place would hold us until somebody writes into it.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).expect("flags of open fit in an int");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|e| cannot(e.to_string()))?;
    let meta = file.metadata().map_err(|e| cannot(e.to_string()))?;
    let mode = meta.mode() & 0o777;
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
    if !meta.is_file() || !ours {
        return Err(cannot("it is not a plain file of yours".into()));
    }
    if mode & 0o077 != 0 {
        return Err(cannot(format!("it is readable by others (mode {mode:o})")));
    }
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX + 1));
    file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|e| cannot(e.to_string()))?;
    if text.len() > BYTES_MAX {
        return Err(cannot("it is too large for a secret".into()));
    }
    // Editors and echo end a file with a line feed; a password with one at its end cannot be typed anyway.
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn password() -> Wanted<'static> {
        Wanted { owner: "AB1234", name: "password", store: "…".into() }
    }

    #[test]
    fn a_private_file_is_read_without_its_last_line_feed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        write(&path, " pass word \r\n").unwrap();
        set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert_eq!(fetch(&path, &password()).unwrap().expose(), " pass word ");
    }

    #[test]
    fn a_file_open_to_others_a_link_a_folder_and_a_large_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        write(&path, "x").unwrap();
        set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let failure = fetch(&path, &password()).unwrap_err();
        assert!(failure.to_string().contains("readable by others (mode 644)"), "{failure}");
        assert!(failure.cure().contains("chmod 600"), "{}", failure.cure());
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(fetch(&link, &password()).is_err());
        assert!(fetch(folder.path(), &password()).is_err());
        write(&path, "x".repeat(5000)).unwrap();
        assert!(fetch(&path, &password()).is_err());
    }
}
