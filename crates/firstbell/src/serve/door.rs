//! The doors to the local API: the socket in the state folder, and those that the owner asked for. Bound once; a change of the
//! configuration finds whoever knocks meanwhile still waiting.

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};

use crate::config::Api;

/// The socket's name in the state folder, which nobody else can enter.
const SOCKET: &str = "socket";

/// Bound doors. Gone with this value.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) own: Bound,
    pub(super) shared: Option<Bound>,
    pub(super) tcp: Option<(SocketAddr, TcpListener)>,
}

/// A socket with a name in the file system.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Whoever comes next would remove it as well.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Doors {
    /// Binds the socket in the state folder. To be called by the one daemon that holds the folder's lease: what lies there
    /// from an earlier one is removed.
    pub(super) fn open(state_dir: &Path) -> Result<Doors, Failure> {
        let path = path_of(state_dir);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(broken(&path, &e)),
            _ => {}
        }
        Ok(Doors { own: bind(&path, 0o600)?, shared: None, tcp: None })
    }

    /// Opens and shuts the further doors as the configuration says; one that is to stay is not touched. A door that cannot be
    /// opened stays shut, and takes no other with it.
    pub(super) fn adopt(&mut self, api: &Api) -> Vec<Failure> {
        let mut faults = Vec::new();
        if self.shared.as_ref().map(|bound| &bound.path) != api.socket.as_ref() {
            self.shared = None;
            let shared = api.socket.as_ref().map(|path| share(path)).transpose();
            self.shared = shared.unwrap_or_else(|failure| {
                faults.push(failure);
                None
            });
        }
        if self.tcp.as_ref().map(|(address, _)| *address) != api.listen {
            self.tcp = None;
            let tcp = api.listen.map(listen).transpose();
            self.tcp = tcp.unwrap_or_else(|failure| {
                faults.push(failure);
                None
            });
        }
        faults
    }
}

/// Where the socket of a state folder is.
pub(super) fn path_of(state_dir: &Path) -> PathBuf {
    state_dir.join(SOCKET)
}

fn bind(path: &Path, mode: u32) -> Result<Bound, Failure> {
    let bound = || {
        let listener = UnixListener::bind(path)?;
        let bound = Bound { listener, path: path.to_owned() };
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        bound.listener.set_nonblocking(true)?;
        Ok(bound)
    };
    bound().map_err(|e| broken(path, &e))
}

/// Binds a socket that everybody may connect to; who is answered is the kernel's word.
fn share(path: &Path) -> Result<Bound, Failure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let meta = std::fs::metadata(folder).map_err(|e| broken(path, &e))?;
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
    // Whoever can write to it could put a socket of his own in the place of ours, and hand out what he likes.
    if !ours || meta.mode() & 0o022 != 0 {
        let why =
            format!("the folder {} must be ours or root's, and nobody else's to write to", folder.display());
        let cure = "Make a folder for it, such as RuntimeDirectory=firstbell of systemd does.".into();
        return Err(Failure::Broken { part: Part::Store, why, cure });
    }
    let left = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if left && UnixStream::connect(path).is_err() {
        // Of a daemon that is no more; what cannot be removed, bind tells of.
        let _ = std::fs::remove_file(path);
    }
    bind(path, 0o666)
}

fn listen(address: SocketAddr) -> Result<(SocketAddr, TcpListener), Failure> {
    let bound = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok((address, listener))
    };
    bound().map_err(|e: std::io::Error| Failure::Broken {
        part: Part::Store,
        why: format!("the address {address} of [api] cannot be listened at: {e}"),
        cure: "See who has the port (ss -ltnp), or name another one.".into(),
    })
}

fn broken(path: &Path, e: &std::io::Error) -> Failure {
    Failure::Broken {
        part: Part::Store,
        why: format!("the socket {} cannot be made: {e}", path.display()),
        cure: "Check the folder's owner and mode; a socket's whole path has at most 107 bytes.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_stays_is_not_touched_and_one_that_goes_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shared = folder.path().join("api");
        let mut doors = Doors::open(folder.path()).unwrap();
        let api = Api { socket: Some(shared.clone()), ..Api::default() };
        assert!(doors.adopt(&api).is_empty());
        let before = std::fs::metadata(&shared).unwrap().ino();
        assert!(doors.adopt(&api).is_empty());
        assert_eq!(std::fs::metadata(&shared).unwrap().ino(), before);
        assert!(doors.adopt(&Api::default()).is_empty());
        assert!(!shared.exists() && path_of(folder.path()).exists());
        drop(doors);
        assert!(!path_of(folder.path()).exists());
    }

    #[test]
    fn a_folder_that_others_write_to_a_living_socket_and_a_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut doors = Doors::open(folder.path()).unwrap();
        let at = |name: &str| Api { socket: Some(folder.path().join(name)), ..Api::default() };
        let _living = UnixListener::bind(folder.path().join("living")).unwrap();
        std::fs::write(folder.path().join("file"), "mine").unwrap();
        for name in ["living", "file", "none/api"] {
            assert_eq!(doors.adopt(&at(name)).len(), 1, "{name}");
        }
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"mine");
        drop(UnixListener::bind(folder.path().join("dead")).unwrap());
        assert!(doors.adopt(&at("dead")).is_empty());
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert_eq!(doors.adopt(&at("open")).len(), 1);
    }
}
