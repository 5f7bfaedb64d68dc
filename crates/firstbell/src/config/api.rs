//! The `[api]` of a configuration: further doors to the local API, for other users of the machine and over loopback TCP.

use std::net::SocketAddr;
use std::path::PathBuf;

use nix::unistd::User;

use super::absolute_path;
use crate::written::Section;

/// What a socket's whole path may have (`sun_path` in unix(7), with its end).
const PATH_MAX: usize = 107;

/// The doors beside the socket in the state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Api {
    /// A socket for programs of other users.
    pub socket: Option<PathBuf>,
    /// Who may use it, by the kernel's number.
    pub users: Vec<u32>,
    /// A loopback address, for whoever shows a key.
    pub listen: Option<SocketAddr>,
}

impl Api {
    pub(super) fn read(root: &mut Section<'_>) -> Api {
        let Some(mut section) = root.section("api") else { return Api::default() };
        let socket = section.parsed("socket", |text| {
            let path = absolute_path(text)?;
            match text.len() <= PATH_MAX && !text.ends_with('/') {
                true => Ok(path),
                false => Err(format!("must be the path of a file, of at most {PATH_MAX} bytes")),
            }
        });
        let users = section.texts("users", read_user).unwrap_or_default();
        if section.asked("users") && !section.asked("socket") {
            section.fault("users without a socket: they cannot enter the state folder");
        }
        let listen = section.parsed("listen", read_listen);
        section.end(&["socket", "users", "listen"]);
        Api { socket, users, listen }
    }
}

fn read_user(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match User::from_name(text) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("names {text:?}, and this machine has no such user")),
        Err(e) => Err(format!("names {text:?}, and this machine's users cannot be read: {e}")),
    }
}

fn read_listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "must be an address such as \"127.0.0.1:7470\" or \"[::1]:7470\"".to_owned())?;
    if !address.ip().is_loopback() {
        return Err("must be a loopback address: tokens do not leave this machine".into());
    }
    match address.port() {
        0 => Err("must name its port: programs could not find another".into()),
        _ => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Faults;

    fn read(text: &str) -> Result<Api, Vec<String>> {
        let faults = Faults::new("c.toml", text);
        let api = Api::read(&mut Section::root(text, faults.clone()));
        if faults.lines().is_empty() { Ok(api) } else { Err(faults.lines()) }
    }

    #[test]
    fn there_are_no_further_doors_unless_they_are_asked_for() {
        assert_eq!(read("").unwrap(), Api::default());
        assert_eq!(read("[api]").unwrap(), Api::default());
        let api =
            read("[api]\nsocket = \"/run/fb/api\"\nusers = [\"root\", \"1001\"]\nlisten = \"[::1]:7470\"")
                .unwrap();
        assert_eq!((api.socket, api.users), (Some("/run/fb/api".into()), vec![0, 1001]));
        assert_eq!(api.listen, Some("[::1]:7470".parse().unwrap()));
    }

    #[test]
    fn what_would_open_the_machine_is_a_fault_with_its_line() {
        for wrong in [
            "listen = \"0.0.0.0:7470\"",
            "listen = \"[::]:7470\"",
            "listen = \"192.168.1.5:7470\"",
            "listen = \"localhost:7470\"",
            "listen = \"127.0.0.1\"",
            "listen = \"127.0.0.1:0\"",
            "listen = 7470",
            "socket = \"run/api\"",
            "socket = \"/run/api/\"",
            "users = [\"root\"]",
            "socket = \"/run/api\"\nusers = [\"nobody-of-this-name\"]",
            "socket = \"/run/api\"\nusers = [1001]",
            "socket = \"/run/api\"\nusers = [\"-1\"]",
            "port = 7470",
        ] {
            let lines = read(&format!("[api]\n{wrong}")).unwrap_err();
            assert!(lines.len() == 1 && lines[0].starts_with("c.toml:"), "{wrong}: {lines:?}");
        }
    }
}
