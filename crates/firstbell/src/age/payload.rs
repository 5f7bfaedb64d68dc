//! The payload of an age file: pieces of 64 KiB, each sealed with its number and with whether it is the last one.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use firstbell_core::secret::SecretBytes;

use super::stanza::FileKey;
use super::{Fault, derive};

const SALT_LEN: usize = 16;
const PIECE: usize = 64 * 1024;
const TAG_LEN: usize = 16;

pub(super) fn write(plain: &SecretBytes, key: &FileKey, file: &mut Vec<u8>) -> Result<(), getrandom::Error> {
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt)?;
    file.extend_from_slice(&salt);
    let cipher = cipher(key, &salt);
    let mut pieces = plain.expose().chunks(PIECE).peekable();
    // An empty text is one empty piece.
    let mut number = 0;
    loop {
        let piece = pieces.next().unwrap_or_default();
        let start = file.len();
        // Encrypted where it lies: no second copy of the text is made in the clear but the one that is overwritten now.
        file.reserve_exact(piece.len() + TAG_LEN);
        file.extend_from_slice(piece);
        let nonce = nonce(number, pieces.peek().is_none());
        let tag = cipher.encrypt_inout_detached(&nonce, &[], (&mut file[start..]).into());
        file.extend_from_slice(&tag.expect("a piece is far below the cipher's limit"));
        number += 1;
        if pieces.peek().is_none() {
            return Ok(());
        }
    }
}

pub(super) fn read(payload: &[u8], key: &FileKey) -> Result<SecretBytes, Fault> {
    let (salt, sealed) = payload.split_at_checked(SALT_LEN).ok_or(Fault::Damaged)?;
    let cipher = cipher(key, salt);
    // It never grows, and so leaves no copy behind; what it holds when this fails is wiped with it.
    let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(sealed.len()));
    let mut pieces = sealed.chunks(PIECE + TAG_LEN).enumerate().peekable();
    if pieces.peek().is_none() {
        return Err(Fault::Damaged);
    }
    while let Some((number, piece)) = pieces.next() {
        let (text, tag) = piece.split_last_chunk::<TAG_LEN>().ok_or(Fault::Damaged)?;
        if text.is_empty() && number > 0 {
            return Err(Fault::Damaged);
        }
        let start = plain.len();
        plain.extend_from_slice(text);
        let nonce = nonce(number as u64, pieces.peek().is_none());
        let opened =
            cipher.decrypt_inout_detached(&nonce, &[], (&mut plain[start..]).into(), &Tag::from(*tag));
        opened.map_err(|_| Fault::Damaged)?;
    }
    Ok(SecretBytes::new(std::mem::take(&mut *plain)))
}

fn cipher(key: &FileKey, salt: &[u8]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new_from_slice(&*derive(key.bytes(), salt, b"payload")).expect("the key has 32 bytes")
}

fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(is_last);
    nonce.into()
}
