//! Secrets from files that nobody else can read: one secret a file, as container platforms mount them.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::name::Wanted;
use super::{credential, links};

/// Far more than any password, key or secret has.
const BYTES_MAX: usize = 4096;

/// Who may read a file beside its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Nobody; of a file of root's that is not handed to us in another way, our group.
    Owner,
    /// Whoever its group bits stand for: systemd (since 254) gives a service its credentials as root's files of mode 0440 with
    /// an access list, and then these bits show the list's mask. Others cannot enter the folder.
    Group,
}

pub(super) fn fetch(path: &Path, wanted: &Wanted<'_>) -> Result<Secret, Failure> {
    read(path, by(path, credential::folder().as_deref())).map_err(|why| {
        let cure = format!("Make {0} a plain file of yours with mode 600: chmod 600 {0}.", path.display());
        wanted.missing(format!("cannot be taken from {}: {why}", path.display()), cure)
    })
}

/// A credential of systemd's that is named by its path is one all the same.
fn by(path: &Path, credentials: Option<&Path>) -> By {
    let is_plain = path.components().all(|part| part != Component::ParentDir);
    match credentials {
        Some(folder) if is_plain && path.starts_with(folder) => By::Group,
        _ => By::Owner,
    }
}

/// What is in a file, or why that is not taken.
pub(super) fn read(path: &Path, by: By) -> Result<Secret, String> {
    let file = open(path, rustix::process::geteuid().as_raw(), by)?;
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX + 1));
    file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() > BYTES_MAX {
        return Err("it is too large for a secret".into());
    }
    // Editors and echo end a file with a line feed; a password with one at its end cannot be typed anyway.
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Whether a secret of this user's would be taken from a file, as far as its owner, its mode and its links go.
pub(super) fn is_taken(path: &Path, us: u32) -> bool {
    open(path, us, by(path, credential::folder().as_deref())).is_ok()
}

fn open(path: &Path, us: u32, by: By) -> Result<File, String> {
    // A link could be swapped for another between the look and the read: followed only where nobody else could do that.
    let path = links::settle(path, us)?;
    let only =
        i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags of open fit in an int");
    let file = OpenOptions::new().read(true).custom_flags(only).open(path).map_err(|e| e.to_string())?;
    refusal(&file.metadata().map_err(|e| e.to_string())?, us, by).map_or(Ok(file), Err)
}

fn refusal(meta: &fs::Metadata, us: u32, by: By) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    if !meta.is_file() {
        return Some("it is not a plain file".into());
    }
    if !is_ours(meta.uid(), us) {
        return Some(format!("it is not a file of yours (it is user {}'s)", meta.uid()));
    }
    let mode = meta.mode() & 0o777;
    let refused = mode & closed(meta.uid(), us, by) != 0;
    refused.then(|| format!("it is readable by others (mode {mode:o})"))
}

/// Root can read it anyway.
pub(super) fn is_ours(owner: u32, us: u32) -> bool {
    [0, us].contains(&owner)
}

/// The bits of a mode that must not be there. Kubernetes can hand a file of root's to another user only through its group
/// (`fsGroup`), and that group is its pod's.
fn closed(owner: u32, us: u32, by: By) -> u32 {
    if by == By::Group || (owner == 0 && us != 0) { 0o037 } else { 0o077 }
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
    fn a_file_open_to_others_a_folder_a_pipe_and_a_large_file_are_refused() {
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
        assert!(fetch(&link, &password()).is_ok(), "nobody else could turn it");
        assert!(fetch(folder.path(), &password()).is_err());
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(fetch(&pipe, &password()).is_err(), "nobody ever writes to it");
        write(&path, "x".repeat(5000)).unwrap();
        assert!(fetch(&path, &password()).is_err());
    }

    #[test]
    fn a_credential_may_show_the_mask_of_its_access_list_and_nothing_else_may() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("firstbell.service");
        fs::create_dir(&credentials).unwrap();
        let (inside, outside) = (credentials.join("password"), folder.path().join("password"));
        for path in [&inside, &outside] {
            write(path, "x").unwrap();
        }
        let taken = |path: &Path, mode: u32| {
            set_permissions(path, Permissions::from_mode(mode)).unwrap();
            read(path, by(path, Some(&credentials))).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(taken(&inside, 0o440).as_deref(), Ok("x"));
        for mode in [0o444, 0o460, 0o450, 0o441] {
            assert!(taken(&inside, mode).unwrap_err().contains("readable by others"), "{mode:o}");
        }
        assert!(taken(&outside, 0o440).is_err());
        assert_eq!(by(&credentials.join("../password"), Some(&credentials)), By::Owner);
        assert_eq!(by(&inside, None), By::Owner);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&inside, Some(4_321), None).unwrap();
            assert!(taken(&inside, 0o400).unwrap_err().contains("not a file of yours"));
        }
    }

    #[test]
    fn a_group_may_read_what_only_a_group_can_be_handed() {
        assert_eq!([closed(7, 7, By::Owner), closed(0, 0, By::Owner)], [0o077; 2]);
        assert_eq!([closed(0, 7, By::Owner), closed(0, 0, By::Group), closed(7, 7, By::Group)], [0o037; 3]);
        assert!(is_ours(0, 7) && is_ours(7, 7) && !is_ours(8, 7) && !is_ours(7, 0));
    }
}
