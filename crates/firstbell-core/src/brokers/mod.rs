//! The brokers, by name.

pub mod kite;
