//! Which browser program: the small headless one first, and the program itself, never a script that wraps it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use firstbell_core::failure::{Failure, Part};

use super::super::filter::Whom;

/// How the browser is to be started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChromeConfig {
    /// The browser's program, instead of the first one found.
    pub binary: Option<PathBuf>,
    /// The user that a browser started by root runs as.
    pub user: Option<String>,
    /// Private memory that an engine may take, in megabytes.
    pub memory_mb: Option<u64>,
    /// Further arguments, each accepted.
    pub arguments: Vec<String>,
    /// Show the browser's window.
    pub headful: bool,
}

/// Where distributions put Chromium and Chrome, the headless shell first: it starts in a third of the time. Debian's
/// `/usr/bin/chromium` is a shell script that takes arguments from every file in `/etc/chromium.d`.
const PLACES: [&str; 7] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/opt/chrome-headless-shell/chrome-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/opt/chromium.org/chromium/chrome",
];
/// Names looked for on the path after that.
const NAMES: [&str; 5] =
    ["chrome-headless-shell", "chromium-headless-shell", "chromium", "chromium-browser", "chrome"];

const INSTALL: &str = "Install one: sudo apt-get install chromium-headless-shell (Debian), or sudo apt-get install \
                       chromium; or name one under [browser] binary; or log in without a browser: --driver http.";

/// The program to start.
pub(in super::super) fn find(named: Option<&Path>, headful: bool) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return match kind(path) {
            Kind::Program => Ok(path.to_owned()),
            Kind::Missing => Err(missing(format!("there is no browser at {}", path.display()))),
            Kind::Script => {
                let real = PLACES.iter().find(|place| matches!(kind(Path::new(place)), Kind::Program));
                let hint = real.map(|real| format!("; name {real} instead")).unwrap_or_default();
                let why = format!(
                    "{} is a script that adds arguments of its own, not the browser itself{hint}",
                    path.display()
                );
                Err(missing(why))
            }
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).flat_map(|dir| NAMES.map(|name| dir.join(name)));
    PLACES
        .iter()
        .map(PathBuf::from)
        .chain(on_path)
        .filter(|p| !headful || !is_shell(p))
        .find(|p| matches!(kind(p), Kind::Program))
        .ok_or_else(|| missing("no Chromium or Chrome was found on this machine".into()))
}

/// Whether a program is the headless shell, which has no window and needs no flag for that.
pub(super) fn is_shell(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("headless"))
}

/// What the kernel is to let it ask for. The headless shell talks to nobody on this machine; the whole browser does not start where
/// it cannot ask whether another one has its profile already.
pub(in super::super) fn kind_of(program: &Path) -> Whom {
    if is_shell(program) { Whom::Alone } else { Whom::Engine }
}

enum Kind {
    Program,
    Script,
    Missing,
}

fn kind(path: &Path) -> Kind {
    let mut magic = [0; 4];
    match File::open(path).and_then(|mut f| f.read_exact(&mut magic)) {
        Ok(()) if magic == *b"\x7fELF" || !cfg!(target_os = "linux") => Kind::Program,
        Ok(()) => Kind::Script,
        Err(_) => Kind::Missing,
    }
}

fn missing(why: String) -> Failure {
    Failure::Broken { part: Part::Browser, why, cure: INSTALL.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_browser_and_a_script_are_refused_with_the_command_that_helps() {
        for path in ["/nonexistent/chromium", "/usr/bin/ldd"] {
            let failure = find(Some(Path::new(path)), false).unwrap_err();
            assert!(failure.cure().contains("apt-get install chromium"), "{path}: {failure}");
        }
    }
}
