//! What is tried without a credential: before a login, and again for the verdict at the deadline. Each fault has a short name.

use std::net::IpAddr;

use firstbell_core::broker::{App, Broker};
use firstbell_core::failure::Failure;
use firstbell_core::schedule::Assisted;
use firstbell_core::secret::Secret;
use firstbell_core::token::Token;
use jiff::Timestamp;

use crate::alerts::{ChannelConfig, Outside, TIME};
use crate::config::Egress;
use crate::hands::Hands;
use crate::ports::{Call, Engines, Http, Reach, Received, WireFault};

/// A clock that is off by more makes codes that the broker refuses (KITE.md has no figure; a code lives 30 s).
pub const OFF_MAX_S: i64 = 10;

/// All that a login needs, and no credential: the clock against the broker's two, names, network and certificates, an engine,
/// the key, the secrets, the sinks. The store is proven by the event that is written of this.
pub async fn beforehand(hands: &Hands<'_>) -> Vec<String> {
    let rest = async {
        let mut lacks = ground(hands).await;
        if hands.account.assisted != Assisted::Only && !starts(hands).await {
            lacks.push("browser".into());
        }
        if let Err(failure) = hands.stores.proves_key() {
            tracing::warn!(%failure, "the store would not open at the next start");
            lacks.push("key".into());
        }
        if hands.lacks_secret().is_some() {
            lacks.push("secrets".into());
        }
        lacks
    };
    // A sink that hangs takes no more time than the rest does, or little.
    let (mut lacks, sinks) = tokio::join!(rest, hands.check_sinks());
    lacks.extend(sinks.iter().map(|(sink, _)| format!("sink {}", sink.name)));
    lacks
}

/// Clock and network, by the dates of the login page's host and of the API's.
pub async fn ground(hands: &Hands<'_>) -> Vec<String> {
    let mut lacks = Vec::new();
    for (name, url) in
        [("login page", hands.kite.plan().origin.join("/")), ("api", hands.kite.ground().api.join("/"))]
    {
        match get(hands, url, Vec::new()).await {
            // A host that does not tell its time proves nothing.
            Ok(reply) if is_off(reply.date, hands.clock.now()) => lacks.push("clock".to_owned()),
            Ok(_) => {}
            Err(WireFault { tls: Some(_), .. }) => lacks.push(format!("{name}: certificate")),
            Err(_) => lacks.push(format!("{name}: network")),
        }
    }
    lacks.dedup();
    lacks
}

/// Whether the ticker takes the token: the handshake of a WebSocket, and nothing after it (kite.trade/docs/connect/v3/websocket:
/// API key and access token stand in the address).
pub async fn ticks(hands: &Hands<'_>, token: &Token) -> bool {
    let App { api_key, .. } = &hands.account.app;
    let url = hands.kite.ticker(api_key, &token.access);
    let headers = vec![
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        // Any sixteen bytes: they prove nothing and protect nothing (RFC 6455, section 10.3).
        ("Sec-WebSocket-Key", "Zmlyc3RiZWxsIGNoZWNrIQ=="),
    ];
    fetch(hands, url, headers).await.is_ok_and(|reply| reply.status == 101)
}

/// Whether we come from the address that is registered at the broker, as far as somebody outside says.
pub async fn comes_from(hands: &Hands<'_>, egress: &Egress) -> bool {
    our_address(hands.http, egress).await == Some(egress.address)
}

/// The address that we come from, as far as somebody outside says.
pub async fn our_address(http: &dyn Http, egress: &Egress) -> Option<IpAddr> {
    let reply = http.send(Call::get(Secret::new(egress.asked.clone()))).await.ok()?;
    std::str::from_utf8(reply.body.expose()).ok()?.trim().parse().ok()
}

/// The channels whose secrets are missing, or where nobody answers. Whether a message would arrive, `firstbell alerts test` tells.
pub async fn channels(hands: &Hands<'_>, channels: &[ChannelConfig]) -> Vec<String> {
    let looks = channels.iter().map(|channel| async {
        let outside = Outside { http: hands.http, clock: hands.clock, time: TIME };
        let reached = channel.is_reachable(hands.stores.vault(), outside).await;
        (!reached).then(|| format!("channel {}", channel.name))
    });
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

/// Whether any engine of the ladder starts and ends.
async fn starts(hands: &Hands<'_>) -> bool {
    let (plan, app) = (hands.kite.plan(), &hands.account.app);
    let reach = Reach { http: hands.http, clock: hands.clock };
    for name in hands.drivers.names() {
        let opened: Result<_, Failure> = hands.drivers.open(name, plan, app, reach).await;
        if let Ok(driver) = opened {
            return driver.close().await.is_ok();
        }
    }
    false
}

fn is_off(date: Option<Timestamp>, now: Timestamp) -> bool {
    date.is_none_or(|date| date.duration_since(now).as_secs().abs() > OFF_MAX_S)
}

async fn get(
    hands: &Hands<'_>,
    url: String,
    headers: Vec<(&'static str, &'static str)>,
) -> Result<Received, WireFault> {
    fetch(hands, Secret::new(url), headers).await
}

async fn fetch(
    hands: &Hands<'_>,
    url: Secret,
    headers: Vec<(&'static str, &'static str)>,
) -> Result<Received, WireFault> {
    hands.http.send(Call { headers, ..Call::get(url) }).await
}
