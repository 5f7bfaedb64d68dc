//! firstbell does and never decides: it performs what `firstbell-core` says, on real files, networks and browsers.
//!
//! Read from the bottom up: [`ports`], [`censor`], [`halt`], [`written`], the shelves ([`drivers`], [`secrets`], [`codes`], [`stores`],
//! [`sinks`]), [`planfile`], [`calendarfile`], [`chat`], [`config`], [`ledger`], [`login`], [`returns`], [`hands`], [`standing`], [`board`], [`caller`], [`keeper`], [`courier`], [`crier`], [`selftest`], [`serve`], [`doctor`], [`setup`], [`cli`].

pub mod album;
pub mod alerts;
pub mod board;
pub mod calendarfile;
pub mod caller;
pub mod censor;
pub mod chat;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod codes;
pub mod config;
pub mod courier;
pub mod crier;
pub mod database;
pub mod deadman;
pub mod doctor;
pub mod drivers;
pub mod halt;
pub mod hands;
pub mod http;
pub mod keeper;
pub mod landing;
pub mod leap;
pub mod ledger;
pub mod login;
pub mod planfile;
pub mod ports;
pub mod program;
pub mod record;
pub mod returns;
pub mod secrets;
pub mod selftest;
pub mod serve;
pub mod setup;
pub mod shape;
pub mod signature;
pub mod sinks;
pub mod standing;
pub mod stores;
pub mod tally;
pub mod terminal;
pub mod textfile;
pub mod tls;
pub mod witness;
pub mod written;
