//! Chromium's command line, whoever starts it.

use firstbell_core::plan::Plan;

/// Chromium's switches, each with what it keeps away. None turns the sandbox off and none opens a port.
pub(super) const SWITCHES: [&str; 21] = [
    // Nothing is remembered, and nothing is fetched that the page did not ask for.
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--password-store=basic",
    "--disable-breakpad",
    "--disable-crash-reporter",
    // No window opens by the page's will: a form that sends into a new one would be gone before anybody looks.
    "--block-new-web-contents",
    // A login needs no graphics processor, no sound, no process kept ready for a second page, and no page made ready beside the
    // one that is watched.
    "--disable-gpu",
    "--mute-audio",
    "--disable-features=Prerender2,Reporting,NetworkErrorLogging,SpareRendererForSitePerProcess,MediaRouter,OptimizationHints,Translate,DialMediaRouteProvider",
    // One connection a request and one protocol: a request on a connection that was used before is sent again by the
    // browser itself when the connection breaks, and a password must never be sent twice.
    "--disable-http2",
    "--disable-quic",
    // A hostile script in the page finds no way out: no STUN, no compiled code, and (by the features above) no report that the
    // browser sends by itself, nor a request that it keeps for later.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--js-flags=--jitless",
    "--disable-blink-features=FetchLaterAPI",
];

/// No name resolves but the plan's own.
pub(super) fn resolver_rules(plan: &Plan) -> String {
    let mut rules = String::from("MAP * ~NOTFOUND");
    for host in std::iter::once(plan.origin.host()).chain(plan.hosts.iter().map(String::as_str)) {
        rules.push_str(&format!(" , EXCLUDE {}", host.trim_matches(['[', ']'])));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_switch_opens_a_port_or_weakens_the_sandbox() {
        for switch in SWITCHES {
            assert!(!switch.contains("debugging-port") && !switch.contains("no-sandbox"), "{switch}");
            assert!(!switch.contains("ignore-certificate") && !switch.contains("single-process"), "{switch}");
        }
    }
}
