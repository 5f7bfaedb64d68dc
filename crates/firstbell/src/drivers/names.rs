//! What the name service says of the plan's hosts: a public host with a private address is an attack, and nothing is opened.

use std::net::IpAddr;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::obstacle::Obstacle;
use firstbell_core::plan::Plan;
use tokio::net::lookup_host;

/// A name service that is slower than this is the browser's to wait for, and to tell of.
const LOOKUP: Duration = Duration::from_secs(3);

/// Looks the plan's own host up, unless it is an address already. That it is not found is told by whoever opens the page.
///
/// # Errors
/// [`Failure::Barred`] where every address that is given is one of a private network.
pub(super) async fn prove(plan: &Plan) -> Result<(), Failure> {
    is_public_name(plan.origin.host()).await
}

async fn is_public_name(host: &str) -> Result<(), Failure> {
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let Ok(Ok(addresses)) = tokio::time::timeout(LOOKUP, lookup_host((host, 443))).await else {
        return Ok(());
    };
    let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
    let is_attack = !addresses.is_empty() && !addresses.iter().any(|ip| is_public(*ip));
    if is_attack { Err(Failure::Barred(Obstacle::PrivateAddress)) } else { Ok(()) }
}

/// Whether an address can be one of a public host.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    // An IPv4 address may come in the clothes of an IPv6 one.
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let named = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified();
            // RFC 6598 (shared by a provider's customers) and RFC 2544 (benchmarks).
            let inner = matches!(ip.octets(), [100, 64..=127, ..] | [198, 18..=19, ..]);
            !(named || inner || ip.is_broadcast())
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_with_private_addresses_only_is_refused() {
        assert_eq!(is_public_name("localhost").await, Err(Failure::Barred(Obstacle::PrivateAddress)));
        for host in ["127.0.0.1", "[::1]", "no-such-host.invalid"] {
            assert_eq!(is_public_name(host).await, Ok(()), "{host}");
        }
        for address in
            ["10.1.2.3", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "100.64.0.1", "100.127.255.255"].iter().chain(
                &["198.18.0.1", "198.19.255.255", "0.0.0.0", "255.255.255.255", "fe80::1", "fd00::1", "::1"],
            )
        {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in
            ["8.8.8.8", "100.63.0.1", "100.128.0.1", "198.20.0.1", "::ffff:8.8.8.8", "2606:4700::1"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
