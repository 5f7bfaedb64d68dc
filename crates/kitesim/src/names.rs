//! The names that the pretended Kite goes by behind TLS.

/// The site, the old entry of Connect logins, the API, and the two hosts of the ticker.
pub(crate) const NAMES: [&str; 5] = [SITE, ENTRY, API, "ws.kite.trade", "ws.zerodha.com"];
pub(crate) const SITE: &str = "kite.zerodha.com";
/// It does nothing but lead to the site.
pub(crate) const ENTRY: &str = "kite.trade";
pub(crate) const API: &str = "api.kite.trade";

/// The name that a client asked for in its handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked(pub(crate) String);
