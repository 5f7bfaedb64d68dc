//! The header of an age file: a stanza for each recipient, and a keyed hash over all of them.

use data_encoding::BASE64_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::derive;
use super::stanza::{FileKey, Stanza};

const VERSION: &str = "age-encryption.org/v1";
/// How long a line of a stanza's body is; a shorter one is its last.
const LINE: usize = 64;
/// More than anybody writes for; each costs work.
const STANZAS_MAX: usize = 64;

/// A header, and what comes after it.
#[derive(Debug)]
pub(super) struct Header<'f> {
    pub(super) stanzas: Vec<Stanza>,
    hash: Vec<u8>,
    hashed: &'f [u8],
    pub(super) payload: &'f [u8],
}

pub(super) fn write(stanzas: &[Stanza], key: &FileKey) -> Vec<u8> {
    let mut text = format!("{VERSION}\n");
    for stanza in stanzas {
        text.push_str(&format!("-> {}\n", stanza.words.join(" ")));
        let body = BASE64_NOPAD.encode(&stanza.body);
        let mut rest = body.as_str();
        while rest.len() >= LINE {
            let (line, more) = rest.split_at(LINE);
            text.push_str(&format!("{line}\n"));
            rest = more;
        }
        text.push_str(&format!("{rest}\n"));
    }
    text.push_str("---");
    let hash = mac(key, text.as_bytes()).finalize().into_bytes();
    text.push_str(&format!(" {}\n", BASE64_NOPAD.encode(&hash)));
    text.into_bytes()
}

pub(super) fn read(file: &[u8]) -> Result<Header<'_>, &'static str> {
    let mut rest = file;
    if line(&mut rest) != Some(VERSION) {
        return Err("is no age file of version 1");
    }
    let wrong = "has a header that is not as the format says";
    let mut stanzas = Vec::new();
    loop {
        let before = file.len() - rest.len();
        let text = line(&mut rest).ok_or(wrong)?;
        if let Some(hash) = text.strip_prefix("--- ") {
            let hash = BASE64_NOPAD.decode(hash.as_bytes()).map_err(|_| wrong)?;
            let is_whole = !stanzas.is_empty() && hash.len() == 32;
            let header = Header { stanzas, hash, hashed: &file[..before + 3], payload: rest };
            return if is_whole { Ok(header) } else { Err(wrong) };
        }
        let words = text.strip_prefix("-> ").ok_or(wrong)?;
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let is_word = |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
        if !words.iter().all(is_word) || stanzas.len() == STANZAS_MAX {
            return Err(wrong);
        }
        stanzas.push(Stanza { words, body: body(&mut rest).ok_or(wrong)? });
    }
}

fn body(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut text = String::new();
    loop {
        let part = line(rest)?;
        text.push_str(part);
        match part.len() {
            LINE => {}
            0..LINE => return BASE64_NOPAD.decode(text.as_bytes()).ok(),
            _ => return None,
        }
    }
}

fn line<'f>(rest: &mut &'f [u8]) -> Option<&'f str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 1..];
    Some(text)
}

fn mac(key: &FileKey, text: &[u8]) -> Hmac<Sha256> {
    let key = derive(key.bytes(), &[], b"header");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac
}

impl Header<'_> {
    /// Whether the header is as whoever had this key wrote it.
    pub(super) fn is_whole(&self, key: &FileKey) -> bool {
        mac(key, self.hashed).verify_slice(&self.hash).is_ok()
    }
}
