//! Who can read and change what firstbell keeps and what it is told: owners, modes and links.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{Area, Finding};
use super::machine::Machine;
use super::people::is_alone_in;
use super::shown::Shown;
use crate::secrets;

const AREA: Area = Area::Files;

/// A file or folder, and who may do what with it.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its name for programs.
    pub id: String,
    /// What it is, to be read at the beginning of a sentence.
    pub what: String,
    /// Where it is.
    pub path: PathBuf,
    /// What others may do.
    pub open_to: OpenTo,
}

/// What other users of the machine may do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenTo {
    /// Nothing at all.
    Nobody,
    /// Look at it.
    Readers,
    /// What a file may be that a secret is taken from: nothing, unless it was handed over as container platforms do.
    AsSecret,
    /// What a sink lets whoever it hands a token to.
    AsHanded {
        /// The file's mode.
        mode: u32,
        /// The user whom it is given to, where that is another one.
        owner: Option<u32>,
    },
}

/// What is there of these; what is not there is somebody else's to miss.
pub fn examine(all: &[Held], machine: &Machine, shown: &Shown) -> Vec<Finding> {
    all.iter().filter_map(|held| one(held, machine, shown)).collect()
}

/// One of them.
pub fn one(held: &Held, machine: &Machine, shown: &Shown) -> Option<Finding> {
    let meta = match fs::symlink_metadata(&held.path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        Err(_) => return Some(Finding::unknown(AREA, &held.id, &format!("who can read {}", held.what))),
    };
    let (what, path) = (&held.what, shown.path(&held.path));
    if held.open_to == OpenTo::AsSecret && secrets::is_taken(&held.path, machine.uid) {
        return Some(Finding::good(
            AREA,
            &held.id,
            format!("{what} is yours alone, or was handed to you alone"),
        ));
    }
    // A configuration may be a link to where its owner keeps such things; what is secret may not.
    let meta = match meta.is_symlink() {
        false => meta,
        true if held.open_to == OpenTo::Readers => fs::metadata(&held.path).ok()?,
        true => {
            let mend =
                format!("cp --remove-destination \"$(readlink -f {path})\" {path} && chmod 600 {path}");
            let what = format!("{what} is a link, which somebody could turn to another place");
            return Some(Finding::bad(AREA, &held.id, what, mend));
        }
    };
    let is_given = matches!(held.open_to, OpenTo::AsHanded { owner: Some(owner), .. } if owner == meta.uid());
    Some(match (is_given || is_owned(&meta, machine.uid), open(machine, &meta, held.open_to)) {
        (false, _) => {
            let mend = format!("sudo chown $(id -u) {path}");
            Finding::bad(AREA, &held.id, format!("{what} is another user's"), mend)
        }
        (true, Some((verb, change))) => {
            let what = format!("{what} can be {verb} by other users (mode {:o})", meta.mode() & 0o777);
            Finding::bad(AREA, &held.id, what, format!("chmod {change} {path}"))
        }
        (true, None) => {
            let whom = match held.open_to {
                OpenTo::Nobody | OpenTo::AsSecret | OpenTo::AsHanded { mode: 0o400 | 0o600, owner: None } => {
                    "is yours alone"
                }
                OpenTo::Readers => "is changed by nobody but you",
                OpenTo::AsHanded { .. } => "is read by nobody but whom its sink names",
            };
            Finding::good(AREA, &held.id, format!("{what} {whom}"))
        }
    })
}

/// Whoever can change a folder above can put another file in the place of the one that is meant.
pub fn above(places: &[&Path], machine: &Machine, shown: &Shown) -> Finding {
    let id = "folders_above";
    let mut folders: Vec<&Path> = places.iter().flat_map(|place| place.ancestors().skip(1)).collect();
    folders.sort();
    folders.dedup();
    let is_open = |folder: &&Path| {
        let Ok(meta) = fs::metadata(folder) else { return false };
        // A sticky folder, such as the one for temporary files, lets nobody move what is another's.
        let loose = is_loose(machine, &meta) && meta.mode() & 0o1000 == 0;
        loose || !is_owned(&meta, machine.uid)
    };
    match folders.into_iter().find(is_open) {
        Some(folder) => Finding::bad(
            AREA,
            id,
            "other users can change a folder above firstbell's own, and so put files of theirs in the place of yours",
            format!("chmod go-w {0}    # see whose it is: ls -ld {0}", shown.path(folder)),
        ),
        None => Finding::good(AREA, id, "nobody but you and root can change the folders above"),
    }
}

fn is_owned(meta: &Metadata, uid: u32) -> bool {
    [0, uid].contains(&meta.uid())
}

/// Whether somebody else can change it.
fn is_loose(machine: &Machine, meta: &Metadata) -> bool {
    meta.mode() & 0o002 != 0 || meta.mode() & 0o020 != 0 && !is_alone_in(machine, meta.gid())
}

/// What others could do with it, and the change of its mode that mends that.
fn open(machine: &Machine, meta: &Metadata, to: OpenTo) -> Option<(&'static str, String)> {
    let mode = meta.mode() & 0o777;
    match to {
        OpenTo::Nobody if mode & 0o077 != 0 && meta.is_dir() => Some(("entered", "700".into())),
        OpenTo::Nobody | OpenTo::AsSecret if mode & 0o077 != 0 => Some(("read or changed", "600".into())),
        OpenTo::AsHanded { mode: given, .. } if mode & !given & 0o077 != 0 => {
            Some(("read or changed", format!("{given:o}")))
        }
        OpenTo::Readers if is_loose(machine, meta) => Some(("changed", "go-w".into())),
        _ => None,
    }
}
