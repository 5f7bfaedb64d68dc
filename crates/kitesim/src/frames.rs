//! WebSocket frames (RFC 6455), the server's side: few enough lines to need no library for the one use there is.

use std::io;

use axum::http::HeaderMap;
use data_encoding::BASE64;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// RFC 6455, section 1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longer than any message of a client that subscribes to 3,000 instruments.
const LONGEST_MESSAGE: u64 = 128 * 1024;

/// What a frame carries (RFC 6455, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// The answer to the client's key, when the request is a handshake of the one version that there is.
pub(crate) fn accept(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = text("sec-websocket-key").filter(|_| text("sec-websocket-version") == Some("13"))?;
    Some(BASE64.encode(&Sha1::new().chain_update(key).chain_update(MAGIC).finalize()))
}

/// The next whole message or control frame; nothing at the end, and when the client breaks the rules.
pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<(Kind, Vec<u8>)> {
    let mut begun: Option<(Kind, Vec<u8>)> = None;
    loop {
        let mut head = [0_u8; 2];
        from.read_exact(&mut head).await.ok()?;
        let (last, code, masked) = (head[0] & 0x80 != 0, head[0] & 0x0f, head[1] & 0x80 != 0);
        let length = match head[1] & 0x7f {
            126 => u64::from(from.read_u16().await.ok()?),
            127 => from.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let so_far = begun.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
        if !masked || head[0] & 0x70 != 0 || length > LONGEST_MESSAGE - so_far.min(LONGEST_MESSAGE) {
            return None;
        }
        let mut mask = [0_u8; 4];
        from.read_exact(&mut mask).await.ok()?;
        let mut bytes = vec![0_u8; usize::try_from(length).ok()?];
        from.read_exact(&mut bytes).await.ok()?;
        bytes.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let control = |kind| (last && length < 126).then_some(kind);
        let message = match (code, begun.take()) {
            (0, Some((kind, mut all))) => {
                all.extend(bytes);
                (kind, all)
            }
            (1, None) => (Kind::Text, bytes),
            (2, None) => (Kind::Binary, bytes),
            (8, _) => return Some((control(Kind::Close)?, bytes)),
            (9, None) => return Some((control(Kind::Ping)?, bytes)),
            (10, None) => return Some((control(Kind::Pong)?, bytes)),
            _ => return None,
        };
        if last {
            return Some(message);
        }
        begun = Some(message);
    }
}

/// Writes one frame.
pub(crate) async fn write(to: &mut (impl AsyncWrite + Unpin), kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | kind as u8];
    match u16::try_from(bytes.len()) {
        Ok(length @ 0..126) => frame.push(length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend((bytes.len() as u64).to_be_bytes());
        }
    }
    frame.extend(bytes);
    to.write_all(&frame).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    async fn heard(bytes: &[u8]) -> Option<(Kind, Vec<u8>)> {
        let mut bytes = bytes;
        read(&mut bytes).await
    }

    #[tokio::test]
    async fn messages_are_read_whole_and_unmasked_ones_not_at_all() {
        // RFC 6455, section 5.7: "Hello", masked; the same in two parts; the same unmasked.
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(heard(&hello).await, Some((Kind::Text, b"Hello".to_vec())));
        let parts = [0x01, 0x82, 0, 0, 0, 0, b'H', b'e', 0x80, 0x83, 0, 0, 0, 0, b'l', b'l', b'o'];
        assert_eq!(heard(&parts).await, Some((Kind::Text, b"Hello".to_vec())));
        assert_eq!(heard(&[0x81, 0x05, b'H', b'e', b'l', b'l', b'o']).await, None);
        assert_eq!(heard(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).await, None);
        assert_eq!(heard(&hello[..7]).await, None);
        let mut written = Vec::new();
        write(&mut written, Kind::Binary, &[7; 300]).await.unwrap();
        assert_eq!((&written[..4], written.len()), (&[0x82, 126, 1, 44][..], 304));
    }

    fn steady(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    /// Waits for what is ready at once.
    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #![proptest_config(steady(2_000))]

        /// A frame of a client comes back whole, whatever its length and mask; other bytes end the conversation.
        #[test]
        fn no_frame_ends_its_reader(text in prop::collection::vec(any::<u8>(), 0..400), mask: [u8; 4], bytes: Vec<u8>) {
            let mut frame = vec![0x81];
            match u16::try_from(text.len()).unwrap() {
                length @ 0..126 => frame.push(0x80 | length.to_be_bytes()[1]),
                length => {
                    frame.push(0x80 | 126);
                    frame.extend(length.to_be_bytes());
                }
            }
            frame.extend(mask);
            frame.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            prop_assert_eq!(now(heard(&frame)), Some((Kind::Text, text)));
            if let Some((_, heard)) = now(heard(&bytes)) {
                prop_assert!(heard.len() < bytes.len());
            }
        }
    }
}
