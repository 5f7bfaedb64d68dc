//! The way to the broker: names, connections, certificates, and its clock against ours. No credential goes along.

use std::net::IpAddr;
use std::time::Duration;

use firstbell_core::broker::Broker;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::obstacle::TlsFault;
use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::net::lookup_host;
use tokio::time::timeout;
use url::Url;

use super::finding::{Area, Finding};
use super::issuer;
use crate::checks::OFF_MAX_S;
use crate::drivers::is_public;
use crate::ports::{Call, Clock, Http, WireFault};

const AREA: Area = Area::Network;
/// How long one host may take, with everything that is asked of it.
const TIME: Duration = Duration::from_secs(5);
/// A name service that is slower is none.
const LOOKUP: Duration = Duration::from_secs(3);
const ONLINE: &str =
    "see whether this machine is online, then its name servers: resolvectl query kite.zerodha.com";

/// What one host was found to be.
struct Look {
    finding: Finding,
    named: bool,
    off_s: Option<i64>,
}

/// The hosts, and the clock.
pub(super) async fn examine(kite: &Kite, http: &dyn Http, clock: &dyn Clock) -> Vec<Finding> {
    let ground = kite.ground();
    let mut hosts =
        vec![("host_login_page", "login page", &kite.plan().origin), ("host_api", "API", &ground.api)];
    // In a rehearsal the API and the ticker are one.
    if ground.ticker != ground.api {
        hosts.push(("host_ticker", "live prices", &ground.ticker));
    }
    let looks = join_all(hosts.iter().map(|(id, role, origin)| look((id, role), origin, http, clock))).await;
    let told = looks.iter().filter_map(|look| look.off_s).max_by_key(|off| off.abs());
    let clock = self::clock(told);
    if looks.iter().all(|look| !look.named) {
        let what = "this machine finds no address for any host of the broker: it is offline, or its name service is down";
        return vec![Finding::bad(AREA, "host_login_page", what, ONLINE), clock];
    }
    looks.into_iter().map(|look| look.finding).chain([clock]).collect()
}

async fn look((id, role): (&str, &str), origin: &Origin, http: &dyn Http, clock: &dyn Clock) -> Look {
    let host = origin.host();
    let unnamed = |what: String, mend: &str| Look {
        finding: Finding::bad(AREA, id, what, mend),
        named: false,
        off_s: None,
    };
    match timeout(LOOKUP, addresses(host)).await {
        Ok(Some(found)) if found.iter().any(|ip| is_public(*ip)) || origin.is_loopback() => {}
        Ok(Some(_)) => {
            let what = format!(
                "this network gives {host} a private address: something stands in the broker's place"
            );
            let mend = "use another network or name server: this one may not be trusted with a login";
            return Look { named: true, ..unnamed(what, mend) };
        }
        Ok(None) | Err(_) => return unnamed(format!("no address was found for {host}"), ONLINE),
    }
    let asked = timeout(TIME, http.send(Call::get(Secret::new(origin.join("/"))))).await;
    let ill = |finding| Look { finding, named: true, off_s: None };
    match asked {
        Ok(Ok(reply)) => {
            let how = match origin.is_https() {
                true => "answers, with a certificate that public authorities vouch for",
                false => "answers; this is a rehearsal",
            };
            let what = format!("{host} ({role}) {how}");
            let off_s = reply.date.map(|date| off(date, clock.now()));
            Look { finding: Finding::good(AREA, id, what), named: true, off_s }
        }
        Ok(Err(fault)) => ill(refused(id, origin, &fault).await),
        Err(_) => ill(Finding::bad(
            AREA,
            id,
            format!("{host} does not answer within {} s", TIME.as_secs()),
            format!("see whether a firewall or a proxy stands in between: curl -sI {origin}"),
        )),
    }
}

async fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
        return Some(vec![ip]);
    }
    let found: Vec<IpAddr> = lookup_host((host, 443)).await.ok()?.map(|address| address.ip()).collect();
    (!found.is_empty()).then_some(found)
}

/// Why a host that has an address did not answer.
async fn refused(id: &str, origin: &Origin, fault: &WireFault) -> Finding {
    let host = origin.host();
    match fault.tls {
        Some(TlsFault::Date) => Finding::bad(
            AREA,
            id,
            format!(
                "the certificate of {host} is not of today: this machine's clock is wrong, or somebody is in between"
            ),
            "date; sudo timedatectl set-ntp true",
        ),
        Some(TlsFault::Issuer | TlsFault::Name | TlsFault::Certificate) => {
            let port = Url::parse(&origin.join("/")).ok().and_then(|url| url.port_or_known_default());
            let named = timeout(TIME, issuer::of(host, port.unwrap_or(443))).await.ok().flatten();
            let by = named
                .map(|name| format!(" (its certificate is by \u{201c}{name}\u{201d})"))
                .unwrap_or_default();
            Finding::bad(
                AREA,
                id,
                format!(
                    "something between you and {host} opens encrypted connections{by}: a company proxy or an antivirus, \
                     most often"
                ),
                "use a network without it, or have it leave kite.zerodha.com, api.kite.trade and ws.kite.trade alone",
            )
        }
        Some(TlsFault::Handshake) => Finding::bad(
            AREA,
            id,
            format!("no encrypted connection comes about with {host}"),
            format!("see what answers there: curl -svI {origin}"),
        ),
        None => Finding::bad(
            AREA,
            id,
            format!("{host} does not answer: {}", fault.why),
            format!("see whether a firewall or a proxy stands in between: curl -sI {origin}"),
        ),
    }
}

fn off(date: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(date).as_secs()
}

/// The machine's clock, by what the hosts say.
fn clock(off_s: Option<i64>) -> Finding {
    let id = "clock";
    match off_s {
        None => {
            Finding::unknown(AREA, id, "whether the clock is right (no host of the broker told its time)")
        }
        Some(off_s) if off_s.abs() > OFF_MAX_S => {
            let (by, way) = (off_s.abs(), if off_s > 0 { "fast" } else { "slow" });
            let what = format!("this machine's clock is {by} s {way}: no login is tried with it");
            Finding::bad(AREA, id, what, "sudo timedatectl set-ntp true")
        }
        Some(_) => Finding::good(AREA, id, "the clock agrees with the broker's"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;

    #[test]
    fn a_clock_is_good_within_ten_seconds_and_unknown_where_nobody_tells() {
        for (off_s, grade) in [
            (Some(0), Grade::Good),
            (Some(-10), Grade::Good),
            (Some(11), Grade::Bad),
            (Some(-11), Grade::Bad),
            (None, Grade::Warning),
        ] {
            assert_eq!(clock(off_s).grade, grade, "{off_s:?}");
        }
        assert!(clock(Some(40)).what.contains("40 s fast") && clock(Some(-40)).what.contains("40 s slow"));
    }
}
