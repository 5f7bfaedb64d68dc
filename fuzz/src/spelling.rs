//! Keys in base32 and the sums of a PNG, written without the readers that are tried.

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The whole bytes of a text in base32.
pub fn bytes(text: &str) -> Vec<u8> {
    let small = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase() as u8);
    let values = small.map(|c| LETTERS.iter().position(|letter| *letter == c).expect("a letter of base32"));
    let bits: Vec<bool> =
        values.flat_map(|value| (0..5).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
}

/// Bytes in base32, without padding.
pub fn letters(bytes: &[u8]) -> String {
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let value = |part: &[bool]| (0..5).fold(0, |all, at| all << 1 | usize::from(part.get(at) == Some(&true)));
    bits.chunks(5).map(|part| char::from(LETTERS[value(part)])).collect()
}

/// Puts the check sum of each part of a PNG right: length, name, content, sum.
pub fn summed(png: &mut [u8]) {
    let mut at = 8;
    while let Some(length) =
        png.get(at..at + 4).map(|four| u32::from_be_bytes(four.try_into().expect("four")))
    {
        let end = at + 8 + length as usize;
        let Some(sum) = png.get(at + 4..end).map(crc) else { return };
        let Some(place) = png.get_mut(end..end + 4) else { return };
        place.copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}
