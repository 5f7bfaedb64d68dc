//! The evidence of failed logins, as files beside the store: a text and a picture for each, kept for two weeks.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Album, Exposure};
use crate::shape::india;

/// Kept as long as somebody may still want to know; then it goes by itself.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A page that fails every minute fills no disk.
const ENTRIES_MAX: usize = 100;

/// A folder of evidence for one account.
#[derive(Debug)]
pub struct FolderAlbum {
    folder: PathBuf,
    account: String,
    now: Timestamp,
}

/// One failed login as it was kept.
#[derive(Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The text: what happened, and the page's bones.
    pub text: PathBuf,
    /// The picture, where one was taken.
    pub picture: Option<PathBuf>,
}

impl FolderAlbum {
    /// The evidence of an account in a state folder. What is too old goes.
    pub fn of(state: &Path, account: &str, now: Timestamp) -> FolderAlbum {
        let album = FolderAlbum { folder: state.join("evidence"), account: account.to_owned(), now };
        album.sweep();
        album
    }

    /// What is kept, the newest last.
    pub fn entries(&self) -> Vec<Entry> {
        let prefix = format!("{}-", self.account);
        let mut found: Vec<Entry> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| {
                let path = file.path();
                let name =
                    path.file_name()?.to_str()?.strip_suffix(".txt")?.strip_prefix(&prefix)?.to_owned();
                let at = Timestamp::from_millisecond(name.parse().ok()?).ok()?;
                let picture = path.with_extension("png");
                Some(Entry { at, picture: picture.is_file().then_some(picture), text: path })
            })
            .collect();
        found.sort_by_key(|entry| entry.at);
        found
    }

    /// Removes what is too old, or too much.
    fn sweep(&self) {
        let entries = self.entries();
        let surplus = entries.len().saturating_sub(ENTRIES_MAX);
        for (i, entry) in entries.iter().enumerate() {
            if i < surplus || self.now.duration_since(entry.at) > KEPT {
                let _ = fs::remove_file(&entry.text);
                let _ = entry.picture.as_ref().map(fs::remove_file);
            }
        }
    }

    fn write(&self, exposure: &Exposure) -> io::Result<()> {
        DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)?;
        // Several engines of one login leave one each; a millisecond more keeps them in their order.
        let stems = (0..10).map(|n| format!("{}-{}", self.account, self.now.as_millisecond() + n));
        let mut free =
            stems.map(|stem| self.folder.join(stem)).filter(|stem| !stem.with_extension("txt").exists());
        let stem = free.next().ok_or(io::ErrorKind::AlreadyExists)?;
        let text = format!(
            "{}\n{} ({})\nThe page, without anything that was typed; words that could be secret are masked:\n\n{}",
            india(self.now),
            exposure.failure,
            exposure.code,
            exposure.bones
        );
        create(&stem.with_extension("txt"), text.as_bytes())?;
        exposure.picture.as_ref().map_or(Ok(()), |png| create(&stem.with_extension("png"), png))
    }
}

impl Album for FolderAlbum {
    fn keep(&self, exposure: &Exposure) -> Result<(), Failure> {
        self.sweep();
        self.write(exposure).map_err(|e| Failure::Broken {
            part: Part::Store,
            why: format!("no evidence could be kept in {}: {e}", self.folder.display()),
            cure: "Free space there, or check its mode.".into(),
        })
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn exposure() -> Exposure {
        Exposure {
            failure: "a page".into(),
            code: "unknown-page",
            bones: "<body>\n".into(),
            picture: Some(vec![1]),
        }
    }

    #[test]
    fn evidence_is_private_and_goes_after_two_weeks() {
        let state = tempfile::tempdir().unwrap();
        let day = |n: i64| Timestamp::from_second(1_795_404_600 + n * 86_400).unwrap();
        for n in [0, 1, 15] {
            FolderAlbum::of(state.path(), "main", day(n)).keep(&exposure()).unwrap();
        }
        FolderAlbum::of(state.path(), "other", day(15)).keep(&exposure()).unwrap();
        let kept = FolderAlbum::of(state.path(), "main", day(15)).entries();
        assert_eq!(kept.iter().map(|e| e.at).collect::<Vec<_>>(), [day(1), day(15)]);
        for entry in &kept {
            for path in [&entry.text, entry.picture.as_ref().unwrap()] {
                assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
            }
        }
        assert_eq!(fs::metadata(state.path().join("evidence")).unwrap().mode() & 0o777, 0o700);
        assert!(fs::read_to_string(&kept[1].text).unwrap().contains("a page (unknown-page)"));
    }
}
