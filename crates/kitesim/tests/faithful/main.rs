//! The pretended Kite answers as the real one is known to: every test starts the built program on free ports.
//! A name that begins with a row number names the row of the requirements list that the test covers.

mod api;
mod bad_days;
mod clients;
mod clock;
mod connect;
mod consent;
mod hold;
mod hostile;
mod inspect;
mod locks;
mod orders;
mod page;
mod sign_in;
mod start;
mod support;
mod switches;
