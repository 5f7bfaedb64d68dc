//! A first run without its questions: the configuration that is being written, what an answer looks like, and what can be
//! proven of it before anything is spent.

mod draft;
mod key_check;
mod key_place;
mod look;
mod picture;
mod proof;
mod seed;
mod service;

pub use self::draft::{Draft, Key, no_chat};
pub use self::key_check::{Checked, Known, check};
pub use self::key_place::{Kept, KeyPlace, PASSPHRASE_MIN, into_credential, into_keyring, under_passphrase};
pub use self::look::{
    Look, any_secret, api_key, api_secret, has_edges, is_clean, is_help, is_no, is_yes, mail_address,
    mail_server, names, number, password, redirect, same, user_id, without_edges,
};
pub use self::proof::{Proof, prove};
pub use self::seed::{Found, read_seed};
pub use self::service::{Unit, unit};
