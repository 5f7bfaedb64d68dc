//! An exchange's list of days of the owner's own: read from its file, to be laid over the lists that are compiled in.

use std::path::Path;

use firstbell_core::calendar::{Calendar, Edition};

use crate::textfile;

/// Reads one list.
///
/// # Errors
/// All that is wrong with the file, each fault with the file's name and its line.
pub fn read(path: &Path) -> Result<Edition, Vec<String>> {
    let name = path.display();
    let text =
        textfile::read(path).map_err(|why| vec![format!("{name}: the calendar cannot be read: {why}")])?;
    let named = |fault: String| match fault.strip_prefix("line ") {
        Some(rest) => format!("{name}:{rest}"),
        None => format!("{name}: {fault}"),
    };
    Calendar::read(&text).map_err(|faults| faults.into_iter().map(named).collect())
}
