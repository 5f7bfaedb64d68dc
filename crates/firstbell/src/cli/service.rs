//! What the service manager hears: that we are ready, stopping, and alive (sd_notify(3)). Without one, nobody hears anything.

use std::convert::Infallible;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::clock::monotonic_us;
use crate::serve::Desk;

/// Sends one line to the service manager, where there is one.
pub(super) fn tell(line: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let name = name.into_encoded_bytes();
    let address = match name.as_slice() {
        [b'@', abstracted @ ..] => SocketAddr::from_abstract_name(abstracted),
        _ => SocketAddr::from_pathname(String::from_utf8_lossy(&name).as_ref()),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(line.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager does not hear");
    }
}

/// The configuration is about to be read anew; READY=1 follows, whatever comes of it (sd_notify(3) wants the moment).
pub(super) fn reloading() {
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()));
}

/// Tells the service manager's watchdog that all keepers look when they should; falls silent when one does not, so that it
/// is started anew.
pub(super) async fn watch(desk: &dyn Desk) -> Infallible {
    let asked = std::env::var("WATCHDOG_USEC").ok().and_then(|us| us.parse::<u64>().ok());
    let Some(us) = asked.filter(|us| *us > 0) else { return std::future::pending().await };
    loop {
        if desk.is_alive() {
            tell("WATCHDOG=1");
        }
        tokio::time::sleep(Duration::from_micros(us / 3)).await;
    }
}
