//! A program of the owner's that is given each new token, on its standard input or as an open descriptor, and never as an argument.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::kind::{Done, Fault, Form, Kind, TIME, Table, Tools};
use crate::ports::Delivery;
use crate::program::{Around, Feed, Program};
use crate::shape::Format;

pub(super) const KEYS: &[&str] = &["command", "form", "format", "template", "timeout_s"];

/// The first number that is none of the three standard ones.
const DESCRIPTOR: i32 = 3;

#[derive(Debug)]
struct Hook {
    words: Vec<String>,
    feed: Feed,
    form: Form,
    time: Duration,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    let section = &mut *table.section;
    let word = |text: &str| match text.contains('\0') {
        true => Err("cannot hold a zero byte".to_owned()),
        false => Ok(text.to_owned()),
    };
    let words = section.texts("command", word).unwrap_or_default();
    let good = words.first().is_some_and(|program| Path::new(program).is_absolute());
    if !good {
        section
            .fault("command needs a program's whole path: [\"/usr/local/bin/on-token\"]; no shell reads it");
    }
    let feed = section.parsed("form", |text| match text {
        "stdin" => Ok(Feed::Stdin),
        "fd" => Ok(Feed::Descriptor(DESCRIPTOR)),
        _ => Err("is not known; known: stdin, fd".to_owned()),
    });
    let form = Form::read(section, Format::Json);
    let time_s = section.number("timeout_s", 1).unwrap_or(TIME.as_secs());
    if time_s > TIME.as_secs() {
        section.fault(&format!("timeout_s is at most {}", TIME.as_secs()));
    }
    let time = Duration::from_secs(time_s);
    good.then(|| Box::new(Hook { words, feed: feed.unwrap_or(Feed::Stdin), form, time }) as Box<dyn Kind>)
}

impl Kind for Hook {
    fn place(&self) -> String {
        self.words[0].clone()
    }

    /// It is told of each token once.
    fn is_kept(&self) -> bool {
        false
    }

    fn check<'a>(&'a self, _tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async { self.look() })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, _tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            self.look()?;
            let text = self.form.fill(delivery);
            let mut own = vec![
                ("FIRSTBELL_ACCOUNT", delivery.account.to_owned()),
                ("FIRSTBELL_GENERATION", delivery.token.generation.to_string()),
            ];
            if let Feed::Descriptor(number) = self.feed {
                own.push(("FIRSTBELL_FD", number.to_string()));
            }
            let program = Program {
                words: &self.words,
                input: text.expose().as_bytes(),
                feed: self.feed,
                around: Around::Little(&own),
                time: self.time,
                output_max: 0,
            };
            let done = program.run().await;
            done.map(drop).map_err(|why| Fault::new(why, "See that it runs by hand and ends with 0."))
        })
    }
}

impl Hook {
    /// Nobody but root and we may have put it there, or may change it.
    fn look(&self) -> Result<(), Fault> {
        let path = &self.words[0];
        let cure = |what: &str| format!("{what}: chown root {path}; chmod 755 {path}.");
        let meta = std::fs::metadata(path)
            .map_err(|e| Fault::new(format!("{path} cannot be found: {}", e.kind()), "Put it there."))?;
        let ours = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
        if !meta.is_file() || meta.mode() & 0o111 == 0 {
            return Err(Fault::new(format!("{path} is no program"), cure("Make it one")));
        }
        if !ours || meta.mode() & 0o022 != 0 {
            let why = format!("{path} can be changed by others, who would be given the token");
            return Err(Fault::new(why, cure("Let nobody else write it")));
        }
        match open_folder(Path::new(path)) {
            None => Ok(()),
            Some(folder) => {
                let folder = folder.display();
                let why = format!(
                    "{path} could be replaced by others in {folder}, and they would be given the token"
                );
                Err(Fault::new(
                    why,
                    format!("Let nobody else write there: chown root {folder}; chmod 755 {folder}."),
                ))
            }
        }
    }
}

/// A folder on the way to a program in which somebody else could put another one in its place, both as it is written and where
/// its links lead. In a folder with the sticky bit nobody moves what is not his.
fn open_folder(program: &Path) -> Option<PathBuf> {
    let own = rustix::process::geteuid().as_raw();
    let real = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let folders = program.ancestors().skip(1).chain(real.ancestors().skip(1));
    let is_open = |folder: &&Path| {
        std::fs::metadata(folder).is_ok_and(|meta| {
            let ours = [0, own].contains(&meta.uid());
            !ours || meta.mode() & 0o022 != 0 && meta.mode() & 0o1000 == 0
        })
    };
    folders.filter(|folder| !folder.as_os_str().is_empty()).find(is_open).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_program_that_others_could_replace_is_none_of_the_owner_s() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("bin");
        create_dir(&folder).unwrap();
        write(folder.join("hook"), "").unwrap();
        let link = home.path().join("link");
        symlink(folder.join("hook"), &link).unwrap();
        assert_eq!(open_folder(&folder.join("hook")), None);
        for mode in [0o777, 0o775] {
            set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_folder(&folder.join("hook")).as_ref(), Some(&folder), "{mode:o}");
            assert_eq!(open_folder(&link).as_ref(), Some(&folder), "where the link leads");
        }
        set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(open_folder(&folder.join("hook")), None, "nobody moves what is not his");
    }
}
