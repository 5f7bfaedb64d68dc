//! A file of the owner's that is a page of text: a plain file of bounded size, and nothing else in its place.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What is far larger than a page of text is something else.
const BYTES_MAX: u64 = 256 * 1024;

/// Reads the whole file.
///
/// # Errors
/// Says why it cannot be read: it is not there, no plain file, too large, or not UTF-8.
pub fn read(path: &Path) -> Result<String, String> {
    // Asked before it is opened: a pipe that nobody writes to would be waited for.
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    let mut text = String::new();
    if meta.is_file() {
        let file = File::open(path).map_err(|e| e.to_string())?;
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    }
    if !meta.is_file() || text.len() as u64 > BYTES_MAX {
        return Err(format!("it is not a plain file of at most {} KiB", BYTES_MAX / 1024));
    }
    Ok(text)
}
