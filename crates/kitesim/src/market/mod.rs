//! The pretended market: instruments, trading hours and prices, all worked out from a seed and the clock.

mod candles;
mod hours;
mod instruments;
mod prices;

pub(crate) use candles::{Interval, Range};
pub(crate) use hours::{Calendar, later};
pub(crate) use instruments::{Instrument, MOST_INVENTED, by_name, by_token, csv, everything};
pub(crate) use prices::{Market, drawn};

/// A moment as Kite writes it: Indian time, 19 characters.
pub(crate) fn stamp(moment: jiff::Timestamp) -> String {
    crate::clock::in_india(moment).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// To the paisa, as every price and amount is.
pub(crate) fn paise(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}
