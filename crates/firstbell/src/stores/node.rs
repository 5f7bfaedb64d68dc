//! This machine's name among those that share a store: letters of chance in the state folder, made once.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use firstbell_core::failure::Failure;

use super::folder::{self, cannot};
use super::kept::no_chance;

const FILE: &str = "node";
const LEN: usize = 16;

pub(super) fn name(state: &Path) -> Result<String, Failure> {
    let path = state.join(FILE);
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        folder::open_private(&path, OpenOptions::new().read(true))?
            .take(LEN as u64)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    match read() {
        Ok(text) if text.len() == LEN => return Ok(text),
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(cannot(&path, "be read", &e)),
    }
    let mut bytes = [0; LEN / 2];
    getrandom::fill(&mut bytes).map_err(|e| no_chance(&e))?;
    let (name, beside) = (HEXLOWER.encode(&bytes), state.join(format!("node.new-{}", std::process::id())));
    // Whole or not at all; of two processes that make it in the same moment, the first one's stays.
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = folder::open_private(&beside, options.write(true).create(true).truncate(true))?;
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
        match std::fs::hard_link(&beside, &path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            _ => folder::sync(state)?,
        }
        std::fs::remove_file(&beside)
    };
    write().map_err(|e| cannot(&path, "be written", &e))?;
    read().map_err(|e| cannot(&path, "be read", &e))
}
