//! Replies whose bodies are wrong: too slow, too long, of another type, or packed to burst.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::time::{Interval, interval};

/// How much a bomb unpacks to: far more than any reply, yet no danger to a machine of today.
const UNPACKED_BYTES: usize = 64 * 1024 * 1024;
const FILLING: &[u8] = &[b' '; 64 * 1024];

/// The whole reply, its body byte by byte.
pub(super) fn dripping(response: Response, every_ms: u64) -> Response {
    let (parts, body) = response.into_parts();
    // An interval has no room for nothing at all.
    let pace = interval(Duration::from_millis(every_ms.max(1)));
    Response::from_parts(parts, Body::new(Drip { body, rest: Bytes::new(), pace }))
}

/// The reply with blanks after it.
pub(super) fn oversized(response: Response, bytes: u64) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::new(Padded { body, left: bytes }))
}

/// JSON that says it is plain text, and a page that says it is JSON.
pub(super) fn wrong_type(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
    let kind = if json { "text/plain; charset=utf-8" } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Bytes that no UTF-8 text has.
pub(super) fn invalid_text(response: Response) -> Response {
    let (mut parts, _body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(&b"{\"status\":\"\xff\xfe\xc0\xaf\"}"[..]))
}

/// A reply that unpacks to a hundred times its size and more.
pub(super) fn bomb() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, "gzip")];
    (headers, packed_blanks()).into_response()
}

struct Drip {
    body: Body,
    rest: Bytes,
    pace: Interval,
}

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let own = self.get_mut();
        while own.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut own.body).poll_frame(cx)) {
                Some(Ok(frame)) => own.rest = frame.into_data().unwrap_or_default(),
                end => return Poll::Ready(end),
            }
        }
        std::task::ready!(own.pace.poll_tick(cx));
        Poll::Ready(Some(Ok(Frame::data(own.rest.split_to(1)))))
    }
}

struct Padded {
    body: Body,
    left: u64,
}

impl hyper::body::Body for Padded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let own = self.get_mut();
        if let Some(frame) = std::task::ready!(Pin::new(&mut own.body).poll_frame(cx)) {
            return Poll::Ready(Some(frame));
        }
        let piece = usize::try_from(own.left).unwrap_or(usize::MAX).min(FILLING.len());
        own.left = own.left.saturating_sub(u64::try_from(piece).unwrap_or(u64::MAX));
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(Bytes::from_static(&FILLING[..piece])))))
    }
}

/// Blanks as a gzip file (RFC 1952) of one block with the fixed codes (RFC 1951): one blank, then copies of 258.
fn packed_blanks() -> Vec<u8> {
    let copies = UNPACKED_BYTES / 258;
    let mut bits = Bits { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], waiting: 0, count: 0 };
    bits.push(0b011, 3);
    // Codes begin with their highest bit: the literal 0x20 is 0x50, length 258 is 0xc5, distance 1 is five zeros.
    bits.push(u32::from(0x50_u8.reverse_bits()), 8);
    for _copy in 0..copies {
        bits.push(u32::from(0xc5_u8.reverse_bits()), 13);
    }
    // The end of the block, and the rest of the last byte.
    bits.push(0, 7 + 7);
    let length = copies * 258 + 1;
    let mut packed = bits.bytes;
    packed.extend(crc_of_blanks(length).to_le_bytes());
    packed.extend(u32::try_from(length).unwrap_or_default().to_le_bytes());
    packed
}

struct Bits {
    bytes: Vec<u8>,
    waiting: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, width: u32) {
        self.waiting |= value << self.count;
        self.count += width;
        while self.count >= 8 {
            let [low, ..] = self.waiting.to_le_bytes();
            self.bytes.push(low);
            self.waiting >>= 8;
            self.count -= 8;
        }
    }
}

/// The CRC-32 of so many blanks. Doubling the text is a map of bits on bits, so that few steps do.
fn crc_of_blanks(length: usize) -> u32 {
    let step = |crc: u32| {
        let mut crc = crc ^ u32::from(b' ');
        for _bit in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    };
    // Each map is what a number of blanks does: a column for each bit, and what it does to nothing.
    let apply = |(columns, base): &([u32; 32], u32), crc: u32| {
        columns
            .iter()
            .enumerate()
            .filter(|(bit, _)| crc >> bit & 1 == 1)
            .fold(*base, |sum, (_, one)| sum ^ one)
    };
    let base = step(0);
    let mut map = (std::array::from_fn(|bit| step(1 << bit) ^ base), base);
    let (mut crc, mut left) = (u32::MAX, length);
    while left > 0 {
        if left & 1 == 1 {
            crc = apply(&map, crc);
        }
        let twice = apply(&map, map.1);
        map = (std::array::from_fn(|bit| apply(&map, apply(&map, 1 << bit)) ^ twice), twice);
        left >>= 1;
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        // As zlib's crc32 gives them.
        assert_eq!(crc_of_blanks(0), 0);
        assert_eq!(crc_of_blanks(1), 0xe96c_cf45);
        assert_eq!(crc_of_blanks(1000), 0xcd93_e382);
    }
}
