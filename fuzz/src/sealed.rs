//! A state folder with a vault of our own writing, whose file another hand puts in its place.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use firstbell::age::{self, Identity};
use firstbell::stores;
use firstbell_core::secret::{Secret, SecretBytes};
use std::cell::RefCell;

use crate::folder;

/// What the vault holds for the owner `a`, as `password`.
pub const SECRET: &str = "tr0ub4dor";

/// The folder as it was written, and what opens and fills its vault.
#[derive(Debug)]
pub struct Sealed {
    files: Vec<(PathBuf, Vec<u8>)>,
    identity: Identity,
    /// The vault's file, as it was written.
    pub file: Vec<u8>,
    /// What is in it, as text.
    pub plain: String,
    /// The store's key, as it stands there.
    pub key: String,
}

impl Sealed {
    /// Writes one.
    pub fn write() -> Sealed {
        let state = folder().join("state");
        let (plain, files) = {
            let stores = stores::open(&state).expect("a folder of our own");
            stores.vault().keep("a", "password", &Secret::new(SECRET.into())).expect("the vault is ours");
            let seen = RefCell::new(String::new());
            let see = |plain: &SecretBytes| {
                *seen.borrow_mut() = String::from_utf8_lossy(plain.expose()).into_owned();
                Vec::new()
            };
            stores.export(&see).expect("the vault opens");
            drop(stores);
            (seen.into_inner(), all())
        };
        let text = fs::read_to_string(state.join("identity.txt")).expect("it was made");
        let identity = Identity::read_all(&Secret::new(text)).expect("it is ours").remove(0);
        let (_, after) = plain.split_once("\"store_key\": \"").expect("the vault has a key");
        let key = after.split('"').next().expect("a text ends").to_owned();
        let file = fs::read(state.join("vault.age")).expect("it was made");
        Sealed { files, identity, file, plain, key }
    }

    /// What says this, for our identity.
    pub fn seal(&self, plain: &str) -> Vec<u8> {
        age::seal(&SecretBytes::new(plain.as_bytes().to_vec()), &[self.identity.recipient()])
    }

    /// Puts everything back as it was, with this as the vault, and with its copy or without one.
    pub fn put(&self, vault: &[u8], copy: bool) {
        fs::remove_dir_all(folder()).expect("a folder of our own");
        for (path, bytes) in &self.files {
            let bytes = match path.file_name().and_then(|name| name.to_str()) {
                Some("vault.age") => vault,
                Some("vault.previous.age") if !copy => continue,
                _ => bytes,
            };
            let around = path.parent().expect("a file is in a folder");
            fs::create_dir_all(around).expect("a folder of our own");
            fs::set_permissions(around, fs::Permissions::from_mode(0o700)).expect("it is ours");
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(path);
            file.and_then(|mut file| file.write_all(bytes)).expect("a folder of our own");
        }
    }

    /// What lies there as the vault, whole, damaged or put aside.
    pub fn lies_there(&self, vault: &[u8]) -> bool {
        all().iter().any(|(_, bytes)| bytes == vault)
    }
}

/// Every file in our folder.
fn all() -> Vec<(PathBuf, Vec<u8>)> {
    let (mut files, mut folders) = (Vec::new(), vec![folder()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder of our own").flatten() {
            match entry.file_type().expect("a file of our own").is_dir() {
                true => folders.push(entry.path()),
                false => files.push((entry.path(), fs::read(entry.path()).expect("a file of our own"))),
            }
        }
    }
    files
}
