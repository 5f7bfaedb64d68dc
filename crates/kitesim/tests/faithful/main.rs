//! The pretended Kite answers as the real one is known to: every test starts the built program on free ports.
//! A name that begins with a row number names the row of the requirements list that the test covers.

mod api;
mod bad_days;
mod clients;
mod clock;
mod connect;
mod consent;
mod control;
mod generations;
mod hold;
mod hostile;
mod inspect;
mod interstitials;
mod json_flows;
mod locks;
mod orders;
mod page;
mod postbacks;
mod rows;
mod scenarios;
mod sign_in;
mod start;
mod support;
mod switches;
mod ticker;
mod tls;
mod whatever;
mod wire_faults;
