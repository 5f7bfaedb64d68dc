//! Copies of state folders, so that many mornings can begin at the same point.

use std::fs;
use std::path::Path;

/// Copies a state folder with the mark beside it, as if the machine were another one at the same moment.
pub(crate) fn copy_state(from: &Path, to: &Path) {
    copy(from, to);
    let mark = |state: &Path| state.with_extension("mark");
    let _ = fs::remove_file(mark(to));
    if mark(from).exists() {
        fs::copy(mark(from), mark(to)).unwrap();
    }
}

/// Copies a folder's files with their modes, and its own mode.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
