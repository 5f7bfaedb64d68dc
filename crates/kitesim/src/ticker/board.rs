//! Prices as the ticker sends them: packets in Kite's binary form, made once for each moment however many listen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::clock;
use crate::market::{Instrument, Market, by_token};

/// The longest packet: a share in full mode with its depth.
const LONGEST: usize = 184;

/// How much is told of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Ltp,
    Quote,
    Full,
}

/// One instrument in full; the shorter modes are its beginning.
#[derive(Debug)]
struct Packet {
    bytes: [u8; LONGEST],
    tradable: bool,
}

impl Packet {
    fn told(&self, mode: Mode) -> &[u8] {
        let length = match (mode, self.tradable) {
            (Mode::Ltp, _) => 8,
            (Mode::Quote, true) => 44,
            (Mode::Quote, false) => 28,
            (Mode::Full, true) => LONGEST,
            (Mode::Full, false) => 32,
        };
        &self.bytes[..length]
    }
}

/// What the instruments of one second and one seed look like; tokens without an instrument are remembered as such.
#[derive(Debug, Default)]
struct Second {
    at: i64,
    seed: u64,
    packets: BTreeMap<u32, Option<Packet>>,
}

/// The board that all connections read from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Second>>);

impl Board {
    /// One frame with a packet for each wanted instrument, or the heartbeat of one byte when there is none.
    pub(super) fn frame(&self, market: &Market, wanted: &BTreeMap<u32, Mode>, now: Timestamp) -> Vec<u8> {
        let mut second = self.second(market, now);
        let mut frame = Vec::with_capacity(2 + wanted.len() * (2 + LONGEST));
        frame.extend([0, 0]);
        let mut count = 0_usize;
        for (token, mode) in wanted {
            let made = || by_token(*token, clock::in_india(now).date()).map(|one| packet(market, &one, now));
            if let Some(packet) = second.packets.entry(*token).or_insert_with(made) {
                let told = packet.told(*mode);
                frame.extend(short(told.len()));
                frame.extend(told);
                count += 1;
            }
        }
        if count == 0 {
            return vec![0];
        }
        frame[..2].copy_from_slice(&short(count));
        frame
    }

    /// The board of this second, empty when it is the first look.
    fn second(&self, market: &Market, now: Timestamp) -> MutexGuard<'_, Second> {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (second.at, second.seed) != (now.as_second(), market.seed) {
            *second = Second { at: now.as_second(), seed: market.seed, packets: BTreeMap::new() };
        }
        second
    }
}

/// All numbers are big-endian, prices in parts of a rupee (Kite Connect docs, /websocket).
fn packet(market: &Market, one: &Instrument, now: Timestamp) -> Packet {
    let look = market.look(one, now);
    let parts = match one.exchange {
        "CDS" => 10_000_000.0,
        "BCD" => 10_000.0,
        _ => 100.0,
    };
    let price = |value: f64| (value * parts).round() as i32;
    let count = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    let [open, high, low, close] = look.bar.map(price);
    let last = price(look.last);
    let moment = count(now.as_second());
    let mut words = vec![one.token.cast_signed(), last];
    if one.tradable() {
        words.extend([count(one.lot), price(look.average), count(look.volume)]);
        words.extend([count(look.waiting), count(look.waiting), open, high, low, close, moment]);
        words.extend([count(look.interest); 3]);
    } else {
        words.extend([high, low, open, close, last.saturating_sub(close)]);
    }
    words.push(moment);
    let mut bytes: Vec<u8> = words.into_iter().flat_map(i32::to_be_bytes).collect();
    for (value, quantity, orders) in look.depth.iter().flatten().filter(|_| one.tradable()) {
        bytes.extend(count(*quantity).to_be_bytes());
        bytes.extend(price(*value).to_be_bytes());
        bytes.extend(short(usize::try_from(*orders).unwrap_or(0)));
        bytes.extend([0, 0]);
    }
    bytes.resize(LONGEST, 0);
    let bytes = bytes.try_into().expect("it was just made as long");
    Packet { bytes, tradable: one.tradable() }
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Calendar;

    fn frame(token: u32, mode: Mode) -> Vec<u8> {
        let now: Timestamp = "2026-10-05T12:00:00+05:30".parse().unwrap();
        Board::default().frame(&Market::new(1, Calendar::default()), &[(token, mode)].into(), now)
    }

    #[test]
    fn packets_have_the_lengths_that_clients_tell_them_by() {
        for (mode, share, index) in [(Mode::Ltp, 8, 8), (Mode::Quote, 44, 28), (Mode::Full, 184, 32)] {
            let length = |token| frame(token, mode).len() - 4;
            assert_eq!((length(408_065), length(256_265)), (share, index));
        }
        assert_eq!(frame(7, Mode::Full), [0]);
    }

    #[test]
    fn a_full_packet_ends_with_ten_rows_of_depth() {
        let frame = frame(408_065, Mode::Full);
        let word = |at: usize| i32::from_be_bytes(frame[4 + at..8 + at].try_into().unwrap());
        let seconds = 1_791_181_800;
        assert_eq!((word(0), word(8), word(44), word(60)), (408_065, 1, seconds, seconds));
        // Buyers below the last price, sellers above it.
        assert!(word(68) < word(4) && word(4) < word(128), "{} {} {}", word(68), word(4), word(128));
        assert_eq!((word(64), word(124)), (10, 10));
    }
}
