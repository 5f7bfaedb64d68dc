//! Paths as they may be shown and typed into a shell: the home is `~`, and nothing else is needed around them.

use std::path::{Path, PathBuf};

/// Whose home is not told.
#[derive(Clone, Debug)]
pub struct Shown {
    home: Option<PathBuf>,
    /// Words of the configuration that are nobody's business.
    private: Vec<String>,
}

impl Shown {
    /// With this home, and these words that must not be shown.
    pub fn new(home: Option<PathBuf>, private: Vec<String>) -> Shown {
        let home = home.filter(|home| home.is_absolute() && home.components().count() > 1);
        // A shorter word would take half of every sentence with it.
        let private = private.into_iter().filter(|word| word.len() >= 4).collect();
        Shown { home, private }
    }

    /// A path, to be typed as it is.
    pub fn path(&self, path: &Path) -> String {
        let inside = self.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
        match inside {
            Some(rest) if rest.as_os_str().is_empty() => "~".into(),
            Some(rest) => format!("~/{}", quoted(&rest.to_string_lossy())),
            None => quoted(&path.to_string_lossy()),
        }
    }

    /// A sentence of somebody else's, without the home and without private words.
    pub fn text(&self, text: &str) -> String {
        let home = self.home.as_ref().map(|home| home.to_string_lossy().into_owned());
        let text = match home {
            Some(home) => text.replace(&format!("{home}/"), "~/"),
            None => text.to_owned(),
        };
        self.private.iter().fold(text, |text, word| text.replace(word.as_str(), "…"))
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_typed_and_the_home_and_private_words_are_not_told() {
        let shown = Shown::new(Some("/h/me".into()), vec!["AB1234".into(), "x".into()]);
        assert_eq!(shown.path(Path::new("/h/me/a/key")), "~/a/key");
        assert_eq!(shown.path(Path::new("/h/me/a b/it's")), "~/'a b/it'\\''s'");
        assert_eq!(shown.path(Path::new("/h/meadow")), "/h/meadow");
        assert_eq!(shown.text("/h/me/x of AB1234, /h/meadow"), "~/x of …, /h/meadow");
        assert_eq!(Shown::new(Some("/".into()), Vec::new()).path(Path::new("/a")), "/a");
    }
}
