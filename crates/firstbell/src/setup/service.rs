//! The daemon as a service of systemd: what its unit says, where it goes, and what starts it.

use std::path::{Path, PathBuf};

use crate::secrets::sealed_path;

/// The unit of a user; the one of the machine differs in its place and its target only.
const TEXT: &str = include_str!("firstbell.service");

/// A unit, not yet written.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Where it goes.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// The arguments of `systemctl` that start it, in their order.
    pub starts: Vec<Vec<&'static str>>,
    /// What else the owner may want to run, where there is something.
    pub lingers: Option<&'static str>,
}

/// The unit that runs this program with this configuration; root's is the machine's, everybody else's their own.
pub fn unit(
    program: &Path,
    config: &Path,
    (root, home): (bool, &Path),
    folder: Option<&Path>,
    credential: Option<&str>,
) -> Unit {
    let quoted = |path: &Path| {
        let text = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", text.replace('%', "%%").replace('$', "$$"))
    };
    let command = format!("{} --config {} run", quoted(program), quoted(config));
    let target = if root { "multi-user.target" } else { "default.target" };
    let credential =
        credential.map(|name| format!("LoadCredentialEncrypted={name}:{}\n", sealed_path(name).display()));
    let text = TEXT.replace("@COMMAND@", &command).replace("@TARGET@", target);
    let text = text.replace("@CREDENTIAL@\n", &credential.unwrap_or_default());
    if root {
        let path = PathBuf::from("/etc/systemd/system/firstbell.service");
        let starts = vec![vec!["daemon-reload"], vec!["enable", "--now", "firstbell.service"]];
        return Unit { path, text, starts, lingers: None };
    }
    let folder = folder.map_or_else(|| home.join(".config"), Path::to_owned);
    Unit {
        path: folder.join("systemd/user/firstbell.service"),
        text,
        starts: vec![vec!["--user", "daemon-reload"], vec!["--user", "enable", "--now", "firstbell.service"]],
        lingers: Some("loginctl enable-linger"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_names_program_and_configuration_whatever_they_are_called() {
        let unit = unit(Path::new("/o p/fb"), Path::new("/c/5%.toml"), (false, Path::new("/h")), None, None);
        assert_eq!(unit.path, Path::new("/h/.config/systemd/user/firstbell.service"));
        assert!(unit.text.contains("ExecStart=\"/o p/fb\" --config \"/c/5%%.toml\" run\n"), "{}", unit.text);
        assert!(unit.text.contains("WantedBy=default.target") && !unit.text.contains('@'), "{}", unit.text);
    }

    #[test]
    fn a_unit_is_given_the_credential_that_opens_the_vault() {
        let unit = unit(Path::new("/fb"), Path::new("/c.toml"), (true, Path::new("/")), None, Some("fb-x"));
        let line = "\nLoadCredentialEncrypted=fb-x:/etc/credstore.encrypted/fb-x\n";
        assert!(unit.text.contains(line) && !unit.text.contains('@'), "{}", unit.text);
    }
}
