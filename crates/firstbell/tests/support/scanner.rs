//! Looks for secrets that a test knows, in every form in which a program may have written them, whole or in part.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this one")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use data_encoding::{BASE32, BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use url::form_urlencoded::byte_serialize;

/// A part of this many bytes, of any form, is a find: buffers that are reused keep parts only.
const WINDOW: usize = 12;
/// Of a form that writes three bytes for one, so many: four letters of a seed are what two seeds share by chance.
const WIDE_WINDOW: usize = 24;

const EACH_BYTE: &str = "percent-encoded, each byte";

/// One place where a part of a secret stands. It names the secret and never shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Find {
    pub secret: String,
    pub form: &'static str,
    pub place: String,
}

/// The secrets that are looked for, cut into windows of all their forms.
#[derive(Default)]
pub struct Scanner {
    windows: HashMap<Vec<u8>, (String, &'static str)>,
    /// For each pair of bytes whether a window begins with it: most bytes of a file begin none.
    begins: Vec<bool>,
}

impl Scanner {
    /// Looks for this text from now on.
    pub fn add(&mut self, secret: &str, text: &str) {
        self.add_forms(secret, forms(text));
    }

    /// Looks for a TOTP seed: as it is typed, in small letters, and the key behind the letters.
    pub fn add_seed(&mut self, secret: &str, seed: &str) {
        self.add(secret, seed);
        self.add(&format!("{secret}, small"), &seed.to_lowercase());
        if let Ok(key) = BASE32.decode(seed.as_bytes()) {
            self.add_forms(&format!("{secret}, decoded"), forms_of_bytes(&key));
        }
    }

    fn add_forms(&mut self, secret: &str, forms: Vec<(&'static str, Vec<u8>)>) {
        for (form, bytes) in forms {
            let len = if form.starts_with(EACH_BYTE) { WIDE_WINDOW } else { WINDOW };
            assert!(bytes.len() > len, "{secret} is too short to be told from chance");
            for window in bytes.windows(len) {
                self.begins.resize(1 << 16, false);
                self.begins[beginning(window)] = true;
                self.windows.entry(window.to_vec()).or_insert_with(|| (secret.to_owned(), form));
            }
        }
    }

    /// What stands in these bytes. A window that several forms share is told by the first of them.
    pub fn search(&self, place: &str, bytes: &[u8]) -> BTreeSet<Find> {
        let mut finds = BTreeSet::new();
        for start in 0..bytes.len().saturating_sub(WINDOW - 1) {
            let rest = &bytes[start..];
            if self.begins.get(beginning(rest)) != Some(&true) {
                continue;
            }
            let windows = [rest.get(..WINDOW), rest.get(..WIDE_WINDOW)].into_iter().flatten();
            for (secret, form) in windows.filter_map(|window| self.windows.get(window)) {
                finds.insert(Find { secret: secret.clone(), form, place: place.to_owned() });
            }
        }
        finds
    }

    /// What stands in the files below a folder, in their names, and in the targets of links. What goes away while it
    /// is looked at, and what belongs to another user, is passed over.
    pub fn search_tree(&self, root: &Path) -> BTreeSet<Find> {
        let place = root.display().to_string();
        let mut finds = self.search(&format!("the name {place}"), place.as_bytes());
        let Ok(meta) = fs::symlink_metadata(root) else { return finds };
        if meta.is_symlink() {
            let target = fs::read_link(root).unwrap_or_default();
            finds.extend(self.search(&format!("the link {place}"), target.as_os_str().as_encoded_bytes()));
        } else if meta.is_dir() {
            for entry in fs::read_dir(root).into_iter().flatten().flatten() {
                finds.extend(self.search_tree(&entry.path()));
            }
        } else if meta.is_file() {
            finds.extend(self.search(&place, &fs::read(root).unwrap_or_default()));
        }
        finds
    }
}

fn beginning(window: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([window[0], window[1]]))
}

/// Every form in which a text may have been written, with its name.
pub fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let quoted = serde_json::to_string(text).unwrap();
    let json = quoted[1..quoted.len() - 1].to_owned();
    let ascii = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    let form_encoded: String = byte_serialize(bytes).collect();
    let every = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<String>();
    let mut all = forms_of_bytes(bytes);
    all.extend([
        ("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("percent-encoded, spaces as %20", form_encoded.replace('+', "%20").into_bytes()),
        ("percent-encoded, spaces as +", form_encoded.into_bytes()),
        (EACH_BYTE, every(|b| format!("%{b:02X}")).into_bytes()),
        ("percent-encoded, each byte, small", every(|b| format!("%{b:02x}")).into_bytes()),
        ("JSON, ASCII only", json.chars().map(ascii).collect::<String>().into_bytes()),
        ("JSON", json.into_bytes()),
    ]);
    all
}

fn forms_of_bytes(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("plain", bytes.to_vec()),
        ("hex", HEXLOWER.encode(bytes).into_bytes()),
        ("hex, capitals", HEXUPPER.encode(bytes).into_bytes()),
    ];
    let alignments = [
        ("base64", "base64, URL-safe"),
        ("base64, one byte on", "base64, URL-safe, one byte on"),
        ("base64, two bytes on", "base64, URL-safe, two bytes on"),
    ];
    for (before, (usual, safe)) in alignments.into_iter().enumerate() {
        let text = [&vec![0; before], bytes].concat();
        // Only the letters that the secret alone decides; those at the edges depend on what stands around it.
        let inside = (before * 8).div_ceil(6)..(text.len() * 8) / 6;
        all.push((usual, BASE64.encode(&text).as_bytes()[inside.clone()].to_vec()));
        all.push((safe, BASE64URL.encode(&text).as_bytes()[inside].to_vec()));
    }
    all
}
