//! Messages over a socket between two processes of ours: JSON of a bounded length, with that length before it.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::Zeroizing;

/// A message larger than this is none of ours: the bound of what a browser may say.
const MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// The length stands before the message, in four bytes, the lowest first.
const HEAD: usize = 4;
/// What is secret and short is written without a copy being left behind by growth.
const USUAL_BYTES: usize = 16 * 1024;

/// The side that is spoken to.
#[derive(Debug)]
pub(super) struct Hears {
    half: OwnedReadHalf,
    arrived: Zeroizing<Vec<u8>>,
}

/// The side that speaks.
#[derive(Debug)]
pub(super) struct Says {
    half: OwnedWriteHalf,
}

/// Both sides of a connection.
pub(super) fn split(stream: UnixStream) -> (Hears, Says) {
    let (read, write) = stream.into_split();
    (Hears { half: read, arrived: Zeroizing::new(Vec::new()) }, Says { half: write })
}

impl Hears {
    /// The next message; none where the other end is closed between two. May be dropped and called again.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            let wanted = self.wanted()?;
            if wanted > HEAD && self.arrived.len() == wanted {
                // It is wiped as it goes.
                let whole = std::mem::replace(&mut self.arrived, Zeroizing::new(Vec::new()));
                // What cannot be read may be secret all the same: no word of it goes into an error.
                return serde_json::from_slice(&whole[HEAD..]).map(Some).map_err(|_| nonsense());
            }
            let missing = wanted - self.arrived.len();
            self.arrived.reserve_exact(missing);
            let limit = u64::try_from(missing).map_err(|_| nonsense())?;
            if (&mut self.half).take(limit).read_buf(&mut *self.arrived).await? == 0 {
                return if self.arrived.is_empty() { Ok(None) } else { Err(nonsense()) };
            }
        }
    }

    /// How many bytes are to be there before anything can be done with them.
    fn wanted(&self) -> io::Result<usize> {
        let Some(head) = self.arrived.first_chunk::<HEAD>() else { return Ok(HEAD) };
        match usize::try_from(u32::from_le_bytes(*head)) {
            Ok(length) if (1..=MESSAGE_BYTES).contains(&length) => Ok(HEAD + length),
            _ => Err(nonsense()),
        }
    }
}

impl Says {
    /// Sends one message, whole. A call that is dropped half way leaves a line on which nothing can be said any more.
    pub(super) async fn send<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL_BYTES));
        bytes.extend([0; HEAD]);
        serde_json::to_writer(&mut *bytes, message).map_err(|_| nonsense())?;
        let length = bytes.len() - HEAD;
        let head = u32::try_from(length).ok().filter(|_| length <= MESSAGE_BYTES).ok_or_else(nonsense)?;
        bytes[..HEAD].copy_from_slice(&head.to_le_bytes());
        self.half.write_all(&bytes).await
    }
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the other side said what cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(bytes: &[u8]) -> io::Result<Option<String>> {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        split(ours).0.next().await
    }

    #[tokio::test]
    async fn what_is_said_is_heard_and_nothing_else_is() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut hears, mut says) = (split(ours).0, split(theirs).1);
        for text in ["a", "", "\"{\u{1}ö"] {
            says.send(&text).await.unwrap();
            assert_eq!(hears.next::<String>().await.unwrap().as_deref(), Some(text));
        }
        assert_eq!(heard(b"").await.unwrap(), None);
        let no_text =
            [b"\x01\0\0\0{".as_slice(), b"\0\0\0\0", b"\x05\0\0\0\"ab", b"\x02\0", b"\xff\xff\xff\x7f\"\""];
        for bytes in no_text {
            assert!(heard(bytes).await.is_err(), "{bytes:?}");
        }
    }
}
