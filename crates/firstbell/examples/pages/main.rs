//! Writes the manual's pages and the shells' completions: `pages FOLDER` makes FOLDER/man and FOLDER/completions anew.
//! An example and no command, so that the program itself carries none of what makes them.

mod made;

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "which folder? pages FOLDER"))?;
    for inside in ["man", "completions"] {
        // A page of a command that is no more must not stay.
        match fs::remove_dir_all(folder.join(inside)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => fs::create_dir_all(folder.join(inside))?,
        }
    }
    for made in made::all() {
        fs::write(folder.join(made.path), made.text)?;
    }
    Ok(())
}
