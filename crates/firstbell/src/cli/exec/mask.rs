//! Takes tokens out of what a program writes, wherever its writes are cut.

use std::cell::RefCell;

use firstbell_core::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What stands in a token's place.
const MASK: &[u8] = b"[token]";

/// The tokens that must not be read: each that the program was given.
#[derive(Debug, Default)]
pub(super) struct Masked(RefCell<Vec<Secret>>);

impl Masked {
    /// One more.
    pub(super) fn add(&self, token: &Secret) {
        self.0.borrow_mut().push(token.clone());
    }

    /// Passes on what comes in, until nothing comes any more or nobody takes it.
    pub(super) async fn pass(&self, from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin) {
        let Some(mut from) = from else { return };
        let (mut chunk, mut held) = (vec![0; 8192], Vec::new());
        loop {
            let read = from.read(&mut chunk).await.unwrap_or(0);
            held.extend_from_slice(&chunk[..read]);
            let out = self.mask(&mut held, read == 0);
            // Where nobody reads any more, the program hears of it as it would without us: its pipe is closed.
            if to.write_all(&out).await.is_err() || to.flush().await.is_err() || read == 0 {
                return;
            }
        }
    }

    /// What may go out of what is held: all but a beginning of a token at its end.
    fn mask(&self, held: &mut Vec<u8>, last: bool) -> Vec<u8> {
        let tokens = self.0.borrow();
        let (mut out, mut from) = (Vec::with_capacity(held.len()), 0);
        while from < held.len() {
            let rest = &held[from..];
            let whole = tokens.iter().map(|token| token.expose().as_bytes()).find(|t| rest.starts_with(t));
            if let Some(token) = whole {
                out.extend_from_slice(MASK);
                from += token.len();
            } else if !last && tokens.iter().any(|token| token.expose().as_bytes().starts_with(rest)) {
                break;
            } else {
                out.push(rest[0]);
                from += 1;
            }
        }
        held.drain(..from);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(chunks: &[&str]) -> Vec<String> {
        let tokens = Masked::default();
        tokens.add(&Secret::new("aab7token".into()));
        tokens.add(&Secret::new("aab8token".into()));
        let mut held = Vec::new();
        let mut out: Vec<String> = Vec::new();
        for (place, chunk) in chunks.iter().enumerate() {
            held.extend_from_slice(chunk.as_bytes());
            out.push(String::from_utf8(tokens.mask(&mut held, place + 1 == chunks.len())).unwrap());
        }
        out
    }

    #[test]
    fn a_token_is_taken_out_wherever_it_is_cut() {
        let text = "x aab7token, aab8token.aaab7tokenaab";
        for cut in 1..text.len() {
            for second in cut..text.len() {
                let parts = [&text[..cut], &text[cut..second], &text[second..]];
                assert_eq!(masked(&parts).concat(), "x [token], [token].a[token]aab", "{cut} {second}");
            }
        }
    }

    #[test]
    fn nothing_else_is_held_back() {
        assert_eq!(masked(&["price 17\n", "aa", ""]), ["price 17\n", "", "aa"]);
        assert_eq!(masked(&["aab", "9 no token", ""]), ["", "aab9 no token", ""]);
    }
}
