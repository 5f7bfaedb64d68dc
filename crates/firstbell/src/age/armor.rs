//! The armored form: base64 between two lines of text, so that a file survives what only text survives. Read, not written.

use std::borrow::Cow;

use data_encoding::BASE64;

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const LINE: usize = 64;

/// The binary form of a file, whichever it has.
pub(super) fn read(file: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    if !file.trim_ascii_start().starts_with(BEGIN.as_bytes()) {
        return Ok(Cow::Borrowed(file));
    }
    let wrong = "is not armored as the format says";
    let text = std::str::from_utf8(file).map_err(|_| wrong)?.trim();
    let text = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or(wrong)?;
    let mut lines: Vec<&str> = text.lines().collect();
    // The rest of the line of BEGIN.
    if lines.is_empty() || !lines.remove(0).is_empty() || !text.ends_with('\n') {
        return Err(wrong);
    }
    let (last, full) = lines.split_last().ok_or(wrong)?;
    if full.iter().any(|line| line.len() != LINE) || last.is_empty() || last.len() > LINE {
        return Err(wrong);
    }
    BASE64.decode(lines.concat().as_bytes()).map(Cow::Owned).map_err(|_| wrong)
}
