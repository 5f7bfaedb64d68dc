//! Links on the way to a secret's file: followed where nobody but root and us could have laid or moved any of them, as
//! Kubernetes lays them, and nowhere else.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::file::is_ours;

/// More than any honest path has.
const LINKS_MAX: usize = 16;
/// Whoever may write to such a folder may still not move what is another one's.
const STICKY: u32 = 0o1000;

/// Where a path leads. One that does not end in a link is left as it is.
pub(super) fn settle(path: &Path, us: u32) -> Result<PathBuf, String> {
    if !fs::symlink_metadata(path).map_err(|e| e.to_string())?.is_symlink() {
        return Ok(path.to_owned());
    }
    if !path.is_absolute() {
        return Err("it is a link, and not named by an absolute path".into());
    }
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut rest = parts(path);
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        let meta = fs::symlink_metadata(&next).map_err(|e| format!("{}: {e}", next.display()))?;
        let open = !meta.is_symlink() && meta.mode() & 0o022 != 0 && meta.mode() & STICKY == 0;
        if !is_ours(meta.uid(), us) || (open && meta.is_dir()) {
            return Err(format!("it is a link, and somebody else could turn it at {}", next.display()));
        }
        if !meta.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err("it is a link that leads nowhere".into());
        }
        let target = fs::read_link(&next).map_err(|e| e.to_string())?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        parts(&target).into_iter().rev().for_each(|part| rest.push_front(part));
    }
    Ok(at)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn us() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_links_of_a_mounted_secret_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (dated, data) = (folder.path().join("..2026_01_01"), folder.path().join("..data"));
        create_dir(&dated).unwrap();
        write(dated.join("password"), "x").unwrap();
        symlink("..2026_01_01", &data).unwrap();
        let link = folder.path().join("password");
        symlink("..data/password", &link).unwrap();
        assert_eq!(settle(&link, us()).unwrap(), dated.join("password"));
        let far = folder.path().join("far");
        symlink(folder.path().join("..2026_01_01/../password"), &far).unwrap();
        assert_eq!(settle(&far, us()).unwrap(), dated.join("password"));
        // Whoever may write to one folder on the way could lead us elsewhere.
        set_permissions(folder.path(), Permissions::from_mode(0o770)).unwrap();
        assert!(settle(&link, us()).unwrap_err().contains("somebody else could turn it"));
        set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(settle(&link, us()).is_ok(), "as in /tmp, nobody moves what is not his");
    }

    #[test]
    fn links_in_a_ring_to_nowhere_and_of_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        symlink("two", &one).unwrap();
        symlink("one", &two).unwrap();
        assert!(settle(&one, us()).unwrap_err().contains("leads nowhere"));
        let gone = folder.path().join("gone");
        symlink("nothing", &gone).unwrap();
        assert!(settle(&gone, us()).is_err());
        if us() == 0 {
            std::os::unix::fs::lchown(&one, Some(4_321), None).unwrap();
            assert!(settle(&one, us()).unwrap_err().contains("somebody else"));
            write(folder.path().join("nothing"), "x").unwrap();
            assert!(settle(&gone, us()).is_ok());
            assert!(settle(&gone, 4_321).is_ok(), "root's links may be followed by anybody");
        }
    }
}
